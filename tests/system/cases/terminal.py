"""Interactive use: shells with job control, full-screen programs, window and terminal settings."""
from harness.guest import test_root
from harness.system import case, expect
from harness.terminal import Terminal

SHELLS = {"busybox": ["/bin/sh"], "bash": ["/bin/bash", "--norc", "-i"]}


def job_control(context, shell):
    with Terminal(SHELLS[shell], test_root(), context.on, context.cpus) as screen:
        screen.shell()
        screen.type("sleep 1000\n")
        screen.expect("sleep 1000\r\n")
        screen.never(r"READY> ", 0.7)
        screen.type("\x03")
        screen.expect(r"\^C.*READY> ")
        screen.command("echo status $?", "status 130")
        screen.type("sleep 1000\n")
        screen.never(r"READY> ", 0.7)
        screen.type("\x1a")
        screen.expect(r"Stopped.*READY> ")
        screen.command("jobs", r"Stopped +sleep 1000")
        screen.command("bg", "sleep 1000")
        screen.command("jobs", r"Running +sleep 1000")
        screen.command("echo typed while it runs", "typed while it runs\r\n")
        screen.type("fg\n")
        screen.expect("sleep 1000\r\n")
        screen.never(r"READY> ", 0.7)
        screen.type("\x1a")
        screen.expect(r"Stopped.*READY> ")
        screen.command("kill -9 %1; wait %1; echo gone", "gone\r\n")
        screen.command("(sleep 0.3; cat) | tr a-z A-Z &", r"\d")  # who joins the group after the read is not stopped
        screen.command("sleep 1; jobs", r"Stopped.*tr a-z")
        screen.type("fg\n")
        screen.expect("tr a-z A-Z")
        screen.type("shout\n\x04")
        screen.expect(r"SHOUT\r\n.*READY> ")
        screen.command("(trap 'echo caught' INT; kill -INT $(sh -c 'echo $PPID'); echo lives)", "caught\r\nlives")
        screen.type("sh -c 'sleep 999; echo not reached'\n")
        screen.never(r"READY> ", 0.7)
        screen.type("\x1c")
        screen.expect(r"\^\\.*READY> ")
        screen.type("exit 5\n")
        expect(screen.end().status == 5, "exit 5 of the shell is the status")


@case()
def job_control_busybox(context):
    job_control(context, "busybox")


@case()
def job_control_bash(context):
    job_control(context, "bash")


@case()
def line_editing(context):
    with Terminal(SHELLS["busybox"], test_root(), context.on, context.cpus, window=(33, 99)) as screen:
        screen.shell()
        screen.command("stty size", "33 99\r\n")
        screen.command("tty", r"/dev/(ttyS0|console)\r\n")
        screen.command("test -t 0 && test -t 1 && test -t 2 && echo terminal", "terminal\r\n")
        screen.command("ecko\x7f\x7fho fixed", "fixed\r\n")
        screen.type("abc\x15echo line killed\n")
        screen.expect("line killed\r\n.*READY> ")
        screen.type("\x1b[A\n")  # cursor up: the last line again
        screen.expect("line killed\r\n.*READY> ")
        screen.command("echo $TERM", "vt100\r\n")
        screen.type("cat > /tmp/typed\n")
        screen.expect("typed\r\n")
        screen.never("READY", 0.5)
        screen.command("first\nsecond\n\x04", "second")
        screen.command("wc -l /tmp/typed", "2 /tmp/typed\r\n")
        screen.type("stty -echo; read x; stty echo; echo got $x\n")
        screen.never("READY", 0.5)
        screen.command("hidden", "\nREADY> |got hidden\r\n")
        screen.command("stty -a | head -1", "speed .* baud.*33.*99")
        screen.command("stty raw; stty -raw; stty sane; stty -a | grep -c icanon", r"\d\r\n")
        screen.command("head -c 200000 /dev/zero | tr '\\0' x | tail -c 5; echo", "xxxxx\r\n")
        screen.type("\x04")
        expect(screen.end().status == 0, "the end of input ends the shell with 0")


@case()
def full_screen_programs(context):
    with Terminal(SHELLS["busybox"], test_root(), context.on, context.cpus) as screen:
        screen.shell()
        screen.type("vi /tmp/new\n")
        screen.expect("/tmp/new")
        screen.type("ihello from vi\x1b")
        screen.never("READY", 0.3)
        screen.type("yyp:s/hello/second/\r")
        screen.never("READY", 0.3)
        screen.type(":wq\r")
        screen.expect("READY> ")
        screen.command("cat /tmp/new", "hello from vi\r\nsecond from vi\r\n")
        screen.type("seq 1 500 | less\n")
        screen.expect("23\r?\n?")
        screen.type(" ")
        screen.expect("46")
        screen.type("G")
        screen.expect("500")
        screen.type("q")
        screen.expect("READY> ")
        screen.type("top -d 1\n")
        screen.expect("Mem:.*used.*free.*PID.*top")
        screen.type("q")
        screen.expect("READY> ")
        screen.type("seq 1 100 | more\n")
        screen.expect("--More--")
        screen.type("q")
        screen.expect("READY> ")
        screen.type("exit\n")
        expect(screen.end().status == 0, "exit")


@case(cpus=(1,), peer=False)
def default_shell(context):
    """`./keel run` alone: a login shell on the terminal."""
    with Terminal([], test_root(), context.on, context.cpus) as screen:
        screen.shell()
        screen.command("echo $0 $HOME", r"sh /root\r\n")
        screen.command("ps | head -3; mount | head -3; uname -s", r"PID.*Linux\r\n")
        screen.type("exit 9\n")
        expect(screen.end().status == 9, "the shell's status")


@case()
def sessions_and_hangup(context):
    with Terminal(SHELLS["busybox"], test_root(), context.on, context.cpus) as screen:
        screen.shell()
        screen.command("setsid sh -c 'tty; echo from a session of its own' < /dev/null; sleep 0.5", "session of its own")
        screen.command("setsid sh -c 'cat /dev/tty' 2>&1 < /dev/null; sleep 0.5", "can't open|No such device")
        screen.command("(sleep 0.3; echo background output) & sleep 1", "background output")
        screen.command("stty tostop; (echo refused) & sleep 0.5; jobs; stty -tostop; fg", "Stopped.*refused")
        screen.type("exit 0\n")
        expect(screen.end().status == 0, "exit")
