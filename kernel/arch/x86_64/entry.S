/*
 * Every way into and out of the kernel: system calls, interrupts and exceptions, guest mode, and the copies of user
 * memory. gs is the user's outside and struct cpu (kernel/cpu.h) inside. Entries from user mode store the registers in
 * the current thread's frame and run on the CPU's one stack, which is empty each time; they leave through `leave`,
 * which resumes whatever thread is then current.
 */
#define ASSEMBLY
#include "kernel/arch/x86_64/vectors.h"
#include "kernel/arch/x86_64/registers.inc"
#include "entry_hooks.inc"
#include "isolation.inc"

#define DIRECT_MAP_BASE 0xffff800000000000
#define UTCB_RIP     120
#define UTCB_RFLAGS  128
#define UTCB_RSP     136
#define UTCB_ANSWERS_OFFSET 304
#define UTCB_ANSWERS 335
#define ANSWER_NONE  -0x80000000
#define IDT_BYTES    4096
#define PRESERVED    48 /* bytes of r15 to rbx, with which frames begin */
#define CALL_GUEST_ENTER (CALL_THREAD_YIELD + 1) /* then port_call and port_receive */
#define GUEST_SYSCALL 1
#define GUEST_KICK    4
#define GUEST_FULL    1
#define GUEST_UNIFIED 2

    .text
    .code64

/* kernel_entry(boot_info, cpu index): from the boot path, on its stack; each CPU takes what is its own. */
    .globl kernel_entry
kernel_entry:
    mov %esi, %eax
    shl $4, %eax                /* TSS_DESCRIPTOR */
    add $TSS_SELECTOR, %eax
    ltr %ax
    mov machine + MACHINE_CPUS(, %rsi, 8), %rax
    wrgsbase %rax
    mov CPU_STACK(%rax), %rsp
    xor %ebp, %ebp
    test %esi, %esi
    jnz cpu_main
    xor %eax, %eax
    xchg %rax, BOOT_INFO_CANARY(%rdi)
    mov %rax, __stack_chk_guard(%rip)
    jmp kernel_main

/* What the boot path fills: the interrupt table (boot/gates.c), and struct machine (kernel/machine.h). */
    .section .bss.late, "a", @nobits
    .balign 16
idt:
    .space IDT_BYTES
    .globl machine
machine:
    .space MACHINE_BYTES

    .bss
    .balign 16
/* What functions with arrays keep between these and the return address: random, set before the first of them runs. */
    .globl __stack_chk_guard
__stack_chk_guard:
    .space 16
    .text

/* ---- system calls ---- */

/*
 * Class 1 calls. call_functions, by index, is the kernel's one table of code addresses: made from abi/syscalls.def,
 * read-only. call_rules (kernel/syscall.c) says beside it what the first argument names; a hole has 0 there. The
 * functions take what the registers hold: arguments travel to them without being stored.
 */
    .section .rodata
    .balign 8
    .globl direct_map_base
direct_map_base:
    .quad DIRECT_MAP_BASE
call_functions:
#define CALL(index, name, arguments, self, right, text) .org call_functions + 4 * index; .long call_##name + 0x100000000;
#include "abi/syscalls.def"
#undef CALL
    .equ CALLS, (. - call_functions) / 4
    .text

/*
 * A native system call: what the C functions may change is stored in the thread's frame; the rest stays in its registers
 * until there is a reason not to return at once. Only calls on ports need the whole frame from the start: words
 * travel in those registers, and another CPU may store them as soon as the thread waits.
 */
    .globl syscall_entry
syscall_entry:
    swapgs
syscall_entered:
    mov %rsp, %gs:CPU_SCRATCH
    mov %gs:CPU_GUEST, %rsp
    test %rsp, %rsp
    jnz guest_syscall
    lea -CALL_THREAD_YIELD(%rax), %rsp
    cmp $1, %rsp
    je guest_enter
    jb yield_entry              /* switch.S */
    cmp $4, %rsp
    jb ipc_entry                /* ipc.S */
    .globl syscall_slowly
