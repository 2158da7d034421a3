"""Cases that run on this machine: the kernel's size, unit tests, fuzzers, lint."""
import glob
import hashlib
import os
import re
import subprocess

from harness.case import Case, Failure, command
from launch import artifacts
from launch.build import BUILD, TOP, make

SIZE_LIMIT = 51200  # bytes of kernel.elf, stripped
FUZZ_SECONDS = int(os.environ.get("KEEL_FUZZ_SECONDS", "5"))  # of one fuzz target

UNIT = ["gcc", "-std=gnu17", "-I.", "-g", "-O1", "-Wall", "-Wextra", "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all"]
# For tests whose threads play CPUs. It does not know fences by themselves; what relies on one has accesses that it knows.
THREADS = ["gcc", "-std=gnu17", "-I.", "-g", "-O1", "-Wall", "-Wextra", "-Wno-tsan", "-fsanitize=thread"]
FUZZ = ["clang-14", "-std=gnu17", "-I.", "-g", "-O1", "-fsanitize=fuzzer-no-link,address,undefined",
        "-fno-sanitize-recover=all"]
SANITIZER_ENVIRONMENT = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1",
                         "UBSAN_OPTIONS": "print_stacktrace=1"}

COMMENT = r"/\*\s*%s:(.*?)\*/"


def _note(path, kind):
    """The words of a `/* kind: … */` comment near the top of a source file."""
    with open(path) as file:
        head = file.read(4096)
    match = re.search(COMMENT % kind, head, re.DOTALL)
    return match[1].replace("\n * ", " ").split() if match else []


def _sources(path):
    found = [os.path.relpath(path, TOP)]
    for pattern in _note(path, "sources"):
        matches = sorted(glob.glob(pattern, root_dir=TOP))
        if not matches:
            raise Failure(f"{path}: no source \"{pattern}\"")
        found += matches
    return found


def _stale(target, dependencies):
    """True when target is missing or older than a file in its make-style dependency list."""
    try:
        made = os.stat(target).st_mtime_ns
        with open(dependencies) as file:
            names = file.read().replace("\\\n", " ").split(":", 1)[1].split()
        return any(os.stat(os.path.join(TOP, name)).st_mtime_ns > made for name in names)
    except (OSError, IndexError):
        return True


def _object(compiler, source):
    """Compiles one file unless that was done already; two cases may do it at once."""
    digest = hashlib.sha256(" ".join(compiler).encode()).hexdigest()[:12]
    target = os.path.join(BUILD, "tests", digest, source + ".o")
    if _stale(target, target + ".d"):
        with artifacts.draft(target) as made, artifacts.draft(target + ".d") as dependencies:
            command([*compiler, "-MMD", "-MF", dependencies, "-c", source, "-o", made], cwd=TOP)
    return target


def _program(base, path, link, suffix=""):
    """Builds a test program from its source and those its comment names."""
    compiler = base + _note(path, "flags")
    objects = [_object(compiler, source) for source in _sources(path)]
    target = os.path.join(BUILD, "tests", "bin", os.path.basename(path)[:-2] + suffix)
    newest = max(os.stat(name).st_mtime_ns for name in objects)
    if not os.path.exists(target) or os.stat(target).st_mtime_ns <= newest:
        with artifacts.draft(target) as made:
            command([base[0], *link, *objects, "-o", made, "-lpthread"], cwd=TOP)
    return target


def _unit(case, path):
    program = _program(UNIT, path, ["-fsanitize=address,undefined"])
    output = command([program], timeout=120, cwd=TOP, env=SANITIZER_ENVIRONMENT)
    case.detail = f"{sum(line.startswith('ok') for line in output.splitlines())} tests"


def _threads(case, path):
    program = _program(THREADS, path, ["-fsanitize=thread"], "-tsan")
    output = command([program], timeout=120, cwd=TOP, env={**os.environ, "TSAN_OPTIONS": "halt_on_error=1"})
    case.detail = f"{sum(line.startswith('ok') for line in output.splitlines())} tests"


def _fuzz(case, path):
    name = os.path.basename(path)[:-2]
    program = _program(FUZZ, path, ["-fsanitize=fuzzer,address,undefined"])
    work = os.path.join(BUILD, "tests", "corpus", name)
    artifacts = os.path.join(BUILD, "tests", "found", name) + "-"
    os.makedirs(work, exist_ok=True)
    os.makedirs(os.path.dirname(artifacts), exist_ok=True)
    seeds = os.path.join(TOP, "tests", "fuzz", "corpus", name)
    line = [program, f"-max_total_time={FUZZ_SECONDS}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1",
            f"-artifact_prefix={artifacts}", work, *([seeds] if os.path.isdir(seeds) else [])]
    output = command(line, timeout=FUZZ_SECONDS + 120, cwd=TOP, env=SANITIZER_ENVIRONMENT)
    match = re.search(r"number_of_executed_units:\s*(\d+)", output)
    if not match or int(match[1]) == 0:
        raise Failure(f"nothing was executed\n{output}")
    case.detail = f"{match[1]} inputs"


