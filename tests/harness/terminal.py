"""A person at the terminal: runs a program with `--tty`, types, and looks at what appears."""
import re
import time

from harness.case import Failure
from harness.session import WAIT, Session
from launch.run import Options

PROMPT = "READY> "


class Terminal(Session):

    def __init__(self, program, root, on="keel", cpus=1, window=(24, 80), mem="512M", append=""):
        super().__init__(Options(program=list(program), root=root, peer=on == "linux", smp=cpus, terminal=True,
                                 window=window, term="vt100", mem=mem, append=append))
        self.seen = 0  # how much of the output expect() has passed

    def type(self, keys):
        self.pump.input.pending += keys.encode("latin-1") if isinstance(keys, str) else keys

    def expect(self, pattern, seconds=WAIT):
        """Waits until a regular expression matches what appeared since the last match. Returns the match."""
        end = time.monotonic() + seconds * self.patience
        wanted = re.compile(pattern.encode() if isinstance(pattern, str) else pattern, re.DOTALL)
        while True:
            match = wanted.search(self.output, self.seen)
            if match:
                self.seen = match.end()
                return match
            if time.monotonic() > end or not self.pump.open_lines:
                shown = self.output[-1500:].decode(errors="backslashreplace")
                log = self.machine.log()[-1500:].decode(errors="replace")
                raise Failure(f"\"{pattern}\" did not appear; the screen ends with\n{shown}\nlog:\n{log}")
            self.pump.step(0.05)

    def never(self, pattern, seconds=0.5):
        """Looks for a while that a pattern does not appear."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.pump.open_lines:
            self.pump.step(0.05)
        if re.compile(pattern.encode(), re.DOTALL).search(self.output, self.seen):
            raise Failure(f"\"{pattern}\" appeared:\n{self.output[-1500:].decode(errors='backslashreplace')}")

    def shell(self):
        """Waits for a shell and gives it a prompt that is easy to see."""
        self.expect(r"[#$] ", 40)
        self.type("PS1='READY''> '\n")
        self.expect(PROMPT)

    def command(self, line, pattern=None):
        """Types a line, waits for a pattern and then for the prompt. Returns what the line printed."""
        begin = self.seen
        self.type(line + "\n")
        if pattern:
            self.expect(pattern)
        self.expect(PROMPT)
        text = self.output[begin:self.seen].decode(errors="replace")
        return text.split("\n", 1)[-1].removesuffix(PROMPT)
