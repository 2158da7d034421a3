"""One QEMU machine: its command line, its two serial lines as sockets, its log.

COM1 and COM2 are socket pairs whose other ends QEMU inherits, so that nothing is lost when it ends: what it wrote stays
readable. The debug port 0xE9 goes to the log file.
"""
import os
import re
import shutil
import socket
import subprocess
import tempfile

from launch import image
from launch.errors import UserError

QEMU = "qemu-system-x86_64"
MACHINES = ["q35", "pc", "microvm"]
GDB_PORT = 1234
BOOT_MARK = b"keel: start\r\n"  # boot/console.h: where the firmware's output ends
OVMF = {  # code, variables
    "uefi": ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    "uefi-secure": ("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd"),
}
OVMF["uefi-grub"] = OVMF["uefi"]


def kvm_usable():
    """A /dev/kvm without the CPU's own support (nested, emulated) can hang: it is trusted only with vmx or svm."""
    try:
        with open("/proc/cpuinfo") as file:
            flags = set(file.read().split())
    except OSError:
        return False
    return bool(flags & {"vmx", "svm"}) and os.access("/dev/kvm", os.R_OK | os.W_OK)


def memory_megabytes(text):
    match = re.fullmatch(r"(\d+)([KMG]?)", text.strip().upper())
    if not match:
        raise UserError(f"--mem {text}: a number with K, M or G is needed")
    scale = {"K": 1 / 1024, "": 1, "M": 1, "G": 1024}[match[2]]
    size = int(int(match[1]) * scale)
    if size < 8:
        raise UserError(f"--mem {text}: at least 8M")
    return size


def _boot_arguments(options, initrd):
    """How the machine gets at the system: QEMU's own loader, or a disk (initrd is its image) and the firmware."""
    if options.boot == "pvh":
        line = ["-kernel", options.kernel, "-initrd", initrd]
        return line + ["-append", options.append] if options.append else line
    line = ["-drive", f"if=none,id=boot,format=raw,readonly=on,file={initrd}", "-device", f"{options.image_device},drive=boot,bootindex=0"]
    if options.boot in OVMF:
        code, variables = OVMF[options.boot]
        # Writes to the variables go to a file of QEMU's that nobody sees.
        line += ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
                 "-drive", f"if=pflash,unit=1,format=raw,snapshot=on,file={variables}"]
    if options.boot == "uefi-secure":  # only the firmware, in system management mode, may write to its variables
        line += ["-global", "driver=cfi.pflash01,property=secure,value=on"]
    return line


def _devices(options):
    """What the machine has beside its own: disks, a network card, whatever was asked for."""
    line = []
    for number, path in enumerate(options.disks):
        kind = "qcow2" if path.endswith(".qcow2") else "raw"
        line += ["-drive", f"if=none,id=disk{number},format={kind},file={path.replace(',', ',,')}",
                 "-device", f"virtio-blk-pci,drive=disk{number},disable-legacy=on"]
    if options.net:
        line += ["-netdev", "user,id=net0", "-device", "virtio-net-pci,netdev=net0,disable-legacy=on"]
    for device in options.devices:
        line += ["-device", device]
    return line


def command(options, initrd, log, com1, com2, kernel_log=None):
    """The QEMU command line for a run's options; com1 and com2 are inherited descriptors."""
    machine = options.machine
    if options.boot == "uefi-secure":
        machine += ",smm=on"
    if machine == "microvm":
        machine = "microvm,isa-serial=on,pit=on,pic=on,rtc=on"
    line = [QEMU, "-nodefaults", "-no-user-config", "-no-reboot", "-display", options.display or "none", "-machine", machine,
            "-accel", "tcg,thread=single" if options.in_turns else "kvm" if kvm_usable() and not options.icount else "tcg",
            "-cpu", options.cpu, "-smp", str(options.smp), "-m", f"{memory_megabytes(options.mem)}M",
            *_boot_arguments(options, initrd),
            "-chardev", f"socket,id=com1,fd={com1}", "-serial", "chardev:com1",
            "-chardev", f"socket,id=com2,fd={com2}"]
    if options.machine == "q35":  # slots tell of cards themselves, as on real machines, and not by ACPI
        line += ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"]
    if options.machine == "microvm":
        line += ["-device", "isa-serial,chardev=com2,iobase=0x2f8,irq=3"]
    else:
        line += ["-serial", "chardev:com2"]
    if kernel_log:
        line += ["-serial", "file:" + kernel_log]
    line += ["-debugcon", "file:" + log]
    if options.debug_exit:
        line += ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
    line += [*_devices(options), *options.more]
    for node in range(options.numa):
        size, cpus = memory_megabytes(options.mem) // options.numa, options.smp // options.numa
        line += ["-object", f"memory-backend-ram,id=node{node},size={size}M",
                 "-numa", f"node,nodeid={node},memdev=node{node},cpus={node * cpus}-{node * cpus + cpus - 1}"]
    if options.icount:
        line += ["-icount", "shift=0,sleep=off"]
    if options.debug:
        line += ["-s", "-S"]
    return line


class Machine:
    """A started QEMU. Use as a context manager: leaving it ends QEMU and removes the temporary files."""

    def __init__(self, options, initrd_bytes):
        self.folder = tempfile.mkdtemp(prefix="keel-run-")
        self.log_path = os.path.join(self.folder, "log")
        self.kernel_log = os.path.join(self.folder, "kernel-log") if options.peer else None
        if options.log and (not os.path.exists(options.log) or os.path.isfile(options.log)):
            self.log_path = os.path.abspath(options.log)
            open(self.log_path, "wb").close()
        self.refusal = None  # what the firmware wrote when it found nothing that it may start
        self.errors_path = os.path.join(self.folder, "qemu-errors")
        try:
            self._start(options, initrd_bytes)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def _start(self, options, initrd_bytes):
        self.monitor_path = os.path.join(self.folder, "monitor")
        if not shutil.which(QEMU):
            raise UserError(f"{QEMU} is missing: apt-get install qemu-system-x86")
        initrd = options.image or self._boot_file(options, initrd_bytes)
        self.com1, far1 = socket.socketpair()
        self.com2, far2 = socket.socketpair()
        line = command(options, initrd, self.log_path, far1.fileno(), far2.fileno(), self.kernel_log)
        if options.monitor:
            line += ["-qmp", f"unix:{self.monitor_path},server=on,wait=off"]
        with open(self.errors_path, "wb") as errors, far1, far2:
            # A session of its own: a Ctrl-C meant for the program must not end QEMU.
            self.process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                                            pass_fds=(far1.fileno(), far2.fileno()), start_new_session=True)
        self.com1.setblocking(False)
        self.com2.setblocking(False)

    def _boot_file(self, options, initrd_bytes):
        """What the machine boots with: the initrd for QEMU's own loader, else a disk image."""
        path = os.path.join(self.folder, "initrd")
        if options.boot != "pvh":
            for firmware in OVMF.get(options.boot, ()):
                if not os.path.exists(firmware):
                    raise UserError(f"{firmware} is missing: apt-get install ovmf")
            image.write(path, options.boot, options.kernel, initrd_bytes, options.append)
            return path
        with open(path, "wb") as file:
            file.write(initrd_bytes)
        return path

    def log(self):
        return _contents(self.log_path)

    def complaints(self):
        """What QEMU itself, and the peer's kernel, had to say."""
        text = _contents(self.errors_path)
        return text + _contents(self.kernel_log) if self.kernel_log else text

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        return self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()
        self.com1.close()
        self.com2.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _contents(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


EXIT_LINE = re.compile(rb"^(?:.*\] *)?keel: exit (\d+)\s*$", re.MULTILINE)


def exit_status(log):
    """The status that the log ends with, or None when the system did not end in order. A service may have said something after it."""
    statuses = EXIT_LINE.findall(log[-4096:])
    return int(statuses[-1]) if statuses else None
