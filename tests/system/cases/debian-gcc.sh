#: about Debian's own gcc compiles and links a threaded program, and the result is the same file as on Linux
#: compare
#: packages libc6 libc6-dev linux-libc-dev libgcc-12-dev libgcc-s1 libcrypt1 gcc-12 cpp-12 binutils binutils-x86-64-linux-gnu binutils-common libbinutils libctf-nobfd0 libctf0 libgprofng0 libjansson4 libisl23 libmpc3 libmpfr6 libgmp10 libzstd1 zlib1g libstdc++6 make
#: timeout 200
#: mem 1G
mkdir /tmp/work && cd /tmp/work || exit 1
cat > sum.c <<'END'
#include "sum.h"
long sum_to(long n) {
    long sum = 0;
    for (long i = 1; i <= n; i++)
        sum += i;
    return sum;
}
END
echo 'long sum_to(long n);' > sum.h
cat > main.c <<'END'
#include "sum.h"
#include <pthread.h>
#include <stdio.h>
static void *run(void *n) {
    return (void *)sum_to((long)n);
}
int main(void) {
    pthread_t threads[4];
    for (long i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, run, (void *)(i * 1000));
    for (long i = 0; i < 4; i++) {
        void *sum;
        pthread_join(threads[i], &sum);
        printf("%ld\n", (long)sum);
    }
    return 9;
}
END
printf 'CC = gcc-12 -O2 -Wall\nmain: main.o sum.o\n\t$(CC) -o $@ $^\n%%.o: %%.c sum.h\n\t$(CC) -c -o $@ $<\n' > Makefile
make
make
./main
echo "status $?"
md5sum main main.o sum.o
touch sum.c
make -j2
gcc-12 -O2 -S -o - sum.c | head -30
echo 'int main(void) { return undefined(); }' > bad.c
gcc-12 -Wall bad.c -o bad 2>&1 | sed "s|/tmp/cc[A-Za-z0-9]*|/tmp/ccXXXXXX|"
echo "status $?"
