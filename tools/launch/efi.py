"""Makes BOOTX64.EFI, a PE32+ image: the EFI program (boot/efi), and with it the boot image, the initial archive and the
command line as sections, so that one signature covers everything that is started.

The file is the image as it lies in memory: every section at a page, at the same place in both.
"""
import struct

PAGE = 4096
CODE = 0x60000020      # code, executable, readable
DATA = 0xC0000040      # initialised data, readable, writable
CONSTANT = 0x40000040  # initialised data, readable
LOAD = 1
EXECUTABLE, LARGE_ADDRESSES = 0x0002, 0x0020
MACHINE, EFI_APPLICATION, NX_COMPATIBLE = 0x8664, 10, 0x0100
DIRECTORIES, RELOCATION_DIRECTORY = 16, 5
OPTIONAL_SIZE = 112 + 8 * DIRECTORIES
# Firmware of old wants a relocation table, even one that says nothing: a block of two entries of type "none".
NO_RELOCATIONS = struct.pack("<IIHH", 0, 12, 0, 0)


def _round(size):
    return -(-size // PAGE) * PAGE


def _segments(elf):
    """The loadable segments of an ELF64 file: (address, bytes with zeros behind, flags), and its entry."""
    entry, table = struct.unpack_from("<QQ", elf, 24)
    size, count = struct.unpack_from("<HH", elf, 54)
    found = []
    for i in range(count):
        kind, flags, offset, address, _, file_size, memory_size, _ = struct.unpack_from("<IIQQQQQQ", elf, table + i * size)
        if kind == LOAD:
            found.append((address, elf[offset:offset + file_size] + bytes(memory_size - file_size), flags))
    return found, entry


def _headers(sections, entry, end):
    pe = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0"
    pe += struct.pack("<HHIIIHH", MACHINE, len(sections), 0, 0, 0, OPTIONAL_SIZE, EXECUTABLE | LARGE_ADDRESSES)
    code = sum(_round(len(data)) for _, _, data, kind in sections if kind == CODE)
    pe += struct.pack("<HBBIIIII", 0x20B, 0, 0, code, end - code - PAGE, 0, entry, sections[0][1])
    pe += struct.pack("<QIIHHHHHHIIIIHH", 0, PAGE, PAGE, 0, 0, 0, 0, 0, 0, 0, end, PAGE, 0, EFI_APPLICATION, NX_COMPATIBLE)
    pe += struct.pack("<QQQQII", 0, 0, 0, 0, 0, DIRECTORIES)
    places = {name: (address, len(data)) for name, address, data, _ in sections}
    for i in range(DIRECTORIES):
        pe += struct.pack("<II", *(places[".reloc"] if i == RELOCATION_DIRECTORY else (0, 0)))
    for name, address, data, kind in sections:
        pe += struct.pack("<8sIIIIIIHHI", name.encode(), len(data), address, _round(len(data)), address, 0, 0, 0, 0, kind)
    return pe.ljust(PAGE, b"\0")


def image(loader, extra):
    """loader: the bytes of build/efi.elf; extra: names and bytes of sections to add."""
    segments, entry = _segments(loader)
    sections = []
    for (address, data, flags), name in zip(segments, (".text", ".data")):
        sections.append((name, address, data, CODE if flags & 1 else DATA))
    end = max(address + _round(len(data)) for _, address, data, _ in sections)
    for name, data in [(".reloc", NO_RELOCATIONS), *extra.items()]:
        sections.append((name, end, data, CONSTANT))
        end += _round(len(data))
    parts = [_headers(sections, entry, end)]
    at = PAGE
    for _, address, data, _ in sections:
        parts.append(bytes(address - at) + data.ljust(_round(len(data)), b"\0"))
        at = address + _round(len(data))
    return b"".join(parts)


def program(loader, kernel, archive, append=""):
    """BOOTX64.EFI's bytes. loader, kernel: the paths of efi.elf and keel.elf; archive: bytes."""
    with open(loader, "rb") as file:
        loader = file.read()
    with open(kernel, "rb") as file:
        kernel = file.read()
    extra = {".boot": kernel, ".archive": archive}
    if append:
        extra[".cmdline"] = append.encode()
    return image(loader, extra)
