"""Running things inside the system, or on the peer, for system cases: test programs, root archives, remembered peer runs.

A case's root is the default root with /test added:
    /test/bin/NAME      test programs, linked with musl, and helpers
    /test/glibc/NAME    the same programs linked with glibc
    /test/case          the case's script, when it is one
"""
import functools
import glob
import hashlib
import json
import os
import threading

from harness.case import Failure, command
from launch import artifacts, cpio
from launch import root as default_root
from launch.build import BUILD, TOP
from launch.run import Options, Result, run

PROGRAMS = os.path.join(TOP, "tests", "system", "prog")
COMPILERS = {"musl": "musl-gcc", "glibc": "gcc"}
FLAGS = ["-std=gnu17", "-Wall", "-Wextra", "-Werror", "-Wno-stringop-overread", "-Wno-stringop-overflow",
         "-Wno-nonnull", "-Wno-infinite-recursion", "-Wno-format-truncation", "-O1", "-static", "-I.", "-s"]
_lock = threading.Lock()


def program(name, libc="musl"):
    """Builds tests/system/prog/NAME.c, with the files of the folder NAME if there is one, unless that was done. Returns the
    program's path."""
    sources = [os.path.join(PROGRAMS, name + ".c"), *sorted(glob.glob(os.path.join(PROGRAMS, name, "*.c")))]
    target = os.path.join(BUILD, "tests", libc, name)
    headers = glob.glob(os.path.join(PROGRAMS, "*.h")) + glob.glob(os.path.join(PROGRAMS, name, "*.h"))
    with _lock:
        newest = max(os.stat(path).st_mtime_ns for path in [*sources, *headers])
        if not os.path.exists(target) or os.stat(target).st_mtime_ns < newest:
            with artifacts.draft(target) as made:
                command([COMPILERS[libc], *FLAGS, *sources, "-o", made, "-lpthread", "-lrt"], cwd=TOP)
    return target


@functools.lru_cache(maxsize=64)
def test_root(programs=(), script=None, files=(), packages=(), installed=()):
    """A root archive's bytes. programs: (name, libc) pairs; script: bytes; files: (path, mode, bytes) triples;
    packages: Debian's, as installed here; installed: programs of this machine with just their libraries."""
    archive = cpio.Archive()
    default_root.standard(archive)
    for name in packages:
        default_root.package(archive, name)
    for path in installed:
        default_root.installed(archive, path)
    for folder in ("test", "test/bin", "test/glibc"):
        archive.directory(folder, mtime=default_root.MTIME)
    for name, libc in programs:
        folder = "glibc" if libc == "glibc" else "bin"
        archive.file(f"test/{folder}/{name}", artifacts.read(program(name, libc)), 0o755, mtime=default_root.MTIME)
    if script is not None:
        archive.file("test/case", script, 0o755, mtime=default_root.MTIME)
    for path, mode, data in files:
        archive.file(path, data, mode, mtime=default_root.MTIME)
    return archive.finish()


def patience():
    """How much longer than usual things may take, because other programs use this machine's processors too."""
    return min(8.0, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))


def execute(program_line, root, on="keel", **options):
    """One run to its end. Raises Failure when the system itself failed or time was over."""
    stdin = options.pop("stdin", b"")
    options["timeout"] *= patience()
    result = run(Options(program=list(program_line), root=root, peer=on == "linux", **options), stdin)
    if result.problem:
        raise Failure(f"{result.problem}\n{shown(result)}")
    return result


def peer_execute(program_line, root, **options):
    """The same run on the peer; its result is remembered by everything that could change it."""
    key = hashlib.sha256(root)
    key.update(repr((program_line, sorted(options.items()))).encode())
    key.update(artifacts.read(os.path.join(TOP, "tests/system/peer_init.c")))
    path = os.path.join(BUILD, "tests", "peer", key.hexdigest()[:32] + ".json")
    with _PEER_LOCKS_LOCK:
        lock = _PEER_LOCKS.setdefault(path, threading.Lock())
    with lock:  # two cases that want the same run wait for one
        return _peer_result(path, program_line, root, options)


_PEER_LOCKS, _PEER_LOCKS_LOCK = {}, threading.Lock()


def _peer_result(path, program_line, root, options):
    if os.path.exists(path):
        with open(path) as file:
            stored = json.load(file)
        return Result(stored["status"], stored["stdout"].encode("latin-1"), stored["stderr"].encode("latin-1"))
    result = execute(program_line, root, on="linux", **options)
    with artifacts.draft(path) as made, open(made, "w") as file:
        json.dump({"status": result.status, "stdout": result.stdout.decode("latin-1"),
                   "stderr": result.stderr.decode("latin-1")}, file)
    return result


def shown(result, limit=6000):
    """A result as text for a failure report: the ends of long outputs."""
    parts = [f"status {result.status}"]
    for name, data in (("stdout", result.stdout), ("stderr", result.stderr), ("log", result.log)):
        text = data[-limit:].decode(errors="replace").rstrip()
        if text:
            parts.append(f"{name}:\n  " + text.replace("\n", "\n  "))
    return "\n".join(parts)
