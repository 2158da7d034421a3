#: about where programs lie: stack, heap, mapped memory, vDSO, and the program itself when it can move
#: compare
#: packages libc6 libselinux1 libpcre2-8-0 coreutils util-linux
# A collision of two in eight is possible, of many not.
spread() {
    if [ "$(sort -u | wc -l)" -ge 6 ]; then echo "$1: spread"; else echo "$1: not spread"; fi
}
runs() {
    for i in 1 2 3 4 5 6 7 8; do $1 /usr/bin/cat /proc/self/maps; done > /tmp/maps
    for what in '\[stack\]' '\[heap\]' '\[vdso\]' 'libc\.so' 'bin/cat$'; do
        grep "$what" /tmp/maps | grep -E '^[0-9a-f]+-[0-9a-f]+ (r--p 00000000|rw-p 00000000 00:00|r-xp 00000000 00:00)' | cut -d- -f1 | spread "$what"
    done
}
grep -q . /proc/sys/kernel/randomize_va_space && runs ""
echo "for this program only"
runs "/usr/bin/setarch x86_64 -R"
echo "for all"
cat /proc/sys/kernel/randomize_va_space
echo 0 > /proc/sys/kernel/randomize_va_space
runs ""
echo 2 > /proc/sys/kernel/randomize_va_space
for wrong in "" x 1x; do
    echo $wrong > /proc/sys/kernel/randomize_va_space 2> /dev/null || echo "refused: $wrong"
done
