"""Devices that come and go while the system runs."""
import hashlib
import os
import re
import struct
import tempfile

from harness.guest import test_root
from harness.plug import Plugs
from harness.system import case, expect

WAIT = "for n in $(seq 500); do [ -e /dev/edu0 ] && break; usleep 10000; done; "


@case(cpus=(1, 4), peer=False)
def hotplug_offers(context):
    """What a driver offers comes and goes, and nothing is lost by that."""
    root = test_root((("plug", "musl"), ("leak", "musl")))
    result = context.run(["/bin/sh", "-c", WAIT + "exec /test/bin/leak /test/bin/plug"], root, devices=("edu,dma_mask=0xffffffff",))
    expect(result.status == 0 and result.stdout.count(b"ok ") >= 3 and b"not ok" not in result.stdout, "offers", result)
    context.detail(result.stdout.decode().splitlines()[-1])


PORTS = tuple(f"pcie-root-port,id=port{n},slot={n},chassis={n}" for n in range(1, 5))
SIZE = 8 << 20
CARDS = {  # name: port, driver, properties, node
    "rng": ("port1", "virtio-rng-pci", {}, "/dev/hwrng"),
    "disk": ("port2", "virtio-blk-pci", {"drive": "file0", "serial": "plugged"}, "/dev/vda"),
    "nvme": ("port3", "nvme", {"drive": "file1", "serial": "plugged"}, "/dev/nvme0n1"),
    "net": ("port4", "virtio-net-pci", {}, None),
}


class Cards(Plugs):
    """A machine with four empty slots, and files for two disks."""

    def __init__(self, context, script, root=None, size=SIZE, **options):
        self.files = tempfile.TemporaryDirectory(prefix="keel-plug-")
        more = []
        for number in range(2):
            path = os.path.join(self.files.name, f"file{number}")
            with open(path, "wb") as file:
                file.truncate(size)
            more += ["-blockdev", f"driver=file,node-name=file{number},filename={path}"]
        start = "while [ ! -e /sys/bus/pci/devices/0000:00:04.0/uevent ]; do usleep 1000; done; echo begin\n"
        super().__init__(["/bin/sh", "-c", start + script], root or test_root(), devices=PORTS, more=more, smp=context.cpus,
                         timeout=120 + 8 * ROUNDS, **options)

    def __exit__(self, *exception):
        super().__exit__(*exception)
        self.files.cleanup()

    def plug(self, name):
        port, driver, properties, _ = CARDS[name]
        self.add(driver, name, port, **properties)

    def take(self, *names):
        for name in names:
            self.remove(name)
        for name in names:
            self.gone(name)


ROUNDS = int(os.environ.get("KEEL_HOTPLUGS", "5"))  # 20 and more for the long run
CACHED = 32  # pages
LOOP = r"""
i=0
while [ $i -lt ROUNDS ]; do
    until [ -e /dev/hwrng -a -e /dev/vda -a -e /dev/nvme0n1 -a -e /sys/block/vda/serial ] && grep -q eth0 /proc/net/dev; do
        usleep 1000
    done
    [ $(head -c 1000 /dev/hwrng | wc -c) = 1000 ] || echo not ok random bytes
    dd if=/dev/urandom of=/tmp/a bs=64k count=8 2>/dev/null
    for disk in vda nvme0n1; do
        [ $(cat /sys/block/$disk/serial) = plugged ] || echo not ok serial
        dd if=/tmp/a of=/dev/$disk bs=64k conv=fsync 2>/dev/null || echo not ok write
        dd if=/dev/$disk bs=64k count=8 iflag=direct 2>/dev/null | cmp - /tmp/a || echo not ok compare
    done
    echo up
    while [ -e /dev/hwrng -o -e /dev/vda -o -e /dev/nvme0n1 -o -e /sys/block/vda -o -e /sys/bus/pci/devices/0000:01:00.0 ] ||
          grep -q eth0 /proc/net/dev; do
        usleep 1000
    done
    now=$(grep objects_ /proc/keel); before=
    while [ "$now" != "$before" ]; do sleep 0.2; before=$now; now=$(grep objects_ /proc/keel); done
    echo counts $(grep -E 'pages_free|objects_' /proc/keel)
    echo down
    i=$((i + 1))
done
"""


