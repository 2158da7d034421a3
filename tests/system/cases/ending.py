"""What `./keel test` does when it is told to end: it takes its machines with it, and says how far it came."""
import os
import signal
import subprocess
import time

from harness.guest import patience
from harness.processes import descendants
from harness.system import case, expect
from launch.build import TOP


def _machines(process):
    """The QEMUs below a process."""
    found = []
    for below in descendants(process):
        try:
            with open(f"/proc/{below}/comm") as file:
                found += [below] if file.read().startswith("qemu-system") else []
        except OSError:
            pass  # ended
    return found


@case(cpus=(1,), peer=False)
def told_to_end(context):
    """In the middle of a case that takes minutes."""
    for number in (signal.SIGTERM, signal.SIGINT):
        with subprocess.Popen([os.path.join(TOP, "keel"), "test", "system/torture@4"], stdout=subprocess.PIPE, text=True) as process:
            end = time.monotonic() + 60 * patience()
            while not (machines := _machines(process.pid)):
                expect(time.monotonic() < end and process.poll() is None, "no machine was started")
                time.sleep(0.05)
            process.send_signal(number)
            output, _ = process.communicate(timeout=60 * patience())
        expect(process.returncode == 128 + number, f"status {process.returncode} after signal {number}")
        expect(output == "0 passed, 0 failed, 1 not run to their end\n", f"the output is {output!r}")
        expect(not any(os.path.exists(f"/proc/{machine}") for machine in machines), "a machine lives on")
    context.detail("SIGTERM and SIGINT")
