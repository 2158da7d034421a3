/*
 * Where native programs begin, where their class 0 calls land, and where their further threads begin. Offsets into
 * struct utcb (abi/utcb.h) and struct posix_frame (lib/native/posix.h) are asserted in posix.c.
 */
#define UTCB_SELF         184
#define UTCB_POSIX_ENTRY  192
#define UTCB_POSIX_RETURN 200
#define UTCB_BARE         208 /* user[0]: not 0 when the stack is empty */
#define UTCB_STACK        216 /* user[1]: top of the handler's stack; 0 while the handler runs */
#define BARE_SIZE         512
#define FXSAVE_SIZE       512

    .text
    .globl native_start
    .type native_start, @function
native_start: /* rdi: UTCB */
    xor %ebp, %ebp
    mov %rdi, UTCB_SELF(%rdi)
    lea posix_enter(%rip), %rax
    mov %rax, UTCB_POSIX_ENTRY(%rdi)
    lea first_handler_stack_end(%rip), %rax
    mov %rax, UTCB_STACK(%rdi)
    cmpq $0, UTCB_BARE(%rdi)
    je 1f
    and $-16, %rsp
    sub $BARE_SIZE, %rsp
    mov %rsp, %rdi
    call start_bare
1:  mov %rsp, %rdi
    call start_record /* aligned: rsp is a multiple of 16 here either way */
    jmp _start

/*
 * The kernel comes here instead of serving a class 0 call: registers as the caller left them but rcx and r11, which
 * SYSCALL destroys anyway. The caller expects everything but rax, rcx and r11 back, vector registers included.
 * The handler runs on a stack of its own: musl ends threads whose stack is already gone.
 */
    .globl posix_enter
    .type posix_enter, @function
posix_enter:
    mov %gs:UTCB_POSIX_RETURN, %rcx
    mov %rsp, %r11
    mov %gs:UTCB_STACK, %rsp
    test %rsp, %rsp
    jnz 1f
    lea -128(%r11), %rsp /* a call made by the handler itself: below its red zone */
    and $-16, %rsp
1:  pushq %gs:UTCB_STACK
    push %rbx
    push %r11
    push %rcx
    push %r9
    push %r8
    push %r10
    push %rdx
    push %rsi
    push %rdi
    push %rax
    mov %rsp, %rdi
    mov %rsp, %rbx
    sub $FXSAVE_SIZE + 16, %rsp
    and $-16, %rsp
    fxsave64 (%rsp)
    movq $0, %gs:UTCB_STACK
    cld
    call posix_call
    fxrstor64 (%rsp)
    lea 8(%rbx), %rsp /* over the number: rax is the result */
    pop %rdi
    pop %rsi
    pop %rdx
    pop %r10
    pop %r8
    pop %r9
    pop %rcx
    pop %r11
    pop %rbx
    popq %gs:UTCB_STACK
    mov %r11, %rsp
    jmp *%rcx

/* First instruction of a thread made by clone; rdi: struct posix_thread, which begins with the creator's frame. */
    .globl posix_thread_start
    .type posix_thread_start, @function
posix_thread_start:
    mov %rdi, %rbx
    call posix_thread_prepare
    mov 8(%rbx), %rdi
    mov 16(%rbx), %rsi
    mov 24(%rbx), %rdx
    mov 32(%rbx), %r10
    mov 40(%rbx), %r8
    mov 48(%rbx), %r9
    mov 56(%rbx), %rcx
    mov 64(%rbx), %rsp
    xor %eax, %eax
    xor %ebx, %ebx
    jmp *%rcx

    .bss
    .balign 16
    .skip 16384
first_handler_stack_end:

    .section .note.GNU-stack, "", @progbits
