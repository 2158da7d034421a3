"""Somebody at QEMU's monitor who types and moves the mouse while a program runs, and reads what it says on the serial line."""
import re

from harness.display import Display, MachineEnded
from harness.guest import test_root
from harness.system import expect


def key(code, down):
    return {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": code}}}


class Input(Display):
    """A machine whose program reads input devices; what it says comes on the serial line."""

    def __init__(self, script, program="evdump", **options):
        root = test_root(((program, "glibc"),))
        super().__init__(["/bin/sh", "-c", script], root, **{"terminal": False, "append": "", "devices": (), **options})

    def until(self, pattern, seconds=20):
        wanted = re.compile(pattern.encode(), re.MULTILINE | re.DOTALL)
        for _ in range(int(seconds * self.patience / 0.05)):
            if wanted.search(self.output) or not self.pump.open_lines:
                break
            self.step(0.05)
        expect(wanted.search(self.output), f"\"{pattern}\" did not come: {self.output.decode()}\n{self.machine.log()[-1500:].decode()}")

    def send(self, *events):
        try:
            self.monitor.call("input-send-event", events=list(events))
        except MachineEnded:  # the machine ends with its program, which has heard it before QEMU says so
            self.machine.process.wait(10)
        self.step(0.03)

    def finish(self, status=0):
        result = self.end()
        expect(result.status == status and b"not ok" not in self.output, self.output.decode(), result)
        return self.output.decode().splitlines()
