/* sources: servers/swifi/main.c servers/swifi/options.c */
/* flags: -iquote tests/host -Dmain=swifi_main */
/*
 * swifi where it finds no driver to harm: none at all, none that was asked for, none that comes up, or none
 * that comes back. It says so, ends after a bounded time, and does not call that a success.
 */
#include "servers/swifi/target.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/native/keel.h"
#include "tests/unit/check.h"

#undef main
int swifi_main(void);

enum { FAULTS = 100 };
#define SECOND 1000000000ULL

static unsigned drivers;          /* how many there are: "disk", "net", … */
static bool ready, mortal;        /* they run; the tenth fault ends them all for good */
static unsigned made, resets;     /* faults, and drivers that were ended */
static bool said_ok, said_not_ok; /* the last line */
static bool said_none;            /* none that could be harmed */
static uint64_t now;

uint64_t clock_now(void) {
    return now;
}
int64_t keel_thread_wait(uint64_t until) {
    CHECK(until < 1000 * SECOND);
    now = until > now ? until : now;
    return 0;
}
int64_t keel_thread_set(uint64_t thread, uint64_t what, uint64_t value) {
    (void)thread, (void)what, (void)value;
    return 0;
}
void log_line(const char *format, ...) {
    va_list list;
    va_start(list, format);
    if (!strcmp(format, "end: %s")) {
        bool ok = !strcmp(va_arg(list, const char *), "ok");
        said_ok = ok;
        said_not_ok = !ok;
    }
    va_end(list);
    said_none = said_none || strstr(format, "could be harmed");
}

int64_t target_look(struct target *target) {
    static const char *const names[] = {"disk", "net"};
    if (target->index >= drivers)
        return -ENOENT;
    strcpy(target->now.driver, names[target->index]);
    target->now.ready = ready && !(mortal && made >= 10);
    return 0;
}
int64_t target_fault(struct target *target, uint64_t *random) {
    CHECK(target->wanted && target->now.ready);
    (void)random_next(random);
    target->faults++;
    made++;
    return 0;
}
int64_t target_reset(const struct target *target) {
    CHECK(target->wanted);
    resets++;
    return 0;
}
uint64_t random_next(uint64_t *state) {
    return (*state)++;
}

/* Its exit status; each run in a process of its own. */
static int run(void (*world)(void), const char *line) {
    int status = -1;
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        CHECK(setenv("KEEL_CMDLINE", line, 1) == 0);
        ready = true;
        world();
        int result = swifi_main();
        CHECK(result ? said_not_ok : said_ok);
        CHECK_EQ(made, result ? mortal ? 10 : 0 : FAULTS);
        CHECK(said_none == (result && drivers && (mortal || !ready)));
        exit(10 + result);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status) - 10;
}

static void two(void) {
    drivers = 2;
}
static void none(void) {}
static void sleeping(void) {
    drivers = 2;
    ready = false;
}
static void dying(void) {
    drivers = 2;
    mortal = true;
}

TEST(drivers_that_live) {
    CHECK_EQ(run(two, "faults=100 faults.seed=1"), 0);
    CHECK_EQ(run(two, "faults=100 faults.seed=1 faults.drivers=net"), 0);
}

TEST(no_driver_at_all) {
    CHECK_EQ(run(none, "faults=100 faults.seed=1"), 1);
}

TEST(no_driver_of_that_name) {

    CHECK_EQ(run(two, "faults=100 faults.seed=1 faults.drivers=edu,ne"), 1);
}

TEST(drivers_that_do_not_come_up) {
    CHECK_EQ(run(sleeping, "faults=100 faults.seed=1"), 1);
}

TEST(drivers_that_do_not_come_back) {
    CHECK_EQ(run(dying, "faults=100 faults.seed=1"), 1);
}

TEST_MAIN();
