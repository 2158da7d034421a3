"""`./keel image FILE`: a bootable image for a person's own machine."""
import os

from launch import build, efi, image, sign
from launch.errors import UserError
from launch.run import Options, prepare


def _write(path, kernel, archive, options):
    program = efi.program(build.EFI_LOADER, kernel, archive, options.append)
    if options.key:
        program = sign.signed(program, options.key, options.certificate)
    if not options.file.lower().endswith(".efi"):
        image.write_hybrid(path, kernel, archive, program, options.append)
        return
    with open(path, "wb") as file:
        file.write(program)


def run(options, program):
    """Writes the whole image or nothing."""
    if bool(options.key) != bool(options.certificate):
        raise UserError("--key and --certificate belong together")
    settings = Options(program=program, root=options.root, terminal=True, append=options.append)
    archive = prepare(settings)
    draft = f"{options.file}.{os.getpid()}"
    try:
        open(draft, "wb").close()  # a place that cannot be written to is named before anything else
        _write(draft, settings.kernel, archive, options)
        os.replace(draft, options.file)
    except OSError as error:
        raise UserError(f"{options.file}: {error.strerror}") from None
    finally:
        if os.path.exists(draft):
            os.unlink(draft)
    return 0
