/*
 * The fast paths of port_call and of reply-and-receive: when the other side waits and the message is words only, this CPU
 * goes straight on as the other side, for the rest of the caller's time slice, without queues, timers or copies: the words
 * stay in the registers they came in. Anything unusual is left to kernel/port.c: until the last check has passed nothing has
 * changed but locks, which are only tried, and the frame, of which only what the thread gets back is stored.
 *
 * The rules are those of kernel/port.c and kernel/wait.c. The port is known from the thread's struct port_use.
 *
 *   rsp  the current thread (there is no stack)     rdi  the port     rbx  the other thread     rbp  word 0, once rdx is needed
 */
#define ASSEMBLY
#include "kernel/arch/x86_64/vectors.h"

#define CALL_PORT_CALL 0x1022
#define REPLY          0x40000000 /* IPC_REPLY >> 32 */
#define RUNNING        2
#define BLOCKED        3

    .text

/* rdi: the port that the handle still means, locked. Uses ecx, r11. */
.macro port_lock use
    cmp \use + USE_HANDLE(%rsp), %rdi
    jne slowly
    mov THREAD_PROCESS(%rsp), %rcx
    mov \use(%rsp), %rdi
    mov PROCESS_CHANGES(%rcx), %rcx
    mov OBJECT_EPOCH(%rdi), %r11d
    add %r11, %rcx
    cmp %rcx, \use + USE_CHANGES(%rsp)
    jne slowly
    mov $1, %ecx
    xchg %ecx, PORT_LOCK(%rdi)
    test %ecx, %ecx
    jnz slowly
.endm

/* The other thread may run here, without a time-out that would have to be cancelled; its lock is taken. Uses ecx. */
.macro thread_take
    cmpb $0, THREAD_ON_CPU(%rbx)
    jne unlock
    cmpb $0, THREAD_ARMED(%rbx)
    jne unlock
    mov %gs:CPU_BIT, %rcx
    test %rcx, THREAD_HAND_OVER(%rbx)
    jz unlock
    mov $1, %ecx
    xchg %ecx, THREAD_LOCK(%rbx)
    test %ecx, %ecx
    jnz unlock
.endm

/* The current thread waits at the port, unless it is being killed: whoever does that sets dying before looking at the
 * state. Uses ecx. */
.macro thread_block
    mov %rdi, THREAD_WAIT_OBJECT(%rsp)
    incq THREAD_WAIT_SEQUENCE(%rsp)
    mov $BLOCKED, %ecx
    xchg %ecx, THREAD_STATE(%rsp)
    cmpl $0, THREAD_DYING(%rsp)
    jne unlock_both
.endm

    .globl ipc_entry
ipc_entry:
    mov %gs:CPU_THREAD, %rsp
    mov %rcx, THREAD_NATIVE_END + FRAME_RIP(%rsp)
    mov %r11, THREAD_NATIVE_END + FRAME_RFLAGS(%rsp)
    mov %rdi, THREAD_NATIVE_END + FRAME_RDI(%rsp)
    mov %rbp, THREAD_NATIVE_END + FRAME_RBP(%rsp)
    mov %rbx, THREAD_NATIVE_END + FRAME_RBX(%rsp)
    movq $VECTOR_SYSCALL, THREAD_NATIVE_END + FRAME_VECTOR(%rsp)
    cmpl $0, %gs:CPU_TRACE
    jne slowly
    mov %gs:CPU_SCRATCH, %rcx
    mov %rcx, THREAD_NATIVE_END + FRAME_RSP(%rsp)
    cmp $CALL_PORT_CALL, %eax
    jne reply

    inc %rbx                    /* deadline: 0 or DEADLINE_NEVER */
    cmp $1, %rbx
    ja slowly
    mov %rsi, %rcx              /* label: neither bytes nor handles */
    shr $32, %rcx
    jnz slowly
    port_lock THREAD_CALLS
    mov PORT_RECEIVERS(%rdi), %rbx
    lea PORT_RECEIVERS(%rdi), %rbp
    cmp %rbp, %rbx
    je unlock
    sub $THREAD_WAIT_LINK, %rbx
    thread_take
    thread_block
    mov THREAD_WAIT_LINK(%rbx), %rcx    /* out of the list, to point at itself */
    lea THREAD_WAIT_LINK(%rbx), %r11
    mov %rcx, PORT_RECEIVERS(%rdi)
    mov %rbp, 8(%rcx)
    mov %r11, THREAD_WAIT_LINK(%rbx)
    mov %r11, THREAD_WAIT_LINK + 8(%rbx)
    mov %rsp, THREAD_CALLER(%rbx)
    mov %rbx, THREAD_SERVER(%rsp)
    incq %gs:CPU_CALLS + 8 * 34
    jmp go_on

