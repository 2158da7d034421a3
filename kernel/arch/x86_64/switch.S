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
#define LEVEL_SYSTEM    1
#define OWN_LEVELS      0x01070100 /* cpu 0, own_level and base_level LEVEL_SYSTEM, lent_level none */
#define READY_LEVEL_1   0x01000100 /* on_cpu 0, READY, not preempted, level LEVEL_SYSTEM */
#define PACK_BYTE       2          /* of sched_policy: SCHED_PACK is bit 0 of it */
#define HANDLE_INDEX    0xfffff
#define EVENT           7
#define SEND_BIT        3

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
    movq $0, CPU_NEXT(%rdi)
    mov machine + MACHINE_QUANTA(, %rdx, 8), %r9

/* The current thread, of level ecx, goes back to its queue, which is locked, for the other, which is in none. */
preempt:
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
    swapgs                      /* it did not ask for this: its gs base stays what it is */
    rdgsbase %rcx
    swapgs
    mov %rcx, THREAD_GS_BASE(%rsp)
    leave_hook
    jmp slice

/*
 * event_signal, when all that follows from it is that this CPU goes on as a thread of level 1 that waits for the event: it ran
 * here before, and no other thread of this level or better is here, nor an idle CPU. Nothing changes until the last lock has
 * been tried. The table's lock stands for a reference to the event: its slot has one.
 *
 *   rsp  end of the thread's frame, then the thread     rdi  the handle, then the CPU     r10  the process
 *   rsi  the event     rcx  its list of waiters     rax  the slot, then the first waiter's link in that list
 */
#define WAITER(offset) ((offset) - THREAD_WAIT_LINK)(%rax)

signal_unlock_table:
    movb $0, PROCESS_HANDLES(%r10)
signal_slowly:
    jmp syscall_object_slowly

    .globl signal_entry
signal_entry:
    sub $THREAD_NATIVE_END, %rsp
    mov THREAD_PROCESS(%rsp), %r10
    lock btsl $0, PROCESS_HANDLES(%r10)
    jc signal_slowly
    mov %edi, %ecx              /* as handle_announce, but for what the lock makes needless */
    and $HANDLE_INDEX, %ecx
    cmp PROCESS_CAPACITY(%r10), %ecx
    jae signal_unlock_table
    mov PROCESS_CHUNKS(%r10), %rax
    shr $8, %ecx
    mov (%rax, %rcx, 8), %rax
    movzbl %dil, %ecx
    shl $4, %ecx
    add %rcx, %rax
    mov SLOT_HANDLE(%rax), %ecx
    cmp %rcx, %rdi
    jne signal_unlock_table
    mov (%rax), %rdx
    mov %rdx, %rsi
    rol $8, %rsi                /* type, checksum and valid bit, rights from bit 16, object id from 32 */
    cmp $EVENT, %sil
    jne signal_unlock_table
    bt $SEND_BIT + 16, %esi
    jnc signal_unlock_table
    mov %rdx, %rcx
    shr $7, %rcx
    imul token_factor(%rip), %rcx
    shr $57, %rcx
    xor %ecx, %edx
    cmp $0x80, %dl              /* valid, and the checksum matches */
    jne signal_unlock_table
    shr $32, %rsi
    shl $6, %rsi
    add direct_map_base(%rip), %rsi
    mov SLOT_EPOCH(%rax), %ecx
    cmp %ecx, OBJECT_EPOCH(%rsi)
    jne signal_unlock_table

    lock btsl $0, EVENT_LOCK(%rsi)
    jc signal_unlock_table
    cmpq $0, EVENT_PORT(%rsi)
    jne signal_found
    lea EVENT_WAITERS(%rsi), %rcx
    mov (%rcx), %rax
    cmp %rcx, %rax
    je signal_found
    mov WAITER(THREAD_ARMED), %dl
    or WAITER(THREAD_ON_CPU), %dl
    jnz signal_found
    cmpb $LEVEL_SYSTEM, THREAD_LEVEL(%rsp)
    jbe signal_found
    cmpq $0, cpus_idle(%rip)    /* sched_place would choose one */
    jne signal_found
    testb $1, machine + MACHINE_POLICY + PACK_BYTE(%rip)
    jnz signal_found
    rdgsbase %rdi
    lock btsl $0, WAITER(THREAD_LOCK)
    jc signal_found
    mov CPU_HAND_OVER(%rdi), %rdx
    and THREAD_HAND_OVER(%rsp), %rdx
    test %rdx, WAITER(THREAD_HAND_OVER)
    jz signal_unlock_thread
    mov CPU_INDEX(%rdi), %edx
    or $OWN_LEVELS, %edx
    cmp %edx, WAITER(THREAD_CPU)
    jne signal_unlock_thread
    lock btsl $0, CPU_QUEUE_LOCK(%rdi)
    jc signal_unlock_thread
    testb $(2 << LEVEL_SYSTEM) - 1, CPU_BITMAP(%rdi)
    jz signal

    movb $0, CPU_QUEUE_LOCK(%rdi)
signal_unlock_thread:
    movb $0, WAITER(THREAD_LOCK)
signal_found:                   /* left to C, which takes the lock itself, and the object as announced */
    movb $0, EVENT_LOCK(%rsi)
    mov %rsi, %rdi
    xchg %rsi, %gs:CPU_USED
    movb $0, PROCESS_HANDLES(%r10)
    mov %gs:CPU_STACK, %rsp
    call call_found
    jmp syscall_return

signal:                         /* wait_end */
    mov (%rax), %rdx
    mov %rdx, (%rcx)
    mov %rcx, 8(%rdx)
    mov %rax, (%rax)
    mov %rax, 8(%rax)
    lock decl OBJECT_REFERENCES(%rsi)
    andq $0, WAITER(THREAD_WAIT_OBJECT)
    movb $0, WAITER(THREAD_RELEASES)
    movq $1, WAITER(THREAD_NATIVE_END + FRAME_RAX)
    movl $READY_LEVEL_1, WAITER(THREAD_ON_CPU)
    movb $0, WAITER(THREAD_LOCK)
    movb $0, EVENT_LOCK(%rsi)
    movb $0, PROCESS_HANDLES(%r10)
    andl $0, THREAD_NATIVE_END + FRAME_RAX(%rsp)
    movzbl THREAD_LEVEL(%rsp), %ecx
    lea THREAD_NATIVE_END + FRAME_RBX + 8(%rsp), %rsp
    push_preserved
    mov CPU_THREAD(%rdi), %rsp
    lea WAITER(0), %rbx
    read_clock
    mov machine + MACHINE_QUANTA + 8 * LEVEL_SYSTEM(%rip), %r9
    jmp preempt

    .section .rodata
    .balign 8
token_factor:
    .quad 0x9e3779b97f4a7c15    /* token_checksum */
    .text

/* Reschedules, reaps, kicks; then the frame to resume is at CPU_FRAME_TOP again. */
leave_c:
    mov %gs:CPU_STACK, %rsp
    call kernel_leave
    jmp leave_now

    .section .note.GNU-stack, "", @progbits
