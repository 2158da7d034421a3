"""The Linux root file system a run starts with: made from Debian's busybox-static and bash-static, or the user's own."""
import gzip
import hashlib
import os
import stat
import subprocess
import zlib

from launch import artifacts, cpio
from launch.errors import UserError

BUSYBOX = "/bin/busybox"
BASH = "/bin/bash-static"
MTIME = 1700000000  # of every file made here: the same on every machine

PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\nuser:x:1000:1000:user:/tmp:/bin/sh\n"
GROUP = "root:x:0:\ntty:x:5:\nnogroup:x:65534:\nuser:x:1000:\n"
DEVICES = [  # name, type, major, minor, mode: what Keel's own /dev has too
    ("console", 5, 1, 0o600), ("null", 1, 3, 0o666), ("zero", 1, 5, 0o666), ("full", 1, 7, 0o666),
    ("random", 1, 8, 0o666), ("urandom", 1, 9, 0o666), ("tty", 5, 0, 0o666), ("ptmx", 5, 2, 0o666),
    ("ttyS0", 4, 64, 0o600),
]
DIRECTORIES = ["bin", "dev", "etc", "home", "mnt", "proc", "root", "run", "sbin", "sys", "usr", "usr/bin",
               "usr/sbin", "usr/lib", "var", "var/log", "var/run"]


def _applets():
    result = subprocess.run([BUSYBOX, "--list-full"], capture_output=True, text=True, check=True)
    return result.stdout.split()


def standard(archive):
    """Adds the default root: busybox with a link per applet, bash, and the usual directories and files."""
    old = {"mtime": MTIME}
    archive.directory(".", 0o755, **old)
    for name in DIRECTORIES:
        archive.directory(name, 0o700 if name == "root" else 0o755, **old)
    archive.directory("tmp", 0o1777, **old)
    archive.file("bin/busybox", artifacts.read(BUSYBOX), 0o755, **old)
    archive.file("bin/bash", artifacts.read(BASH), 0o755, **old)
    for applet in _applets():
        if applet not in archive.names:
            archive.symlink(applet, "/bin/busybox", **old)
    archive.file("etc/passwd", PASSWD, **old)
    archive.file("etc/group", GROUP, **old)
    archive.file("etc/hostname", "keel\n", **old)
    archive.file("etc/profile", "export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root PS1='\\w \\$ '\n", **old)
    archive.symlink("etc/mtab", "/proc/mounts", **old)
    for name, major, minor, mode in DEVICES:
        archive.device("dev/" + name, "c", major, minor, mode, **old)


PACKAGE_SKIPPED = ("/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/usr/share/lintian", "/usr/share/bug")


def _package_files(name):
    result = subprocess.run(["dpkg-query", "-L", name], capture_output=True, text=True)
    if result.returncode:
        raise UserError(f"package {name}: {result.stderr.strip()}")
    return [path for path in result.stdout.splitlines() if os.path.lexists(path) and not path.startswith(PACKAGE_SKIPPED)]


def package(archive, name):
    """Adds the files of a Debian package that is installed on this machine, documentation left out."""
    for path in _package_files(name):
        info, inside = os.lstat(path), path.lstrip("/")
        if inside in archive.names:
            continue
        if os.path.isdir(path) and "/" not in inside:  # /lib and others, which may be links to /usr here
            archive.directory(inside, mtime=MTIME)
        elif stat.S_ISLNK(info.st_mode):
            archive.symlink(inside, os.readlink(path), mtime=MTIME)
        elif stat.S_ISDIR(info.st_mode):
            archive.directory(inside, stat.S_IMODE(info.st_mode), mtime=MTIME)
        elif stat.S_ISREG(info.st_mode):
            archive.file(inside, artifacts.read(path), stat.S_IMODE(info.st_mode), mtime=MTIME)


def _installed_file(archive, path):
    inside = path.lstrip("/")
    folders = inside.split("/")[:-1]
    for depth in range(len(folders)):
        archive.directory("/".join(folders[:depth + 1]), mtime=MTIME)
    if inside not in archive.names:
        archive.file(inside, artifacts.read(path), 0o755, mtime=MTIME)


def installed(archive, path):
    """Adds one program that is installed on this machine, with the libraries it is linked to: less than its package needs."""
    listed = subprocess.run(["ldd", path], stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in listed.splitlines():
        library = (line.partition("=>")[2] or line).split("(")[0].strip()
        if library.startswith("/"):
            _installed_file(archive, library)
    _installed_file(archive, path)


def stamp(paths):
    """A short text that changes when one of the files does."""
    digest = hashlib.sha256(artifacts.read(__file__))
    for path in paths:
        info = os.stat(path)
        digest.update(f"{path} {info.st_size} {info.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def store(build, name, data):
    """Writes data to a file below the build directory, whole or not at all. Returns its path."""
    path = os.path.join(build, "root", name)
    with artifacts.draft(path) as made, open(made, "wb") as file:
        file.write(data)
    return path


def _default(build):
    name = f"default-{stamp([BUSYBOX, BASH])}.cpio"
    path = os.path.join(build, "root", name)
    if os.path.exists(path):
        return path
    archive = cpio.Archive()
    standard(archive)
    return store(build, name, archive.finish())


def _file(path):
    data = artifacts.read(path)
    if data[:2] == b"\x1f\x8b":
        try:
            return gzip.decompress(data)
        except (EOFError, OSError, zlib.error) as error:
            raise UserError(f"{path}: damaged gzip data: {error}") from None
    if data[1024 + 56:1024 + 58] == b"\x53\xef":
        raise UserError(f"--root {path}: an ext4 image: not available yet; see docs/status.md")
    return data


def root_bytes(choice, build):
    """The plain cpio for --root: nothing, a directory, or an archive, plain or gzip. A plain archive is not judged here;
    the system reports damage itself, with the offset."""
    if choice is None:
        return artifacts.read(_default(build))
    if os.path.isdir(choice):
        archive = cpio.Archive()
        archive.tree(choice)
        return archive.finish()
    return _file(choice)
