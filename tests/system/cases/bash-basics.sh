#: about Debian's bash-static: arrays, process substitution, coprocesses, regular expressions
#: compare
#: shell /bin/bash
cd /tmp
a=(one two "three four"); echo "${#a[@]} ${a[2]}"; a+=(five); printf '<%s>' "${a[@]}"; echo
declare -A m=([x]=1 [y]=2); for k in $(printf '%s\n' "${!m[@]}" | sort); do echo "$k=${m[$k]}"; done
echo {1..5} {a..e..2} pre{x,y}post
[[ "hello world" =~ ^(h[a-z]+)\ (w.*)$ ]] && echo "${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"
s="Hello World"; echo "${s/World/Keel} ${s,,} ${s^^} ${s:6:3} ${s: -5}"
diff <(seq 1 5) <(seq 1 6); echo "diff $?"
tee >(wc -l > lines) < <(seq 10) > /dev/null; sleep 0.5; cat lines
cat <<< "here string"
set -o pipefail; false | true; echo "pipefail $?"; set +o pipefail
seq 3 | { mapfile -t lines; echo "${lines[*]}"; }
true | false | true; echo "${PIPESTATUS[*]}"
coproc CAT { cat; }; echo through >&"${CAT[1]}"; read -r line <&"${CAT[0]}"; echo "$line"; kill $CAT_PID; wait $CAT_PID 2>/dev/null
for ((i = 0; i < 3; i++)); do echo -n "$i "; done; echo
f() { local -n ref=$1; ref=changed; }; v=old; f v; echo $v
trap 'echo ERR trapped' ERR; false; trap - ERR
(trap 'echo got $(kill -l 10)' USR1; kill -USR1 $BASHPID)
sleep 0.2 & wait -n; echo "wait -n $?"
{ sleep 0.1; exit 9; } & wait $!; echo $?
read -t 0.1 x < <(sleep 1); echo "timeout $((  $? > 128 ))"
printf -v formatted '%05.2f' 3.14159; echo $formatted
echo $((2 ** 10)) $((16#ff)) $((5 > 3 ? 1 : 0))
case abc in a*) echo first ;;& *c) echo second ;; esac
exec {fd}> out; echo to fd >&$fd; exec {fd}>&-; cat out
echo "$(< out)"
ulimit -n 100; ulimit -n
select x in yes no; do echo "chose $x"; break; done <<< 1 2>&1
echo ${BASH_VERSION%%(*}
{ time -p true; } 2> /dev/null
shopt -s extglob nullglob
touch f1.c f2.h; echo !(*.c) *.none | tr ' ' '\n' | grep '^f'
bash -c 'kill -INT $$'; echo "int $?"
{ bash -c "ulimit -c 0; kill -ABRT \$\$"; } 2>/dev/null; echo "abrt $?"