reply:
    cmp $-1, %rsi               /* deadline */
    jne slowly
    mov %rbx, %rcx              /* label: a reply with neither bytes nor handles */
    shr $32, %rcx
    cmp $REPLY, %ecx
    jne slowly
    port_lock THREAD_SERVES
    mov %ebx, %ebp              /* rsi must stay until all is checked */
    mov THREAD_CALLER(%rsp), %rbx
    test %rbx, %rbx
    jz unlock
    cmpb $0, PORT_PENDING(%rdi)
    jne unlock
    bsf %gs:CPU_BITMAP, %ecx
    cmp %cl, THREAD_LEVEL(%rbx)
    ja unlock
    thread_take
    thread_block
    mov %ebp, %esi
    lea PORT_RECEIVERS(%rdi), %rcx      /* to the end of the list */
    lea THREAD_WAIT_LINK(%rsp), %rbp
    mov 8(%rcx), %r11
    mov %rcx, THREAD_WAIT_LINK(%rsp)
    mov %r11, THREAD_WAIT_LINK + 8(%rsp)
    mov %rbp, (%r11)
    mov %rbp, 8(%rcx)
    movq $0, THREAD_CALLER(%rsp)
    movq $0, THREAD_SERVER(%rbx)
    incq %gs:CPU_CALLS + 8 * 35

go_on:
    movl $RUNNING, THREAD_STATE(%rbx)
    movq $0, THREAD_WAIT_OBJECT(%rbx)
    movl $0, THREAD_LOCK(%rbx)
    mov %rdx, %rbp
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    mov %rax, %rcx
    sub %gs:CPU_SWITCHED_AT, %rax
    mov %rcx, %gs:CPU_SWITCHED_AT
    add %rax, THREAD_RUN_TIME(%rsp)
    incq %gs:CPU_CONTEXT_SWITCHES

    or $-1, %eax                /* every component that XCR0 enables */
    mov %eax, %edx
    mov THREAD_FPU(%rsp), %rcx
    xsaveopt64 (%rcx)
    mov THREAD_FPU(%rbx), %rcx
    xrstor64 (%rcx)
    rdfsbase %rcx
    mov %rcx, THREAD_FS_BASE(%rsp)
    mov THREAD_FS_BASE(%rbx), %rcx
    wrfsbase %rcx

    mov THREAD_PROCESS(%rbx), %rcx
    mov PROCESS_SPACE(%rcx), %rcx
    mov %gs:CPU_NATIVE_SPACE, %rdx
    cmp %rcx, %rdx
    je 1f
    mov %gs:CPU_BIT, %rax
    lock or %rax, SPACE_ACTIVE_CPUS(%rcx)
    mov SPACE_ROOT(%rcx), %r11
    mov %r11, %cr3
    mov %r11, %gs:CPU_ROOT
    incq %gs:CPU_SWITCHES
    mov %rcx, %gs:CPU_NATIVE_SPACE
    not %rax
    lock and %rax, SPACE_ACTIVE_CPUS(%rdx)
1:
    lea THREAD_NATIVE_END(%rbx), %rcx
    mov %rcx, %gs:CPU_FRAME_TOP
    mov %rcx, %gs:CPU_RSP0
    mov %rbx, %gs:CPU_THREAD
    mov %gs:CPU_INDEX, %ecx
    mov %ecx, THREAD_CPU(%rbx)
    movb $1, THREAD_ON_CPU(%rbx)
    movb $0, THREAD_ON_CPU(%rsp)
    movl $0, PORT_LOCK(%rdi)

    mov %rbp, %rdx
    mov %esi, %esi
    cmpl $0, %gs:CPU_WORK
    jne go_on_slowly
    mov THREAD_GS_BASE(%rbx), %rax
    mov THREAD_NATIVE_END + FRAME_RIP(%rbx), %rcx
    mov THREAD_NATIVE_END + FRAME_RFLAGS(%rbx), %r11
    mov THREAD_NATIVE_END + FRAME_RDI(%rbx), %rdi
    mov THREAD_NATIVE_END + FRAME_RBP(%rbx), %rbp
    mov THREAD_NATIVE_END + FRAME_RSP(%rbx), %rsp
    swapgs
    wrgsbase %rax
    mov THREAD_NATIVE_END + FRAME_RBX(%rbx), %rbx
    xor %eax, %eax
    sysretq

go_on_slowly:                   /* the frame becomes complete, but for what the caller stored */
    lea THREAD_NATIVE_END + FRAME_RDI(%rbx), %rsp
    push %rsi
    push %rdx
    push %rcx                   /* unused */
    push $0                     /* rax */
    push %r8
    push %r9
    push %r10
    lea THREAD_NATIVE_END + FRAME_R12 + 8(%rbx), %rsp
    push %r12
    push %r13
    push %r14
    push %r15
    jmp leave_slowly

unlock_both:
    movl $RUNNING, THREAD_STATE(%rsp)
    movq $0, THREAD_WAIT_OBJECT(%rsp)
    movl $0, THREAD_LOCK(%rbx)
unlock:
    movl $0, PORT_LOCK(%rdi)
slowly:
    mov THREAD_NATIVE_END + FRAME_RIP(%rsp), %rcx
    mov THREAD_NATIVE_END + FRAME_RFLAGS(%rsp), %r11
    mov THREAD_NATIVE_END + FRAME_RDI(%rsp), %rdi
    mov THREAD_NATIVE_END + FRAME_RBP(%rsp), %rbp
    mov THREAD_NATIVE_END + FRAME_RBX(%rsp), %rbx
    jmp syscall_slowly

    .section .note.GNU-stack, "", @progbits
