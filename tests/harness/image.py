"""Cases that read the kernel's image: where control can go by a computed address, and what else holds such addresses; and that it
can be moved, and is, to another place at each boot."""
import os
import re
import struct

from harness.case import Case, Failure, command
from launch import build
from launch.run import Options, run

SYMBOLS = os.path.join(build.BUILD, "kernel.sym.elf")
IMAGE = os.path.join(build.BUILD, "kernel.elf")
MOVED = os.path.join(build.BUILD, "kernel-moved.elf")
NOTES = os.path.join(build.BUILD, "kernel.notes")
NAMES = 11  # words before the number of jumps: tools/kernel_notes.py
LINKED_AT, MOVED_TO = 0xffffffff80100000, 0xffffffff9a345000
DIRECT_MAP = 0xffff800000000000
BOOTS = 6
# Each goes through call_functions in entry.S, a read-only table, by an index that was compared with its length.
INDIRECT = {"syscall_slowly": ["call *%r11"], "call_found": ["call *%r11"], "call_perform": ["jmp *%r11"]}
FORBIDDEN = re.compile(r"(?:l?(?:call|jmp)\s+\*.*|bnd .*|lret.*|iret[wl])$")


def _branches(case):
    """No other instruction takes its target from a register or from memory, returns apart."""
    build.make("build/kernel.elf")
    found, function = {}, "?"
    for line in command(["objdump", "-d", "--no-show-raw-insn", SYMBOLS], cwd=build.TOP).splitlines():
        label = re.match(r"[0-9a-f]+ <(.+)>:$", line)
        if label:
            function = label[1]
            continue
        instruction = " ".join(line.split("\t", 1)[-1].split("#")[0].split())
        if FORBIDDEN.match(instruction) and not (instruction == "lretq" and function in ("cpu_setup", "segments_load")):
            found.setdefault(function, []).append(instruction)
    if found != INDIRECT:
        raise Failure(f"indirect branches: {found}\nallowed: {INDIRECT}")
    case.detail = f"{sum(map(len, found.values()))} indirect branches, through one read-only table"


def _sections():
    """{name: (address, size, flags, offset)} of the image."""
    sections = {}
    for line in command(["readelf", "-SW", SYMBOLS], cwd=build.TOP).splitlines():
        match = re.match(r"\s*\[ *\d+\] (\S+)\s+\S+\s+([0-9a-f]{16}) ([0-9a-f]+) ([0-9a-f]+) \S+ +([A-Z]*)", line)
        if match:
            sections[match[1]] = (int(match[2], 16), int(match[4], 16), match[5], int(match[3], 16))
    return sections


def _pointers(case):
    """Nothing writable holds an address of code when the kernel starts, and the table that the processor reads is not writable."""
    build.make("build/kernel.elf")
    sections = _sections()
    text, data = sections[".text"], sections.get(".data", (0, 0, "WA", 0))  # it may be all zeros, in .bss
    with open(SYMBOLS, "rb") as file:
        file.seek(data[3])
        content = file.read(data[1])
    for at in range(0, len(content) - 7, 4):
        word = struct.unpack_from("<Q", content, at)[0]
        if text[0] <= word < text[0] + text[1]:
            raise Failure(f".data+{at:#x} holds the address of code {word:#x}")
    symbols = {name: int(address, 16) for address, _, name in
               (line.split() for line in command(["nm", SYMBOLS], cwd=build.TOP).splitlines() if len(line.split()) == 3)}
    if not symbols["idt"] < sections[".bss"][0]:
        raise Failure("the interrupt table is in the writable segment")
    if any("W" in flags and "X" in flags for _, _, flags, _ in sections.values()):
        raise Failure("a section is writable and executable")
    case.detail = f"{data[1]} bytes of data"


def _segments(path):
    """[(address, bytes)] of an image."""
    with open(path, "rb") as file:
        data = file.read()
    offset, size, count = *struct.unpack_from("<Q", data, 32), *struct.unpack_from("<HH", data, 54)
    headers = [struct.unpack_from("<IIQQQQ", data, offset + i * size) for i in range(count)]
    return [(address, bytearray(data[start:start + length])) for _, _, start, address, _, length in headers]


def _relocated(case):
    """What the loader does to the image to move it gives what the linker makes for the other place."""
    build.make("build/kernel.elf", "build/kernel.notes", "build/kernel-moved.elf")
    with open(NOTES, "rb") as file:
        words = [word for word, in struct.iter_unpack("<I", file.read())]
    places = words[NAMES + 1 + 3 * words[NAMES]:]
    segments = _segments(IMAGE)
    for place in places:
        address, data = next((address, data) for address, data in segments
                             if address <= LINKED_AT + place < address + len(data))
        at = LINKED_AT + place - address
        struct.pack_into("<I", data, at, struct.unpack_from("<I", data, at)[0] + MOVED_TO - LINKED_AT)
    if [(address + MOVED_TO - LINKED_AT, data) for address, data in segments] != _segments(MOVED):
        raise Failure("the image with its relocations applied is not the one that was linked there")
    case.detail = f"{len(places)} places"


def _bases(append):
    """Where the kernel ends and the direct map begins in a boot."""
    log = run(Options(program=["/bin/true"], append=append)).log.decode(errors="replace")
    found = re.search(r"kernel up to 0x([0-9a-f]{16}), direct map from 0x([0-9a-f]{16})", log)
    if not found:
        raise Failure(log)
    return int(found[1], 16), int(found[2], 16)


def _random(case):
    """Kernel and direct map are somewhere else at each boot, or where they were linked with nokaslr."""
    end, base = _bases("nokaslr kaslr=show")
    if base != DIRECT_MAP or not LINKED_AT < end < LINKED_AT + (1 << 20):
        raise Failure(f"nokaslr: {end:#x} {base:#x}")
    found = [_bases("kaslr=show") for _ in range(BOOTS)]
    for values in zip(*found):
        if len(set(values)) < BOOTS - 1 or max(values) - min(values) < 1 << 26:
            raise Failure(f"little is random here: {[hex(value) for value in values]}")
    case.detail = f"{BOOTS} boots, kernels {(max(found)[0] - min(found)[0]) >> 20} MB apart"


def _exits(case):
    """With isolated page tables the loader writes a jump over every instruction that leads to user mode: none is forgotten."""
    build.make("build/kernel.elf", "build/kernel.notes")
    with open(NOTES, "rb") as file:
        words = [word for word, in struct.iter_unpack("<I", file.read())]
    begin, end = words[NAMES - 4:NAMES - 2]  # of the code that they jump to
    patched = set(words[NAMES + 1:NAMES + 1 + 3 * words[NAMES]:3])
    found, function, before = 0, "?", 0
    for line in command(["objdump", "-d", "--no-show-raw-insn", SYMBOLS], cwd=build.TOP).splitlines():
        label, match = re.match(r"[0-9a-f]+ <(.+)>:$", line), re.match(r"([0-9a-f]{16}):\t(\w+)", line)
        function = label[1] if label else function
        if not match:
            continue
        at = int(match[1], 16) - LINKED_AT
        if match[2] in ("sysretq", "iretq", "sysretl") and not begin <= at < end and function != "trap_from_kernel_entry":
            found += 1
            if before not in patched:
                raise Failure(f"{match[2]} in {function} is not marked by isolation.inc")
        before = at
    case.detail = f"{found} exits"


def cases():
    for name, check in (("exits", _exits), ("branches", _branches), ("pointers", _pointers), ("relocated", _relocated), ("random", _random)):
        case = Case(f"image/{name}", None)
        case.run = lambda case=case, check=check: check(case)
        yield case
