"""Linux programs on isolated page tables, which QEMU's processor does not need."""
from harness import guest
from harness.system import case, expect

PROGRAMS = ("processes", "signals", "memory", "threads")


@case(cpus=(4,), peer=False)
def isolated_programs(context):
    line = ["/bin/sh", "-c", " && ".join("/test/bin/" + program for program in PROGRAMS)]
    root = guest.test_root(tuple((program, "musl") for program in PROGRAMS))
    result = context.run(line, root, append="kpti=on", timeout=240)
    lines = result.stdout.decode().splitlines()
    good = sum(line.startswith("ok ") for line in lines)
    expect(result.status == 0 and good and not any(line.startswith("not ok") for line in lines), "checks failed", result)
    context.detail(f"{good} checks")
