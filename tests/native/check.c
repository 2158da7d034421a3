/* See check.h. */
#include "tests/native/check.h"

static unsigned failures;
static bool only_report;
static const char *current = "start";

void check(int line, const char *what, bool good) {
    if (good)
        return;
    failures += !only_report;
    log_line("%s %s: line %d: %s", only_report ? "differs:" : "not ok", current, line, what);
}

void check_run(const struct test *test) {
    unsigned before = failures;
    current = test->name;
    test->run();
    if (failures == before)
        log_line("ok %s", current);
}

void check_only_report(void) {
    only_report = true;
}

int check_end(void) {
    log_line("%u failures", failures);
    return failures ? 1 : 0;
}
