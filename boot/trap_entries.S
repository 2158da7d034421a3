/* Exceptions of the boot code itself: every vector pushes its number and goes to trap_report, which does not return. */
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
    mov %rsp, %rdi
    and $-16, %rsp
    call trap_report
