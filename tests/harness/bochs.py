"""Boots on processors that QEMU cannot play, by Bochs: with PCID, and INVPCID or not. They show that what the kernel executes there
is right, not that it flushes enough: whether Bochs keeps anything over a change of roots is not known. unit/test_tags_threads is about that.
And with the registers of frequency control, which a table gives to Bochs' processors: they keep what is written, and do nothing."""
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
cpu: model={model}, count={cpus}, ips={speed}000000, ignore_bad_msrs={ignore}, msrs={folder}/registers
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


def _halves(value):
    return f"{value >> 32:08x} {value & 0xffffffff:08x}"


def boot(model, cpus, append, archive, kernel=build.KERNEL, registers=None):
    """What came out of the serial port and the debug port of a machine that switches itself off, and what Bochs says of its
    processors at the end. registers: {MSR: (value at the start, bits that must not change)} besides those that Bochs has, and accesses to
    others are refused; None: they do nothing."""
    with tempfile.TemporaryDirectory(prefix="keel-bochs-") as folder:
        disk = os.path.join(folder, "disk")
        cylinders = _write_disk(disk, kernel, append, archive)
        files = {"configuration": CONFIGURATION.format(model=model, cpus=cpus, speed=SPEED, memory=MEMORY_MB, disk=disk, cylinders=cylinders,
                                                       folder=folder, ignore=int(registers is None)),
                 "registers": "".join(f"{msr:#x} 0 {_halves(value)} {_halves(reserved)} {_halves(0)}\n"
                                      for msr, (value, reserved) in (registers or {}).items()),
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


def _programs(model, cpus, append, registers=None):
    """What was said and logged while a shell started programs."""
    script = "for i in 1 2 3 4 5; do echo $i | cat | sed s/^/line-/; done & ls / | wc -l; wait; echo all-done"
    archive = prepare(Options(program=["/bin/busybox", "sh", "-c", script], smp=cpus))
    said, serial, log = boot(model, cpus, append, archive, registers=registers)
    if "all-done" not in serial or serial.count("line-") != 5 or f"keel: {cpus} CPUs" not in said or "keel: exit 0" not in said:
        raise Failure(f"{said[-3000:]}\n{serial}\n{log[-1000:]}")
    return said, log


def _tagged(model, cpus, append, tagged):
    """The processor is in the end what was asked for, by CR4.PCIDE."""
    _, log = _programs(model, cpus, append)
    state = re.findall(r"CPU0.*CR4=0x([0-9a-f]+)", log)
    if not state or int(state[-1], 16) >> PCIDE & 1 != tagged:
        raise Failure(f"CR4 is {state}\n{log[-1000:]}")


def _frequency(model, cpus, append, registers, note, logged):
    """What the boot path notes of frequency control, and what Bochs logs of each processor."""
    said, log = _programs(model, cpus, append, registers)
    notes = [line for line in said.splitlines() if "frequency" in line]
    if notes != ["keel: frequency: " + note]:
        raise Failure(f"noted {notes}")
    found = re.findall(r"\[CPU(\d) *\] ((?:RD|WR)MSR: .* 0x77\w)", log)
    wanted = [(str(cpu), logged) for cpu in range(cpus) if logged]
    if sorted(set(found)) != wanted:
        raise Failure(f"logged {found}")


def cases():
    for name, model, cpus, append, tagged in (("isolated@1", "corei7_haswell_4770", 1, "", True),
                                              ("isolated@4", "corei7_haswell_4770", 4, "", True),
                                              ("shared@1", "corei7_haswell_4770", 1, "kpti=off", True),
                                              ("without-invpcid@1", "corei7_ivy_bridge_3770k", 1, "kpti=off", True),
                                              ("off@1", "corei7_haswell_4770", 1, "nopcid", False)):
        case = Case("pcid/" + name, None)
        case.run = lambda rest=(model, cpus, append, tagged): _tagged(*rest)
        yield case
    every = (1 << 64) - 1
    hwp = {0x770: (0, every - 1), 0x771: (0x08101c2f, every), 0x774: (0xf80004008000ff01, 0xfffff800 << 32)}
    bias = {0x1b0: (0x50, every - 15)}
    for name, *rest in (
            ("hwp@1", "corei7_icelake_u", 1, "", hwp, "HWP, performance 8 to 47, energy preference 128 of 255 (default)", ""),
            ("hwp@4", "corei3_cnl", 4, "sched=pack", hwp, "HWP, performance 8 to 47, energy preference 192 of 255 (balance_power)", ""),
            ("reads-refused@4", "corei3_cnl", 4, "", {}, "refused by 4 of the CPUs", "RDMSR: Unknown register 0x770"),
            ("writes-refused@4", "corei3_cnl", 4, "", {**hwp, 0x770: (0, every)}, "refused by 4 of the CPUs",
             "WRMSR: Write failed to MSR 0x770"),
            ("bias@4", "corei7_haswell_4770", 4, "cpufreq=default", bias, "energy preference 6 of 15 (default)", ""),
    ):
        case = Case("frequency/" + name, None)
        case.run = lambda rest=rest: _frequency(*rest)
        yield case
