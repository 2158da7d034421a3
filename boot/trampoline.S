/*
 * Where application processors start: this code is copied to a page below 1 MB (smp.c) and begins in real mode with
 * cs:ip at the page's first byte. It goes through 32-bit to 64-bit mode, where the page is mapped twice: at its
 * physical address (identity) and, read-only, in the kernel's half (the gate). The wait for the kernel happens there.
 * Each processor's stack is a page chosen by its ticket.
 */
#include "kernel/arch/x86_64/vectors.h"

#define CR4_PCIDE          (1 << 17)
#define MSR_STAR           0xc0000081
#define MSR_LSTAR          0xc0000082
#define MSR_FMASK          0xc0000084
#define MSR_FIXED_COUNTERS 0x38d /* as in cpu.c */
#define MSR_COUNTERS       0x38f
#define FIXED_ALL_RINGS    0x33
#define MSR_KERNEL_GS_BASE 0xc0000102

#define P(offset)  (trampoline_parameters - trampoline_start + (offset))
#define TICKETS      0
#define LIMIT        4
#define START32      8
#define START64      16
#define GDT_POINTER  30
#define HIGH_GDT     46
#define CR3_VALUE    56
#define CR0_VALUE    64
#define CR4_VALUE    72
#define EFER_VALUE   80
#define XCR0_VALUE   88
#define COUNTERS     96
#define GATE         104
#define STACKS       112
#define ARRIVED      120
#define INDEX        128
#define RELEASE      136
#define INFO         144
#define KERNEL_ENTRY 152
#define SYSCALL_ENTRY 160
#define IDT_POINTER  174
#define PARAMETERS_SIZE 184

#define CODE64 8
#define DATA   16
#define CODE32 24

    .section .rodata
    .globl trampoline_start, trampoline_start32, trampoline_start64, trampoline_wait
    .globl trampoline_gdt, trampoline_parameters, trampoline_end
    .balign 16
trampoline_start:
    .code16
    cli
    cld
    mov %cs, %ax
    mov %ax, %ds
    xor %ebx, %ebx
    mov %ax, %bx
    shl $4, %ebx /* the page's address, from here on */

    mov $1, %ebp
    lock xadd %ebp, P(TICKETS)
    cmp P(LIMIT), %ebp
    jae 1f
    lgdtl P(GDT_POINTER)
    mov %cr0, %eax
    or $1, %eax
    mov %eax, %cr0
    ljmpl *P(START32)
1:  hlt
    jmp 1b

    .code32
trampoline_start32:
    mov $DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov P(CR4_VALUE)(%ebx), %eax
    and $~CR4_PCIDE, %eax
    mov %eax, %cr4
    mov P(CR3_VALUE)(%ebx), %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    mov P(EFER_VALUE)(%ebx), %eax
    xor %edx, %edx
    wrmsr
    mov P(CR0_VALUE)(%ebx), %eax
    mov %eax, %cr0
    ljmp *P(START64)(%ebx)

    .code64
trampoline_start64:
    xor %ecx, %ecx
    mov %ecx, %ds
    mov %ecx, %es
    mov %ecx, %fs
    mov %ecx, %gs
    mov %ecx, %ss
    mov P(CR4_VALUE)(%rbx), %rax
    mov %rax, %cr4
    mov P(XCR0_VALUE)(%rbx), %eax
    xor %edx, %edx
    xsetbv
    mov $MSR_STAR, %ecx
    xor %eax, %eax
    mov $((USER_SS - 8) << 16 | KERNEL_CS), %edx
    wrmsr
    mov $MSR_LSTAR, %ecx
    mov P(SYSCALL_ENTRY)(%rbx), %eax
    mov P(SYSCALL_ENTRY) + 4(%rbx), %edx
    wrmsr
    mov $MSR_FMASK, %ecx
    mov $SYSCALL_FLAGS_MASK, %eax
    xor %edx, %edx
    wrmsr
    mov $MSR_KERNEL_GS_BASE, %ecx
    xor %eax, %eax
    wrmsr
    cmpl $0, P(COUNTERS) + 4(%rbx)
    je 1f
    mov $MSR_FIXED_COUNTERS, %ecx
    mov $FIXED_ALL_RINGS, %eax
    wrmsr
    mov $MSR_COUNTERS, %ecx
    xor %eax, %eax
    mov P(COUNTERS) + 4(%rbx), %edx
    wrmsr
1:  jmp *P(GATE)(%rbx)

/* Entered at its address in the kernel's half. */
trampoline_wait:
    lgdt trampoline_parameters + HIGH_GDT(%rip)
    lidt trampoline_parameters + IDT_POINTER(%rip)
    inc %ebp
    shl $12, %rbp
    add trampoline_parameters + STACKS(%rip), %rbp
    mov %rbp, %rsp
    mov $1, %eax
    cpuid
    shr $24, %ebx /* APIC id */
    mov trampoline_parameters + ARRIVED(%rip), %rax
    movb $1, (%rax, %rbx)
    mov trampoline_parameters + RELEASE(%rip), %rax
    jmp 2f
1:  pause
2:  cmpl $0, (%rax)
    je 1b
    mov trampoline_parameters + INDEX(%rip), %rax
    movzbl (%rax, %rbx), %esi
    mov trampoline_parameters + INFO(%rip), %rdi
    xor %ebp, %ebp
    push $0
    jmp *trampoline_parameters + KERNEL_ENTRY(%rip)

    .balign 16
trampoline_gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* CODE64 */
    .quad 0x00cf93000000ffff /* DATA */
    .quad 0x00cf9b000000ffff /* CODE32 */

    .balign 16
trampoline_parameters:
    .long 0, 0
    .long 0, CODE32
    .long 0, CODE64
    .skip 6
    .word 31
    .quad 0
    .skip 6
    .word 31
    .quad 0
    .skip PARAMETERS_SIZE - 56
trampoline_end:
