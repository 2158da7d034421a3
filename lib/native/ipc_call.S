/* The two calls whose words travel in registers the compiler keeps for itself. See ipc.h. */
#define CALL_PORT_CALL    0x1022
#define CALL_PORT_RECEIVE 0x1023

    .text
.macro save_registers
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
.endm

.macro load_words message
    mov 8(\message), %rdx
    mov 16(\message), %r10
    mov 24(\message), %r8
    mov 32(\message), %r9
    mov 40(\message), %r12
    mov 48(\message), %r13
    mov 56(\message), %r14
    mov 64(\message), %r15
.endm

.macro store_message_and_return message
    mov %rsi, (\message)
    mov %rdx, 8(\message)
    mov %r10, 16(\message)
    mov %r8, 24(\message)
    mov %r9, 32(\message)
    mov %r12, 40(\message)
    mov %r13, 48(\message)
    mov %r14, 56(\message)
    mov %r15, 64(\message)
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret
.endm

    .globl ipc_call
    .type ipc_call, @function
ipc_call: /* rdi port, rsi deadline, rdx message */
    save_registers
    mov %rdx, %rbp
    mov %rsi, %rbx
    load_words %rbp
    mov (%rbp), %rsi
    mov $CALL_PORT_CALL, %eax
    syscall
    store_message_and_return %rbp

    .globl ipc_receive
    .type ipc_receive, @function
ipc_receive: /* rdi port, rsi deadline, rdx flags, rcx message */
    save_registers
    mov %rcx, %rbp
    mov %rdx, %rbx
    test %rbx, %rbx
    jz 1f
    or (%rcx), %rbx             /* the reply's label goes with the flag */
1:  load_words %rbp
    mov $CALL_PORT_RECEIVE, %eax
    syscall
    store_message_and_return %rbp

    .section .note.GNU-stack, "", @progbits
