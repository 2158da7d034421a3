/*
 * What a native process finds when it starts. Its first thread has rdi = address of its UTCB (gs base holds
 * it too) and, when it was built by lib/native/spawn.c, a stack per the System V ABI: argc, argv, envp and an
 * auxiliary vector with AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_ENTRY, AT_RANDOM, AT_NULL and
 * AT_KEEL_HANDLES, whose value is the address of an array of struct start_handle that ends with an entry
 * whose name is empty.
 *
 * The kernel starts init with an empty stack and UTCB user[0] != 0; init's handles are those of enum
 * init_handle.
 */
#pragma once

#include "abi/rights.h"

enum { AT_KEEL_HANDLES = 0x4b45, START_NAME_SIZE = 24 };

struct start_handle {
    char name[START_NAME_SIZE]; /* always 0-terminated */
    handle_t handle;
    uint32_t reserved;
};

_Static_assert(sizeof(struct start_handle) == 32, "both sides index the array");

/* Slots of the first process, generation 0. */
enum init_handle {
    INIT_JOB = 1,      /* root job */
    INIT_PROCESS = 2,  /* own process */
    INIT_RESOURCE = 3, /* root resource */
    INIT_ARCHIVE = 4,  /* Vmo: the whole initial archive, READ */
    INIT_BOOT = 5,     /* Vmo: struct boot_info, then the command line, READ */
    INIT_THREAD = 6,   /* own first thread */
};

/* Where spawn.c puts stack and UTCB: near the image, so that page tables are shared. Programs linked at or
 * above START_UPPER (the personality) keep the lower half free for their guests. */
#define START_UPPER        0x400000000000ULL
#define START_UPPER_STACK  0x400100000000ULL
#define START_UPPER_UTCB   0x400110000000ULL
#define START_NATIVE_STACK 0x3ffa0000ULL
#define START_NATIVE_UTCB  0x3fff0000ULL
#define START_STACK_SIZE   0x40000ULL
