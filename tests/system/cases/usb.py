"""USB by xHCI: sticks that are read, written and verified while the driver is killed; keyboards; plugging in and out at any time."""
import hashlib
import os
import re
import tempfile

from harness.display import Display, shell
from harness.guest import test_root
from harness.plug import Plugs
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


@case(cpus=(1,), peer=False)
def usb_keyboard(context):
    """A USB keyboard, the only one of the machine, types on the console; it is pulled, and plugged in again."""
    keyboard = {"driver": "usb-kbd", "bus": "usb.0", "id": "keyboard"}
    with Display([], test_root(), smp=context.cpus, devices=("VGA", "qemu-xhci,id=usb", "usb-kbd,bus=usb.0,id=keyboard"),
                 more=("-machine", "i8042=off")) as screen:
        shell(screen)
        screen.type("ls /dev/input; echo aZ09 '-=[]\\;,./~!@#'\n")
        screen.expect(r"^event2 +event3 +mice\naZ09 -=\[\]\\;,\./~!@#\nready>\Z")
        screen.type("clear; while [ -e /dev/input/event3 ]; do usleep 1000; done; echo gone\n")
        screen.monitor.call("device_del", id="keyboard")
        screen.expect(r"^gone\nready>\Z")
        screen.monitor.call("device_add", **keyboard)
        screen.hear()
        screen.type("exit 7\n")
        expect(screen.end().status == 7, "exit")


# A stick stays and is verified all the time, while others come, are pulled in the middle of reading and writing, and come again.
PLUGGING = r"""
until [ -e /dev/sda ]; do usleep 1000; done
(/test/bin/disk_check /dev/sda 2 ROUNDS00 direct; echo other disk done) &
echo begin
until [ -e /dev/sdb ]; do usleep 1000; done
exec 3< /dev/sdb
(dd if=/dev/zero of=/dev/sdb bs=4k conv=notrunc 2>&1 | grep -o 'Input/output error'; echo writer ends) &
(dd if=/dev/sdb of=/dev/null bs=64k iflag=direct 2>&1 | grep -o 'Input/output error'; echo reader ends) &
until awk '$3 == "sdb" && $4 > 20 && $8 > 20 { found = 1 } END { exit !found }' /proc/diskstats; do usleep 1000; done
echo busy
i=0
while [ -e /dev/sdb ]; do usleep 1000; done
echo pulled
while [ $i -lt ROUNDS ]; do
    until [ -e /dev/sdb -a -e /dev/input/event3 ]; do usleep 1000; done
    dd if=/dev/urandom of=/tmp/a bs=64k count=4 2>/dev/null
    dd if=/tmp/a of=/dev/sdb bs=64k conv=fsync 2>/dev/null || echo not ok write
    dd if=/dev/sdb bs=64k count=4 iflag=direct 2>/dev/null | cmp - /tmp/a || echo not ok compare
    head -c 1 <&3 >/dev/null 2>&1 && echo not ok the old stick
    echo up
    while [ -e /dev/sdb -o -e /dev/input/event3 ]; do usleep 1000; done
    echo down
    i=$((i + 1))
done
wait
"""
PLUGS = int(os.environ.get("KEEL_HOTPLUGS", "10"))  # two devices each: more in all than the driver has room for at once


@case(peer=False)
def usb_plugging(context):
    with tempfile.TemporaryDirectory(prefix="keel-usb-") as folder:
        more = []
        for number in range(2):
            path = os.path.join(folder, f"file{number}")
            with open(path, "wb") as file:
                file.truncate(SIZE << 10 * number)  # the other one does not end while it is written to
            more += ["-blockdev", f"driver=file,node-name=file{number},filename={path}"]
        devices = ("qemu-xhci,id=usb", "usb-storage,bus=usb.0,drive=file0,serial=stays")
        script = PLUGGING.replace("ROUNDS", str(PLUGS))
        with Plugs(["/bin/sh", "-c", script], test_root((("disk_check", "musl"),)), devices=devices, more=more, smp=context.cpus,
                   in_turns=False, timeout=120) as machine:
            machine.expect(b"begin\n")
            machine.add("usb-storage", "stick", "usb.0", drive="file1", serial="comes")
            machine.expect(b"busy\n")
            machine.remove("stick")
            machine.expect(b"pulled\n")
            for _ in range(PLUGS):
                machine.add("usb-storage", "stick", "usb.0", drive="file1", serial="comes")
                machine.add("usb-kbd", "keyboard", "usb.0")
                machine.expect(b"up\n")
                machine.remove("stick")
                machine.remove("keyboard")
                machine.expect(b"down\n")
            result = machine.end()
    for line in (b"writer ends", b"reader ends", b"other disk done"):
        expect(line in result.stdout, line.decode(), result)
    expect(result.stdout.count(b"Input/output error") == 2, "EIO for both", result)
    expect(b"not ok" not in result.stdout and re.search(rb"ok \d+ reads", result.stdout), "the other disk works on", result)
    expect(b"ended with status" not in machine.machine.log(), "the driver lived on", result)
    context.detail(f"{2 * PLUGS + 1} devices came and went")


