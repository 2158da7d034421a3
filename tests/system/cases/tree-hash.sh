#: about 1,200 files and 50 MB: listed, hashed, searched, counted
#: compare
#: programs maketree
#: timeout 300
#: cpus 4
cd /tmp
/test/bin/maketree tree 1200 52000000 || exit 1
find tree | sort | md5sum; find tree | wc -l; find tree -type f | wc -l
find tree -type f | sort | tr '\n' '\0' | xargs -0 md5sum | md5sum
find tree -type f -name '*.txt' | sort | tr '\n' '\0' | xargs -0 sha256sum | tail -3
grep -rl zebra tree | wc -l; grep -rc 'Keel futex' tree | awk -F: '{s += $NF} END {print s}'
find tree -type f -name '*.txt' | sort | tr '\n' '\0' | xargs -0 cat | head -c 1500000 | tr -s ' ' '\n' | grep -v '^$' | sort | uniq -c | sort -rn | head -20
ls -lR --full-time tree | sed 's/  */ /g' | grep -v '^total' | md5sum
find tree -type l | sort | while read l; do readlink "$l"; done | md5sum
find tree -links +1 -type f | wc -l; find tree -perm 4755 | wc -l; find tree -size +60k -type f | wc -l
rm -rf tree; ls /tmp