syscall_slowly:
    store_call %rax
    call_enter
    lea -0x1000(%rax), %r11
    cmp $CALLS, %r11
    jae syscall_other
    testb $CPU_TRACE_CALL, %gs:CPU_TRACE
    jnz syscall_traced
    incq %gs:CPU_CALLS(, %r11, 8)
    cmpb $CALL_PLAIN, call_rules(, %r11, 4)
    jne syscall_object
    mov %gs:CPU_STACK, %rsp
    mov %r10, %rcx
    movslq call_functions(, %r11, 4), %r11
    call *%r11
    .globl syscall_return
syscall_return:                 /* rax = result, or what syscall_finish knows */
    mov %gs:CPU_FRAME_TOP, %rsp
    cmpl $0, %gs:CPU_WORK
    jne syscall_leave_slowly
    call_leave
    mov FRAME_RDI(%rsp), %rdi
    mov FRAME_RSI(%rsp), %rsi
    mov FRAME_RDX(%rsp), %rdx
    mov FRAME_R8(%rsp), %r8
    mov FRAME_R9(%rsp), %r9
    mov FRAME_R10(%rsp), %r10
    mov FRAME_RIP(%rsp), %rcx
    mov FRAME_RFLAGS(%rsp), %r11
    mov FRAME_RSP(%rsp), %rsp
    leave_by_sysret

syscall_leave_slowly:
    store_preserved
syscall_end:
    mov %gs:CPU_FRAME_TOP, %rdi
    sub $FRAME_SIZE, %rdi
    mov %rax, %rsi
    mov %gs:CPU_STACK, %rsp
    call syscall_finish
    jmp leave

syscall_object:
    lea -(CALL_PORT_CALL & 0xfff)(%r11), %ecx
    cmp $2, %ecx                /* port_receive and event_signal are the next ones */
    jb syscall_port
    je signal_entry             /* switch.S */
    .globl syscall_object_slowly
syscall_object_slowly:
    mov %gs:CPU_STACK, %rsp
    call call_object
    jmp syscall_return
syscall_port:
    store_preserved
    mov %gs:CPU_STACK, %rsp
    call call_object
    jmp syscall_end

syscall_traced:
    store_preserved
    .globl syscall_stored
syscall_stored:                 /* rsp = the whole frame; the call may be traced */
    mov %rsp, %rbx
    mov %rsp, %rdi
    mov %gs:CPU_STACK, %rsp
    testb $CPU_TRACE_CALL, %gs:CPU_TRACE
    jz 1f
    call syscall_trace
1:  mov %rbx, %rdi
    call syscall_dispatch
    jmp leave

syscall_other:                  /* of class 0 or 2, or unknown */
    incq %gs:CPU_ENTRIES
    store_preserved
    mov %rsp, %rdi
    mov %gs:CPU_STACK, %rsp
    call posix_reflect
    jmp leave

/* A call whose first argument is a handle. r11 = index, arguments as in system calls; rax = result. */
call_object:
    test %rdi, %rdi
    jz call_on_own
.Lcall_on_object:
    push %r11
    push %rsi
    push %rdx
    push %r10
    push %r8
    push %r9
    mov call_rules(, %r11, 4), %esi
    call call_object_find
    pop %r9
    pop %r8
    pop %rcx
    pop %rdx
    pop %rsi
    pop %r11
    cmp $-4095, %rax
    jae 1f
    mov %rax, %rdi
    .globl call_found
call_found:                     /* rdi = the object, announced */
    movslq call_functions(, %r11, 4), %r11
    call *%r11
    xor %ecx, %ecx              /* object_unuse */
    xchg %rcx, %gs:CPU_USED
    test $USE_OWES, %cl
    jz 1f
    push %rax
    lea -USE_OWES(%rcx), %rdi
    call object_put
    pop %rax
1:  ret

/* syscall_dispatch(frame): the call that a frame holds; its result goes there. */
    .globl syscall_dispatch
