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
#include "isolation.inc"

#define REPLY          0x40000000 /* IPC_REPLY >> 32 */
#define RUNNING        2
#define RUNNING_HERE   0x201 /* on_cpu, and RUNNING beside it */
#define BLOCKED        3
#define NOBODY         7 /* LEVELS */
#define IPC_PACKET     0x8000000000000000

    .text

    .globl ipc_entry
ipc_entry:
    mov %gs:CPU_THREAD, %rsp
    mov %rcx, THREAD_NATIVE_END + FRAME_RIP(%rsp)
    mov %r11, THREAD_NATIVE_END + FRAME_RFLAGS(%rsp)
    mov %rdi, THREAD_NATIVE_END + FRAME_RDI(%rsp)
    mov %rbp, THREAD_NATIVE_END + FRAME_RBP(%rsp)
    mov %rbx, THREAD_NATIVE_END + FRAME_RBX(%rsp)
    movq $VECTOR_SYSCALL, THREAD_NATIVE_END + FRAME_VECTOR(%rsp)
    mov %gs:CPU_SCRATCH, %rcx
    mov %rcx, THREAD_NATIVE_END + FRAME_RSP(%rsp)

    lea THREAD_CALLS(%rsp), %rbp
    cmp $CALL_PORT_CALL & 0xff, %al
    je 1f
    lea THREAD_SERVES(%rsp), %rbp
1:  cmp USE_HANDLE(%rbp), %rdi          /* the port that the handle still means */
    jne slowly
    mov THREAD_PROCESS(%rsp), %rcx
    mov (%rbp), %rdi
    test %rdi, %rdi             /* none yet, and handle 0 looks like it */
    jz slowly
    mov PROCESS_CHANGES(%rcx), %rcx
    mov OBJECT_EPOCH(%rdi), %r11d
    add %r11, %rcx
    cmp %rcx, USE_CHANGES(%rbp)
    jne slowly
    lock btsl $0, PORT_LOCK(%rdi)
    jc slowly
    cmp $CALL_PORT_CALL & 0xff, %al
    jne reply

    inc %rbx                    /* deadline: 0 or DEADLINE_NEVER */
    cmp $1, %rbx
    ja unlock
    mov %rsi, %rcx              /* label: neither bytes nor handles */
    shr $32, %rcx
    jnz unlock
    mov PORT_RECEIVERS(%rdi), %rbx
    lea PORT_RECEIVERS(%rdi), %rbp
    cmp %rbp, %rbx
    je unlock
    sub $THREAD_WAIT_LINK, %rbx
    jmp 2f

    /* No reply, and a sent packet is all that waits here: it is taken, whatever the deadline. The server runs at its own
     * level, so there is nothing to give back. */
receive:
    or THREAD_CALLER(%rsp), %rbx
    jnz unlock
    cmp %rbx, %gs:CPU_HAND_OVER
    je unlock
    mov PORT_COUNT(%rdi), %r11d
    dec %r11d
    js unlock
    lea PORT_SIGNALLED(%rdi), %rcx
    cmp %rcx, (%rcx)
    jne unlock
    lea PORT_CALLERS(%rdi), %rcx
    cmp %rcx, (%rcx)
    jne unlock
    cmpb $NOBODY, THREAD_LENT_LEVEL(%rsp)
    jne unlock
    mov %rsp, PORT_SERVER(%rdi)
    mov %r11d, PORT_COUNT(%rdi)
    mov PORT_FIRST(%rdi), %ecx
    lea 1(%rcx), %r11d
    cmp PORT_CAPACITY(%rdi), %r11d
    cmove %ebx, %r11d
    mov %r11d, PORT_FIRST(%rdi)
    shl $5, %ecx                /* struct port_packet */
    add PORT_PACKETS(%rdi), %rcx
    mov (%rcx), %rdx
    mov 8(%rcx), %r10
    mov 16(%rcx), %r8
    mov 24(%rcx), %r9
    movb $0, PORT_LOCK(%rdi)
    mov $IPC_PACKET, %rsi
    incq %gs:CPU_CALLS + 8 * 35
    mov %rsp, %rbx
    rdgsbase %rdi
    mov %rdx, %rbp
    or $-1, %r11d
    jmp go_on_now

reply:
    mov %rbx, %rcx              /* label: a reply with neither bytes nor handles */
    shr $32, %rcx
    cmp $REPLY, %ecx
    jne receive
    cmp $-1, %rsi               /* deadline */
    jne unlock
    mov %ebx, %ebp              /* rsi must stay until all is checked */
    mov THREAD_CALLER(%rsp), %rbx
    test %rbx, %rbx
    jz unlock
    cmpb $0, PORT_PENDING(%rdi)
    jne unlock
    bsf %gs:CPU_BITMAP, %ecx
    cmp %cl, THREAD_LEVEL(%rbx)
    ja unlock

    /* The other thread may run here, without a time-out that would have to be cancelled; its lock is taken. */
2:  cmpb $0, THREAD_ON_CPU(%rbx)
    jne unlock
    cmpb $0, THREAD_ARMED(%rbx)
    jne unlock
    mov %gs:CPU_HAND_OVER, %rcx
    test %rcx, THREAD_HAND_OVER(%rbx)
    jz unlock
    lock btsl $0, THREAD_LOCK(%rbx)
    jc unlock
    /* The current thread waits at the port, unless it is being killed: whoever does that sets dying before looking at
     * the state. */
    mov %rdi, THREAD_WAIT_OBJECT(%rsp)
    incq THREAD_WAIT_SEQUENCE(%rsp)
    mov $BLOCKED, %cl
    xchg %cl, THREAD_STATE(%rsp)
    cmpb $0, THREAD_DYING(%rsp)
    jne unlock_both
    cmp $CALL_PORT_CALL & 0xff, %al
    jne 3f

    mov THREAD_WAIT_LINK(%rbx), %rcx    /* out of the list, to point at itself */
    lea THREAD_WAIT_LINK(%rbx), %r11
    mov %rcx, PORT_RECEIVERS(%rdi)
    mov %rbp, 8(%rcx)
    mov %r11, THREAD_WAIT_LINK(%rbx)
    mov %r11, THREAD_WAIT_LINK + 8(%rbx)
    mov %rsp, THREAD_CALLER(%rbx)
    mov %rbx, THREAD_SERVER(%rsp)
    mov THREAD_LEVEL(%rsp), %cl         /* the server runs at the better level of both */
    mov %cl, THREAD_LENT_LEVEL(%rbx)
    cmp %cl, THREAD_OWN_LEVEL(%rbx)
    jae 1f
    mov THREAD_OWN_LEVEL(%rbx), %cl
1:  mov %cl, THREAD_LEVEL(%rbx)
    mov THREAD_DEADLINE(%rsp), %rcx     /* of level 0 */
    mov %rcx, THREAD_DEADLINE(%rbx)
    incq %gs:CPU_CALLS + 8 * 34
    jmp go_on

3:  mov %ebp, %esi
    lea PORT_RECEIVERS(%rdi), %rcx      /* to the end of the list */
    lea THREAD_WAIT_LINK(%rsp), %rbp
    mov 8(%rcx), %r11
    mov %rcx, THREAD_WAIT_LINK(%rsp)
    mov %r11, THREAD_WAIT_LINK + 8(%rsp)
    mov %rbp, (%r11)
    mov %rbp, 8(%rcx)
    movq $0, THREAD_CALLER(%rsp)
    movq $0, THREAD_SERVER(%rbx)
    movb $NOBODY, THREAD_LENT_LEVEL(%rsp)
    mov THREAD_OWN_LEVEL(%rsp), %cl     /* one that another CPU gives it right now counts when it is called or woken */
    mov %cl, THREAD_LEVEL(%rsp)
    incq %gs:CPU_CALLS + 8 * 35

