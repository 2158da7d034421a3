/*
 * The scheduler's promises on the running system, in place of the personality. With --exact (QEMU's -icount,
 * where time is instructions) each is checked; otherwise it is only reported, because the host decides when
 * a timer fires. With several processors QEMU runs them in turns of one host thread there, so that each has
 * at times nothing for some milliseconds: what needs all of a processor's time is asked of one alone.
 */
#include <string.h>

#include "tests/native/ksched.h"

unsigned cpus;

static const struct {
    const char *policy; /* the argument that asks for it; NULL: none must be there */
    struct test test;
} tests[] = {
    {NULL, {"quanta", test_quanta}},       {NULL, {"climbs", test_climbs}},
    {NULL, {"deadlines", test_deadlines}}, {NULL, {"chain", test_chain}},
    {NULL, {"shares", test_shares}},       {NULL, {"share_lends", test_share_lends}},
    {NULL, {"balance", test_balance}},     {"rr", {"round_robin", test_round_robin}},
    {"pack", {"pack", test_pack}},
};

static bool wanted(const char *policy, const char *asked) {
    return policy ? asked && !strcmp(policy, asked) : !asked;
}

int main(int argc, char **argv) {
    struct system_info info;
    const char *policy = NULL;
    bool exact = false;
    for (int i = 1; i < argc; i++) {
        exact |= !strcmp(argv[i], "--exact");
        policy = argv[i][0] == '-' ? policy : argv[i];
    }
    if (!exact)
        check_only_report();
    CHECK(keel_object_info(handle_find("info"), keel_pointer(&info), sizeof(info)) == sizeof(info));
    cpus = (unsigned)info.cpus;
    place(0, 0, 1);
    calibrate();
    for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        if (wanted(tests[i].policy, policy))
            check_run(&tests[i].test);
    return check_end();
}