syscall_dispatch:
    mov FRAME_SIZE + FRAME_RAX(%rdi), %r11
    sub $0x1000, %r11
    cmp $CALLS, %r11
    jae posix_reflect
    incq %gs:CPU_CALLS(, %r11, 8)
    push %rdi
    mov FRAME_SIZE + FRAME_RSI(%rdi), %rsi
    mov FRAME_SIZE + FRAME_RDX(%rdi), %rdx
    mov FRAME_SIZE + FRAME_R10(%rdi), %r10
    mov FRAME_SIZE + FRAME_R8(%rdi), %r8
    mov FRAME_SIZE + FRAME_R9(%rdi), %r9
    mov FRAME_SIZE + FRAME_RDI(%rdi), %rdi
    call call_perform
    pop %rdi
    mov %rax, %rsi
    jmp syscall_finish

/* As call_object, for any call. */
call_perform:
    cmpb $CALL_PLAIN, call_rules(, %r11, 4)
    jne call_object
.Lcall_plain:
    mov %r10, %rcx
    movslq call_functions(, %r11, 4), %r11
    jmp *%r11

/* On the caller's own space, which needs no looking up, or something else that 0 stands for. */
call_on_own:
    cmpb $CALL_ON_SPACE, call_rules(, %r11, 4)
    jne .Lcall_on_object
    mov %gs:CPU_THREAD, %rdi
    mov THREAD_PROCESS(%rdi), %rdi
    mov PROCESS_SPACE(%rdi), %rdi
    jmp .Lcall_plain

/* Back to user mode, with the frame at CPU_FRAME_TOP. */
leave:
    cmpl $0, %gs:CPU_WORK
    jne leave_slowly            /* switch.S */
    .globl leave_now
leave_now:
    stretch_leave
    mov %gs:CPU_FRAME_TOP, %rsp
    sub $FRAME_SIZE, %rsp
    cmpl $VECTOR_SYSCALL, FRAME_SIZE + FRAME_VECTOR(%rsp)
    pop_registers
    jne leave_as_interrupted
    mov 16(%rsp), %rcx
    mov 32(%rsp), %r11
    mov 40(%rsp), %rsp
    leave_by_sysret
leave_as_interrupted:
    add $16, %rsp
    leave_by_iret

/* ---- guest mode ---- */

/*
 * A guest's system call. rsp = the thread's UTCB (kernel address). Calls with a ready answer return at once; others
 * become the return of the personality's guest_enter, on the same thread: guest registers to the UTCB, the
 * personality's callee-saved ones from its frame.
 */
guest_syscall:
    incq %gs:CPU_ENTRIES
    cmp $UTCB_ANSWERS, %rax
    jae 1f
    cmpq $ANSWER_NONE, UTCB_ANSWERS_OFFSET(%rsp, %rax, 8)
    je 1f
    mov UTCB_ANSWERS_OFFSET(%rsp, %rax, 8), %rax
    mov %gs:CPU_SCRATCH, %rsp
    leave_by_sysret
1:  add $UTCB_RIP, %rsp
    push_registers
    mov %rcx, UTCB_RIP(%rsp)
    mov %r11, UTCB_RFLAGS(%rsp)
    mov %gs:CPU_SCRATCH, %rax
    mov %rax, UTCB_RSP(%rsp)
    mov $GUEST_SYSCALL, %eax
    incq %gs:CPU_REFLECTIONS
    mov %gs:CPU_THREAD, %rbx
guest_leave:                    /* rax = enum guest_exit, rbx = thread */
    movq $0, %gs:CPU_GUEST
    mov THREAD_UNIFIED_ROOT(%rbx), %rcx
    cmp %gs:CPU_ROOT, %rcx
    je 2f
    load_root_leaving %rcx, guest_leave_tagged
    mov %rcx, %gs:CPU_ROOT
    .globl guest_leave_switched
guest_leave_switched:
    incq %gs:CPU_SWITCHES
