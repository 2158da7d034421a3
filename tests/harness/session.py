"""A machine that runs a program while a test acts on it; what a terminal, a display and plugged devices have in common."""
import time

from harness.case import Failure
from harness.guest import patience, shown
from launch.run import STATUS_BROKEN, Result, judge, start

WAIT = 20.0  # seconds for something to appear, or for the program's end


class Session:
    """Use as a context manager; end() gives the result. stdin: as for the pump."""

    def __init__(self, options, stdin=None):
        self.options, self.stdin = options, stdin
        self.output = b""  # all that the serial lines carried
        self.patience = patience()

    def __enter__(self):
        self.machine, self.pump = start(self.options, self.stdin, self._take, self._take)
        return self

    def __exit__(self, *exception):
        self.machine.__exit__(*exception)

    def _take(self, data):
        self.output += data

    def end(self, seconds=WAIT):
        """Waits for the program's end."""
        end = time.monotonic() + seconds * self.patience
        while self.pump.open_lines and time.monotonic() < end:
            self.pump.step(0.1)
        self.options.timeout = seconds
        return self.judged(not self.pump.open_lines)

    def judged(self, in_time):
        """The result of a program that has ended, or whose time is over."""
        result = Result(STATUS_BROKEN)
        judge(self.options, self.machine, in_time, result)
        result.stdout = self.output
        if result.problem:
            raise Failure(f"{result.problem}\n{shown(result)}")
        return result
