/*
 * Where the personality begins (rdi: the first thread's UTCB; the stack holds argc, argv, envp, auxv), and where its
 * further threads begin (rdi: their struct native_thread, above which nothing may be written).
 */
    .text
    .globl linux_start
linux_start:
    xor %ebp, %ebp
    mov %rsp, %rsi
    and $-16, %rsp
    call thread_start_first
    ud2

    .globl thread_entry
thread_entry:
    xor %ebp, %ebp
    and $-16, %rsp
    call thread_run
    ud2

    .section .note.GNU-stack, "", @progbits
