"""The real-time clock, by its calls and by Debian's hwclock."""
from harness.guest import test_root
from harness.system import case, expect

HWCLOCK = """
/test/glibc/rtc_check
cd /sys/class/rtc/rtc0; echo $(cat name) $(cat date) $(($(cat since_epoch) / 10))
/usr/sbin/hwclock --systohc && /usr/sbin/hwclock -r > /tmp/now && echo read
test "$(date -u +%Y-%m-%d)" = "$(cat date)" && test $(($(date +%s) - $(cat since_epoch))) -le 1 && echo same
/usr/sbin/hwclock --set --date "2031-02-03 04:05:06" && /usr/sbin/hwclock --hctosys && date -u +%Y-%m-%d
ls -l /dev/rtc | sed "s/.*-> //"
"""


@case(cpus=(1,), peer=False)
def clock_rtc(context):
    root = test_root((("rtc_check", "glibc"),), installed=("/usr/sbin/hwclock",))
    result = context.run(["/bin/sh", "-c", HWCLOCK], root)
    lines = result.stdout.decode().splitlines()
    bad = [line for line in lines if line.startswith("not ok")]
    expect(not bad and sum(line.startswith("ok ") for line in lines) == 23, f"{bad}", result)
    expect(lines[23].startswith("rtc_cmos 2030-") and lines[24:] == ["read", "same", "2031-02-03", "rtc0"], f"{lines[23:]}", result)
