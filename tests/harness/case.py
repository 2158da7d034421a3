"""What a test case is: a name, and a function that returns on success and raises Failure otherwise."""
import dataclasses
import subprocess


class Failure(Exception):
    """A test failed; the text says why and shows what is needed to see it."""


@dataclasses.dataclass
class Case:
    name: str          # group/name, for example unit/test_elf
    run: object        # called without arguments
    cost: float = 1.0  # rough seconds: longer ones start first
    detail: str = ""   # printed behind the result when it passed, set while it runs


def command(line, timeout=300, **more):
    """Runs a host command; its output is the failure's text. Returns the output."""
    try:
        result = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                timeout=timeout, **more)
    except subprocess.TimeoutExpired as expired:
        output = (expired.stdout or b"").decode(errors="replace")
        raise Failure(f"{' '.join(line)}\nno end after {timeout} s\n{output}") from None
    output = result.stdout.decode(errors="replace")
    if result.returncode != 0:
        raise Failure(f"{' '.join(line)}\n{output}\nstatus {result.returncode}")
    return output
