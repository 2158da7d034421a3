/* test: libc=musl,glibc cpus=1,4 */
/* System V message queues: types and order, room, waiting, copies, permissions, limits, the end. */
#include "tests/system/prog/check.h"

#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/syscall.h>

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif
#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13
#endif

enum { KEY = 0x4d736700, LARGEST = 8192, ROOM = 16384 };

struct packet {
    long type;
    char text[LARGEST];
};

static int queue_make(int key, int flags) {
    int id;
    CHECK((id = msgget(key, flags)) >= 0);
    return id;
}

static void queue_end(int id) {
    CHECK(msgctl(id, IPC_RMID, NULL) == 0);
}

static struct msqid_ds state_of(int id) {
    struct msqid_ds state;
    CHECK(msgctl(id, IPC_STAT, &state) == 0);
    return state;
}

static void send(int id, long type, const char *text) {
    struct packet packet = {.type = type};
    strcpy(packet.text, text);
    CHECK(msgsnd(id, &packet, strlen(text), IPC_NOWAIT) == 0);
}

/* Receives one that must have this type and text. */
static void expect(int id, long wanted, int flags, long type, const char *text) {
    struct packet packet = {.type = -1};
    CHECK_EQ(msgrcv(id, &packet, sizeof packet.text, wanted, flags | IPC_NOWAIT), strlen(text));
    CHECK_EQ(packet.type, type);
    CHECK(memcmp(packet.text, text, strlen(text)) == 0);
}

static void expect_none(int id, long wanted, int flags) {
    struct packet packet;
    CHECK_ERRNO(msgrcv(id, &packet, sizeof packet.text, wanted, flags | IPC_NOWAIT), ENOMSG);
}

static pid_t child_receives(int id, long wanted, int flags, long type, int error) {
    pid_t pid = fork();
    if (pid == 0) {
        struct packet packet;
        if (error)
            CHECK_ERRNO(msgrcv(id, &packet, 8, wanted, flags), error);
        else
            CHECK(msgrcv(id, &packet, 8, wanted, flags) >= 0 && packet.type == type);
        _exit(0);
    }
    CHECK(pid > 0);
    CHECK_STATE(pid, 'S');
    return pid;
}

static pid_t child_sends(int id, long type, size_t size, int error) {
    pid_t pid = fork();
    if (pid == 0) {
        static struct packet packet;
        packet.type = type;
        memset(packet.text, (char)type, size);
        if (error)
            CHECK_ERRNO(msgsnd(id, &packet, size, 0), error);
        else
            CHECK(msgsnd(id, &packet, size, 0) == 0);
        _exit(0);
    }
    CHECK(pid > 0);
    CHECK_STATE(pid, 'S');
    return pid;
}

