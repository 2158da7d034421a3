"""The event timer and the speaker, whose drivers are processes, as Linux programs use them."""
import os

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


KILLS = int(os.environ.get("KEEL_TIMER_KILLS", "5"))
# One program counts all the while; another one's close meets a driver that is not there.
KILLED = """
kill_driver() { until echo $1 > /proc/keel_reset; do usleep 5000; done 2> /dev/null; }
mkfifo /tmp/end
/test/glibc/hpet_check killed < /tmp/end & exec 3> /tmp/end
until [ -e /tmp/ready ]; do usleep 5000; done
for i in $(seq %d); do kill_driver hpet; done
exec 3>&-; wait
rm /tmp/ready
/test/glibc/hpet_check killed < /tmp/end & exec 3> /tmp/end
until [ -e /tmp/ready ]; do usleep 5000; done
kill_driver hpet; kill -9 $!; wait 2> /dev/null
/test/glibc/hpet_check
""" % KILLS


@case(cpus=(1, 4), peer=False)
def timers_killed(context):
    """A program's interrupts go on when the driver is ended; a close that the driver does not hear switches them off, too."""
    result = context.run(["/bin/sh", "-c", KILLED], test_root((("hpet_check", "glibc"),)))
    ends = result.log.count(b"driver hpet (generation")
    expect(ends == KILLS + 1, f"{ends} ends of the driver", result)
    _checked(result, 33 + 3 + 1)
