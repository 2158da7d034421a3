/* hog: maps 100 GB, of which it touches a page in each. */
#include <stdio.h>
#include <sys/mman.h>

int main(void) {
    enum { PIECES = 100 };
    const unsigned long piece = 1UL << 30;
    char *memory = mmap(NULL, PIECES * piece, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    for (unsigned long i = 0; i < PIECES; i++)
        memory[i * piece + 4096 * i] = (char)(i + 1);
    for (unsigned long i = 0; i < PIECES; i++)
        if (memory[i * piece + 4096 * i] != (char)(i + 1) || memory[i * piece + 4096 * i + 4096])
            return 2;
    puts("ok");
    return 0;
}