def _losses(output):
    """Pages that are fewer at the end than in any round before, and objects that most rounds leave more of."""
    rounds = [re.findall(rb"(\w+) (\d+)", line) for line in re.findall(rb"counts (.*)", output)]
    rows = [{name.decode(): int(value) for name, value in pairs} for pairs in rounds[1:]]  # the first one fills caches
    half = len(rows) // 2

    def lost(name):
        values = [row[name] for row in rows]
        if name == "pages_free":  # moves by what caches hold at the moment
            return max(values[half:]) < min(values[:half]) - CACHED
        # A thread that the personality keeps for its next task stays once: what each card loses grows with the rounds.
        return sum(after > before for before, after in zip(values, values[1:])) > half

    return [f"{name} {[row[name] for row in rows]}" for name in rows[0] if lost(name)]


@case(cpus=(1, 4), peer=False)
def hotplug_cards(context):
    """Disks, random numbers and a network card come, work, and go, again and again, and nothing is lost."""
    with Cards(context, LOOP.replace("ROUNDS", str(ROUNDS))) as machine:
        machine.expect(b"begin\n")
        for _ in range(ROUNDS):
            for name in CARDS:
                machine.plug(name)
            machine.expect(b"up\n")
            machine.take(*CARDS)
            machine.expect(b"down\n")
        result = machine.end()
    expect(result.status == 0 and b"not ok" not in result.stdout, "all worked", result)
    losses = _losses(result.stdout)
    expect(not losses, "lost: " + "; ".join(losses), result)
    context.detail(f"{ROUNDS * len(CARDS)} cards")


# Reader and writer are one dd each, which ends by the error only: a second one could find no device, and make a file of that name.
BUSY = r"""
until [ -e /dev/vda -a -e /dev/nvme0n1 ]; do usleep 1000; done
exec 3< /dev/nvme0n1
(dd if=/dev/zero of=/dev/nvme0n1 bs=4k conv=notrunc 2>&1 | grep -o 'Input/output error'; echo writer ends) &
(dd if=/dev/nvme0n1 of=/dev/null bs=64k iflag=direct 2>&1 | grep -o 'Input/output error'; echo reader ends) &
(/test/bin/disk_check /dev/vda 2 300 direct; echo other disk done) &
until awk '$3 == "nvme0n1" && $4 > 20 && $8 > 20 { found = 1 } END { exit !found }' /proc/diskstats; do usleep 1000; done
echo busy
wait
until [ -e /dev/hwrng ]; do usleep 1000; done # the disk has come and gone once more
while [ -e /dev/nvme0n1 ]; do usleep 1000; done
echo all end
until [ -e /dev/nvme0n1 ]; do usleep 1000; done
dd if=/dev/nvme0n1 of=/dev/null bs=64k count=100 2>/dev/null && echo new one works
head -c 1 <&3 >/dev/null 2>&1 || echo old one does not
exec 3<&-
echo third
while [ -e /dev/nvme0n1 ]; do usleep 1000; done # until the exchanges are over
until [ -e /dev/hwrng ]; do usleep 1000; done
until head -c 100 /dev/hwrng > /tmp/random && [ $(wc -c < /tmp/random) = 100 ]; do usleep 1000; done 2>/dev/null
echo random
"""


@case(cpus=(1, 4), peer=False)
def hotplug_busy(context):
    """A disk that is taken away in the middle of reads and writes, a driver that is just starting, and quick exchanges."""
    with Cards(context, BUSY, test_root((("disk_check", "musl"),)), size=SIZE << 10) as machine:
        machine.expect(b"begin\n")
        machine.plug("nvme")
        machine.plug("disk")
        machine.expect(b"busy\n")
        machine.take("nvme")
        machine.plug("nvme")
        machine.take_soon("nvme")
        machine.plug("rng")
        machine.expect(b"all end\n")
        machine.take("rng")
        machine.plug("nvme")
        machine.expect(b"third\n")
        for _ in range(3):  # the first moment at which the slot lets it go is that in which its driver starts
            machine.plug("rng")
            machine.take_soon("rng")
        machine.take("nvme")
        machine.plug("rng")
        machine.expect(b"random\n")
        result = machine.end()
    for line in (b"writer ends", b"reader ends", b"new one works", b"old one does not", b"other disk done"):
        expect(line in result.stdout, line.decode(), result)
    expect(result.stdout.count(b"Input/output error") == 2, "EIO for both", result)
    expect(b"not ok" not in result.stdout and re.search(rb"ok \d+ reads", result.stdout), "the other disk works on", result)


