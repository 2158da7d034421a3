"""Cuts what no loader reads off a stripped ELF file: the section headers and what lies behind the last segment."""
import struct
import sys


def trim(data):
    start, size, count = *struct.unpack_from("<Q", data, 32), *struct.unpack_from("<HH", data, 54)
    ends = [start + size * count]
    for i in range(count):
        offset, _, _, length = struct.unpack_from("<QQQQ", data, start + i * size + 8)
        ends.append(offset + length)
    kept = bytearray(data[:max(ends)])
    struct.pack_into("<Q", kept, 40, 0)          # where the section headers are
    struct.pack_into("<HHH", kept, 58, 0, 0, 0)  # their size, number, and names
    return kept


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        image = trim(file.read())
    with open(sys.argv[1], "wb") as file:
        file.write(image)
