"""Cases that read the kernel's image: where control can go by a computed address, and what else holds such addresses; and one that
links it at another base and runs it there."""
import os
import re
import struct

from harness import native
from harness.case import Case, Failure, command
from launch import build

SYMBOLS = os.path.join(build.BUILD, "kernel.sym.elf")
MOVED = os.path.join(build.BUILD, "keel-moved.elf")
# Each goes through call_functions in entry.S, a read-only table, by an index that was compared with its length.
INDIRECT = {"syscall_slowly": ["call *%r11"], "call_object": ["call *%r11"], "call_perform": ["jmp *%r11"]}
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
    text, data = sections[".text"], sections[".data"]
    with open(SYMBOLS, "rb") as file:
        file.seek(data[3])
        content = file.read(data[1])
    for at in range(0, len(content) - 7, 4):
        word = struct.unpack_from("<Q", content, at)[0]
        if text[0] <= word < text[0] + text[1]:
            raise Failure(f".data+{at:#x} holds the address of code {word:#x}")
    symbols = {name: int(address, 16) for address, _, name in
               (line.split() for line in command(["nm", SYMBOLS], cwd=build.TOP).splitlines() if len(line.split()) == 3)}
    if not symbols["idt"] < data[0]:
        raise Failure("the interrupt table is in the writable segment")
    if any("W" in flags and "X" in flags for _, _, flags, _ in sections.values()):
        raise Failure("a section is writable and executable")
    case.detail = f"{data[1]} bytes of data"


def _moved(case):
    """The kernel works where the linker put it, wherever that is."""
    build.make("build/keel-moved.elf")
    native.run_tests(case, "ktest", 1, MOVED)


def cases():
    for name, check in (("branches", _branches), ("pointers", _pointers), ("moved", _moved)):
        case = Case(f"image/{name}", None)
        case.run = lambda case=case, check=check: check(case)
        yield case