@case(cpus=(1,), peer=False)
def accelerators_listed(context):
    """Graphics cards of several makers are recognised."""
    script = "until [ -e /sys/bus/pci/devices/0000:00:02.0 ]; do usleep 10000; done 2>/dev/null; cat /proc/keel_accelerators"
    devices = ("virtio-gpu-pci,addr=2", "ati-vga,addr=3", "cirrus-vga,addr=4", "VGA,addr=5", "virtio-rng-pci,addr=6")
    result = context.run(["/bin/sh", "-c", script], devices=devices)
    lines = result.stdout.decode().splitlines()
    expect(lines == ["cpu", "gpu 0000:00:02.0 1af4:1050 virtio virtio-gpu -", "gpu 0000:00:03.0 1002:5046 AMD -",
                     "gpu 0000:00:04.0 1013:00b8 Cirrus -", "gpu 0000:00:05.0 1234:1111 QEMU -"], "the list", result)


EVENTS = """
[ -d /sys/class ] || mount -t sysfs sysfs /sys
cd /sys/bus/pci/devices && ls -l | grep -o '0000:00:0[12].*'
[ $(cat 0000:00:01.0/subsystem/devices/0000:00:01.0/device) = 0x000c ] && echo subsystem
/test/bin/uevents 8 && [ $(cat /sys/kernel/uevent_seqnum) -ge 8 ] && echo counted
"""
FUNCTION = "{} pci 0000:0{}:00.0 1AF4:{} 1AF4:1100 {}0000 pci:v00001AF4d0000{}sv00001AF4sd00001100bc0{}sc00i00 " \
    "/devices/pci0000:00/0000:00:0{}.0/0000:0{}:00.0"


def _function(action, port, device, kind):
    return FUNCTION.format(action, port, device, kind, device, kind, port, port)


@case(cpus=(1,))
def hotplug_events(context):
    """Netlink tells of a disk and a network card that come and go, and of their PCI functions, as on Linux."""
    peer = {"peer": True, "modules": ("virtio_blk", "virtio_net", "virtio_pci")} if context.on == "linux" else {}
    with Cards(context, EVENTS, test_root((("uevents", "musl"),)), **peer) as machine:
        machine.expect(b"listening\n", seconds=60)
        for name in ("disk", "net"):
            machine.plug(name)
            machine.expect(b"add pci ")
            machine.expect(b"add ")
            machine.take_soon(name)
            machine.expect(b"remove ")
            machine.expect(b"remove pci ")
        result = machine.end()
    lines = [line.strip() for line in result.stdout.decode().splitlines()]
    links = [f"0000:00:0{n}.0 -> ../../../devices/pci0000:00/0000:00:0{n}.0" for n in (1, 2)]
    expect(result.status == 0 and lines[lines.index("begin") + 1:] ==
           [*links, "subsystem", "listening",
            _function("add", 2, 1042, 1), "add block vda 254:0 disk", "remove block vda 254:0 disk", _function("remove", 2, 1042, 1),
            _function("add", 4, 1041, 2), "add net eth0 :", "remove net eth0 :", _function("remove", 4, 1041, 2), "counted"], f"{lines}",
           result)


WRITTEN = 256 << 10
SECTOR = 512
# Twice the same place: the second time waits in the cache until the device has done the first.
WRITE = r"""
until [ -b /dev/vda -a -b /dev/nvme0n1 -a -b /dev/sda ]; do usleep 1000; done
dd if=/dev/urandom of=/tmp/first bs=64k count=4 2>/dev/null
dd if=/dev/urandom of=/tmp/second bs=64k count=4 2>/dev/null
md5sum < /tmp/second
exec 4<> /dev/vda
dd if=/tmp/first bs=512 count=1 seek=2000 >&4 2>/dev/null
for file in first second; do
    for disk in vda nvme0n1 sda; do dd if=/tmp/$file of=/dev/$disk bs=32k conv=notrunc 2>/dev/null || echo not ok write; done
done
echo written
until ! dd if=/tmp/first bs=512 count=1 >&4; do usleep 1000; done 2>/dev/null
dd if=/dev/vda of=/tmp/read bs=512 count=1 2>/dev/null && echo not ok opened
echo refused
while [ -e /dev/vda -o -e /dev/nvme0n1 -o -e /dev/sda ]; do usleep 1000; done
"""
STUCK = r"""
until [ -b /dev/vda ]; do usleep 1000; done
dd if=/dev/zero of=/dev/vda bs=32k count=4 conv=notrunc 2>/dev/null
echo written
while [ -e /dev/vda ]; do usleep 1000; done
"""
STORES = ("virtio-blk-pci,id=disk0,drive=log0,bus=port1,request-merging=off", "nvme,id=disk1,drive=log1,serial=nvme,bus=port2",
          "qemu-xhci,id=disk2,bus=port3", "usb-storage,drive=log2,bus=disk2.0,serial=stick")


