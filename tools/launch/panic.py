"""Puts names to the addresses of a kernel panic: reads the log lines that kernel/panic.c writes.

The kernel prints every word on a stack that points into its text. Here only those stay that follow a call instruction, as
return addresses do; each becomes a line "function  file:line", functions that were inlined there included.
"""
import os
import re
import struct
import subprocess

from launch.build import TOP

TIME_FAULTS = 63  # abi/trace.h
EVENTS = ["switch", "level", "wake", "call", "return", "fault", "interrupt"]  # enum trace_kind, abi/trace.h
CALL = re.compile(r"^CALL\((\d+), (\w+),", re.MULTILINE)
BEGIN = re.compile(r"^panic: .*, kernel at ([0-9a-f]+)\)$", re.MULTILINE)
RIP = re.compile(r"^CPU \d+: .*\brip (ffffffff[0-9a-f]{8}) ")
EVENT = re.compile(r"^trace: (\d+) (\d+) (\d+) (\w+) (\w+) (\w+)$")


class Text:
    """The code of an ELF file that runs with its first byte of code at `begin`; places are addresses there."""

    def __init__(self, path, begin):
        self.path = path
        with open(path, "rb") as file:
            data = file.read()
        offset, size, count = *struct.unpack_from("<Q", data, 32), *struct.unpack_from("<HH", data, 54)
        self.parts = []
        for i in range(count):
            kind, flags, start, address, _, length = struct.unpack_from("<IIQQQQ", data, offset + i * size)
            if kind == 1 and flags & 1:
                self.slide = begin - address
                self.parts.append((begin, data[start:start + length]))

    def follows_call(self, address):
        for base, data in self.parts:
            before = data[max(0, address - base - 7):address - base] if base < address <= base + len(data) else b""
            if before[-5:-4] == b"\xe8" or any(len(before) >= n and before[-n] == 0xff and before[1 - n] >> 3 & 7 == 2
                                               for n in (2, 3, 6, 7)):
                return True
        return False


def _places(text, addresses):
    """{address: ["function  file:line", …]}, innermost first."""
    output = subprocess.run(["addr2line", "-afie", text.path, *(hex(address - text.slide) for address in addresses)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            text=True, check=False).stdout.splitlines()
    found, lines = {}, iter(output)
    for line in lines:
        if line.startswith("0x"):
            places = found.setdefault(int(line, 16) + text.slide, [])
            continue
        function, place = re.sub(r"\.(lto_priv|constprop|isra|part)\.\d+", "", line), next(lines, "")
        place = re.sub(r" \(discriminator \d+\)", "", place.replace(TOP + "/", "").replace("./", ""))
        places.append(f"{function}  {place}")
    return found


def _named(text, addresses, exact=()):
    # A return address is behind its call: the place is that of the byte before.
    wanted = {address: address if address in exact else address - 1 for address in addresses}
    places = _places(text, wanted.values())
    return [f"    {address:x}  " + "\n      inlined into  ".join(places.get(place) or ["?"]) for address, place in wanted.items()]


def _call_names():
    """Class 1 calls by index, from the table itself."""
    with open(os.path.join(TOP, "abi", "syscalls.def")) as file:
        return {int(index): name for index, name in CALL.findall(file.read())}


def _event(time, kind, detail, thread, a, b):
    name = EVENTS[int(kind)] if int(kind) < len(EVENTS) else kind
    if name in ("call", "return"):
        detail = "page fault" if int(detail) == TIME_FAULTS else _call_names().get(int(detail), detail)
    return f"trace: {time} {name} {detail} thread {thread} {a} {b}"


def _line(text, line):
    rip, event = RIP.match(line), EVENT.match(line)
    if line.startswith("stack:"):
        addresses = [int(word, 16) for word in line.split()[1:]]
        addresses = list(dict.fromkeys(address for address in addresses if text.follows_call(address)))
        return "\n".join(["stack:", *_named(text, addresses)])
    if rip:
        address = int(rip[1], 16)
        return "\n".join([line, *_named(text, [address], exact=[address])])
    if event:
        return _event(*event.groups())
    return line


def described(log, symbols):
    """The last panic in a log with names in the place of addresses; "" when there is none."""
    found = list(BEGIN.finditer(log))
    if not found:
        return ""
    text = Text(symbols, int(found[-1][1], 16))
    return "\n".join(_line(text, line) for line in log[found[-1].start():].rstrip().splitlines())


def symbols_of(kernel):
    """build/kernel.sym.elf for build/keel.elf, and so on; None for a kernel that was not built here."""
    folder, name = os.path.split(kernel or "")
    path = os.path.join(folder, name.replace("keel", "kernel", 1).replace(".elf", ".sym.elf"))
    return path if name.startswith("keel") and os.path.exists(path) else None


def told(log, options):
    """As above, indented, for the log of a run of one of this tree's kernels."""
    symbols = symbols_of(options.kernel)
    return described(log.decode(errors="replace"), symbols).replace("\n", "\n  ") if symbols else ""
