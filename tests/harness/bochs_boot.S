/*
 * A boot sector for Bochs: copies the CHUNKS of 32 KB behind it on the disk to memory from 1 MB on, and enters the kernel at ENTRY
 * as PVH wants it, with what bochs.py put at INFO and the place of ACPI's root pointer, which this machine's BIOS
 * puts above 0xf0000.
 */
    .code16
    .globl _start
_start:
    cli
    cld
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %ss
    mov $0x7c00, %sp
    mov %dl, drive
    in $0x92, %al               /* A20 */
    or $2, %al
    and $0xfe, %al
    out %al, $0x92
    lgdt gdt_pointer
read:
    mov drive, %dl
    mov $packet, %si
    mov $0x42, %ah
    sti
    int $0x13
    cli
    mov %cr0, %eax              /* es and ds get a limit of 4 GB, and keep it in real mode */
    or $1, %al
    mov %eax, %cr0
    mov $16, %bx
    mov %bx, %ds
    mov %bx, %es
    and $0xfe, %al
    mov %eax, %cr0
    xor %bx, %bx
    mov %bx, %ds
    mov %bx, %es
    mov $0x10000, %esi
    mov to, %edi
    mov $8192, %ecx
    addr32 rep movsl
    mov %edi, to
    addl $64, sector
    decl chunks
    jnz read
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmp $8, $protected

    .code32
protected:
    mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $0xf0000, %eax
1:  add $16, %eax
    cmpl $0x20445352, (%eax)    /* "RSD PTR " */
    jne 1b
    cmpl $0x20525450, 4(%eax)
    jne 1b
    mov $INFO, %ebx
    mov %eax, 32(%ebx)
    mov $ENTRY, %eax
    jmp *%eax

    .balign 8
gdt:
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
    .word 23
    .long gdt
drive:
    .byte 0
    .balign 4
packet:                         /* 64 sectors to 0x10000 */
    .byte 16, 0
    .word 64
    .word 0, 0x1000
sector:
    .long 1, 0
to: .long 0x100000
chunks:
    .long CHUNKS
    .org 510
    .word 0xaa55
