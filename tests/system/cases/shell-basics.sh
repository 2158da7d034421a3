#: about the shell: pipelines, redirections, here-documents, functions, traps, background jobs
#: compare
#: status 7
cd /tmp
# pipelines
seq 1 1000 | grep 7 | sed 's/7/seven/' | sort -r | head -5
echo a b c | tr ' ' '\n' | while read x; do echo "<$x>"; done
true | false; echo "status $?"
! true; echo "not $?"
yes | head -3
seq 100000 | tail -1
# redirections
echo one > f; echo two >> f; cat < f
{ echo out; echo err >&2; } > both 2>&1; cat both
ls /nonexistent 2> errors; cat errors
exec 3> third; echo to three >&3; exec 3>&-; cat third
cat <> f
echo swap 3>&1 1>&2 2>&3
set -C; (echo no > f) 2>&1; echo yes >| f; cat f; set +C
: > empty; wc -c empty
# here-documents
cat <<EOF
value $((6 * 7)) and $(echo substituted)
EOF
cat <<'EOF'
literal $HOME `date`
EOF
cat <<-EOF
	tabs are gone
	EOF
# quoting and expansion
x='a  b'; echo $x "$x" '$x' ${x#a} ${x%b} ${#x} ${y:-default} ${x:+set}
set -- one "two three" four; echo $# "$2"; shift; echo "$@"; for a in "$@"; do echo "[$a]"; done
echo $((1 + 2 * 3)) $((1 << 10)) $((7 / 2)) $((-7 % 3)) $((0x1f))
case hello in h*o) echo matched;; *) echo no;; esac
mkdir g; touch g/a1 g/a2 g/b1; echo g/a? g/[b]* g/none*
i=0; while [ $i -lt 5 ]; do i=$((i + 1)); [ $i = 3 ] && continue; [ $i = 5 ] && break; echo loop $i; done
f() { local v=$1; echo "in f $v"; return 3; }; f arg; echo "returned $?"
(cd /; pwd; x=changed); echo "$x"; pwd
# substitution, nested
echo "$(echo "$(echo deep)")" `echo old`
# background and wait
(sleep 0.1; echo late) & pid=$!; wait $pid; echo "waited $?"
(exit 5) & wait $!; echo "exit $?"
(sleep 100 & kill $!; wait $!; echo "killed $?") 2> /dev/null
{ for n in 3 1 2; do (sleep 0.$n; echo "job $n") & done; wait; } | sort
# traps
(trap 'echo trapped' USR1; kill -USR1 $(sh -c 'echo $PPID'); echo after)
(trap 'echo leaving' EXIT; exit 0)
sh -c 'kill -TERM $$'; echo "term $?"
sh -c 'kill -SEGV $$' ; echo "segv $?"
# errors
nonexistent-command; echo "missing $?"
/etc/passwd; echo "not executable $?"
sh -c 'set -e; false; echo unreachable'; echo "set -e $?"
sh -c 'set -u; echo $undefined_variable'; echo "set -u $?"
printf '%s|%5d|%-5s|%x|%c\n' text 42 left 255 char
printf 'a\tb\\n\101\n'
echo "a:b:c" | (IFS=: read p q r; echo "$r $q $p")
test -d /tmp -a -f f && echo both true
[ 3 -gt 2 ] && [ abc = abc ] && [ -z "" ] && [ ! -e /nope ] && echo tests
eval 'echo evaluated $((2+2))'
type cd | head -1
umask 027; umask; touch m; stat -c %a m
echo 'echo from file $1' > s.sh; sh s.sh arg; . ./s.sh sourced
printf '#!/bin/sh\necho script "$@"\n' > x.sh; chmod +x x.sh; ./x.sh a b
env -i A=1 /bin/busybox env
exec /bin/sh -c 'echo replaced; exit 7'
