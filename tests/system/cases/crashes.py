"""Programs that break: the signal in the status, one line in the log, and everything else goes on."""
from harness.guest import test_root
from harness.system import case, expect

KINDS = {
    "null": 11, "kernel": 11, "personality": 11, "execute": 11, "jump-kernel": 11, "jump-wild": 11, "illegal": 4,
    "privileged": 11, "port": 11, "divide": 8, "stack": 11, "no-stack": 7, "abort": 6, "kill": 9, "debug": 11,
    "control": 11, "msr": 11, "gate": 11, "unmap-all": 11,
}
ROOT = test_root((("crash", "musl"), ("crash", "glibc")))


@case()
def crash_signals(context):
    for folder in ("bin", "glibc"):
        script = "".join(f"/test/{folder}/crash {kind} 2>/dev/null; echo {kind} $?\n" for kind in KINDS)
        result = context.run(["/bin/sh", "-c", script], ROOT)
        got = dict(line.rsplit(" ", 1) for line in result.stdout.decode().splitlines() if line[-1:].isdigit())
        wrong = {kind: got.get(kind) for kind, signo in KINDS.items() if got.get(kind) not in (str(128 + signo),)}
        # An address that is not canonical: a stack fault or a general one, as the CPU sees it.
        if wrong.get("no-stack") == "139":
            del wrong["no-stack"]
        expect(not wrong, f"{folder}: {wrong}", result)


@case(peer=False)
def crash_report(context):
    result = context.run(["/bin/sh", "-c", "/test/bin/crash null; /test/bin/crash illegal; echo alive"], ROOT)
    reports = [line for line in result.log.decode().splitlines() if "crash[" in line]
    expect(len(reports) == 2, "one line for each", result)
    expect("SIGSEGV" in reports[0] and "0x0" in reports[0] and "SIGILL" in reports[1], f"what and where: {reports}")
    expect(b"alive" in result.stdout, "the shell goes on", result)


@case(cpus=(1,))
def crash_of_the_first_program(context):
    result = context.run(["/test/bin/crash", "null"], ROOT)
    expect(result.status == 139, "139", result)
    result = context.run(["/test/bin/crash", "abort"], ROOT)
    expect(result.status == 134, "134", result)
