/*
 * Changes of page-table roots where translations are tagged (kernel/tag.h, docs/decisions/0033): what tag_enter does, for the
 * ways in ipc.S and entry.S that do not go through C. The loader makes them jump here, and they go on behind their own
 * load of CR3. gs is the kernel's; the CPU's bit in active_cpus is set, so stamps may be read.
 */
#define ASSEMBLY
#include "kernel/arch/x86_64/vectors.h"

#define KNOWN_STAMP(cpu, tag)        CPU_STAMPS - 8 * TAG_FIRST(cpu, tag, 8)
#define KNOWN_NATIVE_STAMP(cpu, tag) CPU_NATIVE_STAMPS - 8 * TAG_FIRST(cpu, tag, 8)
#define ONE_TAG 1 /* INVPCID: all of a tag */

    .text

/* What user mode has of a stale tag goes at once: the way out never flushes. The tag's register is lost. */
.macro flush_user cpu, tag, tag_low
    cmpb $0, machine + MACHINE_ISOLATED
    je 1f
    bts $TAG_USER_BIT, \tag_low
    mov \tag, CPU_USER_TAG(\cpu)
    mov $ONE_TAG, \tag_low
    invpcid CPU_USER_TAG(\cpu), \tag
1:
.endm

/* In switch_to: rcx = the space, rdi = the CPU; rax, its bit, and rdx are wanted behind. */
    .globl switch_tagged
switch_tagged:
    mov %rdx, CPU_SCRATCH(%rdi)
    mov SPACE_STAMP(%rcx), %rdx
    mov SPACE_ROOT(%rcx), %rcx
    mov %rcx, CPU_ROOT(%rdi)
    movzbl %cl, %eax
    cmp %rdx, KNOWN_STAMP(%rdi, %rax)
    jne 3f
    bts $CR3_KEEP_BIT, %rcx
2:  mov %rcx, %cr3
    mov CPU_SCRATCH(%rdi), %rdx
    mov CPU_BIT(%rdi), %rax
    jmp switch_tagged_end
3:  mov %rdx, KNOWN_STAMP(%rdi, %rax)
    flush_user %rdi, %rax, %eax
    jmp 2b

/* In guest_enter: rdx = the thread, rax = its guest root; what a call preserves is stored, and loaded behind. */
    .globl guest_enter_tagged
guest_enter_tagged:
    rdgsbase %rbp
    mov %rax, CPU_ROOT(%rbp)
    mov THREAD_GUEST_SPACE(%rdx), %r15
    mov SPACE_STAMP(%r15), %r15
    movzbl %al, %r12d
    cmp %r15, KNOWN_STAMP(%rbp, %r12)
    jne 3f
    bts $CR3_KEEP_BIT, %rax
    mov %rax, %cr3
    jmp guest_enter_switched
3:  mov %rax, %r14
    xor %r13d, %r13d

/* Both: rbp = the CPU, r14 = the root, r12 = its tag, r15 and r13 = the stamps. */
guest_stale:
    mov %r15, KNOWN_STAMP(%rbp, %r12)
    mov %r13, KNOWN_NATIVE_STAMP(%rbp, %r12)
    flush_user %rbp, %r12, %r12d
    mov %r14, %cr3
    test $1, %r14b              /* unified roots are odd */
    jz guest_enter_switched
    jmp guest_leave_switched

/* In guest_leave: rbx = the thread, wanted behind, rcx = its unified root; what else a call preserves is loaded behind. */
    .globl guest_leave_tagged
guest_leave_tagged:
    rdgsbase %rbp
    mov %rcx, CPU_ROOT(%rbp)
    mov THREAD_GUEST_SPACE(%rbx), %r15
    mov SPACE_STAMP(%r15), %r15
    mov CPU_NATIVE_SPACE(%rbp), %r13
    mov SPACE_STAMP(%r13), %r13
    movzbl %cl, %r12d
    mov %rcx, %r14
    cmp %r15, KNOWN_STAMP(%rbp, %r12)
    jne guest_stale
    cmp %r13, KNOWN_NATIVE_STAMP(%rbp, %r12)
    jne guest_stale
    bts $CR3_KEEP_BIT, %rcx
    mov %rcx, %cr3
    jmp guest_leave_switched

    .section .note.GNU-stack, "", @progbits
