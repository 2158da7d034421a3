/* What the loader knows of the kernel besides its ELF file: tools/kernel_notes.py writes it. */
#pragma once

#include <stdint.h>

/* All are offsets from the kernel's first byte. */
struct kernel_notes {
    uint32_t direct_map_base; /* the word that tells where it is */
    uint32_t idt, exception_entry, interrupt_stubs, syscall_entry, machine, zones;
    uint32_t isolated_begin, isolated_end, isolated_syscall, isolated_mask; /* kernel/arch/x86_64/entry.S */
    uint32_t patch_count;
    struct kernel_patch {
        uint32_t from, to, when; /* PATCH_: kernel/arch/x86_64/vectors.h */
    } patches[];                 /* of one place, the last that applies counts */
};

/* Behind the patches: where 32 bits hold an address of the kernel's own, or its low half. */
extern const struct kernel_notes kernel_notes;
extern const uint32_t kernel_notes_end[];
