/*
 * The usual switches between threads, without detours: a thread that yields to the next of its level, and on the way out of
 * the kernel the one for which a better one was woken (struct cpu.next). What is unusual is left to kernel/sched.c, whose rules
 * these are: a refusal is a jump to where C goes on, with nothing changed or, from `slice` on, with the choice in cpu.next.
 * Threads with a guest, a budget, a share or an affinity elsewhere, and CPUs that are traced, have no hand_over bit.
 *
 *   rsp  the current thread (there is no stack), whose frame is complete     rdi  the CPU     rbx  the other thread
 *   rax  now, ns     r8  the same in TSC ticks
 */
#define ASSEMBLY
#include "kernel/arch/x86_64/vectors.h"
#include "kernel/arch/x86_64/registers.inc"
#include "entry_hooks.inc"
#include "isolation.inc"

#define READY           1     /* and not preempted, … */
#define PREEMPTED       0x101 /* … or so */
#define RUNNING         2
#define RUNNING_HERE    0x201 /* on_cpu, and RUNNING beside it */
#define WORK_RESCHEDULE 1

    .text

.macro read_clock
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    mov %rax, %r8
    sub machine + MACHINE_TSC_BASE(%rip), %rax
    mulq machine + MACHINE_CLOCK_MULT(%rip)
    shrd $32, %rdx, %rax
.endm

/* rbp = the list of level rcx, which is lost. */
.macro level_list
    shl $4, %ecx
    lea CPU_LEVELS(%rdi, %rcx), %rbp
.endm

/* ZF when one of both threads may not be switched from and to here. */
.macro test_hand_over
    mov CPU_HAND_OVER(%rdi), %rcx
    and THREAD_HAND_OVER(%rsp), %rcx
    test %rcx, THREAD_HAND_OVER(%rbx)
.endm

/* thread_yield: the first of the same level goes on, and this thread to its end. */
    .globl yield_entry
yield_entry:
    store_call $0
    store_preserved
    sub $THREAD_NATIVE, %rsp
    rdgsbase %rdi
    read_clock
    lock btsl $0, CPU_QUEUE_LOCK(%rdi)
    jc yield_slowly
    bsf CPU_BITMAP(%rdi), %ecx
    cmp THREAD_LEVEL(%rsp), %cl
    jne yield_unlock
    test %ecx, %ecx             /* level 0 is in the order of deadlines */
    jz yield_unlock
    mov machine + MACHINE_QUANTA(, %rcx, 8), %r9
    level_list
    mov (%rbp), %rsi
    lea -THREAD_QUEUE_LINK(%rsi), %rbx
    test_hand_over
    jz yield_unlock
    cmp CPU_AGES_AT(%rdi), %rax
    ja yield_unlock
    mov (%rsi), %rdx
    mov %rdx, (%rbp)
    mov %rbp, 8(%rdx)
    mov %rsi, (%rsi)
    mov %rsi, 8(%rsi)
    lea THREAD_QUEUE_LINK(%rsp), %rcx
    mov 8(%rbp), %rdx
    mov %rbp, (%rcx)
    mov %rdx, 8(%rcx)
    mov %rcx, (%rdx)
    mov %rcx, 8(%rbp)
    movw $READY, THREAD_STATE(%rsp)
    movq $0, THREAD_QUANTUM_LEFT(%rsp)
    incq CPU_CALLS + 8 * (CALL_THREAD_YIELD & 0xfff)(%rdi)

/* The current thread is queued; the other, in no queue, gets its slice, r9 when it has nothing left of one, unless that
 * ends before the timer is due. */
slice:
    cmpq $0, THREAD_QUANTUM_LEFT(%rbx)
    jne slice_rest
    mov %r9, THREAD_QUANTUM_LEFT(%rbx)
1:  add %rax, %r9
    mov %r9, CPU_SLICE_END(%rdi)
    movw $RUNNING_HERE, THREAD_ON_CPU(%rbx)
    lock btrl $0, CPU_QUEUE_LOCK(%rdi)  /* who kills sets dying before looking at the state */
    mov %r8, %rcx
    sub CPU_SWITCHED_AT(%rdi), %rcx
    mov %r8, CPU_SWITCHED_AT(%rdi)
    add %rcx, THREAD_RUN_TIME(%rsp)
    sub THREAD_BURST(%rsp), %rcx
    sar $2, %rcx
    add %rcx, THREAD_BURST(%rsp)
    mov THREAD_CARE(%rbx), %r11d
    cmp CPU_TIMER_DEADLINE(%rdi), %r9
    adc $0, %r11d               /* it must be programmed */
    jmp switch_to               /* ipc.S */

