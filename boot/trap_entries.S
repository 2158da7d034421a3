/*
 * Exceptions of the boot code itself: every vector pushes its number and goes to trap_report, which does not return; but
 * where one of two instructions is refused, its function goes on and returns false.
 */
#define GENERAL_PROTECTION 13

    .text
    .globl trap_entries
    .balign 16
trap_entries: /* 16 bytes each */
vector = 0
.rept 32
    .balign 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
    push $0
    .endif
    push $vector
    jmp trap_common
    vector = vector + 1
.endr

trap_common: /* vector, error code, rip … */
    cmpq $GENERAL_PROTECTION, (%rsp)
    jne 2f
    cmpq $try_rdmsr, 16(%rsp)
    je 1f
    cmpq $try_wrmsr, 16(%rsp)
    jne 2f
1:  movq $try_refused, 16(%rsp)
    add $16, %rsp
    iretq
2:  mov %rsp, %rdi
    and $-16, %rsp
    call trap_report

/* bool msr_try_read(msr edi, value rsi), bool msr_try_write(msr edi, value rsi): trap.h. */
    .globl msr_try_read, msr_try_write
msr_try_read:
    mov %edi, %ecx
try_rdmsr:
    rdmsr
    mov %eax, (%rsi)
    mov %edx, 4(%rsi)
    jmp try_done
msr_try_write:
    mov %edi, %ecx
    mov %esi, %eax
    mov %rsi, %rdx
    shr $32, %rdx
try_wrmsr:
    wrmsr
try_done:
    mov $1, %eax
    ret
try_refused:
    xor %eax, %eax
    ret