def _size(case):
    make()
    size = os.stat(os.path.join(BUILD, "kernel.elf")).st_size
    case.detail = f"kernel.elf {size:,} of {SIZE_LIMIT:,} bytes"
    if size > SIZE_LIMIT:
        raise Failure(f"kernel.elf has {size:,} bytes, {size - SIZE_LIMIT:,} more than {SIZE_LIMIT:,}")


def _c_files(*folders):
    found = subprocess.run(["find", *folders, "-name", "*.[ch]"], cwd=TOP, stdout=subprocess.PIPE, text=True, check=True)
    return sorted(found.stdout.split())


ALL = ["abi", "boot", "kernel", "lib", "linux", "servers", "drivers", "tests", "bench"]
CODE = ["boot", "kernel", "lib", "linux", "servers", "drivers"]


def _format(case):
    files = _c_files(*ALL)
    command(["clang-format-14", "--dry-run", "--Werror", *files], cwd=TOP)
    case.detail = f"{len(files)} files"


# Names that cppcheck knows as macros of the C library; here they are constants of our own.
NOT_MACROS = ["SEEK_SET", "SEEK_CUR", "SEEK_END", *("SIG" + name for name in (
    "ABRT ALRM BUS CHLD CONT FPE HUP ILL INT KILL PIPE POLL PROF QUIT SEGV STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 "
    "VTALRM XCPU XFSZ").split())]


def _cppcheck(case):
    files = [name for name in _c_files(*CODE) if name.endswith(".c")]
    flags = ["--quiet", "--template=gcc", "--std=c11", "--enable=warning,portability", "--inline-suppr", "--error-exitcode=1",
             "--suppressions-list=tests/cppcheck.txt", "-I.", "-Ikernel/variant/release",
             "-Ikernel/arch/x86_64", "-D__x86_64__=1", "-D__GNUC__=12",
             *("-U" + name for name in NOT_MACROS)]
    # What was checked is remembered per set of flags.
    cache = os.path.join(BUILD, "tests", "cppcheck", hashlib.sha256(" ".join(flags).encode()).hexdigest()[:12])
    os.makedirs(cache, exist_ok=True)
    command(["cppcheck", f"--cppcheck-build-dir={cache}", *flags, *files], cwd=TOP, timeout=900)
    case.detail = f"{len(files)} files"


TIDY_FLAGS = ["-std=gnu17", "-I.", "-Ikernel/variant/release", "-Ikernel/arch/x86_64", "-ffreestanding",
              "-mgeneral-regs-only", "-mno-red-zone", "-fno-pic"]
TIDY_NATIVE_FLAGS = ["-std=gnu17", "-I.", "-nostdlibinc", "-isystem", "/usr/include/x86_64-linux-musl"]


def _tidy_one(path):
    """clang-tidy on one file, remembered by the digest of what the preprocessor makes of it."""
    native = path.startswith(("servers/", "drivers/", "lib/native/"))
    flags = TIDY_NATIVE_FLAGS if native else TIDY_FLAGS
    if "/variant/debug/" in path:
        flags = [flag.replace("release", "debug") for flag in flags]
    text = command(["clang-14", "-E", "-P", *flags, path], cwd=TOP)
    with open(os.path.join(TOP, ".clang-tidy")) as file:
        text += file.read()
    with open(os.path.join(TOP, path)) as file:
        text += file.read()
    mark = os.path.join(BUILD, "tests", "tidy", hashlib.sha256(text.encode()).hexdigest()[:24])
    if os.path.exists(mark):
        return
    command(["clang-tidy-14", "--quiet", path, "--", *flags], cwd=TOP)
    os.makedirs(os.path.dirname(mark), exist_ok=True)
    open(mark, "w").close()


def _tidy(case, folders):
    files = [name for name in _c_files(*folders) if name.endswith(".c") and "/arch/host/" not in name]
    problems = []
    for path in files:
        try:
            _tidy_one(path)
        except Failure as failure:
            problems.append(str(failure))
    if problems:
        raise Failure("\n".join(problems))
    case.detail = f"{len(files)} files"


def _case(name, function, *arguments, cost=1.0):
    case = Case(name, None, cost)
    case.run = lambda: function(case, *arguments)
    return case


def cases():
    found = [_case("size/kernel", _size)]
    for path in sorted(glob.glob(os.path.join(TOP, "tests/unit/test_*.c"))):
        found.append(_case("unit/" + os.path.basename(path)[:-2], _unit, path))
        if path.endswith("_threads.c"):
            found.append(_case("unit/" + os.path.basename(path)[:-2] + "-tsan", _threads, path))
    found += [_case("lint/format", _format), _case("lint/cppcheck", _cppcheck, cost=10),
              _case("lint/tidy-kernel", _tidy, ["kernel", "lib", "boot"], cost=90),
              _case("lint/tidy-user", _tidy, ["linux", "servers", "drivers"], cost=90)]
    for path in sorted(glob.glob(os.path.join(TOP, "tests/fuzz/fuzz_*.c"))):
        found.append(_case("fuzz/" + os.path.basename(path)[:-2], _fuzz, path, cost=FUZZ_SECONDS))
    return found
