"""Disks: every kind of controller, what programs read and write against the host's file, and drivers that die at it."""
import hashlib
import os
import re
import subprocess
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
