"""The processes that this one started, and those that they did: how a run of tests that is told to end leaves none behind."""
import os
import signal
import time

PATIENCE = 5.0  # seconds for them to end by themselves; QEMU, make and ./keel clean up on SIGTERM
GIVE_UP = 10.0


def _parents():
    """Who started whom, as far as /proc tells: {process: parent}. One that has ended is not there."""
    parents = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as file:
                state, parent = file.read().rpartition(")")[2].split()[:2]
        except (OSError, ValueError):
            continue  # gone in the meantime
        if state not in "ZX":
            parents[int(name)] = int(parent)
    return parents


def descendants(process):
    """All processes below one, at this moment."""
    parents, found = _parents(), []
    generation = {process}
    while generation:
        generation = {child for child, parent in parents.items() if parent in generation}
        found += generation
    return found


def end_all(done):
    """Ends everything below this process again and again until done() says so: politely at first, then by force. False when that took
    too long."""
    began = time.monotonic()
    while not done():
        waited = time.monotonic() - began
        if waited > GIVE_UP:
            return False
        for process in descendants(os.getpid()):
            try:
                os.kill(process, signal.SIGTERM if waited < PATIENCE else signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.2)
    return True
