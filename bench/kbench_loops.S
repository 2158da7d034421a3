/*
 * The loops of kbench.c whose system calls use registers that the compiler keeps for itself (abi/ipc.h), or that
 * fault on purpose. A few instructions around each call are all that is measured beside the kernel.
 */
#define CALL_NULL         0x1000
#define CALL_THREAD_YIELD 0x1020
#define CALL_GUEST_ENTER  0x1021
#define CALL_PORT_CALL    0x1022
#define CALL_PORT_RECEIVE 0x1023
#define CALL_PORT_SEND    0x1025
#define IPC_REPLY_BIT     62
#define LABEL_LAST        99
#define UTCB_FIXUP_RIP    176

    .text
.macro save_registers
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
.endm

.macro load_registers
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
.endm

/* void bench_nulls(count) */
    .globl bench_nulls
bench_nulls:
    mov $CALL_NULL, %eax
    syscall
    dec %rdi
    jnz bench_nulls
    ret

/* void bench_yields(count), and void bench_yields_counted(turns, stop): yields and counts, until stop is not 0. */
    .globl bench_yields, bench_yields_counted
bench_yields:
    mov $CALL_THREAD_YIELD, %eax
    syscall
    dec %rdi
    jnz bench_yields
    ret
bench_yields_counted:
    mov $CALL_THREAD_YIELD, %eax
    syscall
    incq (%rdi)
    cmpb $0, (%rsi)
    je bench_yields_counted
    ret

/* void bench_calls(port, label, count): calls, each with the eight words that are in the registers. */
    .globl bench_calls
bench_calls:
    save_registers
    push %rsi
    mov %rdx, %rbp
    xor %ebx, %ebx
1:  mov (%rsp), %rsi
    mov $CALL_PORT_CALL, %eax
    syscall
    dec %rbp
    jnz 1b
    pop %rsi
    load_registers
    ret

/* void bench_serve(port, label): answers every call with the label, until one has LABEL_LAST. */
    .globl bench_serve
bench_serve:
    save_registers
    mov %rsi, %rbp
    bts $IPC_REPLY_BIT, %rbp
    xor %ebx, %ebx
1:  mov $-1, %rsi
    mov $CALL_PORT_RECEIVE, %eax
    syscall
    mov %rbp, %rbx
    cmp $LABEL_LAST, %esi
    jne 1b
    xor %esi, %esi              /* the last reply, without waiting for more */
    mov $CALL_PORT_RECEIVE, %eax
    syscall
    load_registers
    ret

/* void bench_packets(port, count): sends a packet, receives it. */
    .globl bench_packets
bench_packets:
    save_registers
    mov %rsi, %rbp
    xor %ebx, %ebx
1:  mov $CALL_PORT_SEND, %eax
    syscall
    xor %esi, %esi
    mov $CALL_PORT_RECEIVE, %eax
    syscall
    dec %rbp
    jnz 1b
    load_registers
    ret

/* void bench_fixups(count): reads an address where nothing is; the kernel resumes at the fix-up. */
    .globl bench_fixups
bench_fixups:
    lea 2f(%rip), %rdx
1:  mov %rdx, %gs:UTCB_FIXUP_RIP
    mov 8, %eax
2:  dec %rdi
    jnz 1b
    ret

/* uint64_t bench_guest(count, flags): enters guest mode; the last reason for leaving it. */
    .globl bench_guest
bench_guest:
    save_registers
    mov %rdi, %rbp
    mov %rsi, %rbx
1:  mov %rbx, %rdi
    mov $CALL_GUEST_ENTER, %eax
    syscall
    dec %rbp
    jnz 1b
    load_registers
    ret

/* What the guest runs, in a space of its own: a call without end, a fault without end. */
    .globl bench_guest_call, bench_guest_fault
    .balign 64
bench_guest_call:
    syscall
    jmp bench_guest_call
    .balign 64
bench_guest_fault:
    mov 8, %eax

/* musl's start code refers to it weakly, and 0 is out of its reach in the upper half. */
    .globl __cxa_finalize
__cxa_finalize:
    ret

    .section .note.GNU-stack, "", @progbits
