"""Moving bytes between a machine's serial lines and the caller until the machine ends.

Streams (not a terminal): COM1 carries standard input and output, COM2 standard error, byte for byte. On the way in the byte
0x10 is doubled, and the end of input is 0x10 0x04.
"""
import os
import re
import selectors
import time

CHUNK = 65536
ESCAPE = b"\x10"
END_OF_INPUT = b"\x10\x04"
DETACH = b"\x1d"  # Ctrl-]
DETACH_COUNT = 3
DETACH_SECONDS = 1.0
HOLD_TICK = 0.01
FIRMWARE_GIVES_UP = b"No bootable option or device was found."
ESCAPE_SEQUENCE = re.compile(rb"\x1b\[[0-9;=]*[A-Za-z]")


class Detached(Exception):
    """The user asked to leave the terminal."""


class Input:
    """What is still to be sent to COM1."""

    def __init__(self, terminal):
        self.terminal = terminal
        self.pending = bytearray()
        self.detach_times = []

    def feed(self, data):
        if not self.terminal:
            data = data.replace(ESCAPE, ESCAPE + ESCAPE)
        elif data == DETACH:
            self._detach_key()
        self.pending += data

    def end(self):
        if not self.terminal:
            self.pending += END_OF_INPUT

    def send(self, com1):
        try:
            count = com1.send(self.pending[:CHUNK])
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            count = len(self.pending)  # QEMU has ended; nobody will read it
        del self.pending[:count]

    def _detach_key(self):
        now = time.monotonic()
        self.detach_times = [then for then in self.detach_times if now - then < DETACH_SECONDS] + [now]
        if len(self.detach_times) >= DETACH_COUNT:
            raise Detached


class Refused(Exception):
    """The firmware will start nothing; the text is what it wrote."""


def _behind(mark, write):
    """A writer that leaves out everything up to the mark and passes on the rest."""
    before = bytearray()
    found = False

    def filtered(data):
        nonlocal found
        if not found:
            before.extend(data)
            place = before.find(mark)
            if place < 0:
                if FIRMWARE_GIVES_UP in before:
                    raise Refused(ESCAPE_SEQUENCE.sub(b"", before).decode(errors="replace").replace("\r", ""))
                return
            found, data = True, bytes(before[place + len(mark):])
        if data:
            write(data)
    return filtered


class Pump:
    """stdin: a descriptor, bytes, or None; out and err: called with each piece of output. hold: nothing is sent before
    the log contains these bytes (what sets up the line drops what comes in meanwhile). mark: what comes on a line
    before these bytes, and they, were written by the firmware and are left out."""

    def __init__(self, machine, stdin, out, err, terminal=False, deadline=None, hold=None, mark=None):
        self.machine = machine
        self.out, self.err = (_behind(mark, out), _behind(mark, err)) if mark else (out, err)
        self.deadline, self.hold = deadline, hold
        self.input = Input(terminal)
        self.selector = selectors.DefaultSelector()
        self.open_lines = 2
        self.selector.register(machine.com1, selectors.EVENT_READ, "com1")
        self.selector.register(machine.com2, selectors.EVENT_READ, "com2")
        self.source = stdin if isinstance(stdin, int) else None
        self.source_polled = True
        if self.source is not None:
            self._source_register()
        else:
            self.input.feed(stdin or b"")
            self.input.end()

    def _source_register(self):
        try:
            self.selector.register(self.source, selectors.EVENT_READ, "source")
        except PermissionError:  # a regular file: always ready
            self.source_polled = False

    def run(self):
        """Until QEMU has closed both lines. False when the deadline passed first."""
        try:
            return self._run()
        except Refused as refused:
            self.machine.stop()
            self.machine.refusal = str(refused)
            return True

    def _run(self):
        while self.open_lines:
            if self.deadline is not None and time.monotonic() >= self.deadline:
                return False
            self._interest()
            for key, events in self.selector.select(self._wait_time()):
                self._handle(key, events)
            if self.source is not None and not self.source_polled and len(self.input.pending) < CHUNK:
                self._source_read()
        return True

    def step(self, seconds):
        """One bounded wait, for callers that talk to the program: handles what is there."""
        self._interest()
        for key, events in self.selector.select(seconds):
            self._handle(key, events)

    def _wait_time(self):
        if self.source is not None and not self.source_polled and len(self.input.pending) < CHUNK:
            return 0
        limit = HOLD_TICK if self.hold else 3600
        if self.deadline is not None:
            limit = min(limit, max(0, self.deadline - time.monotonic()))
        return limit

    def _interest(self):
        """Asks for writability of COM1 only while there is something to send, for input only while little waits."""
        if self.hold and self.hold in self.machine.log():
            self.hold = None
        if "com1" not in {key.data for key in self.selector.get_map().values()}:
            return
        wanted = selectors.EVENT_READ
        if self.input.pending and not self.hold:
            wanted |= selectors.EVENT_WRITE
        self.selector.modify(self.machine.com1, wanted, "com1")

    def _handle(self, key, events):
        if key.data == "source":
            if len(self.input.pending) < CHUNK:
                self._source_read()
            else:
                time.sleep(0.001)
            return
        if events & selectors.EVENT_WRITE:
            self.input.send(self.machine.com1)
        if events & selectors.EVENT_READ:
            self._line_read(key)

    def _line_read(self, key):
        try:
            data = key.fileobj.recv(CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if data:
            (self.out if key.data == "com1" else self.err)(data)
        else:
            self.selector.unregister(key.fileobj)
            self.open_lines -= 1

    def _source_read(self):
        try:
            data = os.read(self.source, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.input.feed(data)
            return
        if self.source_polled:
            self.selector.unregister(self.source)
        self.source = None
        self.input.end()
