"""Disks: every kind of controller, what programs read and write against the host's file, and drivers that die at it."""
import hashlib
import os
import re
import tempfile

from harness.guest import test_root
from harness.system import case, expect

MB = 1 << 20
SIZE = 64 * MB
QUICK = 16 * MB


def attach(path, kind):
    """QEMU's command line for a disk: (options, node in /dev)."""
    drive = ["-drive", f"if=none,id=disk0,format=raw,discard=unmap,file={path}"]
    devices = {
        "virtio": ("virtio-blk-pci,drive=disk0,disable-legacy=on,serial=keel-disk", "vda"),
        "nvme": ("nvme,drive=disk0,serial=keel-disk", "nvme0n1"),
        "nvme4k": ("nvme,drive=disk0,serial=keel-disk,logical_block_size=4096,physical_block_size=4096", "nvme0n1"),
        "ahci": ("ide-hd,drive=disk0,bus=ide.0,serial=keel-disk", "sda"),
    }
    device, node = devices[kind]
    return (*drive, "-device", device), node


def changed(data):
    return data.translate(bytes((i + 1) % 256 for i in range(256)))


def with_disk(context, kind, size, script, root=None, **options):
    """Runs a script, in which $D is the node, over random bytes. Returns the result and the bytes before and after."""
    before = os.urandom(size)
    with tempfile.TemporaryDirectory(prefix="keel-disk-") as folder:
        path = os.path.join(folder, "disk")
        with open(path, "wb") as file:
            file.write(before)
        more, node = attach(path, kind)
        options.setdefault("timeout", 120)
        append = options.pop("append", "")
        result = context.run(["/bin/sh", "-c", f"D=/dev/{node}; N={node}\n" + script], root, more=more,
                             append=f"disks=1 {append}".strip(), **options)
        with open(path, "rb") as file:
            after = file.read()
    return result, before, after


COPY = r"""
[ -b $D ] && [ $(blockdev --getsize64 $D) = SIZE ] && echo ok size
[ $(cat /sys/block/$N/size) = $((SIZE / 512)) ] && [ $(cat /sys/block/$N/serial) = keel-disk ] && echo ok sysfs
grep -q " $N$" /proc/partitions && echo ok partitions
dd if=$D of=/tmp/a bs=64k 2>/dev/null; md5sum < /tmp/a
tr '\000-\377' '\001-\377\000' < /tmp/a > /tmp/b
dd if=/tmp/b of=$D bs=37k conv=fsync 2>/dev/null && echo ok written
rm /tmp/a
dd if=$D bs=1M iflag=direct 2>/dev/null | cmp - /tmp/b && echo ok direct
dd if=/dev/zero of=$D bs=512 count=1 seek=$((SIZE / 512)) 2>/dev/null || echo ok full
"""


def copy(context, kind):
    result, before, after = with_disk(context, kind, SIZE, COPY.replace("SIZE", str(SIZE)), timeout=180)
    lines = result.stdout.decode().splitlines()
    expect(result.status == 0 and sum(line.startswith("ok ") for line in lines) == 6, "six checks", result)
    expect(hashlib.md5(before).hexdigest() in result.stdout.decode(), "what was read is the file's", result)
    expect(after == changed(before), "what was written is in the file", result)
    context.detail(f"{SIZE // MB} MB read, written and compared")


@case(peer=False)
def disk_virtio(context):
    copy(context, "virtio")


@case(peer=False)
def disk_nvme(context):
    copy(context, "nvme")


@case(cpus=(4,), peer=False)
def disk_nvme_large_blocks(context):
    copy(context, "nvme4k")


@case(peer=False)
def disk_ahci(context):
    copy(context, "ahci")


# Writes and reads again, while the driver is killed in between: KILLS times, 0.3 s apart.
KILL = r"""
(
    i=0
    while [ $i -lt KILLS ]; do
        sleep 0.3
        echo 1 2>/dev/null > /sys/block/$N/device/reset && i=$((i + 1))
    done
    touch /tmp/stop
) &
n=0
while [ ! -e /tmp/stop ] || [ $n -lt 2 ]; do
    dd if=/dev/urandom of=/tmp/a bs=64k count=100 2>/dev/null
    dd if=/tmp/a of=$D bs=37k conv=fsync 2>/dev/null || echo not ok write
    dd if=$D bs=64k count=100 iflag=direct 2>/dev/null | cmp - /tmp/a || echo not ok compare
    n=$((n + 1))
done
sha256sum < /tmp/a
echo ok $n rounds
"""
KILLS = int(os.environ.get("KEEL_DISK_KILLS", "10"))  # 1000 for the long run


def killed(context, kind):
    size = QUICK
    result, _, after = with_disk(context, kind, size, KILL.replace("KILLS", str(KILLS)), timeout=60 + KILLS)
    rounds = re.search(rb"\nok (\d+) rounds\n", result.stdout)
    expect(result.status == 0 and b"not ok" not in result.stdout and rounds, "no block lost", result)
    digest = hashlib.sha256(after[:6400 << 10]).hexdigest()
    expect(result.stdout.startswith(digest.encode()), "the last round is in the file", result)
    ends = len(re.findall(rb"ended with status", result.log))
    expect(ends >= KILLS, f"the driver ended {ends} times", result)
    context.detail(f"{ends} drivers killed, {rounds[1].decode()} times 6.4 MB written and compared")


@case(peer=False)
def disk_virtio_killed(context):
    killed(context, "virtio")


@case(peer=False)
def disk_nvme_killed(context):
    killed(context, "nvme")


@case(cpus=(4,), peer=False)
def disk_ahci_killed(context):
    killed(context, "ahci")


