/* crash KIND: dies in one way. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int deep(volatile int *depth) {
    volatile char waste[10000];
    waste[0] = (char)*depth;
    ++*depth;
    return deep(depth) + waste[0];
}

int main(int argc, char **argv) {
    const char *kind = argc > 1 ? argv[1] : "";
    volatile int depth = 0;
    if (strcmp(kind, "null") == 0)
        *(volatile int *)NULL = 1;
    if (strcmp(kind, "kernel") == 0)
        *(volatile int *)0xffff800000000000 = 1;
    if (strcmp(kind, "personality") == 0)
        *(volatile int *)0x400000000000 = 1;
    if (strcmp(kind, "execute") == 0)
        ((void (*)(void)) & depth)();
    if (strcmp(kind, "jump-kernel") == 0)
        ((void (*)(void))0xffffffff80000000)();
    if (strcmp(kind, "jump-wild") == 0)
        ((void (*)(void))0x8000000000000000)();
    if (strcmp(kind, "illegal") == 0)
        __asm__ volatile("ud2");
    if (strcmp(kind, "privileged") == 0)
        __asm__ volatile("cli");
    if (strcmp(kind, "port") == 0)
        __asm__ volatile("outb %%al, $0xf4" ::"a"(0));
    if (strcmp(kind, "divide") == 0)
        __asm__ volatile("xor %%ecx, %%ecx\n div %%ecx" ::: "rax", "rcx", "rdx");
    if (strcmp(kind, "stack") == 0)
        return deep(&depth);
    if (strcmp(kind, "no-stack") == 0)
        __asm__ volatile("xor %%esp, %%esp\n push %%rax" ::: "memory");
    if (strcmp(kind, "abort") == 0)
        abort();
    if (strcmp(kind, "kill") == 0)
        kill(getpid(), SIGKILL);
    if (strcmp(kind, "debug") == 0)
        __asm__ volatile("mov %%rax, %%dr7" ::"a"(0L));
    if (strcmp(kind, "control") == 0)
        __asm__ volatile("mov %%cr0, %%rax" ::: "rax");
    if (strcmp(kind, "msr") == 0)
        __asm__ volatile("rdmsr" ::"c"(0xc0000080) : "rax", "rdx");
    if (strcmp(kind, "gate") == 0)
        __asm__ volatile("int $0x20");
    if (strcmp(kind, "unmap-all") == 0)
        syscall(SYS_munmap, 0, 0x3ffffffff000);
    printf("still alive after %s\n", kind);
    return 0;
}