slice_rest:
    mov THREAD_QUANTUM_LEFT(%rbx), %r9
    jmp 1b
slice_slowly:
    movb $0, CPU_QUEUE_LOCK(%rdi)
choose_slowly:
    mov %rbx, CPU_NEXT(%rdi)
    lock orl $WORK_RESCHEDULE, CPU_WORK(%rdi)
    jmp leave_c

yield_unlock:
    movb $0, CPU_QUEUE_LOCK(%rdi)
yield_slowly:
    movq $CALL_THREAD_YIELD, THREAD_NATIVE_END + FRAME_RAX(%rsp)
    lea THREAD_NATIVE(%rsp), %rbx
    mov %gs:CPU_STACK, %rsp
    mov %rbx, %rdi
    stretch_enter
    mov %rbx, %rsp
    jmp syscall_stored

/* The end of switch_to for a complete frame, with the user's gs already there. */
    .globl switch_leave
switch_leave:
    jnz 1f
    cmpl $VECTOR_SYSCALL, THREAD_NATIVE_END + FRAME_VECTOR(%rbx)
    jne 1f
    lea THREAD_NATIVE(%rbx), %rsp
    pop_registers
    mov 16(%rsp), %rcx
    mov 32(%rsp), %r11
    leave_by_sysret_frame
1:  swapgs
    jmp leave_c

/*
 * The way out when there is work. Where that is only a thread in cpu.next, and it goes before all that is queued, the current
 * one goes to the front of its level with what is left of its slice.
 */
    .globl leave_slowly
leave_slowly:
    rdgsbase %rdi
    mov CPU_NEXT(%rdi), %rbx
    test %rbx, %rbx
    jz leave_c
    mov $WORK_RESCHEDULE, %eax
    xor %ecx, %ecx
    lock cmpxchg %ecx, CPU_WORK(%rdi)
    jne leave_c
    mov CPU_THREAD(%rdi), %rsp
    cmpb $RUNNING, THREAD_STATE(%rsp)
    jne choose_slowly
    test_hand_over
    jz choose_slowly
    read_clock
    lock btsl $0, CPU_QUEUE_LOCK(%rdi)
    jc choose_slowly
    movzbl THREAD_LEVEL(%rsp), %ecx
    movzbl THREAD_LEVEL(%rbx), %edx
    cmp %ecx, %edx
    jae slice_slowly
    bsf CPU_BITMAP(%rdi), %esi
    cmp %esi, %edx
    ja slice_slowly
    cmpq $0, cpus_idle          /* one of those could take the current thread */
    jne slice_slowly
    mov machine + MACHINE_QUANTA(, %rdx, 8), %r9
    mov CPU_SLICE_END(%rdi), %rdx
    sub %rax, %rdx
    jbe slice_slowly
    mov %rdx, THREAD_QUANTUM_LEFT(%rsp)
    bts %ecx, CPU_BITMAP(%rdi)
    level_list
    lea THREAD_QUEUE_LINK(%rsp), %rcx
    mov (%rbp), %rdx
    mov %rdx, (%rcx)
    mov %rbp, 8(%rcx)
    mov %rcx, 8(%rdx)
    mov %rcx, (%rbp)
    movw $PREEMPTED, THREAD_STATE(%rsp)
    movq $0, CPU_NEXT(%rdi)
    swapgs                      /* it did not ask for this: its gs base stays what it is */
    rdgsbase %rcx
    swapgs
    mov %rcx, THREAD_GS_BASE(%rsp)
    leave_hook
    jmp slice

/* Reschedules, reaps, kicks; then the frame to resume is at CPU_FRAME_TOP again. */
leave_c:
    mov %gs:CPU_STACK, %rsp
    call kernel_leave
    jmp leave_now

    .section .note.GNU-stack, "", @progbits
