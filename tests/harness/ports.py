"""A machine with a virtio console: the host's end of each port is a socket, with a thread for either direction, or files.

QEMU drops what a terminal writes when its socket is full, and of a stream's buffer that a full socket took in part nobody
knows how much that was once the driver is killed. Files are never full: where every byte counts, they are used."""
import os
import re
import socket
import tempfile
import threading
import time

from harness.case import Failure
from harness.plug import Plugs

CONNECT = 20.0  # seconds until QEMU listens


class Channel:
    """The host's end of a port."""

    def __init__(self, path):
        self.path = path
        self.heard = b""
        self.seen = 0  # bytes that expect() has passed
        self.line = None

    def chardev(self, name):
        return f"socket,id={name},path={self.path},server=on,wait=off"

    def connect(self):
        end = time.monotonic() + CONNECT
        while True:
            self.line = socket.socket(socket.AF_UNIX)
            try:
                self.line.connect(self.path)
                break
            except OSError:
                self.line.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)
        threading.Thread(target=self._listen, args=(self.line,), daemon=True).start()

    def _listen(self, line):
        try:
            while data := line.recv(1 << 16):
                self.heard += data
        except OSError:
            pass

    def say(self, data):
        """Sends bytes from a thread of their own: the port may hold them up."""
        threading.Thread(target=self._say, args=(self.line, data), daemon=True).start()

    @staticmethod
    def _say(line, data):
        try:
            line.sendall(data)
        except OSError:
            pass

    def hang_up(self):
        if not self.line:
            return
        try:
            self.line.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.line.close()


class Files(Channel):
    """What the machine writes is in a file; what it reads comes by a named pipe."""

    def __init__(self, path):
        super().__init__(path)
        open(path + ".out", "wb").close()
        os.mkfifo(path + ".in")
        self.pipe = os.open(path + ".in", os.O_RDWR)  # QEMU's open does not wait for a writer then

    def chardev(self, name):
        return f"pipe,id={name},path={self.path}"

    def connect(self):
        pass

    @property
    def heard(self):
        with open(self.path + ".out", "rb") as file:
            return file.read()

    @heard.setter
    def heard(self, data):
        pass

    def say(self, data):
        threading.Thread(target=self._write, args=(data,), daemon=True).start()

    def _write(self, data):
        while data:
            data = data[os.write(self.pipe, data):]

    def hang_up(self):
        os.close(self.pipe)


class Ports(Plugs):
    """channels: names, each a chardev for options["devices"]; files: those that are Files. Use as a context manager."""

    def __init__(self, program, root, channels=(), files=(), **options):
        self.folder = tempfile.TemporaryDirectory(prefix="keel-ports-")
        self.channels = {name: Channel(os.path.join(self.folder.name, name)) for name in channels}
        self.channels |= {name: Files(os.path.join(self.folder.name, name)) for name in files}
        more = ["-S", *options.pop("more", ())]
        for name, channel in self.channels.items():
            more += ["-chardev", channel.chardev(name)]
        super().__init__(program, root, more=more, **options)

    def __enter__(self):
        super().__enter__()
        for channel in self.channels.values():
            channel.connect()
        self.monitor.call("cont")  # what a terminal says with nobody at its socket is lost
        return self

    def __exit__(self, *exception):
        for channel in self.channels.values():
            channel.hang_up()
        super().__exit__(*exception)
        self.folder.cleanup()

    def say(self, name, data):
        self.channels[name].say(data.encode() if isinstance(data, str) else data)

    def hear(self, name, pattern):
        """Waits until a regular expression matches what came out of a port since the last match. Returns the match."""
        channel, wanted = self.channels[name], re.compile(pattern.encode() if isinstance(pattern, str) else pattern, re.DOTALL)
        try:
            self._wait(lambda: wanted.search(channel.heard, channel.seen), f"{name} says {pattern}")
        except Failure as failure:
            heard = "".join(f"\n{each}: {other.heard[-1500:].decode(errors='replace')}" for each, other in self.channels.items())
            raise Failure(f"{failure}{heard}") from None
        match = wanted.search(channel.heard, channel.seen)
        channel.seen = match.end()
        return match
