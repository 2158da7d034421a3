"""A person at the machine itself: types on its keyboard and reads its screen, both through QEMU's monitor.

The screen is read as text. A picture is cut into the font's cells, and each one's bitmap looked up among the glyphs, whatever its
two colours are; of VGA text the memory is read.
"""
import json
import os
import re
import socket
import tempfile
import time

from harness.case import Failure
from harness.session import WAIT, Session
from launch import build, font
from launch.run import Options

VGA_TEXT, VGA_COLUMNS, VGA_ROWS = 0xB8000, 80, 25
PLAIN = {" ": "spc", "\n": "ret", "-": "minus", "=": "equal", "[": "bracket_left", "]": "bracket_right", ";": "semicolon",
         "'": "apostrophe", "`": "grave_accent", "\\": "backslash", ",": "comma", ".": "dot", "/": "slash", "\t": "tab",
         "\x1b": "esc", "\x7f": "backspace"}
SHIFTED = dict(zip("!@#$%^&*()_+{}:\"~|<>?", "1 2 3 4 5 6 7 8 9 0 minus equal bracket_left bracket_right semicolon apostrophe "
                   "grave_accent backslash comma dot slash".split()))


def keys_of(character):
    """QEMU's names of the keys that make a character on a US keyboard."""
    if "\x01" <= character <= "\x1a" and character not in "\n\t":
        return ["ctrl", chr(ord(character) + 96)]
    if character.isalpha():
        return ["shift", character.lower()] if character.isupper() else [character]
    if character in SHIFTED:
        return ["shift", SHIFTED[character]]
    return [PLAIN.get(character, character)]


class MachineEnded(Failure):
    """There is no QEMU any more that takes commands."""


class Monitor:
    """A connection to QEMU's monitor (QMP)."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + 20
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        self.file = self.socket.makefile("rw")
        self.file.readline()
        self.call("qmp_capabilities")

    def call(self, command, **arguments):
        try:
            self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
            self.file.flush()
            return self._answer(command)
        except OSError:
            raise MachineEnded(f"monitor: {command}: QEMU has ended") from None

    def _answer(self, command):
        while line := self.file.readline():
            answer = json.loads(line)
            if "error" in answer:
                raise Failure(f"monitor: {command}: {answer['error']}")
            if "return" in answer:
                return answer["return"]
        raise MachineEnded(f"monitor: {command}: QEMU has ended")

    def close(self):
        try:
            self.file.close()
        except OSError:
            pass  # QEMU has ended, and what it was told last is not of interest
        self.socket.close()


def picture_text(data, glyphs):
    """The lines of text on a PPM picture; characters that are none of the font's glyphs become \\x00."""
    match = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", data)
    width, height, at = int(match[1]), int(match[2]), match.end()
    lines = []
    for top in range(0, height - glyphs.height + 1, glyphs.height):
        rows = [data[at + (top + y) * width * 3:at + (top + y + 1) * width * 3] for y in range(glyphs.height)]
        lines.append("".join(_cell(rows, left, glyphs) for left in range(0, width - glyphs.width + 1, glyphs.width)))
    return [line.rstrip() for line in lines]


def _cell(rows, left, glyphs):
    parts = [row[left * 3:(left + glyphs.width) * 3] for row in rows]
    first = parts[0][:3]
    if all(part == first * glyphs.width for part in parts):
        return " "
    pixels = [[part[x * 3:x * 3 + 3] != first for x in range(glyphs.width)] for part in parts]
    for inverted in (False, True):
        bitmap = b"".join(_row_bytes([pixel != inverted for pixel in row]) for row in pixels)
        if bitmap in glyphs.characters:
            return glyphs.characters[bitmap]
    return "\0"


def _row_bytes(row):
    return bytes(sum(0x80 >> x for x, on in enumerate(row[i:i + 8]) if on) for i in range(0, len(row), 8))


def vga_text(data):
    return [data[row * 160:row * 160 + 160:2].decode("cp437").rstrip() for row in range(VGA_ROWS)]


class Display(Session):
    """The program runs on the display unless terminal is False."""

    def __init__(self, program, root, **options):
        options = {"terminal": True, "append": "console=tty0", "devices": ("VGA",), "monitor": True, **options}
        super().__init__(Options(program=list(program), root=root, **options))
        self.glyphs = font.Glyphs(font.font(build.BUILD))
        self.vga = self.options.boot == "pvh"

    def __enter__(self):
        super().__enter__()
        self.folder = tempfile.TemporaryDirectory()
        self.monitor = Monitor(self.machine.monitor_path)
        return self

    def __exit__(self, *exception):
        self.monitor.close()
        self.folder.cleanup()
        super().__exit__(*exception)

    def _dump(self, command, **arguments):
        path = os.path.join(self.folder.name, "dump")
        self.monitor.call(command, filename=path, **arguments)
        with open(path, "rb") as file:
            return file.read()

    def lines(self):
        """What the screen shows."""
        if self.vga:
            return vga_text(self._dump("pmemsave", val=VGA_TEXT, size=VGA_COLUMNS * VGA_ROWS * 2))
        return picture_text(self._dump("screendump"), self.glyphs)

    def attributes(self):
        """VGA text: the attribute of every cell, by rows."""
        data = self._dump("pmemsave", val=VGA_TEXT, size=VGA_COLUMNS * VGA_ROWS * 2)
        return [data[row * 160 + 1:row * 160 + 160:2] for row in range(VGA_ROWS)]

    def press(self, *keys):
        """Keys together, by QEMU's names. A machine that has ended takes none."""
        try:
            self.monitor.call("send-key", keys=[{"type": "qcode", "data": key} for key in keys], **{"hold-time": 5})
        except MachineEnded:
            pass
        self.step(0.03)

    def type(self, text):
        for character in text:
            self.press(*keys_of(character))

    def step(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.pump.open_lines:
            self.pump.step(0.02)

    def expect(self, pattern, seconds=WAIT, meanwhile=None):
        """Waits until a regular expression matches the screen's lines, joined by newlines. Returns the match."""
        end = time.monotonic() + seconds * self.patience
        wanted = re.compile(pattern, re.MULTILINE | re.DOTALL)
        while True:
            text = "\n".join(self.lines()).rstrip()
            match = wanted.search(text)
            if match:
                return match
            if time.monotonic() > end or not self.pump.open_lines:
                log = self.machine.log()[-2000:].decode(errors="replace")
                raise Failure(f"\"{pattern}\" did not appear; the screen:\n{text}\nserial: {self.output[-500:]}\nlog:\n{log}")
            if meanwhile:
                meanwhile()
            self.step(0.2)

    def hear(self):
        """Presses return at a shell's prompt until another one comes: what is typed before the keyboard is there goes nowhere."""
        self.expect(r"^([^\n]*[#$>]) ?\n\1 ?\Z", meanwhile=lambda: self.press("ret"))


def shell(screen):
    """Waits for a shell and gives it a prompt that is easy to see."""
    screen.expect(r"[#$] ?\Z", 120)
    screen.hear()
    screen.type("PS1='ready''> '; clear\n")
    screen.expect(r"\Aready>\Z")
