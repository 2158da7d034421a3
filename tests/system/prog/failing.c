/*
 * failing [STEP [FIRST [LAST]]]: on the debug kernel, runs a script of forks, execs and pipes again and again
 * while its first kernel allocation fails, then the one STEP (1) further on, and so on, until one run needs
 * fewer allocations than the number that should fail. Whatever such a run answers is right; it must end,
 * nothing may be lost by it, and the last run must be flawless.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STEP_SECONDS = 60, MOST_STEPS = 20000, REPORT_EVERY = 200 };

static const char script[] = "rm -rf /tmp/failing; mkdir /tmp/failing && cd /tmp/failing && echo one two "
                             "three > a && ln a b && mv b c && "
                             "cat a c | sort | uniq -c | (read n w; echo $n $w | tr a-z A-Z; cat); x=$(echo "
                             "in | cat; sleep 0.001 & wait); "
                             "echo $x; cd /; rm -rf /tmp/failing; echo end";
static const char expected[] = "2 ONE TWO THREE\nin\nend\n";

static void fail_set(long number) {
    char text[24];
    int length = snprintf(text, sizeof text, "%ld\n", number);
    int fd = open("/proc/keel_fail", O_WRONLY);
    if (fd < 0 || write(fd, text, (size_t)length) != length) {
        printf("not ok failing: /proc/keel_fail: %s\n", strerror(errno));
        exit(1);
    }
    close(fd);
}

/* Turns it off; how many allocations were made. Does nothing that fails while it is on. */
static long fail_end(int fd) {
    char text[24] = {0};
    for (int tries = 0; tries < 100; tries++) {
        ssize_t length = pread(fd, text, sizeof text - 1, 0);
        if (length > 0)
            return atol(text);
        usleep(1000);
    }
    printf("not ok failing: /proc/keel_fail cannot be read: %s\n", strerror(errno));
    exit(1);
}

struct outcome {
    int status;
    char output[256];
};

/* Runs the script; false when it does not end. */
static bool script_run(struct outcome *outcome) {
    int ends[2], status;
    size_t length = 0;
    memset(outcome, 0, sizeof *outcome);
    outcome->status = -1;
    if (pipe2(ends, O_CLOEXEC))
        return true;
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        dup2(ends[1], 1);
        dup2(open("/dev/null", O_RDWR), 2);
        execl("/bin/sh", "sh", "-c", script, (char *)NULL);
        _exit(126);
    }
    close(ends[1]);
    struct pollfd wait = {ends[0], POLLIN, 0};
    while (pid > 0) {
        int ready = poll(&wait, 1, STEP_SECONDS * 1000);
        if (ready == 0)
            return false;
        char rest[256];
        bool room = length < sizeof outcome->output - 1;
        ssize_t got = read(ends[0], room ? outcome->output + length : rest,
                           room ? sizeof outcome->output - 1 - length : 256);
        if (got == 0)
            break;
        if (got > 0 && room)
            length += (size_t)got;
        if (got < 0 && errno != EINTR && errno != EFAULT && errno != ENOMEM)
            break;
    }
    close(ends[0]);
    time_t end = time(NULL) + STEP_SECONDS;
    while (pid > 0 && waitpid(pid, &status, WNOHANG) == 0) {
        if (time(NULL) > end)
            return false;
        usleep(500);
    }
    if (pid > 0)
        outcome->status = status;
    return true;
}

int main(int argc, char **argv) {
    long step = argc > 1 ? atol(argv[1]) : 1;
    long first = argc > 2 ? atol(argv[2]) : 1, last = argc > 3 ? atol(argv[3]) : MOST_STEPS;
    struct outcome outcome = {0};
    long good = 0, made = 0, number;
    setvbuf(stdout, NULL, _IOLBF, 0);
    int fd = open("/proc/keel_fail", O_RDONLY);
    for (int warm = 0; warm < 3; warm++)
        script_run(&outcome);
    if (outcome.status || strcmp(outcome.output, expected)) {
        printf("not ok failing: without a failure: status %#x, output \"%s\"\n", outcome.status,
               outcome.output);
        return 1;
    }
    for (number = first; number <= last; number += step) {
        fail_set(number);
        bool ended = script_run(&outcome);
        made = fail_end(fd);
        if (!ended) {
            printf("not ok failing: the script does not end when allocation %ld of %ld fails\n", number,
                   made);
            return 1;
        }
        bool right = outcome.status == 0 && !strcmp(outcome.output, expected);
        good += right;
        if (made < number) {
            if (!right)
                printf("not ok failing: status %#x without a failure, output \"%s\"\n", outcome.status,
                       outcome.output);
            break;
        }
        if (number % REPORT_EVERY < step)
            printf("%ld allocations failed, %ld runs untouched; %ld made in the last\n", number, good, made);
    }
    printf("%s failing: 1 in %ld of %ld allocations of a script failed; %ld runs did not notice\n",
           made < number ? "ok" : "not ok", step, made, good);
    return made >= number;
}
