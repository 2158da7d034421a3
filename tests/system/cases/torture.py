"""What must not break the system: random calls, failing allocations, bombs, and machines with hardly any memory."""
import os

from harness.guest import test_root
from harness.system import case, expect
from launch import build

CALLS = int(os.environ.get("KEEL_TORTURE_CALLS", "500000"))
SHORT = 100_000
WORKERS = 12
SECONDS = 3000

GRIND = test_root((("grind", "musl"),))
FAILING = test_root((("failing", "musl"), ("leak", "musl")))
BOMBS = test_root((("bomb", "musl"), ("hog", "musl")))


def debug_kernel():
    build.make("all", "build/keel-debug.elf")
    return build.KERNEL_DEBUG


def grind(context, calls, seed, **options):
    result = context.run(["/test/bin/grind", str(calls), str(seed), str(WORKERS)], GRIND, timeout=SECONDS, **options)
    expect(result.status == 0 and b"\nok grind\n" in result.stdout, "grind failed", result)
    context.detail(result.stdout.decode(errors="replace").splitlines()[-2].split(";")[0])


@case(cpus=(4,), peer=False, cost=100)
def torture(context):
    grind(context, CALLS, 1)


@case(cpus=(1, 4))
def torture_short(context):
    grind(context, SHORT, 2)


@case(cpus=(4,), peer=False, cost=50)
def torture_lock_order(context):
    grind(context, 2 * SHORT, 3, kernel=debug_kernel())


@case(cpus=(4,), peer=False)
def torture_little_memory(context):
    grind(context, SHORT, 4, mem="48M", kernel=debug_kernel())


@case(peer=False, cost=50)
def failing_allocations(context):
    """Every second allocation fails once on one CPU; every fourth on four, where a run takes longer."""
    result = context.run(["/test/bin/leak", "/test/bin/failing", str(max(context.cpus, 2))], FAILING, timeout=SECONDS, kernel=debug_kernel())
    expect(result.status == 0 and b"not ok" not in result.stdout, "failing allocations do harm", result)
    context.detail(result.stdout.decode().splitlines()[-1])


# A bomb in a session of its own; the shell beside it goes on, and memory comes back.
BOMB_SCRIPT = """
free() { awk '/pages_free/{print $2}' /proc/keel; }
until [ -e /dev/rtc0 ]; do sleep 0.1; done # drivers take memory while they start
settled() { last=$before before=$(free) && change=$((before - last)) && [ ${change#-} -le 16 ]; }
before=0
until settled; do sleep 0.3; done
ends=$1 # yes: the bomb ends by itself
shift
setsid "$@" >/dev/null 2>&1 &
bomb=$!
sleep 2
for i in 1 2 3 4 5 6 7 8; do
    x=$(ls /bin | sort | head -1)
    [ "$x" = arch ] || echo "not ok the shell: $x"
done
n=0
while [ $ends = yes ] && kill -0 $bomb && [ $n -lt 120 ]; do sleep 0.5; n=$((n + 1)); done
kill -9 -$bomb
wait $bomb
n=0
while [ $((before - $(free))) -gt $((before / 20)) ] && [ $n -lt 240 ]; do sleep 0.5; n=$((n + 1)); done
[ $n -lt 240 ] || echo "not ok memory: $before pages free before, $(free) after"
echo ok
"""


def bomb(context, ends, line, **options):
    result = context.run(["/bin/sh", "-c", BOMB_SCRIPT, "sh", ends, *line], BOMBS, timeout=300, **options)
    expect(result.status == 0 and result.stdout == b"ok\n", f"{' '.join(line)} {options}", result)
    return result


@case(peer=False)
def bomb_fork(context):
    bomb(context, "no", ["/bin/bash", "-c", ":(){ :|:& };:"])
    bomb(context, "no", ["/test/bin/bomb", "fork"])
    bomb(context, "no", ["/test/bin/bomb", "fork"], mem="64M")


@case(peer=False)
def bomb_memory(context):
    for mem in ("512M", "64M"):
        result = bomb(context, "yes", ["/test/bin/bomb", "memory"], mem=mem)
        expect(b"out of memory: bomb" in result.log, "the offender is killed", result)


@case(peer=False)
def bomb_others(context):
    for kind in ("thread", "pipe", "file"):
        bomb(context, "yes", ["/bin/sh", "-c", f"/test/bin/bomb {kind}; rm -f /tmp/bomb"])
        bomb(context, "yes", ["/bin/sh", "-c", f"/test/bin/bomb {kind}; rm -f /tmp/bomb"], mem="64M")


@case()
def memory_mapped_not_touched(context):
    result = context.run(["/test/bin/hog"], BOMBS)
    expect(result.status == 0 and result.stdout == b"ok\n", "100 GB mapped, 100 pages touched", result)


@case(peer=False)
def memory_32_megabytes(context):
    result = context.run(["/bin/sh", "-c", "ls /bin | sort | head -2 | tr a-z A-Z; (exit 3) | cat; echo $((6 * 7))"],
                         test_root(), mem="32M")
    expect(result.stdout == b"ARCH\nASH\n42\n" and result.status == 0, "a pipeline", result)
