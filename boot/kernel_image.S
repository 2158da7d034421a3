/* The stripped kernel, as a file inside the boot image, and what the loader must know of it (boot/kernel_notes.h); the Makefile
   says which. */
    .section .rodata
    .globl kernel_image, kernel_image_end
    .balign 16
kernel_image:
    .incbin KERNEL_IMAGE
kernel_image_end:
    .globl kernel_notes, kernel_notes_end
    .balign 4
kernel_notes:
    .incbin KERNEL_NOTES
kernel_notes_end:
