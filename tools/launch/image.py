"""Bootable images: an ISO with GRUB for BIOS and UEFI, a FAT disk with Keel's own EFI program, and a hybrid of both.

The ISO holds /boot/keel.elf, which GRUB starts by Multiboot2, and one module, the initial archive. It is a hybrid: written
to a USB stick byte for byte it boots as a disk, too.
"""
import os
import shutil
import subprocess
import tempfile

from launch import build, efi, sign
from launch.errors import UserError

GRUB_MODULES = ("multiboot2 normal iso9660 fat search search_fs_file all_video "
                "part_acorn part_amiga part_apple part_bsd part_dfly part_dvh part_gpt part_msdos part_plan part_sun part_sunpc")
GRUB_BIOS = "/usr/lib/grub/i386-pc"
MEGABYTE = 1 << 20


def _run(command, **more):
    if not shutil.which(command[0]):
        raise UserError(f"{command[0]} is missing: apt-get install grub-pc-bin grub-efi-amd64-bin xorriso mtools")
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    if result.returncode != 0:
        raise UserError(f"{' '.join(command)}\n{result.stdout.decode(errors='replace').rstrip()}")


def _grub_word(word):
    return "'" + word.replace("'", "'\\''") + "'"


def grub_configuration(append, modules):
    """No menu: the one entry starts at once. A mistake stays on the screen."""
    words = "".join(" " + _grub_word(word) for word in append.split())
    lines = ["insmod all_video", f"multiboot2 /boot/keel.elf{words}"]
    lines += [f"module2 /boot/{name}" for name in modules]
    return "\n".join(lines + ["boot"]) + "\n"


def write_iso(path, kernel, archives, append="", partition=None):
    """kernel: the path of keel.elf; archives: names and bytes of the modules, in their order. With partition, xorriso's
    options for another way to boot by UEFI, GRUB is for BIOS alone."""
    with tempfile.TemporaryDirectory(prefix="keel-image-") as folder:
        boot = os.path.join(folder, "boot")
        os.makedirs(os.path.join(boot, "grub"))
        shutil.copy(kernel, os.path.join(boot, "keel.elf"))
        for name, data in archives.items():
            with open(os.path.join(boot, name), "wb") as file:
                file.write(data)
        with open(os.path.join(boot, "grub", "grub.cfg"), "w") as file:
            file.write(grub_configuration(append, archives))
        _run(["grub-mkrescue", "-o", path, "--install-modules=" + GRUB_MODULES, "--locales=", "--fonts=", "--themes=",
              *(["-d", GRUB_BIOS] if partition else []), folder, *(["--", *partition] if partition else [])])


def write_hybrid(path, kernel, archive, program, append=""):
    """One image for BIOS and UEFI, for a CD or a USB stick: GRUB and its files for the first, an EFI system partition with
    the EFI program (bytes) behind them for the second."""
    with tempfile.TemporaryDirectory(prefix="keel-image-") as folder:
        partition = os.path.join(folder, "esp")
        write_disk(partition, program)
        write_iso(path, kernel, {"keel.cpio": archive}, append, [
            "-append_partition", "2", "0xef", partition,
            "-boot_image", "any", "next", "-boot_image", "any", "efi_path=--interval:appended_partition_2:all::"])


def write_disk(path, program):
    """A disk that is one FAT file system, with the EFI program (bytes) where firmware looks for it."""
    size = (len(program) // MEGABYTE + 2) * MEGABYTE  # with room for the file system's tables
    with open(path, "wb") as file:
        file.truncate(size)
    with tempfile.TemporaryDirectory(prefix="keel-image-") as folder:
        name = os.path.join(folder, "BOOTX64.EFI")
        with open(name, "wb") as file:
            file.write(program)
        _run(["mformat", "-i", path, "-v", "KEEL", "-h", "16", "-s", "63", "-T", str(size // 512), "::"])
        _run(["mmd", "-i", path, "::/EFI", "::/EFI/BOOT"])
        _run(["mcopy", "-i", path, name, "::/EFI/BOOT/BOOTX64.EFI"])


def write(path, boot, kernel, archive, append):
    """What a run boots from: bios and uefi-grub an ISO, uefi and uefi-secure a disk."""
    if boot in ("bios", "uefi-grub"):
        write_iso(path, kernel, {"keel.cpio": archive}, append)
        return
    program = efi.program(build.EFI_LOADER, kernel, archive, append)
    write_disk(path, sign.test_signed(program) if boot == "uefi-secure" else program)
