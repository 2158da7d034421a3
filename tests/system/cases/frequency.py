"""cpufreq= where there is nothing to control, as on QEMU's processors."""
from harness.system import case, expect


@case(peer=False)
def frequency_absent(context):
    """The log says so, once, if it was asked for; programs run, and the command line is theirs to read."""
    for append, notes in (("", []),
                          ("cpufreq=power", [b"keel: cpufreq=power: this processor has no frequency control"]),
                          ("cpufreq=fast sched=pack", [b"keel: cpufreq=fast is not known and ignored"]),
                          ("cpufreq=off", [])):
        result = context.run(["/bin/sh", "-c", "cat /proc/cmdline; nproc"], append=append)
        expect((result.status, result.stdout) == (0, b"%s\n%d\n" % (append.encode(), context.cpus)), append, result)
        found = [line.rstrip() for line in result.log.splitlines() if b"freq" in line]
        expect(found == notes, f"{append}: {found}", result)