def _stores(folder, count):
    """QEMU's options for disks log0 …, each a file with a log of what was written and flushed, and limited by one group."""
    more = ["-object", "throttle-group,id=limits"]
    for number in range(count):
        for name, size in (("file", SIZE), ("log", 0)):
            with open(os.path.join(folder, f"{name}{number}"), "wb") as file:
                file.truncate(size)
        more += ["-blockdev", f"driver=file,node-name=file{number},filename={folder}/file{number}",
                 "-blockdev", f"driver=file,node-name=to{number},filename={folder}/log{number}",
                 "-blockdev", f"driver=blklogwrites,node-name=logged{number},file=file{number},log=to{number}",
                 "-blockdev", f"driver=throttle,node-name=log{number},throttle-group=limits,file=logged{number}"]
    return more


def _durable(path):
    """Whether a log of blklogwrites (Linux's dm-log-writes) has writes and a flush behind the last of them."""
    with open(path, "rb") as file:
        log = file.read()
    magic, _, count, size = struct.unpack_from("<QQQI", log)
    at, writes, flushed = size, 0, False
    expect(magic == 0x6a736677736872, "a log")
    for _ in range(count):
        _, sectors, flags, _ = struct.unpack_from("<QQQQ", log, at)
        at += size + sectors * size
        flushed = bool(flags & 1) if sectors == 0 else False
        writes += sectors != 0
    return writes and flushed


@case(cpus=(1,), peer=False)
def hotplug_written(context):
    """What was written to disks whose removal is asked for is on them and flushed, before they go; nothing new is taken."""
    with tempfile.TemporaryDirectory(prefix="keel-plug-") as folder:
        with Plugs(["/bin/sh", "-c", WRITE], test_root(), devices=PORTS + STORES, more=_stores(folder, 3), smp=context.cpus,
                   timeout=120) as machine:
            machine.monitor.call("qom-set", path="/objects/limits", property="limits", value={"bps-write": 2 * WRITTEN})
            machine.expect(b"written\n")
            for number in range(3):
                machine.remove(f"disk{number}")
            machine.expect(b"refused\n")
            for number in range(3):
                machine.gone(f"disk{number}")
            result = machine.end()
        expect(result.status == 0 and b"not ok" not in result.stdout, "writes", result)
        for number in range(3):
            with open(os.path.join(folder, f"file{number}"), "rb") as file:
                expect(hashlib.md5(file.read(WRITTEN)).hexdigest().encode() in result.stdout, f"what is on disk {number}", result)
            expect(_durable(os.path.join(folder, f"log{number}")), f"disk {number} was flushed", result)


@case(cpus=(1,), peer=False)
def hotplug_mapped(context):
    """What a program stored in a disk's mapping before its removal was asked for is on it; afterwards there is SIGBUS."""
    with tempfile.TemporaryDirectory(prefix="keel-plug-") as folder:
        script = "until [ -b /dev/vda ]; do usleep 1000; done; NODE=/dev/vda exec /test/bin/disk_map goes"
        with Plugs(["/bin/sh", "-c", script], test_root((("disk_map", "musl"),)), devices=PORTS + STORES[:1], more=_stores(folder, 1),
                   smp=context.cpus, timeout=60) as machine:
            machine.expect(b"counting\n")
            machine.remove("disk0")
            machine.gone("disk0")
            result = machine.end()
        counted = re.search(rb"counted (\d+), signal 7\n", result.stdout)
        expect(result.status == 0 and counted and b"ok goes" in result.stdout, "the end", result)
        with open(os.path.join(folder, "file0"), "rb") as file:
            found = int.from_bytes(file.read(8), "little")
        expect(found == int(counted[1]) > 1000, f"the file has {found}", result)
        expect(_durable(os.path.join(folder, "log0")), "the disk was flushed", result)
    context.detail(f"{found} stores")


@case(cpus=(1,), peer=False)
def hotplug_stuck(context):
    """A disk that does not answer is let go all the same."""
    with tempfile.TemporaryDirectory(prefix="keel-plug-") as folder:
        with Plugs(["/bin/sh", "-c", STUCK], test_root(), devices=PORTS + STORES[:1], more=_stores(folder, 1), smp=context.cpus,
                   append="stall=1000", timeout=60) as machine:
            machine.monitor.call("qom-set", path="/objects/limits", property="limits", value={"bps-write": 1})
            machine.expect(b"written\n")
            machine.remove("disk0")
            machine.gone("disk0")
            result = machine.end()
    expect(result.status == 0 and b"its card goes while it is used" in result.log, "the end", result)
