"""USB by xHCI: sticks that are read, written and verified while the driver is killed."""
import hashlib
import os
import re
import tempfile

from harness.guest import test_root
from harness.system import case, expect

MB = 1 << 20
SIZE = 8 * MB

# What was on the stick, what is written to it, and random accesses with the driver killed meanwhile.
STICK = r"""
[ $(blockdev --getsize64 /dev/sda) = SIZE ] && [ $(cat /sys/block/sda/serial) = keel-stick ] && echo ok described
md5sum < /dev/sda
(n=0; while [ ! -e /tmp/stop ]; do usleep 300000; echo 1 2>/dev/null > /sys/block/sda/device/reset; done) &
/test/bin/disk_check /dev/sda 3 ROUNDS buffered
/test/bin/disk_check /dev/sda 3 ROUNDS direct
touch /tmp/stop
wait
dd if=/dev/urandom of=/tmp/a bs=64k count=16 2>/dev/null
dd if=/tmp/a of=/dev/sda bs=37k conv=fsync 2>/dev/null && md5sum < /tmp/a
dd if=/dev/zero of=/dev/sda bs=512 count=1 seek=$((SIZE / 512)) 2>/dev/null || echo ok full
"""
ROUNDS = int(os.environ.get("KEEL_USB_ROUNDS", "40"))


def stick(context, controller, options=""):
    data = os.urandom(SIZE)
    with tempfile.TemporaryDirectory(prefix="keel-usb-") as folder:
        path = os.path.join(folder, "stick")
        with open(path, "wb") as file:
            file.write(data)
        more = ("-drive", f"if=none,id=stick,format=raw,file={path}", "-device", f"{controller},id=usb",
                "-device", f"usb-storage,bus=usb.0,drive=stick,serial=keel-stick{options}")
        script = STICK.replace("SIZE", str(SIZE)).replace("ROUNDS", str(ROUNDS))
        result = context.run(["/bin/sh", "-c", script], test_root((("disk_check", "musl"),)), more=more, append="disks=1", timeout=60)
        with open(path, "rb") as file:
            after = file.read()
    sums = re.findall(rb"^([0-9a-f]{32})", result.stdout, re.MULTILINE)
    expect(result.status == 0 and result.stdout.count(b"ok ") == 4 and b"not ok" not in result.stdout, "four checks", result)
    expect(len(sums) == 2 and sums[0].decode() == hashlib.md5(data).hexdigest(), "what was read is the file's", result)
    expect(sums[1].decode() == hashlib.md5(after[:MB]).hexdigest(), "what was written is in the file", result)
    ends = len(re.findall(rb"driver xhci .* ended with status", result.log))
    expect(ends > 0, "the driver was killed", result)
    context.detail(f"{ends} drivers killed, {2 * 3 * ROUNDS} random accesses verified")


@case(peer=False)
def usb_stick(context):
    stick(context, "qemu-xhci")


@case(cpus=(1,), peer=False)
def usb_stick_nec(context):
    """Another controller; blocks of 4 KB."""
    stick(context, "nec-usb-xhci", ",logical_block_size=4096,physical_block_size=4096")
