/* The stripped kernel, as a file inside the boot image. */
    .section .rodata
    .globl kernel_image, kernel_image_end
    .balign 16
kernel_image:
    .incbin "build/kernel.elf"
kernel_image_end:
