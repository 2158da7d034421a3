"""Writing newc cpio archives, the format of Linux's initramfs.

Deterministic: entries are sorted by path, inode numbers count up, and nothing of the host but
what the caller asked for goes in.
"""
import os
import stat

ALIGN = 4


class Archive:
    """An archive under construction. Paths are relative and have no leading slash."""

    def __init__(self):
        self.parts = []
        self.next_inode = 1
        self.names = set()

    def _pad(self, length):
        self.parts.append(b"\0" * (-length % ALIGN))

    def _header(self, name, inode, mode, links, mtime, size, owner, device):
        name = os.fsencode(name) + b"\0"
        fields = (inode, mode, owner[0], owner[1], links, int(mtime), size, 0, 0,
                  os.major(device), os.minor(device), len(name), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields)
        self.parts += [head, name]
        self._pad(len(head) + len(name))

    def add(self, name, mode, data=b"", mtime=0, owner=(0, 0), device=0, inode=None, links=1):
        """One entry; mode holds the type bits. Returns its inode number."""
        if inode is None:
            inode = self.next_inode
            self.next_inode += 1
        self.names.add(name)
        self._header(name, inode, mode, links, mtime, len(data), owner, device)
        self.parts.append(data)
        self._pad(len(data))
        return inode

    def directory(self, name, mode=0o755, **more):
        if name not in self.names:
            self.add(name, stat.S_IFDIR | mode, links=2, **more)

    def file(self, name, data, mode=0o644, **more):
        if isinstance(data, str):
            data = data.encode()
        self.add(name, stat.S_IFREG | mode, data, **more)

    def symlink(self, name, target, **more):
        self.add(name, stat.S_IFLNK | 0o777, os.fsencode(target), **more)

    def device(self, name, kind, major, minor, mode=0o600, **more):
        bits = {"c": stat.S_IFCHR, "b": stat.S_IFBLK}[kind]
        self.add(name, bits | mode, device=os.makedev(major, minor), **more)

    def tree(self, root):
        """Everything below a directory: modes, owners, times, symbolic and hard links, device nodes, FIFOs.

        Hard links share an inode number, and only the last of them carries the data, as cpio(1) does it.
        """
        paths = sorted(_walk(root))
        seen = {}
        for path in paths:
            info = os.lstat(os.path.join(root, path))
            if stat.S_ISREG(info.st_mode) and info.st_nlink > 1:
                seen.setdefault((info.st_dev, info.st_ino), []).append(path)
        inodes = {}
        for path in paths:
            self._copy(root, path, seen, inodes)

    def _copy(self, root, path, seen, inodes):
        full = os.path.join(root, path)
        info = os.lstat(full)
        data, links, inode = b"", 1, None
        if stat.S_ISDIR(info.st_mode):
            links = 2
        elif stat.S_ISLNK(info.st_mode):
            data = os.fsencode(os.readlink(full))
        elif stat.S_ISREG(info.st_mode):
            names = seen.get((info.st_dev, info.st_ino), [path])
            links, inode = len(names), inodes.get(names[0])
            if path == names[-1]:
                with open(full, "rb") as file:
                    data = file.read()
        elif stat.S_ISSOCK(info.st_mode):
            return
        device = info.st_rdev if stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode) else 0
        number = self.add(path, info.st_mode, data, info.st_mtime, (info.st_uid, info.st_gid), device, inode,
                          links)
        if links > 1 and stat.S_ISREG(info.st_mode):
            inodes[names[0]] = number

    def finish(self):
        """The archive's bytes, ended by its trailer."""
        self._header("TRAILER!!!", 0, 0, 1, 0, 0, (0, 0), 0)
        return b"".join(self.parts)


def _walk(root):
    for parent, directories, files in os.walk(root):
        for name in directories + files:
            yield os.path.relpath(os.path.join(parent, name), root)
