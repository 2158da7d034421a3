/*
 * Access to memory that may not be there: guest memory, or own memory that is not committed yet. Each function takes
 * the address of the thread's utcb->fixup_rip, names its own exit there and clears it when done. A fault that the
 * kernel cannot resolve continues at that exit with rax = the negated error, having cleared the field. Declarations:
 * thread.h.
 */
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

/* memory_copy(to rdi, from rsi, length rdx, fixup rcx). Short copies by moves, the rest by words. */
    .globl memory_copy
memory_copy:
    mov %rcx, %r8
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