TEST(keys) {
    CHECK_ERRNO(msgget(KEY, 0600), ENOENT);
    int id = queue_make(KEY, IPC_CREAT | 0640);
    CHECK_EQ(queue_make(KEY, 0), id);
    CHECK_ERRNO(msgget(KEY, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
    int other = queue_make(KEY + 1, IPC_CREAT | IPC_EXCL | 0600);
    CHECK(other != id);
    queue_end(id);
    CHECK_ERRNO(msgget(KEY, 0600), ENOENT);
    CHECK_ERRNO(msgctl(id, IPC_RMID, NULL), EINVAL);
    queue_end(other);
}

TEST(what_stat_tells) {
    time_t before = time(NULL);
    int id = queue_make(KEY + 2, IPC_CREAT | 0640);
    struct msqid_ds state = state_of(id);
    CHECK_EQ(state.msg_perm.mode, 0640);
    CHECK_EQ(state.msg_qbytes, ROOM);
    CHECK(!state.msg_stime && !state.msg_rtime && !state.msg_lspid && !state.msg_lrpid && !state.msg_qnum);
    CHECK(state.msg_ctime >= before && state.msg_ctime <= time(NULL));
    send(id, 5, "abc");
    send(id, 6, "");
    state = state_of(id);
    CHECK(state.msg_qnum == 2 && state.msg_lspid == getpid() && state.msg_stime >= before);
    CHECK(!state.msg_rtime && !state.msg_lrpid);
    pid_t pid = fork();
    if (!pid) {
        expect(id, 0, 0, 5, "abc");
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    state = state_of(id);
    CHECK(state.msg_qnum == 1 && state.msg_lrpid == pid && state.msg_rtime >= before);
    queue_end(id);
}

TEST(types_and_order) {
    int id = queue_make(IPC_PRIVATE, 0600);
    send(id, 5, "five");
    send(id, 3, "three");
    send(id, 5, "again");
    send(id, 9, "nine");
    send(id, 3, "last");
    expect(id, 5, 0, 5, "five");
    expect_none(id, 4, 0);
    expect_none(id, -2, 0);
    expect(id, -5, 0, 3, "three");
    expect(id, 5, MSG_EXCEPT, 9, "nine");
    expect(id, -4, 0, 3, "last");
    expect_none(id, 5, MSG_EXCEPT);
    send(id, 1, "one");
    expect(id, 0, 0, 5, "again");
    expect(id, (long)(1UL << 63), 0, 1, "one");
    send(id, INT64_MAX, "most");
    expect(id, (long)(1UL << 63), 0, INT64_MAX, "most");
    expect_none(id, 0, 0);
    queue_end(id);
}

TEST(sizes) {
    struct packet packet;
    int id = queue_make(IPC_PRIVATE, 0600);
    send(id, 1, "longer");
    CHECK_ERRNO(msgrcv(id, &packet, 3, 0, IPC_NOWAIT), E2BIG);
    CHECK_EQ(state_of(id).msg_qnum, 1);
    memset(packet.text, '-', 8);
    CHECK_EQ(msgrcv(id, &packet, 3, 0, IPC_NOWAIT | MSG_NOERROR), 3);
    CHECK(memcmp(packet.text, "lon-", 4) == 0);
    CHECK_EQ(state_of(id).msg_qnum, 0);
    send(id, 2, "");
    CHECK_EQ(msgrcv(id, &packet, 0, 0, 0), 0);
    packet.type = 1;
    CHECK(msgsnd(id, &packet, LARGEST, IPC_NOWAIT) == 0);
    CHECK_ERRNO(msgsnd(id, &packet, LARGEST + 1, IPC_NOWAIT), EINVAL);
    CHECK(msgsnd(id, &packet, ROOM - LARGEST, IPC_NOWAIT) == 0);
    CHECK_ERRNO(msgsnd(id, &packet, 1, IPC_NOWAIT), EAGAIN);
    CHECK(msgsnd(id, &packet, 0, IPC_NOWAIT) == 0); /* takes no room */
    CHECK_EQ(state_of(id).msg_qnum, 3);
    queue_end(id);
}

TEST(copies) {
    struct packet packet;
    int id = queue_make(IPC_PRIVATE, 0600);
    send(id, 4, "first");
    send(id, 2, "second");
    expect(id, 1, MSG_COPY, 2, "second");
    expect(id, 0, MSG_COPY, 4, "first");
    expect_none(id, 2, MSG_COPY);
    expect_none(id, -1, MSG_COPY);
    CHECK_EQ(state_of(id).msg_qnum, 2);
    CHECK_EQ(state_of(id).msg_lrpid, 0);
    CHECK_ERRNO(msgrcv(id, &packet, LARGEST, 0, MSG_COPY), EINVAL);
    CHECK_ERRNO(msgrcv(id, &packet, LARGEST, 0, MSG_COPY | IPC_NOWAIT | MSG_EXCEPT), EINVAL);
    CHECK_ERRNO(msgrcv(id, &packet, 2, 0, MSG_COPY | IPC_NOWAIT), E2BIG);
    CHECK_ERRNO(msgrcv(id, &packet, 2, 0, MSG_COPY | IPC_NOWAIT | MSG_NOERROR), EINVAL);
    CHECK_ERRNO(syscall(SYS_msgrcv, id, 8, 8, 0, MSG_COPY | IPC_NOWAIT), EFAULT);
    queue_end(id);
}

TEST(receivers_wait) {
    int id = queue_make(IPC_PRIVATE, 0600);
    pid_t two = child_receives(id, 2, 0, 2, 0), any = child_receives(id, 0, 0, 7, 0),
          low = child_receives(id, -3, 0, 3, 0), other = child_receives(id, 7, MSG_EXCEPT, 8, 0);
    send(id, 7, "any");
    CHECK_EXITS(any, 0);
    CHECK_EQ(state_of(id).msg_qnum, 0);
    CHECK_EQ(state_of(id).msg_lrpid, any);
    send(id, 3, "low");
    CHECK_EXITS(low, 0);
    send(id, 2, "two");
    CHECK_EXITS(two, 0);
    send(id, 8, "other");
    CHECK_EXITS(other, 0);
    pid_t small = child_receives(id, 0, 0, 0, E2BIG), cut = child_receives(id, 0, MSG_NOERROR, 1, 0);
    send(id, 1, "more than eight");
    CHECK_EXITS(small, 0);
    CHECK_EXITS(cut, 0);
    expect_none(id, 0, 0);
    queue_end(id);
}

TEST(senders_wait) {
    static struct packet packet = {.type = 1};
    int id = queue_make(IPC_PRIVATE, 0600);
    CHECK(msgsnd(id, &packet, LARGEST, 0) == 0 && msgsnd(id, &packet, LARGEST, 0) == 0);
    pid_t large = child_sends(id, 2, LARGEST, 0), small = child_sends(id, 3, 10, 0),
          late = child_sends(id, 4, LARGEST, 0);
    CHECK_EQ(state_of(id).msg_qnum, 2);
    CHECK_EQ(msgrcv(id, &packet, LARGEST, 0, 0), LARGEST);
    CHECK_EXITS(large, 0);
    CHECK_EQ(state_of(id).msg_qnum, 2);
    CHECK_EQ(msgrcv(id, &packet, LARGEST, 1, 0), LARGEST);
    CHECK_EXITS(small, 0);
    CHECK_EQ(msgrcv(id, &packet, LARGEST, 3, 0), 10);
    CHECK(packet.text[0] == 3 && packet.text[9] == 3);
    CHECK_EXITS(late, 0);
    CHECK_EQ(state_of(id).msg_lspid, late);
    CHECK_EQ(msgrcv(id, &packet, LARGEST, 0, 0), LARGEST);
    CHECK(packet.type == 2 && packet.text[LARGEST - 1] == 2);
    CHECK_EQ(msgrcv(id, &packet, LARGEST, 0, 0), LARGEST);
    CHECK_EQ(packet.type, 4);
    expect_none(id, 0, 0);
    queue_end(id);
}

/* A change of room or permissions reaches those that wait. */
TEST(changes_reach_waiters) {
    static struct packet packet = {.type = 1};
    int id = queue_make(IPC_PRIVATE, 0666);
    CHECK(msgsnd(id, &packet, LARGEST, 0) == 0 && msgsnd(id, &packet, LARGEST, 0) == 0);
    pid_t sender = child_sends(id, 2, 100, 0);
    struct msqid_ds state = state_of(id);
    state.msg_qbytes = ROOM + 100;
    CHECK(msgctl(id, IPC_SET, &state) == 0);
    CHECK_EXITS(sender, 0);
    CHECK_EQ(state_of(id).msg_qnum, 3);
    pid_t pid = fork();
    if (!pid) {
        CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        CHECK_ERRNO(msgrcv(id, &packet, 8, 77, 0), EACCES);
        _exit(0);
    }
    CHECK_STATE(pid, 'S');
    state.msg_perm.mode = 0600;
    CHECK(msgctl(id, IPC_SET, &state) == 0);
    CHECK_EXITS(pid, 0);
    queue_end(id);
}

TEST(removal_ends_waits) {
    static struct packet packet = {.type = 1};
    int id = queue_make(IPC_PRIVATE, 0600);
    CHECK(msgsnd(id, &packet, LARGEST, 0) == 0 && msgsnd(id, &packet, LARGEST, 0) == 0);
    pid_t sender = child_sends(id, 2, 1, EIDRM), receiver = child_receives(id, 9, 0, 0, EIDRM);
    queue_end(id);
    CHECK_EXITS(sender, 0);
    CHECK_EXITS(receiver, 0);
    CHECK_ERRNO(msgsnd(id, &packet, 1, 0), EINVAL);
    CHECK_ERRNO(msgrcv(id, &packet, 1, 0, 0), EINVAL);
}

static void on_signal(int number) {
    (void)number;
}

TEST(signals_and_kills) {
    static struct packet packet = {.type = 1};
    int id = queue_make(IPC_PRIVATE, 0600), ready[2];
    char byte;
    CHECK(pipe(ready) == 0);
    pid_t pid = fork();
    if (!pid) {
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
        sigaction(SIGUSR1, &action, NULL);
        CHECK(write(ready[1], "x", 1) == 1);
        CHECK_ERRNO(msgrcv(id, &packet, 8, 0, 0), EINTR); /* whatever SA_RESTART says */
        _exit(0);
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    CHECK_STATE(pid, 'S');
    kill(pid, SIGUSR1);
    CHECK_EXITS(pid, 0);
    pid = child_receives(id, 0, 0, 1, 0);
    pid_t next = child_receives(id, 0, 0, 1, 0);
    kill(pid, SIGSTOP); /* no handler: the call goes on */
    kill(pid, SIGCONT);
    kill(pid, SIGKILL);
    CHECK_KILLED(pid, SIGKILL);
    send(id, 1, "x");
    CHECK_EXITS(next, 0);
    CHECK(msgsnd(id, &packet, LARGEST, 0) == 0 && msgsnd(id, &packet, LARGEST, 0) == 0);
    pid = child_sends(id, 2, 1, 0);
    kill(pid, SIGKILL);
    CHECK_KILLED(pid, SIGKILL);
    CHECK_EQ(msgrcv(id, &packet, LARGEST, 0, 0), LARGEST);
    expect_none(id, 2, 0);
    queue_end(id);
}

TEST(permissions) {
    struct packet packet = {.type = 1};
    int id = queue_make(KEY + 4, IPC_CREAT | 0600), shown = queue_make(KEY + 5, IPC_CREAT | 0644);
    pid_t pid = fork();
    if (!pid) {
        struct msqid_ds state;
        CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        CHECK_ERRNO(msgget(KEY + 4, 0600), EACCES);
        CHECK_EQ(msgget(KEY + 4, 0), id); /* asks for nothing */
        CHECK_ERRNO(msgsnd(id, &packet, 1, 0), EACCES);
        CHECK_ERRNO(msgrcv(id, &packet, 1, 0, IPC_NOWAIT), EACCES);
        CHECK_ERRNO(msgctl(id, IPC_STAT, &state), EACCES);
        CHECK_ERRNO(msgctl(id & 32767, MSG_STAT, &state), EACCES);
        CHECK_EQ(msgctl(id & 32767, MSG_STAT_ANY, &state), id);
        CHECK_ERRNO(msgctl(id, IPC_RMID, NULL), EPERM);
        state = state_of(shown);
        CHECK_ERRNO(msgctl(shown, IPC_SET, &state), EPERM);
        CHECK_ERRNO(msgsnd(shown, &packet, 1, 0), EACCES);
        expect_none(shown, 0, 0);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    struct msqid_ds state = state_of(id);
    state.msg_perm.uid = 1000;
    state.msg_perm.mode = 0600;
    CHECK(msgctl(id, IPC_SET, &state) == 0);
    pid = fork();
    if (!pid) {
        CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        state.msg_qbytes = ROOM + 1;
        CHECK_ERRNO(msgctl(id, IPC_SET, &state), EPERM);
        state.msg_qbytes = 100;
        CHECK(msgctl(id, IPC_SET, &state) == 0);
        CHECK_ERRNO(msgsnd(id, &packet, 101, IPC_NOWAIT), EAGAIN);
        CHECK(msgsnd(id, &packet, 100, IPC_NOWAIT) == 0);
        queue_end(id);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    state.msg_perm.uid = (uid_t)-1;
    CHECK_ERRNO(msgctl(shown, IPC_SET, &state), EINVAL);
    queue_end(shown);
}

TEST(bad_arguments) {
    struct packet packet = {.type = 0};
    int id = queue_make(IPC_PRIVATE, 0600);
    CHECK_ERRNO(msgsnd(id, &packet, 1, 0), EINVAL);
    packet.type = -1;
    CHECK_ERRNO(msgsnd(id, &packet, 1, 0), EINVAL);
    packet.type = 1;
    CHECK_ERRNO(msgsnd(-1, &packet, 1, 0), EINVAL);
    CHECK_ERRNO(msgsnd(31000, &packet, 1, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_msgsnd, id, &packet, -1L, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_msgsnd, -1, 8, 1, 0), EFAULT);
    CHECK_ERRNO(syscall(SYS_msgrcv, id, &packet, -1L, 0, 0), EINVAL);
    CHECK_ERRNO(msgrcv(-1, &packet, 1, 0, 0), EINVAL);
    CHECK_ERRNO(msgctl(-1, IPC_STAT, NULL), EINVAL);
    CHECK_ERRNO(msgctl(31000, IPC_RMID, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_msgctl, id, 99, &packet), EINVAL);
    CHECK_ERRNO(syscall(SYS_msgctl, id, IPC_STAT, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_msgctl, 31000, IPC_SET, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_msgctl, id, IPC_INFO, 8), EFAULT);
    send(id, 1, "lost");
    CHECK_ERRNO(syscall(SYS_msgrcv, id, 8, 8, 0, 0), EFAULT);
    expect_none(id, 0, 0); /* as on Linux */
    queue_end(id);
}

static bool line_found(const char *path, const char *start) {
    char line[512];
    bool found = false;
    FILE *list = fopen(path, "r");
    CHECK(list);
    while (fgets(line, sizeof line, list))
        found |= strncmp(line, start, strlen(start)) == 0;
    fclose(list);
    return found;
}

static void limit_write(const char *path, const char *text, int error) {
    FILE *file = fopen(path, "w");
    CHECK(file);
    fputs(text, file);
    errno = 0;
    int result = fclose(file), found = errno;
    CHECK(error ? result == EOF && found == error : result == 0);
}

TEST(info_and_proc) {
    struct msginfo info;
    struct msqid_ds state;
    char want[160];
    int id = queue_make(KEY + 6, IPC_CREAT | 0604);
    send(id, 1, "seven b");
    int last = msgctl(0, IPC_INFO, (struct msqid_ds *)&info);
    CHECK(last >= 0);
    CHECK(info.msgmax == LARGEST && info.msgmnb == ROOM && info.msgmni == 32000 && info.msgssz == 16);
    CHECK(info.msgpool == 512000 && info.msgmap == 16384 && info.msgtql == 16384 && info.msgseg == 65535);
    CHECK_EQ(msgctl(0, MSG_INFO, (struct msqid_ds *)&info), last);
    CHECK(info.msgpool >= 1 && info.msgmap >= 1 && info.msgtql >= 7);
    bool found = false;
    for (int i = 0; i <= last; i++)
        if (msgctl(i, MSG_STAT, &state) == id)
            found = state.msg_qnum == 1;
    CHECK(found);
    CHECK(line_found("/proc/sysvipc/msg",
                     "       key      msqid perms      cbytes       qnum lspid lrpid   uid"));
    snprintf(want, sizeof want, "%10d %10d  %4o  %10u %10u %5u %5u %5u %5u %5u %5u ", KEY + 6, id, 0604, 7, 1,
             (unsigned)getpid(), 0, 0, 0, 0, 0);
    CHECK(line_found("/proc/sysvipc/msg", want));
    queue_end(id);
}

TEST(limits) {
    static struct packet packet = {.type = 1};
    CHECK(line_found("/proc/sys/kernel/msgmax", "8192\n") &&
          line_found("/proc/sys/kernel/msgmnb", "16384\n") &&
          line_found("/proc/sys/kernel/msgmni", "32000\n"));
    int id = queue_make(IPC_PRIVATE, 0600);
    limit_write("/proc/sys/kernel/msgmax", "10", 0);
    limit_write("/proc/sys/kernel/msgmnb", "15\n", 0);
    limit_write("/proc/sys/kernel/msgmni", "2", 0);
    CHECK_ERRNO(msgsnd(id, &packet, 11, IPC_NOWAIT), EINVAL);
    int small = queue_make(IPC_PRIVATE, 0600);
    CHECK(msgsnd(small, &packet, 10, IPC_NOWAIT) == 0);
    CHECK_ERRNO(msgsnd(small, &packet, 6, IPC_NOWAIT), EAGAIN);
    CHECK_ERRNO(msgget(IPC_PRIVATE, 0600), ENOSPC);
    limit_write("/proc/sys/kernel/msgmni", "32769", EINVAL);
    limit_write("/proc/sys/kernel/msgmax", "-1", EINVAL);
    limit_write("/proc/sys/kernel/msgmax", "8192", 0);
    limit_write("/proc/sys/kernel/msgmnb", "16384", 0);
    limit_write("/proc/sys/kernel/msgmni", "32000", 0);
    queue_end(id);
    queue_end(small);
}

/* Several senders and receivers at a queue that is often full: each message arrives once. */
TEST(at_once) {
    enum { WORKERS = 3, MESSAGES = 200, SIZE = 3000 };
    static struct packet packet;
    int id = queue_make(IPC_PRIVATE, 0600);
    pid_t senders[WORKERS], receivers[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        senders[i] = fork();
        for (int n = 0; !senders[i] && n < MESSAGES; n++) {
            packet.type = i + 1;
            memcpy(packet.text, &n, sizeof n);
            CHECK(msgsnd(id, &packet, n % 2 ? SIZE : sizeof n, 0) == 0);
        }
        if (!senders[i])
            _exit(0);
        receivers[i] = fork();
        for (int n = 0, found; !receivers[i] && n < MESSAGES; n++) {
            CHECK_EQ(msgrcv(id, &packet, LARGEST, i + 1, 0), n % 2 ? SIZE : sizeof n);
            memcpy(&found, packet.text, sizeof found);
            CHECK_EQ(found, n);
        }
        if (!receivers[i])
            _exit(0);
    }
    for (int i = 0; i < WORKERS; i++) {
        CHECK_EXITS(senders[i], 0);
        CHECK_EXITS(receivers[i], 0);
    }
    CHECK_EQ(state_of(id).msg_qnum, 0);
    queue_end(id);
}

TEST_MAIN()
