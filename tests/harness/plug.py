"""A machine whose devices are plugged and unplugged while a program runs in it, by QEMU's monitor."""
import time

from harness.case import Failure
from harness.display import MachineEnded, Monitor
from harness.session import Session
from launch.run import Options

WAIT = 10.0  # seconds for something to happen


class Plugs(Session):
    """in_turns: QEMU before 8.2 sends a processor's accesses elsewhere, or stops at an assertion, while another one changes what
    PCI devices decode (docs/caveats.md)."""

    def __init__(self, program, root, in_turns=True, **options):
        super().__init__(Options(program=list(program), root=root, monitor=True, in_turns=in_turns, **options), b"")
        self.seen = 0  # bytes of the output that expect() has passed
        self.refusal = ""  # QEMU's last

    def __enter__(self):
        super().__enter__()
        self.monitor = Monitor(self.machine.monitor_path)
        return self

    def __exit__(self, *exception):
        self.monitor.close()
        super().__exit__(*exception)

    def _wait(self, done, what, seconds=WAIT):
        end = time.monotonic() + seconds * self.patience
        while not done():
            if time.monotonic() > end or not self.pump.open_lines:
                log = self.machine.log()[-3000:].decode(errors="replace")
                raise Failure(f"in vain: {what}\n{self.refusal}\n{self.machine.complaints().decode(errors='replace')}\n"
                              f"output: {self.output[-1500:].decode(errors='replace')}\nlog: {log}")
            self.pump.step(0.02)

    def expect(self, text, seconds=WAIT):
        """Waits until the program has written a text, after the last one waited for."""
        self._wait(lambda: text in self.output[self.seen:], f"the program writes {text.decode()}", seconds)
        self.seen = self.output.index(text, self.seen) + len(text)

    def expect_log(self, text):
        """Waits until the system has said something."""
        self._wait(lambda: text in self.machine.log(), f"the log says {text.decode()}")

    def _try(self, command, **arguments):
        try:
            self.monitor.call(command, **arguments)
            return True
        except Failure as failure:
            self.refusal = str(failure)
            return False

    def add(self, driver, name, bus, **properties):
        """Plugs a device in; one that has just been taken out is in QEMU's hands for a moment more."""
        self._wait(lambda: self._try("device_add", driver=driver, id=name, bus=bus, **properties), f"{name} is plugged in")

    def remove(self, name):
        """Asks for a device's removal, as a press on the slot's button does."""
        self.monitor.call("device_del", id=name)

    def take_soon(self, name):
        """Removes a device at the first moment at which that is possible: not while the slot's indicator blinks."""
        self._wait(lambda: self._try("device_del", id=name), f"the slot of {name} takes orders")
        self.gone(name)

    def _there(self):
        try:
            return {entry["name"] for entry in self.monitor.call("qom-list", path="/machine/peripheral")}
        except MachineEnded:
            return set()

    def gone(self, name):
        """Waits until the system has let a device go."""
        self._wait(lambda: name not in self._there(), f"{name} is let go")

    def end(self):
        """Waits for the program's end, as long as the options say."""
        return self.judged(self.pump.run())
