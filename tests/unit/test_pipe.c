/* sources: linux/io/pipe.c linux/io/ring.c linux/lock.c */
/*
 * Pipes and FIFOs: order and atomicity of bytes, blocking and waking, ends that close, opening rules, sizes.
 * One thread: when the code under test would wait, `on_park` plays the other end.
 */
#include <stdbool.h>
#include <string.h>

#include "abi/errors.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/poll.h"
#include "linux/abi/signal.h"
#include "linux/abi/stat.h"
#include "linux/abi/termios.h"
#include "linux/fs/fd.h"
#include "linux/heap.h"
#include "linux/io/anon.h"
#include "linux/io/pipe.h"
#include "linux/io/poll.h"
#include "linux/io/ring.h"
#include "linux/platform.h"
#include "linux/start.h"
#include "linux/syscalls.h"
#include "linux/task.h"
#include "linux/task/signal.h"
#include "tests/unit/check.h"

static struct task task;
static int signals, live_blocks, parks;
static bool interrupted, fault;
static void (*on_park)(void);
static int fail_after = -1; /* allocations that still succeed; -1: all */

/* ---- what the code under test stands on ---- */

void *heap_alloc(size_t size) {
    if (fail_after == 0)
        return NULL;
    fail_after -= fail_after > 0;
    live_blocks++;
    return malloc(size);
}

void *heap_zalloc(size_t size) {
    void *block = heap_alloc(size);
    return block ? memset(block, 0, size) : NULL;
}

void heap_free(void *pointer) {
    live_blocks -= pointer != NULL;
    free(pointer);
}

struct task *task_current(void) {
    return &task;
}
bool task_is_root(const struct task *who) {
    return who->credentials.euid == 0;
}
handle_t thread_self(void) {
    return 1;
}
void thread_unpark(handle_t thread) {
    (void)thread;
}
uint64_t clock_monotonic(void) {
    return 0;
}
bool signal_interrupts(const struct task *who) {
    return who && interrupted;
}

int thread_park(uint64_t deadline) {
    (void)deadline;
    CHECK(++parks < 100000);
    CHECK(on_park != NULL); /* would wait for ever */
    on_park();
    return 0;
}
uint32_t system_cpus(void) {
    return 1;
}
int thread_park_inside(uint64_t deadline) {
    (void)deadline;
    CHECK(!"a lock is contended in a test with one thread");
    return 0;
}

void signal_send_task_kernel(struct task *who, int signo) {
    CHECK(who == &task && signo == SIGPIPE);
    signals++;
}

int buffer_get(struct buffer *buffer, void *to, size_t length) {
    if (fault)
        return -EFAULT;
    memcpy(to, buffer->kernel, length);
    buffer->kernel = (char *)buffer->kernel + length;
    buffer->length -= length;
    return 0;
}

int buffer_put(struct buffer *buffer, const void *from, size_t length) {
    if (fault)
        return -EFAULT;
    memcpy(buffer->kernel, from, length);
    buffer->kernel = (char *)buffer->kernel + length;
    buffer->length -= length;
    return 0;
}

int guest_copy_out(uint64_t to, const void *from, size_t length) {
    memcpy((void *)(uintptr_t)to, from, length);
    return 0;
}

struct inode *anon_inode(enum anon_kind kind, uint32_t mode) {
    struct inode *inode = heap_zalloc(sizeof *inode);
    CHECK_EQ(kind, ANON_PIPE);
    if (!inode)
        return NULL;
    inode->references = 1;
    inode->attributes.mode = mode;
    mutex_init(&inode->lock);
    return inode;
}

void inode_put(struct inode *inode) {
    if (--inode->references > 0)
        return;
    if (inode->fifo)
        fifo_free(inode);
    heap_free(inode);
}

struct file *anon_file_at(struct inode *inode, const struct file_operations *operations, uint32_t flags,
                          void *data) {
    struct file *file = heap_zalloc(sizeof *file);
    if (!file)
        return NULL;
    file->references = 1;
    file->operations = operations;
    file->flags = flags;
    file->data = data;
    file->path.inode = inode;
    inode->references++;
    return file;
}

void file_put(struct file *file) {
    if (--file->references > 0)
        return;
    if (file->operations && file->operations->release)
        file->operations->release(file);
    inode_put(file->path.inode);
    heap_free(file);
}

static struct waitq *watched[8];
static int watched_count;
void poll_watch(struct poll_watch *watch, struct waitq *queue) {
    (void)watch;
    watched[watched_count++] = queue;
}

static struct file *installed[8];
static int install_limit = 8;
int fd_install(struct file *file, bool cloexec) {
    (void)cloexec;
    for (int fd = 0; fd < install_limit; fd++) {
        if (!installed[fd]) {
            installed[fd] = file;
            return fd;
        }
    }
    return -EMFILE;
}
int fd_close(int fd) {
    struct file *file = installed[fd];
    installed[fd] = NULL;
    file_put(file);
    return 0;
}

/* ---- tools ---- */

static struct file *ends[2];

static void open_pipe(uint32_t flags) {
    CHECK_EQ(live_blocks, 0);
    parks = signals = 0;
    on_park = NULL;
    interrupted = fault = false;
    CHECK_EQ(pipe_create(ends, flags), 0);
}

static void close_end(int end) {
    file_put(ends[end]);
    ends[end] = NULL;
}

static void close_pipe(void) {
    for (int end = 0; end < 2; end++)
        if (ends[end])
            close_end(end);
    CHECK_EQ(live_blocks, 0);
}

static int64_t put_bytes(const void *bytes, size_t length) {
    struct buffer buffer = {.kernel = (void *)(uintptr_t)bytes, .length = length};
    return ends[1]->operations->write(ends[1], &buffer, NULL);
}

static int64_t get_bytes(void *bytes, size_t length) {
    struct buffer buffer = {.kernel = bytes, .length = length};
    return ends[0]->operations->read(ends[0], &buffer, NULL);
}

static uint32_t poll_end(int end) {
    return ends[end]->operations->poll(ends[end], NULL);
}

static char big[2 * PIPE_SIZE], back[2 * PIPE_SIZE];

static void fill_big(void) {
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 7 + i / 251);
}

/* ---- pipes ---- */

TEST(bytes_come_out_in_order) {
    char text[16];
    open_pipe(0);
    CHECK_EQ(put_bytes("hello", 5), 5);
    CHECK_EQ(put_bytes(" world", 6), 6);
    CHECK_EQ(get_bytes(text, 3), 3);
    CHECK_EQ(get_bytes(text + 3, 13), 8);
    CHECK(memcmp(text, "hello world", 11) == 0);
    CHECK_EQ(get_bytes(text, 0), 0);
    CHECK_EQ(put_bytes("", 0), 0);
    close_pipe();
}

static void write_later(void) {
    on_park = NULL;
    CHECK_EQ(put_bytes("late", 4), 4);
}

TEST(a_reader_waits_for_bytes) {
    char text[8];
    open_pipe(0);
    on_park = write_later;
    CHECK_EQ(get_bytes(text, 8), 4);
    CHECK_EQ(parks, 1);
    close_pipe();
}

static void close_writer(void) {
    close_end(1);
}

TEST(end_of_file_after_the_last_writer) {
    char text[8];
    open_pipe(0);
    put_bytes("ab", 2);
    close_end(1);
    CHECK_EQ(poll_end(0), POLLIN | POLLRDNORM | POLLHUP);
    CHECK_EQ(get_bytes(text, 8), 2);
    CHECK_EQ(get_bytes(text, 8), 0);
    CHECK_EQ(poll_end(0), POLLHUP);
    close_pipe();
    open_pipe(0);
    on_park = close_writer;
    CHECK_EQ(get_bytes(text, 8), 0);
    close_pipe();
}

TEST(writing_without_readers) {
    open_pipe(0);
    close_end(0);
    CHECK_EQ(poll_end(1), POLLOUT | POLLWRNORM | POLLERR);
    CHECK_EQ(put_bytes("ab", 2), -EPIPE);
    CHECK_EQ(signals, 1);
    close_pipe();
}

static void close_reader(void) {
    close_end(0);
}

TEST(a_reader_leaves_in_the_middle_of_a_write) {
    open_pipe(0);
    on_park = close_reader;
    CHECK_EQ(put_bytes(big, PIPE_SIZE + 1), PIPE_SIZE);
    CHECK_EQ(signals, 1);
    close_pipe();
}

TEST(nonblocking_ends) {
    char text[8];
    open_pipe(O_NONBLOCK);
    CHECK_EQ(get_bytes(text, 8), -EAGAIN);
    CHECK_EQ(put_bytes(big, sizeof big), PIPE_SIZE);
    CHECK_EQ(put_bytes("x", 1), -EAGAIN);
    CHECK_EQ(poll_end(1), 0);
    CHECK_EQ(get_bytes(back, PIPE_BUF - 1), PIPE_BUF - 1);
    CHECK_EQ(poll_end(1), 0);
    CHECK_EQ(put_bytes(big, PIPE_BUF), -EAGAIN); /* all or nothing */
    CHECK_EQ(get_bytes(back, 1), 1);
    CHECK_EQ(poll_end(1), POLLOUT | POLLWRNORM);
    CHECK_EQ(put_bytes(big, PIPE_BUF), PIPE_BUF);
    close_pipe();
}

static size_t drained;
static void drain_some(void) {
    int64_t count = get_bytes(back + drained, 10000);
    CHECK(count > 0);
    drained += (size_t)count;
}

TEST(a_long_write_waits_for_room) {
    fill_big();
    open_pipe(0);
    drained = 0;
    on_park = drain_some;
    CHECK_EQ(put_bytes(big, sizeof big), sizeof big);
    CHECK_EQ(get_bytes(back + drained, sizeof back), (int64_t)(sizeof big - drained));
    CHECK(memcmp(big, back, sizeof big) == 0);
    close_pipe();
}

static void interrupt(void) {
    interrupted = true;
}

TEST(signals_interrupt) {
    char text[4];
    open_pipe(0);
    on_park = interrupt;
    CHECK_EQ(get_bytes(text, 4), -ERESTARTSYS);
    interrupted = false;
    CHECK_EQ(put_bytes(big, sizeof big), PIPE_SIZE); /* what went in counts */
    interrupted = false;
    CHECK_EQ(put_bytes(big, 1), -ERESTARTSYS);
    close_pipe();
}

TEST(bad_addresses) {
    char text[4];
    open_pipe(0);
    fault = true;
    CHECK_EQ(put_bytes("ab", 2), -EFAULT);
    fault = false;
    put_bytes("ab", 2);
    fault = true;
    CHECK_EQ(get_bytes(text, 4), -EFAULT);
    fault = false;
    CHECK_EQ(get_bytes(text, 4), 2); /* nothing was lost */
    close_pipe();
}

TEST(waiting_bytes_are_counted) {
    int32_t count = -1;
    open_pipe(0);
    put_bytes(big, 5000);
    CHECK_EQ(ends[0]->operations->ioctl(ends[0], FIONREAD, (uint64_t)(uintptr_t)&count), 0);
    CHECK_EQ(count, 5000);
    CHECK_EQ(ends[0]->operations->ioctl(ends[0], TCGETS, 0), -ENOTTY);
    close_pipe();
}

TEST(poll_watches_the_right_queues) {
    struct poll_watch watch = {0};
    open_pipe(0);
    watched_count = 0;
    ends[0]->operations->poll(ends[0], &watch);
    ends[1]->operations->poll(ends[1], &watch);
    CHECK_EQ(watched_count, 2);
    CHECK(watched[0] != watched[1]);
    close_pipe();
}

TEST(sizes) {
    fill_big();
    open_pipe(O_NONBLOCK);
    task.credentials.euid = 1000;
    CHECK_EQ(pipe_size_get(ends[0]), PIPE_SIZE);
    CHECK_EQ(pipe_size_set(ends[0], 1), 4096);
    CHECK_EQ(put_bytes(big, 3000), 3000);
    CHECK_EQ(get_bytes(back, 1000), 1000);
    CHECK_EQ(put_bytes(big + 3000, 2096), 2096); /* wraps */
    CHECK_EQ(put_bytes("x", 1), -EAGAIN);
    CHECK_EQ(pipe_size_set(ends[1], 100000), 131072);
    CHECK_EQ(put_bytes(big + 5096, 100000), 100000);
    CHECK_EQ(pipe_size_set(ends[1], 65536), -EBUSY);
    CHECK_EQ(get_bytes(back + 1000, sizeof back), 104096);
    CHECK(memcmp(big, back, 105096) == 0);
    CHECK_EQ(pipe_size_set(ends[1], PIPE_SIZE_MAX + 1), -EPERM);
    CHECK_EQ(pipe_size_set(ends[1], (1ULL << 31) + 1), -EINVAL);
    task.credentials.euid = 0;
    CHECK_EQ(pipe_size_set(ends[1], 2 * PIPE_SIZE_MAX), 2 * PIPE_SIZE_MAX);
    close_pipe();
}

TEST(the_call_makes_descriptors) {
    int32_t fds[2] = {-1, -1};
    CHECK_EQ(sys_pipe2((uint64_t)(uintptr_t)fds, O_CLOEXEC | O_NONBLOCK), 0);
    CHECK_EQ(fds[0], 0);
    CHECK_EQ(fds[1], 1);
    CHECK_EQ(installed[0]->flags, O_RDONLY | O_NONBLOCK);
    CHECK_EQ(installed[1]->flags, O_WRONLY | O_NONBLOCK);
    fd_close(0);
    fd_close(1);
    CHECK_EQ(sys_pipe2((uint64_t)(uintptr_t)fds, 1), -EINVAL);
    for (install_limit = 0; install_limit < 2; install_limit++)
        CHECK_EQ(sys_pipe((uint64_t)(uintptr_t)fds), -EMFILE);
    install_limit = 8;
    CHECK_EQ(live_blocks, 0);
}

TEST(no_memory) {
    for (int allowed = 0; allowed < 4; allowed++) {
        fail_after = allowed;
        CHECK_EQ(pipe_create(ends, 0), -ENOMEM);
        CHECK_EQ(live_blocks, 0);
    }
    fail_after = -1;
    open_pipe(0);
    fail_after = 0;
    CHECK_EQ(put_bytes("ab", 2), -ENOMEM);
    fail_after = 1;
    CHECK_EQ(put_bytes(big, 3 * PAGE_SIZE), PAGE_SIZE);
    fail_after = 0;
    CHECK_EQ(pipe_size_set(ends[0], 1 << 17), -ENOMEM);
    fail_after = -1;
    CHECK_EQ(get_bytes(back, sizeof back), PAGE_SIZE);
    close_pipe();
}

/* ---- FIFOs ---- */

static struct inode *fifo_inode;

static struct file *fifo_file(uint32_t flags) {
    return anon_file_at(fifo_inode, NULL, flags, NULL);
}

static int open_end(int end, uint32_t flags) {
    ends[end] = fifo_file(flags);
    int error = fifo_open(fifo_inode, ends[end]);
    if (error < 0)
        close_end(end);
    return error;
}

static void fifo_begin(void) {
    CHECK_EQ(live_blocks, 0);
    fifo_inode = anon_inode(ANON_PIPE, S_IFIFO | 0644);
    on_park = NULL;
    interrupted = false;
}

static void fifo_end(void) {
    inode_put(fifo_inode);
    close_pipe();
}

static void open_writer(void) {
    on_park = NULL;
    CHECK_EQ(open_end(1, O_WRONLY), 0);
}

static void open_reader(void) {
    on_park = NULL;
    CHECK_EQ(open_end(0, O_RDONLY), 0);
}

