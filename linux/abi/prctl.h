/* prctl options, personality bits, capability structures. */
#pragma once

#include <stdint.h>

enum {
    PR_SET_PDEATHSIG = 1,
    PR_GET_PDEATHSIG = 2,
    PR_GET_DUMPABLE = 3,
    PR_SET_DUMPABLE = 4,
    PR_GET_KEEPCAPS = 7,
    PR_SET_KEEPCAPS = 8,
    PR_GET_TIMING = 13,
    PR_SET_TIMING = 14,
    PR_SET_NAME = 15,
    PR_GET_NAME = 16,
    PR_GET_SECCOMP = 21,
    PR_SET_SECCOMP = 22,
    PR_CAPBSET_READ = 23,
    PR_CAPBSET_DROP = 24,
    PR_GET_TSC = 25,
    PR_SET_TSC = 26,
    PR_GET_SECUREBITS = 27,
    PR_SET_SECUREBITS = 28,
    PR_SET_TIMERSLACK = 29,
    PR_GET_TIMERSLACK = 30,
    PR_SET_CHILD_SUBREAPER = 36,
    PR_GET_CHILD_SUBREAPER = 37,
    PR_SET_NO_NEW_PRIVS = 38,
    PR_GET_NO_NEW_PRIVS = 39,
    PR_GET_TID_ADDRESS = 40,
    PR_SET_THP_DISABLE = 41,
    PR_GET_THP_DISABLE = 42,
    PR_CAP_AMBIENT = 47,
    PR_CAP_AMBIENT_IS_SET = 1,
    PR_CAP_AMBIENT_RAISE = 2,
    PR_CAP_AMBIENT_LOWER = 3,
    PR_CAP_AMBIENT_CLEAR_ALL = 4,
    PR_TSC_ENABLE = 1,
    PR_TIMING_STATISTICAL = 0,
};

#define PERSONALITY_QUERY 0xffffffffU
#define ADDR_NO_RANDOMIZE 0x40000U

struct cap_header64 {
    uint32_t version;
    int32_t pid;
};
struct cap_data64 {
    uint32_t effective, permitted, inheritable;
};
#define CAPABILITY_VERSION_1 0x19980330U
#define CAPABILITY_VERSION_2 0x20071026U
#define CAPABILITY_VERSION_3 0x20080522U
enum { CAP_MAC_ADMIN = 33, CAP_LAST = 40 };
