"""Writes where a kernel holds addresses of its own, for the loader to add how far it moved them (boot/load.c).

The input is the kernel with its symbols, linked with --emit-relocs. The output is 32-bit little-endian words: where
direct_map_base lies, then each place whose 32 bits hold an address, or the low half of one; all from the kernel's beginning.
"""
import re
import struct
import subprocess
import sys

SECTION = re.compile(r"Relocation section '\.rela(\.\w+)'")
ENTRY = re.compile(r"([0-9a-f]{16})\s+[0-9a-f]+\s+(R_X86_64_\w+)\s+([0-9a-f]{16}) ")
SYMBOL = re.compile(r"([0-9a-f]{16}) \w (kernel_text|kernel_end|direct_map_base)$", re.MULTILINE)
RELATIVE = {"R_X86_64_PC32", "R_X86_64_PLT32", "R_X86_64_PC64", "R_X86_64_NONE"}
ABSOLUTE = {"R_X86_64_64", "R_X86_64_32", "R_X86_64_32S"}
LOADED = {".text", ".rodata", ".data"}


def _output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def read(path):
    """The offset of direct_map_base, and those of all places, in order."""
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
    return symbols["direct_map_base"] - begin, sorted(places)


if __name__ == "__main__":
    direct_map_base, offsets = read(sys.argv[1])
    with open(sys.argv[2], "wb") as file:
        file.write(struct.pack(f"<{1 + len(offsets)}I", direct_map_base, *offsets))
