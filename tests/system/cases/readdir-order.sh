#: about the order in which directories are read: unsorted listings equal Linux's
#: compare
mkdir /tmp/o; cd /tmp/o
for i in 5 3 9 1 7 2; do touch f$i; done; mkdir d; touch d/x d/y d/z; rm f9; touch f8; mv f3 f4; ln f1 f0
ls -f | grep -v '^\.'; find .; ls -U; du -a . | awk '{print $2}'; tar cf - . | tar tf -
