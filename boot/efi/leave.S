/*
 * leave(source rdi, entry rsi): from the firmware's 64-bit mode to what the boot image's entry wants: flat 32-bit protected
 * mode, no paging, nothing left of the firmware's CR4, eax and ebx as in boot/source.h. Runs at a copy below 4 GB, where
 * the firmware maps addresses to themselves; both arguments lie there, too.
 */
#define SOURCE_EFI 0x4546494b
#define CODE32     8
#define DATA       16
#define EFER       0xc0000080
#define EFER_LME   0x100
#define CR4_PCIDE  (1 << 17)
#define CR4_CET    (1 << 23)

    .section .rodata
    .globl leave_start, leave_end
    .balign 16
leave_start:
    .code64
    cli
    mov %edi, %ebx
    sub $16, %rsp
    lea leave_gdt(%rip), %rax
    movw $23, (%rsp)
    mov %rax, 2(%rsp)
    lgdt (%rsp)
    mov %cr4, %rax
    and $~(CR4_PCIDE | CR4_CET), %eax /* both must go before paging does */
    mov %rax, %cr4
    lea leave32(%rip), %rax
    pushq $CODE32
    push %rax
    lretq

    .code32
leave32:
    mov $DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov %eax, %ss
    mov %cr0, %eax
    and $0x7fffffff, %eax
    mov %eax, %cr0
    mov $EFER, %ecx
    rdmsr
    and $~EFER_LME, %eax
    wrmsr
    xor %eax, %eax
    mov %eax, %cr4
    mov $SOURCE_EFI, %eax
    jmp *%esi

    .balign 8
leave_gdt:
    .quad 0
    .quad 0x00cf9b000000ffff /* CODE32 */
    .quad 0x00cf93000000ffff /* DATA */
leave_end:
