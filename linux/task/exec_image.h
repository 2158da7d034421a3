/*
 * A program on its way to run: what exec.c gathers, exec_elf.c maps and exec_stack.c lays out. All of it goes
 * into a fresh address space, so that any failure leaves the old program untouched.
 */
#pragma once

#include "lib/base/elf.h"
#include "linux/task.h"
#include "linux/task/exec.h"
#include "linux/task/mm.h"

enum { EXEC_HEAD = 256 }; /* bytes of a file that decide what it is */

struct exec_image {
    struct task *task;
    struct file *file; /* the program itself: after scripts, their interpreter; referenced */
    const char *name;  /* as given to execve */
    uint8_t head[EXEC_HEAD];
    size_t head_length;
    struct string_list arguments; /* owned, since scripts change it */
    const struct string_list *environment;

    struct mm *mm;
    bool stack_executable;
    bool secure; /* it may do more, or other things, than the program that starts it: AT_SECURE */
    struct credentials credentials; /* the new program's */
    uint64_t entry;                 /* of the program */
    uint64_t start;                 /* first instruction: the interpreter's entry, or the program's */
    uint64_t headers, headers_count;
    uint64_t interpreter_base; /* 0: none */
    uint64_t stack_top, stack_pointer;
    struct clear { /* tails of pages behind a segment's file bytes; done once the space is attached */
        uint64_t address;
        uint32_t length;
    } clears[16];
    unsigned clear_count;
};

/* A random number of pages below limit, in bytes; 0 where the program, or
 * /proc/sys/kernel/randomize_va_space, wants everything at its place. */
uint64_t exec_random(const struct exec_image *image, uint32_t limit);

/* Decides where stack and mmap area of image->mm are and maps the stack and the vDSO. 0 or an error. */
int exec_layout(struct exec_image *image);
/* Maps the program and its interpreter. -ENOEXEC, -ENOMEM, what opening the interpreter gave. */
int exec_map_elf(struct exec_image *image);
/* With image->mm attached: clears the tails and writes arguments, environment and auxiliary vector. -EFAULT,
 * -ENOMEM. */
int exec_fill(struct exec_image *image);
