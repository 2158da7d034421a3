"""Matrix and vector work that a service does for programs."""
from harness.guest import test_root
from harness.system import case, expect

SCRIPT = "until [ -e /dev/accel0 ]; do usleep 10000; done; exec /test/bin/accel"


@case(cpus=(1, 4), peer=False)
def accel_work(context):
    result = context.run(["/bin/sh", "-c", SCRIPT], test_root((("accel", "musl"),)), append="accel")
    expect(result.status == 0 and result.stdout.count(b"ok ") >= 3 and b"not ok" not in result.stdout, "work", result)


@case(cpus=(1,), peer=False)
def accel_without_vectors(context):
    """On a processor without AVX2."""
    result = context.run(["/bin/sh", "-c", SCRIPT], test_root((("accel", "musl"),)), append="accel", cpu="max,-avx2")
    expect(result.status == 0 and b"not ok" not in result.stdout, "work", result)
