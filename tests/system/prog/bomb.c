/* bomb fork|memory|thread|file|pipe: takes one resource without end. Says how far it came when the system
 * refuses. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *sleeper(void *argument) {
    for (;;)
        pause();
    return argument;
}

static void bomb_fork(void) {
    for (;;)
        if (fork() < 0)
            usleep(1000);
}

static void bomb_memory(void) {
    for (size_t i = 0;; i++) {
        char *block = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED) {
            printf("refused\n");
            exit(3);
        }
        memset(block, 1, 1 << 20);
    }
}

static void bomb_thread(void) {
    pthread_t thread;
    while (pthread_create(&thread, NULL, sleeper, NULL) == 0)
        continue;
    printf("refused\n");
    exit(3);
}

static void bomb_file(void) {
    static char block[65536];
    int fd = open("/tmp/bomb", O_CREAT | O_WRONLY, 0600);
    memset(block, 1, sizeof block);
    while (write(fd, block, sizeof block) > 0)
        continue;
    printf("refused: %s\n", strerror(errno));
    unlink("/tmp/bomb");
    exit(3);
}

static void bomb_pipe(void) {
    int ends[2];
    static char block[65536];
    for (;;) {
        if (pipe2(ends, O_NONBLOCK) < 0) {
            printf("refused\n");
            exit(3);
        }
        if (write(ends[1], block, sizeof block) < 0 && errno != EAGAIN)
            exit(4);
    }
}

int main(int argc, char **argv) {
    const char *kind = argc > 1 ? argv[1] : "";
    setvbuf(stdout, NULL, _IONBF, 0);
    if (strcmp(kind, "fork") == 0)
        bomb_fork();
    if (strcmp(kind, "memory") == 0)
        bomb_memory();
    if (strcmp(kind, "thread") == 0)
        bomb_thread();
    if (strcmp(kind, "file") == 0)
        bomb_file();
    if (strcmp(kind, "pipe") == 0)
        bomb_pipe();
    return 2;
}
