/* The vDSO, as a file inside the personality. */
    .section .rodata
    .globl vdso_image, vdso_image_end
    .balign 16
vdso_image:
    .incbin "build/vdso.so"
vdso_image_end:

    .section .note.GNU-stack, "", @progbits
