#: about the tree packed, compressed, unpacked elsewhere, copied, compared
#: compare
#: programs maketree
#: timeout 400
#: cpus 1
#: mem 768M
cd /tmp
/test/bin/maketree tree 1200 52000000 || exit 1
find tree | sort > list
tar cf t.tar -T list --no-recursion; md5sum t.tar | cut -c1-32; ls -l t.tar | awk '{print $5}'
mkdir un; tar xf t.tar -C un; diff -r tree un/tree && echo unpacked
head -c 9000000 t.tar | gzip -c | md5sum
head -c 3000000 t.tar | gzip -1 > p.gz; gunzip -c p.gz | md5sum
cp -a tree copy; (cd tree; find . | sort | tr '\n' '\0' | xargs -0 stat -c '%n %F %a %s %Y %h') > a; (cd copy; find . | sort | tr '\n' '\0' | xargs -0 stat -c '%n %F %a %s %Y %h') > b
md5sum a; wc -l < b; diff -r tree copy && echo copied
mv copy moved; rm -rf tree un; find moved -type f | sort | tr '\n' '\0' | xargs -0 cat | sha256sum
dd if=t.tar bs=1M 2>/dev/null | sha1sum; dd if=t.tar of=t2.tar bs=64k 2>/dev/null; cmp t.tar t2.tar && echo dd
sort moved/*.txt | md5sum; rm -rf /tmp/*; ls /tmp | wc -l