# Four threads read and write at random places and check everything, buffered and direct, with the driver killed meanwhile.
CHECK = r"""
(while [ ! -e /tmp/stop ]; do sleep 0.5; echo 1 2>/dev/null > /sys/block/$N/device/reset; done) &
/test/bin/disk_check $D 4 OPERATIONS buffered || exit 1
/test/bin/disk_check $D 4 OPERATIONS direct || exit 1
touch /tmp/stop
"""


def checked(context, kind):
    script = CHECK.replace("OPERATIONS", "400")
    result, _, _ = with_disk(context, kind, QUICK, script, test_root((("disk_check", "musl"),)), timeout=90)
    lines = result.stdout.decode().splitlines()
    expect(result.status == 0 and len(lines) == 2 and all(line.startswith("ok ") for line in lines), "verified", result)
    ends = len(re.findall(rb"ended with status", result.log))
    context.detail(f"{lines[0][3:]} buffered, {lines[1][3:]} direct, {ends} drivers killed")


@case(peer=False)
def disk_virtio_random(context):
    checked(context, "virtio")


@case(cpus=(4,), peer=False)
def disk_nvme_random(context):
    checked(context, "nvme4k")


@case(cpus=(4,), peer=False)
def disk_ahci_random(context):
    checked(context, "ahci")


# Debian's fio writes, reads back and verifies, one job, several processes and several threads, with all drivers killed meanwhile.
FIO = r"""
DISKS="vda nvme0n1 sda"
(while [ ! -e /tmp/stop ]; do sleep 0.5; for d in $DISKS; do echo 1 2>/dev/null > /sys/block/$d/device/reset; done; done) &
check() {
    name=$1; shift
    for d in $DISKS; do
        fio --name=$name --filename=/dev/$d --output=/tmp/out --bs=4k --size=512k --verify=crc32c --verify_fatal=1 "$@" > /tmp/err 2>&1 &&
            echo ok $name $d || { echo not ok $name $d; head -c 600 /tmp/err; head -c 600 /tmp/out; }
    done
}
check one --rw=randwrite --ioengine=sync --direct=1 --fsync=32
check processes --rw=randrw --ioengine=psync --numjobs=2 --offset_increment=1M --group_reporting
check threads --rw=randwrite --ioengine=pvsync --numjobs=3 --offset_increment=1M --thread
check mapped --rw=randrw --ioengine=mmap --size=8m --fsync=64
touch /tmp/stop
"""


@case(cpus=(4,), peer=False)
def disk_fio(context):
    root = test_root(installed=("/usr/bin/fio",))
    with tempfile.TemporaryDirectory(prefix="keel-disk-") as folder:
        more = []
        for i, device in enumerate(("virtio-blk-pci,drive=disk0,disable-legacy=on", "nvme,drive=disk1,serial=keel-disk",
                                    "ide-hd,drive=disk2,bus=ide.0")):
            with open(os.path.join(folder, f"disk{i}"), "wb") as file:
                file.truncate(QUICK)
            more += ["-drive", f"if=none,id=disk{i},format=raw,file={file.name}", "-device", device]
        result = context.run(["/bin/sh", "-c", FIO], root, more=tuple(more), append="disks=3", mem="1G", timeout=120)
    lines = result.stdout.decode().splitlines()
    expect(result.status == 0 and len(lines) == 12 and all(line.startswith("ok ") for line in lines), "verified", result)
    ends = len(re.findall(rb"ended with status", result.log))
    expect(ends > 0, "drivers were killed", result)
    context.detail(f"{len(lines)} runs of fio verified, {ends} drivers killed")


@case(cpus=(1,), peer=False)
def disk_written_at_the_end(context):
    script = "tr '\\000-\\377' '\\001-\\377\\000' < $D > /tmp/b; cat /tmp/b > $D"
    result, before, after = with_disk(context, "virtio", QUICK, script)
    expect(result.status == 0 and after == changed(before), "all is in the file without fsync", result)


# The node in memory (tests/system/prog/disk_map.c), with the driver killed meanwhile; what is written at the end stays without msync.
MAP = r"""
[ -b $D ] || mknod $D b $(tr : ' ' < /sys/block/$N/dev)
(while [ ! -e /tmp/stop ]; do sleep PACE; echo 1 2>/dev/null > /sys/block/$N/device/reset; done) &
NODE=$D /test/bin/disk_map; status=$?
touch /tmp/stop
SYNC
exit $status
"""


def mapped(context, kind, pace="0.5"):
    linux = context.on == "linux"  # whose end is no power-off
    script = MAP.replace("PACE", pace).replace("SYNC", "sync" if linux else "")
    peer = {"modules": ("virtio_blk", "virtio_pci")} if linux else {}
    result, _, after = with_disk(context, kind, QUICK, script, test_root((("disk_map", "musl"),)), timeout=120, **peer)
    expect(result.status == 0 and b"not ok" not in result.stdout, "all checks", result)
    wrong = [i for i in range(QUICK // 4096) if after[i * 4096:i * 4096 + 8] != i.to_bytes(8, "little")]
    expect(not wrong, f"pages {wrong[:10]} … of {len(wrong)} were not written", result)
    ends = len(re.findall(rb"ended with status", result.log))
    context.detail(f"{result.stdout.decode().splitlines()[-1]}, {ends} drivers killed")


@case()
def disk_virtio_mapped(context):
    mapped(context, "virtio")


@case(peer=False)
def disk_nvme_mapped(context):
    mapped(context, "nvme4k")


@case(cpus=(4,), peer=False)
def disk_ahci_mapped(context):
    mapped(context, "ahci", pace="2")
