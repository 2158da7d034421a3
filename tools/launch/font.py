"""The display's font, from Debian's package console-setup-linux: unpacked, and as PSF2 whichever version the file has.

Nothing of it is kept in the repository: it is fetched when it is needed first, and stays in build/.
"""
import gzip
import os
import struct

from launch import artifacts, package
from launch.errors import UserError

PACKAGE = "console-setup-linux"
FILE = "usr/share/consolefonts/Uni2-Terminus16.psf.gz"
PSF1, PSF2 = b"\x36\x04", b"\x72\xb5\x4a\x86"
PSF1_512, PSF1_TABLE, PSF1_SEQUENCES = 1, 2, 4
PSF1_SEQUENCE, PSF1_END = 0xFFFE, 0xFFFF


def _packed():
    installed = os.path.join("/", FILE)
    if os.path.exists(installed):
        return artifacts.read(installed)
    with package.unpacked(lambda: PACKAGE) as folder:
        return artifacts.read(os.path.join(folder, FILE))


def _table(data, count):
    """PSF1's table of 16-bit characters as PSF2's in UTF-8."""
    out, at = bytearray(), 0
    for _ in range(count):
        while True:
            value, = struct.unpack_from("<H", data, at)
            at += 2
            if value == PSF1_END:
                break
            out += b"\xfe" if value == PSF1_SEQUENCE else chr(value).encode()
        out += b"\xff"
    return bytes(out)


def converted(data):
    """A PSF file of either version as PSF2."""
    if data.startswith(PSF2):
        return data
    if not data.startswith(PSF1) or not data[2] & (PSF1_TABLE | PSF1_SEQUENCES):
        raise UserError("the display's font is no PSF file with a table of characters")
    count, height = 512 if data[2] & PSF1_512 else 256, data[3]
    glyphs = data[4:4 + count * height]
    header = struct.pack("<4s7I", PSF2, 0, 32, 1, count, height, height, 8)
    return header + glyphs + _table(data[4 + count * height:], count)


def font(build):
    """The font's bytes; build: the folder that keeps it."""
    path = os.path.join(build, "font.psf")
    with artifacts.turn(build):
        if not os.path.exists(path):
            data = converted(gzip.decompress(_packed()))
            with artifacts.draft(path) as made, open(made, "wb") as file:
                file.write(data)
    return artifacts.read(path)


class Glyphs:
    """The font as a reader of screens needs it: which characters each bitmap stands for."""

    def __init__(self, data):
        _, _, start, _, count, self.size, self.height, self.width = struct.unpack_from("<4s7I", data)
        self.characters = {}
        table = data[start + count * self.size:]
        for glyph, entry in enumerate(table.split(b"\xff")[:count]):
            text = entry.split(b"\xfe")[0].decode()
            bitmap = data[start + glyph * self.size:start + (glyph + 1) * self.size]
            if text:
                plain = [character for character in text if character.isascii()]
                self.characters.setdefault(bitmap, (plain or text)[0])
