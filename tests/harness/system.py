"""System cases: whole boots that run a real program and look at its streams and status.

Three kinds, all found by their place:
  tests/system/prog/*.c     a program that prints "ok NAME" or "not ok NAME why" per check; declared by a comment
                            /* test: libc=musl,glibc cpus=1,4 timeout=60 args=… */ near the top (a file without one is a
                            helper for others); peer=no: it cannot run on Linux
  tests/system/cases/*.sh   a shell script; "#: key value" lines at its top say how it runs (see SCRIPT_KEYS)
  tests/system/cases/*.py   functions marked with @case: everything else (terminals, damaged archives, limits)
"""
import difflib
import glob
import importlib.util
import os
import re

from harness import guest
from harness.case import Case, Failure
from launch.build import TOP

SYSTEM = os.path.join(TOP, "tests", "system")
DEFAULT_TIMEOUT = 90
SCRIPT_KEYS = {
    "about": "one line for the reader",
    "compare": "standard output, standard error and status must equal the peer's; otherwise the script prints ok lines",
    "cpus": "numbers of CPUs to run with (default 1 4)",
    "shell": "the interpreter (default /bin/sh)",
    "status": "the expected exit status (default 0)",
    "programs": "test programs the script needs in /test/bin",
    "packages": "Debian packages the script needs, with everything they need; installed on the machine that tests",
    "timeout": "seconds",
    "mem": "memory (default 512M)",
    "input": "standard input, a Python string literal",
    "leaks": "no: the run is not repeated to look for leaks",
}


def _scores(result, on):
    """Judges "ok"/"not ok" lines. Returns how many were ok."""
    lines = result.stdout.decode(errors="replace").splitlines()
    good = sum(line.startswith("ok ") for line in lines)
    if result.status != 0 or any(line.startswith("not ok") for line in lines):
        bad = "\n".join(line for line in lines if line.startswith("not ok"))
        raise Failure(f"on {on}:\n{bad}\n{guest.shown(result)}")
    if good == 0:
        raise Failure(f"no check was made\n{guest.shown(result)}")
    return good


def _equal(result, peer):
    """Raises Failure with the difference when two results are not equal in every byte."""
    if (result.stdout, result.stderr, result.status) == (peer.stdout, peer.stderr, peer.status):
        return
    parts = [f"differs from Linux; status {result.status}, on Linux {peer.status}"]
    for name in ("stdout", "stderr"):
        ours, theirs = (getattr(r, name).decode(errors="backslashreplace").splitlines() for r in (result, peer))
        parts += list(difflib.unified_diff(theirs, ours, name + " on Linux", name + " on Keel", n=2, lineterm=""))[:120]
    log = result.log.decode(errors="replace").splitlines()[-12:]
    raise Failure("\n".join(parts + ["log:"] + ["  " + line for line in log]))


# Programs

def _program_note(path):
    with open(path) as file:
        match = re.search(r"/\*\s*test:(.*?)\*/", file.read(2048), re.DOTALL)
    if not match:
        return None
    return dict(word.split("=", 1) for word in match[1].split())


def _program_run(case, name, libcs, cpus, note, on):
    """One boot runs the program in each of its builds, under the leak checker where that is possible."""
    leaks = note.get("leaks") != "no"
    programs = [(name, libc) for libc in libcs] + [("leak", "musl")]
    programs += [(other, "musl") for other in note.get("needs", "").split(",") if other]
    folders = {"musl": "/test/bin", "glibc": "/test/glibc"}
    lines = [f"{'/test/bin/leak ' if leaks and on == 'keel' else ''}{folders[libc]}/{name} "
             f"{note.get('args', '').replace(',', ' ')} || status=1\n" for libc in libcs]
    script = "status=0\n" + "".join(lines) + "exit $status\n"
    result = guest.execute(["/bin/sh", "-c", script], guest.test_root(tuple(programs)), on, smp=cpus,
                           timeout=float(note.get("timeout", DEFAULT_TIMEOUT)), mem=note.get("mem", "512M"))
    case.detail = f"{_scores(result, on)} checks"