go_on:                          /* who ends its wait or kills it, with either lock, must find it running here */
    mov %gs:CPU_INDEX, %ecx
    mov %cl, THREAD_CPU(%rbx)
    movw $RUNNING_HERE, THREAD_ON_CPU(%rbx)
    movq $0, THREAD_WAIT_OBJECT(%rbx)
    movb $0, PORT_LOCK(%rdi)
    movb $0, THREAD_LOCK(%rbx)
    rdgsbase %rdi               /* the CPU */
    mov %rdx, %rbp
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    mov %rax, %rcx
    sub CPU_SWITCHED_AT(%rdi), %rax
    mov %rcx, CPU_SWITCHED_AT(%rdi)
    add %rax, THREAD_RUN_TIME(%rsp)
    or $-1, %r11d

/*
 * The switch itself, from the thread in rsp, to which no other CPU may switch before on_cpu is cleared, to the one in rbx,
 * which is RUNNING here. rdi = the CPU. r11d = -1: rbx gets rbp as word 0 and the other words and rsi in their registers;
 * else its frame is complete, and r11d, which is small then, 0 when it may return at once.
 */
    .globl switch_to
switch_to:
    incq CPU_CONTEXT_SWITCHES(%rdi)

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
    mov CPU_NATIVE_SPACE(%rdi), %rdx
    cmp %rcx, %rdx
    je 1f
    mov CPU_BIT(%rdi), %rax
    lock or %rax, SPACE_ACTIVE_CPUS(%rcx)
    mov %rcx, CPU_NATIVE_SPACE(%rdi)
    tags_patch switch_tagged
    mov SPACE_ROOT(%rcx), %rcx
    mov %rcx, %cr3
    mov %rcx, CPU_ROOT(%rdi)
    .globl switch_tagged_end
switch_tagged_end:
    incq CPU_SWITCHES(%rdi)
    not %rax
    lock and %rax, SPACE_ACTIVE_CPUS(%rdx)
1:
    lea THREAD_NATIVE_END(%rbx), %rcx
    mov %rcx, CPU_FRAME_TOP(%rdi)
    mov %rbx, CPU_THREAD(%rdi)
    movb $0, THREAD_ON_CPU(%rsp)

go_on_now:                      /* rdi = the CPU, rbx = its thread, which gets rsi, rbp and the words in their registers */
    mov THREAD_GS_BASE(%rbx), %rax
    swapgs
    wrgsbase %rax
    add CPU_WORK(%rdi), %r11d
    jns go_on_otherwise
    mov %rbp, %rdx
    mov THREAD_NATIVE_END + FRAME_RIP(%rbx), %rcx
    mov THREAD_NATIVE_END + FRAME_RFLAGS(%rbx), %r11
    mov THREAD_NATIVE_END + FRAME_RDI(%rbx), %rdi
    mov THREAD_NATIVE_END + FRAME_RBP(%rbx), %rbp
    mov THREAD_NATIVE_END + FRAME_RSP(%rbx), %rsp
    mov THREAD_NATIVE_END + FRAME_RBX(%rbx), %rbx
    leave_by_sysret_swapped

go_on_otherwise:
    jnc switch_leave            /* switch.S */
    swapgs                      /* the frame becomes complete, but for what the caller stored */
    lea THREAD_NATIVE_END + FRAME_RDI(%rbx), %rsp
    push %rsi
    push %rbp
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
    movb $RUNNING, THREAD_STATE(%rsp)
    movq $0, THREAD_WAIT_OBJECT(%rsp)
    movb $0, THREAD_LOCK(%rbx)
unlock:
    movb $0, PORT_LOCK(%rdi)
slowly:
    mov THREAD_NATIVE_END + FRAME_RIP(%rsp), %rcx
    mov THREAD_NATIVE_END + FRAME_RFLAGS(%rsp), %r11
    mov THREAD_NATIVE_END + FRAME_RDI(%rsp), %rdi
    mov THREAD_NATIVE_END + FRAME_RBP(%rsp), %rbp
    mov THREAD_NATIVE_END + FRAME_RBX(%rsp), %rbx
    jmp syscall_slowly

    .section .note.GNU-stack, "", @progbits
