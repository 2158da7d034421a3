"""Writes what the loader must know of a kernel (boot/kernel_notes.h): where some things in it lie, over which instructions it writes
jumps on some processors, and where it holds addresses of its own, to which the loader adds how far it moved them.

The input is the kernel with its symbols, linked with --emit-relocs. The output is 32-bit little-endian words, all of them offsets
from the kernel's beginning: those of NAMES; how many jumps, and from where to where each (0: three bytes that become a no-operation) and when;
and each place whose 32 bits hold an address, or the low half of one.
"""
import re
import struct
import subprocess
import sys

NAMES = ("direct_map_base", "idt", "exception_entry", "interrupt_stubs", "syscall_entry", "machine", "zones",
         "isolated_begin", "isolated_end", "isolated_syscall", "isolated_mask")
SECTION = re.compile(r"Relocation section '\.rela(\.\w+)'")
ENTRY = re.compile(r"([0-9a-f]{16})\s+[0-9a-f]+\s+(R_X86_64_\w+)\s+([0-9a-f]{16}) ")
SYMBOL = re.compile(rf"([0-9a-f]{{16}}) \w (kernel_text|kernel_end|{'|'.join(NAMES)})$", re.MULTILINE)
PATCHES = re.compile(r"\] \.patches\s+\w+\s+[0-9a-f]+ ([0-9a-f]+) ([0-9a-f]+)")
RELATIVE = {"R_X86_64_PC32", "R_X86_64_PLT32", "R_X86_64_PC64", "R_X86_64_NONE"}
ABSOLUTE = {"R_X86_64_64", "R_X86_64_32", "R_X86_64_32S"}
LOADED = {".text", ".rodata", ".data"}


def _output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def _patches(path, begin):
    """[(from, to, when)], as isolation.inc notes them."""
    offset, size = (int(number, 16) for number in PATCHES.search(_output("readelf", "-SW", path)).groups())
    with open(path, "rb") as file:
        file.seek(offset)
        patches = struct.iter_unpack("<QQQ", file.read(size))
        return [(site - begin, target and target - begin, when) for site, target, when in patches]


def read(path):
    """The offsets of NAMES, the jumps, and the places, in order."""
    symbols = {name: int(address, 16) for address, name in SYMBOL.findall(_output("nm", path))}
    begin, end = symbols["kernel_text"], symbols["kernel_end"]
    section, places = None, set()
    for line in _output("readelf", "-rW", path).splitlines():
        header, entry = SECTION.match(line), ENTRY.match(line)
        if header:
            section = header[1]
        elif entry and section in LOADED:
            place, kind, value = int(entry[1], 16), entry[2], int(entry[3], 16)
            if kind not in RELATIVE | ABSOLUTE:
                raise SystemExit(f"{path}: {place:#x} has a relocation {kind}, which the loader does not know")
            if kind in ABSOLUTE and begin <= value <= end:
                places.add(place - begin)
    return [symbols[name] - begin for name in NAMES], _patches(path, begin), sorted(places)


if __name__ == "__main__":
    names, patches, offsets = read(sys.argv[1])
    words = [*names, len(patches), *(word for patch in patches for word in patch), *offsets]
    with open(sys.argv[2], "wb") as file:
        file.write(struct.pack(f"<{len(words)}I", *words))