# What Linux 6.1 tells (./keel test --on linux system/usb-list).
LISTED = os.path.join(os.path.dirname(__file__), "usb_list.txt")
LIST_PACKAGES = ("usbutils", "libusb-1.0-0", "libudev1", "libc6")
LIST_DEVICES = ("qemu-xhci,id=usb,addr=4,p2=6,p3=6", "usb-kbd,bus=usb.0,port=1", "usb-mouse,bus=usb.0,port=2",
                "usb-storage,bus=usb.0,port=3,drive=stick,serial=keel-stick", "usb-tablet,bus=usb.0,port=4")
FIELDS = ("idVendor idProduct bDeviceClass bDeviceSubClass bDeviceProtocol bMaxPacketSize0 bNumConfigurations bcdDevice version "
          "bConfigurationValue bNumInterfaces bMaxPower bmAttributes busnum devnum devpath dev speed maxchild product serial configuration")
LISTING = r"""
[ -d /sys/bus ] || mount -t sysfs sysfs /sys
cd /sys/bus/usb/devices
until [ -e 1-1 -a -e 1-2 -a -e 2-3 -a -e 1-4 ] && [ "$(cat 2-3/bConfigurationValue)" = 1 ]; do usleep 1000; done 2>/dev/null
for n in usb1 usb2 1-1 1-2 2-3 1-4; do
    echo $n $(for f in FIELDS; do cat $n/$f; done | sed 's/^[0-9]*-0000:00:04.0-/serial /')
    echo $(cat $n/uevent) $(md5sum < $n/descriptors) $(readlink $n/subsystem)
    node=/dev/bus/usb/$(printf %03d/%03d $(cat $n/busnum) $(cat $n/devnum))
    [ -e $node ] || { mkdir -p ${node%/*}; mknod $node c $(tr : ' ' < $n/dev); } # where no devtmpfs is
    cmp $node $n/descriptors
done
for n in *; do echo $n $(readlink $n); done
for n in *:*; do echo $(cat $n/uevent $n/bNumEndpoints $n/bInterfaceNumber $n/bAlternateSetting) $(readlink $n/subsystem); done
lsusb | sed -e 's/1d6b:.* xhci\S*/root hub/'
lsusb -t | sed -e 's/xhci_hcd/xhci/'
/test/bin/uevents 4
RESET
/test/bin/uevents 2
cat 1-1/devnum 2-3/devnum 1-5/devnum
"""


@case(cpus=(1,))
def usb_list(context):
    """What /sys/bus/usb, /dev/bus/usb, uevents and Debian's lsusb tell of devices, as on Linux; a driver that dies changes nothing of it."""
    linux = context.on == "linux"
    script = LISTING.replace("FIELDS", FIELDS).replace("RESET", "" if linux else
                             "echo 1 > /sys/bus/pci/devices/0000:00:04.0/reset; dd if=/dev/sda of=/dev/null count=1 iflag=direct 2>/dev/null")
    with tempfile.NamedTemporaryFile(prefix="keel-usb-") as file:
        file.truncate(SIZE)
        with Plugs(["/bin/sh", "-c", script], test_root((("uevents", "musl"),), packages=LIST_PACKAGES), devices=LIST_DEVICES,
                   more=("-drive", f"if=none,id=stick,format=raw,file={file.name}"), smp=context.cpus, timeout=90,
                   **({"peer": True, "modules": ("xhci_pci",)} if linux else {})) as machine:
            machine.expect(b"listening\n", seconds=60)
            machine.add("usb-mouse", "comes", "usb.0", port="5")
            machine.expect(b"add usb_interface")
            machine.remove("comes")
            machine.expect(b"listening\n")
            machine.add("usb-mouse", "comes", "usb.0", port="5")
            result = machine.end()
    lines = [" ".join(line.split()) for line in result.stdout.decode().splitlines()]
    if not linux:
        expect(b"driver xhci (generation 1) ended" in result.log, "the driver was killed", result)
    with open(LISTED) as file:
        wanted = file.read().splitlines()
    differences = [f"{one!r} instead of {other!r}" for one, other in zip(lines, wanted) if one != other]
    expect(result.status == 0 and not differences and len(lines) == len(wanted), "\n".join(differences[:8]) or "lines", result)