2:  lea THREAD_NATIVE_END(%rbx), %rsp
    mov %rsp, %gs:CPU_FRAME_TOP
    sub $FRAME_SIZE, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    mov FRAME_SIZE + FRAME_RIP - PRESERVED(%rsp), %rcx
    mov FRAME_SIZE + FRAME_RFLAGS - PRESERVED(%rsp), %r11
    mov FRAME_SIZE + FRAME_RSP - PRESERVED(%rsp), %rsp
    leave_by_sysret

/*
 * guest_enter(flags in rdi): of the personality's registers only those that a call preserves are kept, in its frame. The
 * first one after guest_attach goes through C. CPU_GUEST is set before the kick is looked at, and thread_kick does both
 * in the other order.
 */
guest_enter:
    incq %gs:(CPU_CALLS + 8 * (CALL_GUEST_ENTER & 0xfff))
    mov %gs:CPU_THREAD, %rdx
    mov %gs:CPU_SCRATCH, %rsi
    lea THREAD_NATIVE + PRESERVED(%rdx), %rsp
    mov %rcx, FRAME_SIZE + FRAME_RIP - PRESERVED(%rsp)
    mov %r11, FRAME_SIZE + FRAME_RFLAGS - PRESERVED(%rsp)
    mov %rsi, FRAME_SIZE + FRAME_RSP - PRESERVED(%rsp)
    push_preserved
    cmpl $0, %gs:CPU_WORK
    jne guest_enter_slowly
    mov THREAD_GUEST_UTCB(%rdx), %rsi
    test %rsi, %rsi
    jz guest_enter_slowly
    mov UTCB_RIP(%rsi), %rcx
    mov %rcx, %rax
    shr $46, %rax
    jnz guest_enter_slowly
    mov %rsi, %rax
    xchg %rax, %gs:CPU_GUEST
    cmpb $0, THREAD_KICK(%rdx)
    jne guest_kicked
    lea THREAD_GUEST_END(%rdx), %rax
    mov %rax, %gs:CPU_FRAME_TOP
    test $GUEST_UNIFIED, %dil
    jnz 1f
    mov THREAD_GUEST_ROOT(%rdx), %rax
    load_root_leaving %rax, guest_enter_tagged
    mov %rax, %gs:CPU_ROOT
    .globl guest_enter_switched
guest_enter_switched:
    incq %gs:CPU_SWITCHES
1:  mov UTCB_RFLAGS(%rsi), %r11
    and $GUEST_FLAGS, %r11d
    or $(FLAG_IF | FLAG_FIXED), %r11d
    mov 0(%rsi), %r15
    mov 8(%rsi), %r14
    mov 16(%rsi), %r13
    mov 24(%rsi), %r12
    mov 32(%rsi), %rbp
    mov 40(%rsi), %rbx
    mov 56(%rsi), %r10
    mov 64(%rsi), %r9
    mov 72(%rsi), %r8
    mov 80(%rsi), %rax
    mov 96(%rsi), %rdx
    test $GUEST_FULL, %dil
    jnz guest_enter_full
    mov 112(%rsi), %rdi
    mov UTCB_RSP(%rsi), %rsp
    mov 104(%rsi), %rsi
    leave_by_sysret
guest_enter_full:
    mov %gs:CPU_STACK, %rsp
    push $USER_SS
    push UTCB_RSP(%rsi)
    push %r11
    push $USER_CS
    push %rcx
    mov 48(%rsi), %r11
    mov 88(%rsi), %rcx
    mov 112(%rsi), %rdi
    mov 104(%rsi), %rsi
    leave_by_iret
guest_kicked:
    mov %rdx, %rbx
    movb $0, THREAD_KICK(%rbx)
    mov $GUEST_KICK, %eax
    jmp guest_leave
guest_enter_slowly:             /* with a frame that a system call would have left */
    mov %rdi, FRAME_SIZE + FRAME_RDI(%rsp)
    movq $CALL_GUEST_ENTER, FRAME_SIZE + FRAME_RAX(%rsp)
    movq $VECTOR_SYSCALL, FRAME_SIZE + FRAME_VECTOR(%rsp)
    mov %rsp, %rdi
    mov %gs:CPU_STACK, %rsp
    cld
    stretch_enter
    call guest_enter_slow
    jmp leave

/* ---- interrupts and exceptions ---- */

/* NMI, double fault, machine check: on their own stacks; gs may be anybody's. They do not return. */
fatal_entered:
    push_registers
    mov %rsp, %rdi
    cld
    call trap_fatal

/* In the kernel: a fault of a user copy, an interrupt in the idle loop, or a bug. */
trap_from_kernel_entry:
    push_registers
    mov %rsp, %rdi
    cld
    call trap_from_kernel
    pop_registers
    add $16, %rsp
    iretq

/*
 * From here to isolated_end the loader copies all to ISOLATED_BASE when page tables are isolated, where it is the only code
 * that user roots show. CR3 leads here and back: its bit 12 tells the two pages of a root apart. CR2, which means nothing
 * then, holds a register meanwhile, so that no memory of the kernel's need be seen. It leaves by jumps that the loader adapts.
 */
    .globl isolated_begin, isolated_end, isolated_syscall, isolated_mask
isolated_begin:
isolated_mask:                  /* between CR3 for the kernel and for user mode; the loader adds what tags need */
    .quad 1 << ROOT_USER_BIT
.macro isolated_jump target
    isolation_patch \target
    {disp32} jmp \target
.endm

isolated_syscall:
    swapgs
    mov %rsp, %cr2
    mov %cr3, %rsp
    xor isolated_mask(%rip), %rsp
    mov %rsp, %cr3
    mov %cr2, %rsp
    isolated_jump syscall_entered

    .globl isolated_sysret_frame, isolated_sysret_swapped, isolated_sysret
isolated_sysret_frame:
    mov 40(%rsp), %rsp
    jmp 1f
isolated_sysret_swapped:
    xor %eax, %eax
1:  swapgs
isolated_sysret:
    mov %rax, %cr2
    mov %gs:CPU_ROOT, %rax
    xor isolated_mask(%rip), %rax
    mov %rax, %cr3
    mov %cr2, %rax
    swapgs
    sysretq

isolated_iret:
    mov %rax, %cr2
    mov %rsp, %rax
    mov %gs:CPU_ENTRY_STACK, %rsp
    .irp at, 32, 24, 16, 8, 0
    push \at(%rax)
    .endr
    mov %gs:CPU_ROOT, %rax
    xor isolated_mask(%rip), %rax
    mov %rax, %cr3
    mov %cr2, %rax
    swapgs
    iretq

/* At trap_entry, on the CPU's entry stack, or in the kernel on its own. What was stored goes to the thread's frame. */
isolated_trap:
    testb $3, 24(%rsp)
    jnz 1f
    isolated_jump trap_from_kernel_entry
1:  swapgs
    push %rax
    mov %cr3, %rax
    xor isolated_mask(%rip), %rax
    mov %rax, %cr3
    mov %rsp, %rax
    mov %gs:CPU_FRAME_TOP, %rsp
    .irp at, 56, 48, 40, 32, 24, 16, 8
    push \at(%rax)
    .endr
    mov (%rax), %rax
    isolated_jump trap_entered

isolated_fatal:
    push %rax
    mov %cr3, %rax
    and $~(1 << ROOT_USER_BIT | 1 << TAG_USER_BIT), %rax
    mov %rax, %cr3
    pop %rax
    isolated_jump fatal_entered

/*
 * A stub pushes its vector and jumps, in STUB_BYTES bytes; boot/gates.c knows where each stub is.
 */
.macro interrupt_stub vector    /* vector - 128 fits a sign-extended byte */
    push $(\vector - 128)
    jmp interrupt_entry
.endm
    .globl interrupt_stubs
interrupt_stubs:
    .set line, VECTOR_IRQ_FIRST
    .rept VECTOR_SHARED + 1 - VECTOR_IRQ_FIRST
    interrupt_stub line
    .set line, line + 1
    .endr
    interrupt_stub VECTOR_TIMER
    interrupt_stub VECTOR_RESCHEDULE
    interrupt_stub VECTOR_TLB
    interrupt_stub VECTOR_SPURIOUS
    interrupt_stub VECTOR_INT80
    .org interrupt_stubs + STUB_BYTES * (STUB_INT80 + 1)  /* an error when one is longer */
