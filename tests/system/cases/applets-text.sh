#: about text applets on real input
#: compare
cd /tmp
seq 1 3000 | awk '{print $1, $1 * $1 % 97, "line" $1 % 7, ($1 % 5 ? "x" : "")}' > data
md5sum data; sha256sum data; sha1sum data; sha512sum data; cksum data; wc data; crc32 data 2>/dev/null
grep -c line3 data; grep -n '^2999 ' data; grep -v line data | wc -l; grep -E '^(1|2)0+ ' data; grep -o 'line[0-3]' data | sort | uniq -c
sed -n '10,12p;$p' data; sed -e 's/line/L/g' -e '/L3/d' data | md5sum; sed '1~500!d' data 2>/dev/null | head -3
sed -i 's/x$/tail/' data; tail -2 data
awk 'BEGIN { FS = " " } { sum[$3] += $2 } END { for (k in sum) print k, sum[k] }' data | sort
awk '{ printf "%s %05.1f\n", toupper($3), $2 / 3 }' data | head -3
sort -k2n -k1nr data | head -5; sort -t' ' -k3,3 -u data | cut -d' ' -f3; sort -n data | tail -1; sort -R data | wc -l
cut -c1-3 data | sort -u | wc -l; cut -d' ' -f2,3 data | md5sum
uniq -d data | head -1; tr a-z A-Z < data | tail -1; tr -d '\n' < data | wc -c; tr -s ' ' < data | head -1
head -c 100 data | od -c | head -3; od -An -tx1 -N32 data; hexdump -C data | head -2; xxd data 2>/dev/null | head -1
tail -n +2990 data | nl | head -2; tac data | head -2; rev data | head -1; fold -w 20 data | head -3
expand -t 4 data | head -1; paste -d, data data | head -1; split -l 1000 data part-; ls part-*; wc -l part-ab
comm -12 part-aa data | wc -l; diff part-aa part-ab | tail -1; cmp part-aa part-ab
tee copy1 copy2 < data | wc -l; cmp copy1 copy2 && echo same
seq 1 20 | xargs -n 6 echo; printf 'a b\0c d\0' | xargs -0 -n1 echo; seq 5 | xargs -I{} echo item-{}
dd if=data of=dd-out bs=100 skip=3 count=4 2>&1 | head -2; dd if=/dev/zero bs=1k count=10 2>/dev/null | md5sum
gzip -c data > data.gz; zcat data.gz | cmp - data && echo gzip; gunzip -c data.gz | md5sum
bzip2 -c data > data.bz2; bzcat data.bz2 | cmp - data && echo bzip2
printf 'b\na\nc\n' | sort -c; echo "sorted $?"
expr 3 + 4 \* 2; expr length hello; expr substr hello 2 3; factor 1234567 2>/dev/null
echo 'scale=5; 22/7' | bc; echo '2 3 + p' | dc
basename /a/b/c.txt .txt; dirname /a/b/c.txt; realpath /tmp/../etc/passwd; readlink -f /bin/sh
date -u -d @1000000000 '+%Y-%m-%d %H:%M:%S'; date -u -d '2024-02-29 12:00:00' +%s
seq -w 8 11; seq 1 0.5 3; yes no | head -2; strings /bin/busybox | head -c 0; cal 2 2024
base64 data | md5sum; base64 data | base64 -d | cmp - data && echo base64
uuencode data x 2>/dev/null | head -1; env A=b sh -c 'echo $A'; printenv A; echo "printenv $?"
test -s data; echo $?; false; echo $?
echo "done"
