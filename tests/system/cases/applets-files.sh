#: about file applets: listings, copies, links, archives, with fixed times
#: compare
umask 022; mkdir /tmp/w; cd /tmp/w
mkdir -p a/b/c; echo one > a/one; echo two > a/b/two; ln a/one a/hard; ln -s ../one a/b/soft; mkfifo a/fifo
touch -d '2020-01-02 03:04:05' a/one a/b/two a/fifo a/b/c a/b a; touch -h -d '2020-01-01 00:00:00' a/b/soft; touch -d '2020-01-02 03:04:06' a/b/two
chmod 640 a/one; chmod u+s,g-w a/b/two; chmod 1777 a/b/c; chown 12:34 a/b/two
touch -d '2020-01-02 03:04:05' a/b a
ls -lR --full-time a | sed 's/  */ /g' | grep -v ' soft '; touch -d '2020-01-02 03:04:05' .; ls -la a | sed 's/  */ /g'; ls -1 a; ls -F a; ls -ln a/b | sed 's/  */ /g'
ls -lt a | awk '{print $NF}'; ls -S a | head -3; ls -d a a/b; ls nothere; echo "ls $?"
stat -c '%n %F %a %u:%g %s %h %Y' a/one a/b/two a/b/soft a/fifo a/b/c
cp -a a copy; ls -lR --full-time copy | sed 's/  */ /g' | grep -v -e fifo -e soft; cp a/one plain; cat plain
cp -r a/b b2; find b2 | sort; cp nothere x; echo "cp $?"; cp a/one a/b/two copy/; cat copy/two
mv copy moved; ls moved; mv moved/one moved/renamed; cat moved/renamed; mv nothere x; echo "mv $?"; mv a/b/two moved/renamed; cat moved/renamed
ln -s nowhere dangling; cat dangling; ls -l dangling | awk '{print $9, $10, $11}'; readlink dangling
ln moved/renamed again; [ moved/renamed -ef again ] && echo same file; rm again
find . -type f | sort; find . -name '*o*' -not -type d | sort; find . -perm -4000; find . -type l -exec readlink {} \; | sort
find . -type f -size -1k | sort; find . -mtime +100 -type f | sort; find . -maxdepth 1 | sort; find moved -type f -exec wc -c {} + | tail -1
find . -newer a/fifo -type d | sort
tar cf t.tar a moved; tar tf t.tar | sort; mkdir x; tar xf t.tar -C x; ls -lR --full-time x | sed 's/  */ /g' | grep -v -e '^d' -e soft -e '[0-9] hard' -e '[0-9] two' | sort
tar czf t.tgz a; tar tzf t.tgz | sort | md5sum; tar cf - a | tar xf - -C x && echo piped
find a | sort | cpio -o -H newc 2>/dev/null | cpio -t 2>/dev/null
rm a/one; rm nothere; echo "rm $?"; rm -f nothere; echo "rm -f $?"; rm -r a; ls a; rmdir x; echo "rmdir $?"; rm -rf x; ls
du -s moved | cut -f1; du -k moved/renamed | cut -f1; df | head -1 | awk '{print $1}'
dd if=/dev/zero of=sparse bs=1 count=0 seek=1M 2>/dev/null; stat -c '%s %b' sparse; du sparse | cut -f1
truncate -s 5000 t5; stat -c %s t5; cp plain inst; chmod 750 inst; stat -c '%a %s' inst
mktemp -d /tmp/mk-XXXXXX | wc -c; touch -r moved/renamed t5; stat -c %Y t5 | wc -c
(echo through fifo > moved/fifo) & cat moved/fifo; wait
cmp plain moved/renamed; diff -r moved b2 | sort; pwd; cd ..; rm -rf w; ls w; echo "end $?"
