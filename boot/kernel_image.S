/* The stripped kernel, as a file inside the boot image; the Makefile says which. */
    .section .rodata
    .globl kernel_image, kernel_image_end
    .balign 16
kernel_image:
    .incbin KERNEL_IMAGE
kernel_image_end:
