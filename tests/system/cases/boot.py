"""Every way of booting leads to the same system: streams, status, command line, processors, memory; and says what is missing."""
import os
import re
import subprocess
import tempfile

from harness.case import command
from harness.guest import patience, test_root
from harness.system import case, expect
from launch import build, efi, image, sign
from launch.run import Options, prepare, run, run_arguments

SCRIPT = "cat; cat /proc/cmdline; nproc; echo error >&2; exit 5"


def boots(context, boot, mem, machine_name):
    """One whole run on a boot path."""
    result = context.run(["/bin/sh", "-c", SCRIPT], stdin=b"\0in\x10\xff\n", boot=boot, mem=mem, machine=machine_name, append="one two=2")
    expected = b"\0in\x10\xff\none two=2\n%d\n" % context.cpus
    expect((result.status, result.stdout, result.stderr) == (5, expected, b"error\n"), f"{boot}, {mem}, {machine_name}", result)


@case(peer=False)
def boot_bios(context):
    boots(context, "bios", *{1: ("64M", "pc"), 4: ("1G", "q35")}[context.cpus])


@case(peer=False)
def boot_uefi_grub(context):
    boots(context, "uefi-grub", *{1: ("128M", "pc"), 4: ("1G", "q35")}[context.cpus])


@case(peer=False)
def boot_uefi(context):
    boots(context, "uefi", *{1: ("64M", "pc"), 4: ("16G", "q35")}[context.cpus])


@case(cpus=(1,), peer=False)
def boot_framebuffer(context):
    """With a display adapter both firmwares set up a framebuffer, and it is noted."""
    for boot in ("bios", "uefi"):
        result = context.run(["/bin/echo", "hello"], boot=boot, mem="128M", devices=("VGA",))
        expect((result.status, result.stdout) == (0, b"hello\n"), boot, result)
        size = re.search(rb"framebuffer of (\d+) x (\d+) pixels at 0x", result.log)
        expect(size and int(size[1]) >= 640 and int(size[2]) >= 480, f"{boot}: framebuffer", result)


@case(cpus=(1,), peer=False)
def boot_efi_program_incomplete(context):
    """The EFI program with a part of what it carries missing or damaged ends with a message."""
    build.make()
    parts = {}
    for name, path in (("loader", build.EFI_LOADER), ("kernel", build.KERNEL)):
        with open(path, "rb") as file:
            parts[name] = file.read()
    cases = [({".boot": parts["kernel"]}, b"there is no initial archive inside"),
             ({".boot": parts["kernel"][:5000], ".archive": b"x"}, b"the boot image inside is damaged")]
    for extra, message in cases:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "disk")
            image.write_disk(path, efi.image(parts["loader"], extra))
            result = run(Options(program=["/bin/true"], root=test_root(), boot="uefi", image=path, timeout=60 * patience()))
        expect(result.status == 125 and message in result.log, f"{message}", result)


@case(cpus=(1,), peer=False)
def boot_uefi_secure(context):
    """The signed EFI program starts where only its signature is trusted; with one bit changed, or unsigned, it does not."""
    boots(context, "uefi-secure", "512M", "q35")
    options = Options(program=["/bin/true"], root=test_root(), boot="uefi-secure", timeout=60 * patience())
    archive = prepare(options)
    plain = efi.program(build.EFI_LOADER, options.kernel, archive)
    changed = bytearray(sign.test_signed(plain))
    changed[len(plain) // 2] ^= 1
    for name, program in (("changed", bytes(changed)), ("unsigned", plain)):
        with tempfile.TemporaryDirectory() as folder:
            options.image = os.path.join(folder, "disk")
            image.write_disk(options.image, program)
            result = run(options)
        expect(result.status == 125 and "Access Denied" in result.problem, f"{name}: {result.problem}", result)
        expect(b"keel:" not in result.log, f"{name}: nothing of it ran", result)


def boots_iso(change):
    """Boots GRUB's ISO on BIOS; change gets the modules and returns those to use. A boot that fails is a result, too."""
    options = Options(program=["/bin/echo", "hello"], root=test_root(), boot="bios", mem="128M", timeout=60 * patience())
    native = build.native_archive(run_arguments(options)).rstrip(b"\0")
    archives = change({"native.cpio": native, "root.cpio": options.root})
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "iso")
        build.make()
        image.write_iso(path, build.KERNEL, archives)
        options.image = path
        return run(options)


@case(cpus=(1,), peer=False)
def boot_without_archive(context):
    """A GRUB entry without module2 ends with a message, on the debug port and on COM1."""
    result = boots_iso(lambda archives: {})
    expect(result.status == 125 and b"there is no initial archive" in result.log, "what is missing is named", result)
    expect(b"there is no initial archive" in result.stdout, "on COM1", result)


@case(cpus=(1,), peer=False)
def boot_two_modules(context):
    """The native programs and the root as two modules, the first of an odd size: joined in their order."""
    result = boots_iso(lambda archives: archives)
    expect((result.status, result.stdout) == (0, b"hello\n"), "two modules", result)


@case(cpus=(1,), peer=False)
def boot_damaged_module(context):
    """A module that is no archive is refused by name."""
    result = boots_iso(lambda archives: {**archives, "native.cpio": b"no archive " * 1000})
    expect(result.status == 125 and b"initial archive: " in result.log, "a damaged archive", result)


def runs_image(path, boot, device):
    """The written image on a machine; its one program ends it."""
    result = run(Options(root=test_root(), boot=boot, image=path, image_device=device, terminal=True, mem="128M",
                         timeout=60 * patience()))
    expect((result.status, result.stdout) == (7, b"from=image\r\n"), f"{boot}, {device}", result)


def image_boots(boot, name="keel.img"):
    """`./keel image`, as a disk and as a CD."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, name)
        command([os.path.join(build.TOP, "keel"), "image", "--append", "from=image", path, "--", "/bin/sh", "-c",
                 "cat /proc/cmdline; exit 7"])
        expect(os.listdir(folder) == [name], "nothing else is left")
        for device in ("virtio-blk-pci", "ide-cd"):
            runs_image(path, boot, device)


@case(cpus=(1,), peer=False)
def image_bios(context):
    image_boots("bios")


@case(cpus=(1,), peer=False)
def image_uefi(context):
    image_boots("uefi")


@case(cpus=(1,), peer=False)
def image_command_line(context):
    """The EFI program alone, plain and signed with a key of one's own; mistakes in plain words."""
    keel = os.path.join(build.TOP, "keel")
    with tempfile.TemporaryDirectory() as folder:
        command([keel, "image", folder + "/keel.EFI"])
        with open(folder + "/keel.EFI", "rb") as file:
            expect(file.read(2) == b"MZ", "an EFI program")
        key, certificate, signed = folder + "/key", folder + "/certificate", folder + "/signed.efi"
        command(["openssl", "req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Keel's test/", "-keyout", key,
                 "-out", certificate])
        command([keel, "image", "--key", key, "--certificate", certificate, signed])
        command(["sbverify", "--cert", certificate, signed])
    for wrong in ([], ["/nonexistent/file"], ["x", "y"], ["--root", "/nonexistent", "/tmp/x"], ["--key", "k", "/tmp/x"]):
        result = subprocess.run([keel, "image", *wrong], capture_output=True)
        expect(result.returncode == 2 and result.stderr.startswith(b"keel: ") and result.stderr.count(b"\n") == 1, f"{wrong}: {result}")
