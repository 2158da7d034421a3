/*
 * The one entry for all boot protocols: flat 32-bit protected mode without paging, interrupts off. eax tells the protocol
 * (source.h; PVH leaves it undefined), ebx points at what it hands over. Goes to 64-bit mode on a provisional identity map
 * of the low 4 GB (1 GB pages where the CPU has them, else 2 MB), which the final page tables take over as their identity
 * map, and calls boot_main. At the other end, boot_enter_kernel leaves for the kernel.
 */
    .section .note.xen, "a", @note
    .balign 4
    .long 4, 8, 18 /* name and descriptor size; XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .quad boot_start

#define MULTIBOOT_MAGIC       0xe85250d6
#define MULTIBOOT_I386        0
#define MULTIBOOT_FRAMEBUFFER 5
#define MULTIBOOT_ALIGN       6
#define MULTIBOOT_OPTIONAL    1

    /* What GRUB looks for in the first 32 KB of the file. */
    .section .multiboot, "a"
    .balign 8
multiboot_header:
    .long MULTIBOOT_MAGIC, MULTIBOOT_I386, multiboot_header_end - multiboot_header
    .long -(MULTIBOOT_MAGIC + MULTIBOOT_I386 + (multiboot_header_end - multiboot_header))
    .balign 8 /* modules begin at pages */
    .word MULTIBOOT_ALIGN, 0
    .long 8
    .balign 8 /* a framebuffer is welcome: any size, 32 bits per pixel */
    .word MULTIBOOT_FRAMEBUFFER, MULTIBOOT_OPTIONAL
    .long 20, 0, 0, 32
    .balign 8
    .word 0, 0
    .long 8
multiboot_header_end:

#define PAGE_PRESENT_WRITE 3
#define PAGE_LARGE         0x80
#define BOOT_CPUS          64 /* BOOT_MAX_CPUS */
#define DEBUG_PORT         0xe9
#define SERIAL_PORT        0x3f8
#define EXIT_PORT          0xf4
#define CODE64             8

    .text
    .code32
    .globl boot_start
boot_start:
    cli
    cld
    mov %eax, %esi
    rdtsc
    mov %eax, boot_entry_tsc
    mov %edx, boot_entry_tsc + 4
    mov $boot_stack_end, %esp
    mov %ebx, %ebp

    mov $0x80000000, %eax
    cpuid
    cmp $0x80000001, %eax
    jb no_long_mode
    mov $0x80000001, %eax
    cpuid
    bt $29, %edx
    jnc no_long_mode

    mov $boot_identity, %edi
    bt $26, %edx
    jnc two_megabyte_pages
    mov $(PAGE_PRESENT_WRITE | PAGE_LARGE), %eax
    mov $4, %ecx
1:  mov %eax, (%edi)
    add $0x40000000, %eax
    add $8, %edi
    loop 1b
    jmp tables_ready

two_megabyte_pages:
    mov $(early_directories + PAGE_PRESENT_WRITE), %eax
    mov $4, %ecx
1:  mov %eax, (%edi)
    add $4096, %eax
    add $8, %edi
    loop 1b
    mov $early_directories, %edi
    mov $(PAGE_PRESENT_WRITE | PAGE_LARGE), %eax
    mov $2048, %ecx
1:  mov %eax, (%edi)
    add $0x200000, %eax
    add $8, %edi
    loop 1b

tables_ready:
    movl $(boot_identity + PAGE_PRESENT_WRITE), early_pml4
    mov $0x20, %eax /* PAE, and nothing the firmware had */
    mov %eax, %cr4
    mov $early_pml4, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx /* EFER */
    rdmsr
    or $0x100, %eax /* LME */
    wrmsr
    mov %cr0, %eax
    or $0x80000001, %eax /* PG, PE */
    mov %eax, %cr0
    lgdt gdt_pointer
    ljmp $CODE64, $start64

/* Says so on the debug port and on COM1, and ends QEMU or stops. */
no_long_mode:
    mov $no_long_mode_text, %esi
1:  lodsb
    test %al, %al
    jz 2f
    outb %al, $DEBUG_PORT
    mov $SERIAL_PORT, %dx
    outb %al, %dx
    jmp 1b
2:  mov $0x7f, %al
    outb %al, $EXIT_PORT
3:  cli
    hlt
    jmp 3b

    .code64
start64:
    xor %eax, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov %eax, %ss
    push $0
    popf
    mov %esi, %edi
    mov %ebp, %esi
    xor %ebp, %ebp
    call boot_main
    ud2

/* void boot_enter_kernel(entry rdi, boot_info rsi, stack rdx, gdt rcx, idt r8), all in the kernel's half. */
    .globl boot_enter_kernel
boot_enter_kernel:
    mov %rcx, gdt_pointer + 2(%rip)
    lgdt gdt_pointer(%rip)
    mov %r8, idt_pointer + 2(%rip)
    lidt idt_pointer(%rip)
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsp
    xor %esi, %esi
    xor %ebp, %ebp
    push $0
    jmp *%rax

    .section .rodata
no_long_mode_text:
    .asciz "keel: this CPU lacks long mode (use -cpu max)\r\n"

    .data
    .balign 16
    .globl boot_gdt
boot_gdt: /* accessed bits set, so that loading a selector never writes */
    .quad 0
    .quad 0x00af9b000000ffff /* 8: 64-bit code */
    .quad 0x00cf93000000ffff /* 16: data */
    .quad 0x00cff3000000ffff /* 24: user data */
    .quad 0x00affb000000ffff /* 32: user code */
    .skip 16 * BOOT_CPUS     /* the kernel's task state segments */
    .globl boot_gdt_end
boot_gdt_end:
gdt_pointer:
    .word . - boot_gdt - 1
    .quad boot_gdt
    .globl boot_entry_tsc
    .balign 8
boot_entry_tsc:
    .quad 0
idt_pointer:
    .word 4095
    .quad 0

    .bss
    .balign 4096
    .globl boot_identity, boot_stack_end
early_pml4:
    .skip 4096
boot_identity:
    .skip 4096
early_directories:
    .skip 4 * 4096
    .skip 16384
boot_stack_end:
