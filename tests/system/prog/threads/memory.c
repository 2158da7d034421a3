/* Memory while several threads use it: forks, and changes of what is mapped. */
#include "tests/system/prog/threads/threads.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>

static volatile bool threads_over;

/* What a child gets of other threads' memory is all that each of them wrote up to some moment: a thread goes
 * through pages of many mappings, so that the child finds them new up to one of them, and old behind it. */
enum { MOMENT_PAGES = 40, MOMENT_FORKS = 60 };
static volatile uint64_t *moment_words[2][MOMENT_PAGES];

static void moment_map(void) {
    size_t length = 4 * MOMENT_PAGES * 4096;
    char *room = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(room != MAP_FAILED);
    for (size_t i = 0; i < 2 * MOMENT_PAGES; i++) {
        void *page = mmap(room + 2 * i * 4096, 4096, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        CHECK(page != MAP_FAILED);
        moment_words[i % 2][i / 2] = page;
    }
}

static void *moment_write(void *unused) {
    for (uint64_t turn = 1; !threads_over; turn++)
        for (int i = 0; i < MOMENT_PAGES; i++)
            *moment_words[0][i] = turn;
    return unused;
}

/* The same by calls: from a file, or through a pipe. */
static void *moment_read(void *unused) {
    int file = memfd_create("moment", 0), ends[2];
    CHECK(file >= 0);
    CHECK_EQ(pipe(ends), 0);
    for (uint64_t turn = 1; !threads_over; turn++) {
        CHECK_EQ(pwrite(file, &turn, sizeof turn, 0), sizeof turn);
        for (int i = 0; i < MOMENT_PAGES; i++) {
            void *to = (void *)(uintptr_t)moment_words[1][i];
            if (i % 2) {
                CHECK_EQ(pread(file, to, sizeof turn, 0), sizeof turn);
            } else {
                CHECK_EQ(write(ends[1], &turn, sizeof turn), sizeof turn);
                CHECK_EQ(read(ends[0], to, sizeof turn), sizeof turn);
            }
        }
    }
    return unused;
}

static bool moment_is_one(volatile uint64_t *const *words) {
    for (int i = 1; i < MOMENT_PAGES; i++)
        if (*words[i] > *words[i - 1] || *words[i] + 1 < *words[0])
            return false;
    return true;
}

TEST(fork_copies_one_moment) {
    moment_map();
    pthread_t writer = start(moment_write, NULL), reader = start(moment_read, NULL);
    while (!*moment_words[0][MOMENT_PAGES - 1] || !*moment_words[1][MOMENT_PAGES - 1])
        sched_yield();
    for (int i = 0; i < MOMENT_FORKS; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(!moment_is_one(moment_words[0]) ? 1 : !moment_is_one(moment_words[1]) ? 2 : 0);
        CHECK_EXITS(pid, 0);
    }
    threads_over = true;
    join(writer);
    join(reader);
}

/* Memory that is mapped anew, discarded or protected while another thread uses it is there all the time: as
 * it was, or zero. */
enum { ANEW_LENGTH = 9 << 20, ANEW_STEP = 65536 - 4096, ANEW_TURNS = 10 };
static char *anew, *anew_file;

static void *anew_use(void *unused) {
    int zeros = open("/dev/zero", O_RDONLY), nothing = open("/dev/null", O_WRONLY);
    CHECK(zeros >= 0 && nothing >= 0);
    while (!threads_over)
        for (size_t at = 0; at < ANEW_LENGTH; at += ANEW_STEP) {
            volatile uint64_t *word = (void *)(anew + at);
            uint64_t found = *word;
            CHECK(found == 0 || found == at);
            *word = at;
            CHECK_EQ(anew_file[at], 0);
            CHECK_EQ(read(zeros, anew + at + 8, 8), 8);
            CHECK_EQ(write(nothing, anew + at + 8, 8), 8);
        }
    close(zeros);
    close(nothing);
    return unused;
}

TEST(memory_stays_while_it_is_mapped_anew) {
    const int protection = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
    anew = mmap(NULL, ANEW_LENGTH, protection, flags, -1, 0);
    int file = memfd_create("anew", 0);
    CHECK_EQ(ftruncate(file, ANEW_LENGTH), 0);
    anew_file = mmap(NULL, ANEW_LENGTH, PROT_READ, MAP_PRIVATE, file, 0);
    CHECK(anew != MAP_FAILED && anew_file != MAP_FAILED);
    pthread_t users[2] = {start(anew_use, NULL), start(anew_use, NULL)};
    for (int i = 0; i < ANEW_TURNS; i++) {
        CHECK_EQ(madvise(anew, ANEW_LENGTH, MADV_DONTNEED), 0);
        CHECK_EQ(mprotect(anew_file, ANEW_LENGTH, protection), 0);
        check_sleep_ms(1);
        CHECK(mmap(anew, ANEW_LENGTH, protection, flags | MAP_FIXED, -1, 0) == anew);
        CHECK(mmap(anew_file, ANEW_LENGTH, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0) == anew_file);
        check_sleep_ms(1);
    }
    threads_over = true;
    join(users[0]);
    join(users[1]);
}

/* Few: each munmap waits for all processors that run the others, which a busy host does not run at once. */
static void *map_and_touch(void *argument) {
    (void)argument;
    for (int i = 0; i < 25; i++) {
        char *area = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(area != MAP_FAILED);
        for (int j = 0; j < 4; j++) {
            CHECK_EQ(area[j * 4096], 0);
            area[j * 4096] = 1;
        }
        CHECK(munmap(area, 16384) == 0);
    }
    return NULL;
}

TEST(mapping_from_many_threads) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        threads[i] = start(map_and_touch, NULL);
    for (int i = 0; i < THREADS; i++)
        join(threads[i]);
}