def _program_cases(on):
    for path in sorted(glob.glob(os.path.join(SYSTEM, "prog", "*.c"))):
        note = _program_note(path)
        if note is None:
            continue
        name = os.path.basename(path)[:-2]
        if on == "linux" and note.get("peer") == "no":
            continue
        libcs = note.get("libc", "musl,glibc").split(",")
        for cpus in map(int, note.get("cpus", "1,4").split(",")):
            case = Case(f"system/{name}@{cpus}", None, float(note.get("timeout", DEFAULT_TIMEOUT)) / 10)
            case.run = lambda case=case, name=name, libcs=libcs, cpus=cpus, note=note: _program_run(
                case, name, libcs, cpus, note, on)
            yield case


# Scripts

def _script_keys(path):
    keys = {}
    with open(path) as file:
        for line in file:
            if line.startswith("#: "):
                key, _, value = line[3:].strip().partition(" ")
                if key not in SCRIPT_KEYS:
                    raise Failure(f"{path}: no key \"{key}\"")
                keys[key] = value
    return keys


def _script_run(case, path, keys, cpus, on):
    with open(path, "rb") as file:
        script = file.read()
    compare = "compare" in keys
    leaks = not compare and on == "keel" and keys.get("leaks") != "no"
    programs = tuple((name, "musl") for name in keys.get("programs", "").split() + (["leak"] if leaks else []))
    root = guest.test_root(programs, script, packages=tuple(keys.get("packages", "").split()))
    line = (["/test/bin/leak"] if leaks else []) + [keys.get("shell", "/bin/sh"), "/test/case"]
    options = {"timeout": float(keys.get("timeout", DEFAULT_TIMEOUT)), "mem": keys.get("mem", "512M")}
    if "input" in keys:
        options["stdin"] = eval(keys["input"], {"__builtins__": {}}).encode("latin-1")  # a literal of our own file
    if on == "linux":
        result = guest.execute(line, root, on, smp=cpus, **options)
    else:
        result = guest.execute(line, root, smp=cpus, **options)
    expected = int(keys.get("status", 0))
    if compare:
        if on != "linux":
            _equal(result, guest.peer_execute(line, root, **options))
        if result.status != expected or (not result.stdout and not result.stderr):
            raise Failure(f"status {expected} and some output were expected\n{guest.shown(result)}")
        case.detail = f"{len(result.stdout)} bytes equal"
    else:
        case.detail = f"{_scores(result, on)} checks"


def _script_cases(on):
    for path in sorted(glob.glob(os.path.join(SYSTEM, "cases", "*.sh"))):
        name = os.path.basename(path)[:-3]
        keys = _script_keys(path)
        for cpus in map(int, keys.get("cpus", "1 4").split()):
            case = Case(f"system/{name}@{cpus}", None, float(keys.get("timeout", DEFAULT_TIMEOUT)) / 10)
            case.run = lambda case=case, path=path, keys=keys, cpus=cpus: _script_run(case, path, keys, cpus, on)
            yield case


# Python cases

_registered = []


def case(cpus=(1, 4), peer=True, cost=DEFAULT_TIMEOUT / 10):
    """Marks a function(context) as a case, run once per number of CPUs. peer: it is meant to pass on Linux too. cost: of a Case."""
    def mark(function):
        _registered.append((function, cpus, peer, cost))
        return function
    return mark


class Context:
    """What a Python case gets: where it runs, and on how many CPUs."""

    def __init__(self, on, cpus, case_):
        self.on, self.cpus, self._case = on, cpus, case_

    def run(self, program, root=None, **options):
        options.setdefault("timeout", DEFAULT_TIMEOUT)
        options.setdefault("smp", self.cpus)
        return guest.execute(program, guest.test_root() if root is None else root, self.on, **options)

    def detail(self, text):
        self._case.detail = text


def expect(condition, what, result=None):
    if not condition:
        raise Failure(what + ("\n" + guest.shown(result) if result is not None else ""))


def _python_cases(on):
    _registered.clear()
    for path in sorted(glob.glob(os.path.join(SYSTEM, "cases", "*.py"))):
        spec = importlib.util.spec_from_file_location("case_" + os.path.basename(path)[:-3], path)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    for function, cpu_counts, peer, cost in _registered:
        if on == "linux" and not peer:
            continue
        for cpus in cpu_counts:
            item = Case(f"system/{function.__name__.replace('_', '-')}@{cpus}", None, cost)
            item.run = lambda item=item, function=function, cpus=cpus: function(Context(on, cpus, item))
            yield item


def cases(on):
    return [*_program_cases(on), *_script_cases(on), *_python_cases(on)]
