"""Boots on processors that QEMU cannot play, by Bochs: with PCID, and INVPCID or not. They show that what the kernel executes there
is right, not that it flushes enough: whether Bochs keeps anything over a change of roots is not known. unit/test_tags_threads is about that."""
import os
import re
import struct
import subprocess
import tempfile

from harness.case import Case, Failure, command
from harness.guest import patience
from launch import build
from launch.run import Options, prepare

HERE = os.path.dirname(os.path.abspath(__file__))
MEMORY_MB = 256
BASE, CHUNK, SECTOR, TRACK = 1 << 20, 32 << 10, 512, 16 * 63
LOAD, NOTE, PVH_ENTRY, PVH_MAGIC = 1, 4, 18, 0x336ec578
SPEED = 50  # million instructions in what the machine takes for a second; with more, processors wait longer for each other
TIMEOUT = 100
PCIDE = 17  # in CR4
CONFIGURATION = """\
cpu: model={model}, count={cpus}, ips={speed}000000, ignore_bad_msrs=1
megs: {memory}
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
display_library: rfb, options="timeout=0"
ata0-master: type=disk, mode=flat, path={disk}, cylinders={cylinders}, heads=16, spt=63
boot: disk
com1: enabled=1, mode=file, dev={folder}/serial
port_e9_hack: enabled=1
sound: driver=dummy
log: {folder}/log
panic: action=fatal
"""


def _segments(path):
    """What the kernel's file has in memory from BASE on, the end of that, and its PVH entry."""
    with open(path, "rb") as file:
        data = file.read()
    table, = struct.unpack_from("<Q", data, 32)
    memory, end, entry = bytearray(), BASE, None
    for index in range(struct.unpack_from("<H", data, 56)[0]):
        kind, _, offset, _, address, size, room, _ = struct.unpack_from("<IIQQQQQQ", data, table + 56 * index)
        if kind == LOAD:
            memory.extend(bytes(address - BASE + size - len(memory)))
            memory[address - BASE:address - BASE + size] = data[offset:offset + size]
            end = max(end, address + room)
        at = offset
        while kind == NOTE and at < offset + size:
            name, length, what = struct.unpack_from("<III", data, at)
            at += 12 + (name + 3 & ~3)
            if what == PVH_ENTRY:
                entry, = struct.unpack_from("<I", data, at)
            at += length + 3 & ~3
    return memory, end, entry


def _write_disk(path, kernel, append, archive):
    """A disk that starts the kernel with a command line and an archive; returns its cylinders."""
    memory, end, entry = _segments(kernel)
    info = end + 0xffff & ~0xffff
    top = MEMORY_MB << 20
    ranges = ((0, 0x9f000, 1), (BASE, top - 0x10000 - BASE, 1), (top - 0x10000, 0x10000, 2))
    page = bytearray(0x1000)
    struct.pack_into("<IIIIQQQQII", page, 0, PVH_MAGIC, 1, 0, 1, info + 0x100, info + 0x400, 0, info + 0x200, len(ranges), 0)
    struct.pack_into("<QQQQ", page, 0x100, info + len(page), len(archive), 0, 0)
    for index, part in enumerate(ranges):
        struct.pack_into("<QQII", page, 0x200 + 24 * index, *part, 0)
    page[0x400:0x400 + len(append)] = append.encode()
    memory.extend(bytes(info - BASE - len(memory)))
    memory += page + archive
    chunks = -(-len(memory) // CHUNK)
    sector = path + ".boot"
    command(["gcc", "-m32", "-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0x7c00,--oformat=binary,--build-id=none", f"-DINFO={info}",
             f"-DENTRY={entry}", f"-DCHUNKS={chunks}", "-o", sector, os.path.join(HERE, "bochs_boot.S")])
    cylinders = (chunks * CHUNK + SECTOR) // (TRACK * SECTOR) + 1
    with open(sector, "rb") as first, open(path, "wb") as disk:
        disk.write(first.read()[:SECTOR] + memory)
        disk.truncate(cylinders * TRACK * SECTOR)
    return cylinders


def boot(model, cpus, append, archive, kernel=build.KERNEL):
    """What came out of the serial port and the debug port of a machine that switches itself off, and what Bochs says of its
    processors at the end."""
    with tempfile.TemporaryDirectory(prefix="keel-bochs-") as folder:
        disk = os.path.join(folder, "disk")
        cylinders = _write_disk(disk, kernel, append, archive)
        files = {"configuration": CONFIGURATION.format(model=model, cpus=cpus, speed=SPEED, memory=MEMORY_MB, disk=disk, cylinders=cylinders,
                                                       folder=folder),
                 "commands": "c\n"}
        for name, text in files.items():
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        line = ["bochs", "-q", "-f", os.path.join(folder, "configuration"), "-rc", os.path.join(folder, "commands")]
        try:
            ended = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=TIMEOUT * patience())
            said = ended.stdout
        except subprocess.TimeoutExpired as expired:
            said = expired.stdout or b""
        texts = [said.decode(errors="replace")]
        for name in ("serial", "log"):
            path = os.path.join(folder, name)
            texts.append(open(path, errors="replace").read() if os.path.exists(path) else "")
        return texts


def _programs(case, model, cpus, append, tagged):
    """A shell that starts programs, on a processor that is in the end what was asked for, by CR4.PCIDE."""
    script = "for i in 1 2 3 4 5; do echo $i | cat | sed s/^/line-/; done & ls / | wc -l; wait; echo all-done"
    archive = prepare(Options(program=["/bin/busybox", "sh", "-c", script], smp=cpus))
    said, serial, log = boot(model, cpus, append, archive)
    state = re.findall(r"CPU0.*CR4=0x([0-9a-f]+)", log)
    if "all-done" not in serial or serial.count("line-") != 5 or f"keel: {cpus} CPUs" not in said or "keel: exit 0" not in said or not state:
        raise Failure(f"{said[-3000:]}\n{serial}\n{log[-1000:]}")
    if int(state[-1], 16) >> PCIDE & 1 != tagged:
        raise Failure(f"CR4 is {state[-1]}")


def cases():
    for name, model, cpus, append, tagged in (("isolated@1", "corei7_haswell_4770", 1, "", True),
                                              ("isolated@4", "corei7_haswell_4770", 4, "", True),
                                              ("shared@1", "corei7_haswell_4770", 1, "kpti=off", True),
                                              ("without-invpcid@1", "corei7_ivy_bridge_3770k", 1, "kpti=off", True),
                                              ("off@1", "corei7_haswell_4770", 1, "nopcid", False)):
        case = Case("pcid/" + name, None)
        case.run = lambda case=case, rest=(model, cpus, append, tagged): _programs(case, *rest)
        yield case
