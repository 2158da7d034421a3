/*
 * Where application processors start: this code is copied to a page below 1 MB (smp.c) and begins in real mode with
 * cs:ip at the page's first byte. It goes through 32-bit to 64-bit mode, where the page is mapped twice: at its
 * physical address (identity) and, read-only, in the kernel's half (the gate). The wait for the kernel happens there.
 * Each processor's stack is a page chosen by its ticket.
 */
#define CR4_PAE  0x20 /* what long mode and the page tables need: all else is set by cpu_prepare */
#define MSR_EFER 0xc0000080
#define EFER     0x900 /* LME, NXE */
#define CR0      0x80000001 /* PG, PE */

#define P(offset)  (trampoline_parameters - trampoline_start + (offset))
#define TICKETS      0
#define LIMIT        4
#define START32      8
#define START64      16
#define GDT_POINTER  30
#define HIGH_GDT     46
#define CR3_VALUE    56
#define PREPARE      64
#define GATE         72
#define STACKS       80
#define ARRIVED      88
#define INDEX        96
#define RELEASE      104
#define INFO         112
#define KERNEL_ENTRY 120
#define IDT_POINTER  134
#define PARAMETERS_SIZE 144

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
    mov $CR4_PAE, %eax
    mov %eax, %cr4
    mov P(CR3_VALUE)(%ebx), %eax
    mov %eax, %cr3
    mov $MSR_EFER, %ecx
    mov $EFER, %eax
    xor %edx, %edx
    wrmsr
    mov $CR0, %eax
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
    inc %ebp
    shl $12, %rbp
    add P(STACKS)(%rbx), %rbp
    mov %rbp, %rsp
    xor %ebp, %ebp
    call *P(PREPARE)(%rbx)
    jmp *P(GATE)(%rbx)

/* Entered at its address in the kernel's half. */
trampoline_wait:
    lgdt trampoline_parameters + HIGH_GDT(%rip)
    lidt trampoline_parameters + IDT_POINTER(%rip)
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
