/* The stripped kernel, as a file inside the boot image, and where it holds addresses of its own
   (tools/kernel_relocations.py); the Makefile says which. */
    .section .rodata
    .globl kernel_image, kernel_image_end
    .balign 16
kernel_image:
    .incbin KERNEL_IMAGE
kernel_image_end:
    .globl kernel_relocations, kernel_relocations_end
    .balign 4
kernel_relocations:
    .incbin KERNEL_RELOCATIONS
kernel_relocations_end:
