"""Devices that come and go while the system runs."""
from harness.guest import test_root
from harness.system import case, expect

WAIT = "for n in $(seq 500); do [ -e /dev/edu0 ] && break; usleep 10000; done; "


@case(cpus=(1, 4), peer=False)
def hotplug_offers(context):
    """What a driver offers comes and goes, and nothing is lost by that."""
    root = test_root((("plug", "musl"), ("leak", "musl")))
    result = context.run(["/bin/sh", "-c", WAIT + "exec /test/bin/leak /test/bin/plug"], root, devices=("edu,dma_mask=0xffffffff",))
    expect(result.status == 0 and result.stdout.count(b"ok ") >= 3 and b"not ok" not in result.stdout, "offers", result)
    context.detail(result.stdout.decode().splitlines()[-1])
