"""The event timer and the speaker, whose drivers are processes, as Linux programs use them."""
from harness.guest import peer_execute, test_root
from harness.system import case, expect


def _checked(result, count):
    lines = result.stdout.decode().splitlines()
    bad = [line for line in lines if not line.startswith("ok ")]
    expect(not bad and len(lines) == count, f"{len(lines)} lines, {bad}", result)
    return lines


@case(cpus=(1,), peer=False)
def timers_hpet(context):
    """Rates, interrupts, polling, registers: as on Debian's Linux. Then by message, and where there is no interrupt to be had."""
    root = test_root((("hpet_check", "glibc"),))
    ours = _checked(context.run(["/test/glibc/hpet_check"], root), 33)
    line = ["/bin/sh", "-c", "mknod -m 600 /dev/hpet c 10 228; exec /test/glibc/hpet_check"]
    theirs = _checked(peer_execute(line, root, timeout=90), 33)
    expect(ours == theirs, f"{ours}\non Linux:\n{theirs}")
    _checked(context.run(["/test/glibc/hpet_check"], root, machine="pc", more=("-global", "hpet.msi=on")), 33)
    _checked(context.run(["/test/glibc/hpet_check", "lines=0"], root, machine="pc"), 25)