interrupt_entry:
    subq $-128, (%rsp)
    push (%rsp)                 /* vector; the place below becomes the error code */
    jmp trap_entry

/* The error code's place is filled where the CPU pushed none: it aligns the stack before it pushes. */
.macro exception_complete
    test $8, %spl
    jnz 1f
    push (%rsp)
    andl $0, 8(%rsp)
1:
.endm

fatal_entry:
    exception_complete
    isolation_patch isolated_fatal
    {disp32} jmp fatal_entered

exception_stubs:                /* the last one first */
    .set vector, EXCEPTIONS - 1
    .rept EXCEPTIONS
    push $vector
    .if vector == VECTOR_PAGE_FAULT
    jmp trap_entry
    .elseif VECTORS_FATAL >> vector & 1
    jmp fatal_entry
    .else
    jmp exception_entry
    .endif
    .set vector, vector - 1
    .endr
    .org exception_stubs + STUB_BYTES * EXCEPTIONS
    .globl exception_entry
exception_entry:
    exception_complete
trap_entry:
    isolation_patch isolated_trap
    testb $3, 24(%rsp)
    jz trap_from_kernel_entry
    swapgs
isolated_end:
trap_entered:
    push_registers
    incq %gs:CPU_ENTRIES
    mov %rsp, %rdi
    mov %gs:CPU_STACK, %rsp
    cld
    stretch_enter
    call trap_from_user
    jmp leave

    .globl __stack_chk_fail
__stack_chk_fail:
    call stack_smashed

/* ---- locks ---- */

/* lock_take(lock): see arch.h. */
    .globl lock_take
lock_take:
    lock_quickly
    .irp register, rcx, rdx, rsi, rdi, r8, r9, r10, r11
    push %\register
    .endr
    call spin_lock_slowly
    .irp register, r11, r10, r9, r8, rdi, rsi, rdx, rcx
    pop %\register
    .endr
    ret

/* ---- user memory ---- */

/*
 * size_t user_copy(to, from, length): the bytes not copied. A page fault at either string instruction is resolved as
 * the user's own, or trap.c works out what is left and continues at user_copy_done.
 */
    .globl user_copy, user_copy_words, user_copy_bytes, user_copy_done
user_copy:
    mov %rdx, %rcx
    shr $3, %rcx
    and $7, %edx
    cmpb $0, machine(%rip)
    je user_copy_words
    stac
user_copy_words:
    rep movsq
    mov %edx, %ecx
user_copy_bytes:
    rep movsb
    xor %eax, %eax
user_copy_done:
    cmpb $0, machine(%rip)
    je 1f
    clac
1:  ret

/* page_clear(page): by a vector register, which keeps the user's value. */
    .globl page_clear
page_clear:
    sub $16, %rsp
    movups %xmm0, (%rsp)
    xorps %xmm0, %xmm0
    mov $-4096, %rax
1:  .set at, 4096
    .rept 8
    movaps %xmm0, at(%rdi, %rax)
    .set at, at + 16
    .endr
    sub $-128, %rax
    jnz 1b
    movups (%rsp), %xmm0
    add $16, %rsp
    ret

/* Waits for an interrupt, lets it in, and returns with interrupts off. What MWAIT waits for besides is of no interest. */
    .globl cpu_halt
cpu_halt:
    stretch_pause
    cmpb $0, machine + MACHINE_IDLE_MWAIT
    je 1f
    rdgsbase %rax
    xor %ecx, %ecx
    xor %edx, %edx
    monitor
    movzbl machine + MACHINE_IDLE_HINT, %eax
    sti
    mwait
    jmp 2f
1:  sti
    hlt
2:  cli
    stretch_resume
    ret

/* Lets pending interrupts in. */
    .globl cpu_interrupts_window
cpu_interrupts_window:
    stretch_pause
    sti
    nop
    cli
    stretch_resume
    ret

    .section .note.GNU-stack, "", @progbits
