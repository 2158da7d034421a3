/*
 * Access to memory that may not be there: guest memory, or own memory that is not committed yet. Each function takes
 * the address of the thread's utcb->fixup_rip, names its own exit there and clears it when done. A fault that the
 * kernel cannot resolve continues at that exit with rax = the negated error, having cleared the field. Declarations:
 * thread.h.
 */
#define WIDE_LEAST 1024

    .text

/* memory_probe(address rdi, pages rsi, fixup rdx): adding 0 commits a page and changes nothing. */
    .globl memory_probe
memory_probe:
    lea done(%rip), %rax
    mov %rax, (%rdx)
    test %rsi, %rsi
    jz 2f
1:  lock addb $0, (%rdi)
    add $4096, %rdi
    dec %rsi
    jnz 1b
2:  xor %eax, %eax
    mov %rax, (%rdx)
done:
    ret

/*
 * memory_copy(to rdi, from rsi, length rdx, fixup rcx). Short copies by moves, the rest by words, or with wide registers
 * (memory_wide tells whether they may be used): they hold the guest's values, which are put back.
 */
    .globl memory_copy, memory_wide
memory_copy:
    mov %rcx, %r8
    cmp $WIDE_LEAST, %rdx
    jae 6f
copy_rest:
    lea done(%rip), %rax
    mov %rax, (%r8)
    cmp $32, %rdx
    ja 5f
    cmp $16, %rdx
    jae 4f
    cmp $8, %rdx
    jae 3f
    cmp $4, %rdx
    jae 2f
    test %rdx, %rdx
    jz 9f
    movzbl (%rsi), %eax
    movzbl -1(%rsi, %rdx), %ecx
    cmp $3, %rdx
    jne 1f
    movzbl 1(%rsi), %r9d
    mov %r9b, 1(%rdi)
1:  mov %al, (%rdi)
    mov %cl, -1(%rdi, %rdx)
    jmp 9f
2:  mov (%rsi), %eax
    mov -4(%rsi, %rdx), %ecx
    mov %eax, (%rdi)
    mov %ecx, -4(%rdi, %rdx)
    jmp 9f
3:  mov (%rsi), %rax
    mov -8(%rsi, %rdx), %rcx
    mov %rax, (%rdi)
    mov %rcx, -8(%rdi, %rdx)
    jmp 9f
4:  mov (%rsi), %rax
    mov 8(%rsi), %rcx
    mov -16(%rsi, %rdx), %r9
    mov -8(%rsi, %rdx), %r10
    mov %rax, (%rdi)
    mov %rcx, 8(%rdi)
    mov %r9, -16(%rdi, %rdx)
    mov %r10, -8(%rdi, %rdx)
    jmp 9f
5:  mov %rdx, %rcx
    shr $3, %rcx
    rep movsq
    mov %edx, %ecx
    and $7, %ecx
    rep movsb
9:  xor %eax, %eax
    mov %rax, (%r8)
    ret
6:  cmpb $0, memory_wide(%rip)
    je copy_rest
    lea 8f(%rip), %rax
    mov %rax, (%r8)
    sub $128, %rsp
    vmovdqu %ymm0, (%rsp)
    vmovdqu %ymm1, 32(%rsp)
    vmovdqu %ymm2, 64(%rsp)
    vmovdqu %ymm3, 96(%rsp)
    mov %rdx, %rcx
    and $-256, %rcx
    add %rcx, %rsi
    add %rcx, %rdi
    neg %rcx
7:  .irp at, 0, 128
    vmovdqu \at(%rsi, %rcx), %ymm0
    vmovdqu \at + 32(%rsi, %rcx), %ymm1
    vmovdqu \at + 64(%rsi, %rcx), %ymm2
    vmovdqu \at + 96(%rsi, %rcx), %ymm3
    vmovdqu %ymm0, \at(%rdi, %rcx)
    vmovdqu %ymm1, \at + 32(%rdi, %rcx)
    vmovdqu %ymm2, \at + 64(%rdi, %rcx)
    vmovdqu %ymm3, \at + 96(%rdi, %rcx)
    .endr
    add $256, %rcx
    jnz 7b
    xor %eax, %eax
8:  vmovdqu (%rsp), %ymm0
    vmovdqu 32(%rsp), %ymm1
    vmovdqu 64(%rsp), %ymm2
    vmovdqu 96(%rsp), %ymm3
    add $128, %rsp
    test %eax, %eax
    jnz done
    and $255, %edx
    jmp copy_rest

/* memory_fill(to rdi, length rsi, fixup rdx): zeros. */
    .globl memory_fill
memory_fill:
    lea done(%rip), %rax
    mov %rax, (%rdx)
    xor %eax, %eax
    mov %rsi, %rcx
    shr $3, %rcx
    rep stosq
    mov %esi, %ecx
    and $7, %ecx
    rep stosb
    mov %rax, (%rdx)
    ret

/* memory_string(to rdi, from rsi, size rdx, fixup rcx) */
    .globl memory_string
memory_string:
    mov %rcx, %r8
    lea done(%rip), %rax
    mov %rax, (%r8)
    xor %ecx, %ecx
    test %rdx, %rdx
    jz 2f
1:  movzbl (%rsi, %rcx), %eax
    mov %al, (%rdi, %rcx)
    test %al, %al
    jz 2f
    inc %rcx
    cmp %rdx, %rcx
    jne 1b
2:  mov %rcx, %rax
    movq $0, (%r8)
    ret

/* memory_load32(found rdi, from rsi, fixup rdx) */
    .globl memory_load32
memory_load32:
    lea done(%rip), %rax
    mov %rax, (%rdx)
    mov (%rsi), %ecx
    mov %ecx, (%rdi)
    xor %eax, %eax
    mov %rax, (%rdx)
    ret

/* memory_exchange32(found and expected rdi, at rsi, desired rdx, fixup rcx) */
    .globl memory_exchange32
memory_exchange32:
    mov %rcx, %r8
    lea done(%rip), %rax
    mov %rax, (%r8)
    mov (%rdi), %eax
    lock cmpxchg %edx, (%rsi)
    mov %eax, (%rdi)
    xor %eax, %eax
    mov %rax, (%r8)
    ret

    .section .note.GNU-stack, "", @progbits