TEST(opens_wait_for_each_other) {
    char text[4];
    fifo_begin();
    on_park = open_writer;
    CHECK_EQ(open_end(0, O_RDONLY), 0);
    put_bytes("ab", 2);
    CHECK_EQ(get_bytes(text, 4), 2);
    close_end(0);
    close_end(1);
    on_park = open_reader;
    CHECK_EQ(open_end(1, O_WRONLY), 0);
    fifo_end();
}

static void come_and_go(void) {
    on_park = NULL;
    CHECK_EQ(open_end(1, O_WRONLY), 0);
    put_bytes("x", 1);
    close_end(1);
}

TEST(a_writer_that_came_and_went_counts) {
    char text[4];
    fifo_begin();
    on_park = come_and_go;
    CHECK_EQ(open_end(0, O_RDONLY), 0);
    CHECK_EQ(get_bytes(text, 4), 1);
    CHECK_EQ(get_bytes(text, 4), 0);
    fifo_end();
}

TEST(nonblocking_opens) {
    char text[4];
    fifo_begin();
    CHECK_EQ(open_end(1, O_WRONLY | O_NONBLOCK), -ENXIO);
    CHECK_EQ(open_end(0, O_RDONLY | O_NONBLOCK), 0);
    CHECK_EQ(poll_end(0), 0); /* no hang-up before the first writer */
    CHECK_EQ(get_bytes(text, 4), 0);
    CHECK_EQ(open_end(1, O_WRONLY | O_NONBLOCK), 0);
    CHECK_EQ(get_bytes(text, 4), -EAGAIN);
    close_end(1);
    CHECK_EQ(poll_end(0), POLLHUP);
    fifo_end();
}

TEST(both_ends_in_one) {
    char text[4];
    fifo_begin();
    CHECK_EQ(open_end(0, O_RDWR), 0);
    ends[1] = ends[0];
    ends[0]->references++;
    CHECK_EQ(put_bytes("ab", 2), 2);
    CHECK_EQ(poll_end(0), POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
    CHECK_EQ(get_bytes(text, 4), 2);
    fifo_end();
}

TEST(an_interrupted_open_leaves_nothing) {
    fifo_begin();
    on_park = interrupt;
    CHECK_EQ(open_end(0, O_RDONLY), -ERESTARTSYS);
    interrupted = false;
    CHECK_EQ(open_end(1, O_WRONLY | O_NONBLOCK), -ENXIO);
    fifo_end();
}

TEST(bytes_of_a_fifo_end_with_its_last_file) {
    char text[4];
    fifo_begin();
    CHECK_EQ(open_end(0, O_RDONLY | O_NONBLOCK), 0);
    CHECK_EQ(open_end(1, O_WRONLY), 0);
    put_bytes("ab", 2);
    close_end(0);
    close_end(1);
    CHECK_EQ(open_end(0, O_RDONLY | O_NONBLOCK), 0);
    CHECK_EQ(get_bytes(text, 4), 0);
    fifo_end();
}

/* Random traffic against a plain counter: byte n of the stream is always the same. */
TEST(random_traffic) {
    uint32_t seed = 1;
    uint64_t in = 0, out = 0;
    static unsigned char bytes[20000];
    open_pipe(O_NONBLOCK);
    for (int i = 0; i < 20000; i++) {
        seed = seed * 1664525 + 1013904223;
        size_t length = (seed >> 8) % (seed & 64 ? sizeof bytes : 300);
        if (seed & 128) {
            for (size_t k = 0; k < length; k++)
                bytes[k] = (unsigned char)((in + k) % 253);
            int64_t count = put_bytes(bytes, length);
            CHECK(count >= 0 || count == -EAGAIN);
            in += count > 0 ? (uint64_t)count : 0;
        } else {
            int64_t count = get_bytes(bytes, length);
            CHECK(count >= 0 || (count == -EAGAIN && in == out));
            for (int64_t k = 0; k < count; k++)
                CHECK_EQ(bytes[k], (out + (uint64_t)k) % 253);
            out += count > 0 ? (uint64_t)count : 0;
        }
        CHECK(in - out <= PIPE_SIZE);
    }
    close_pipe();
}

TEST_MAIN();
