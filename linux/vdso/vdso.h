/* The vDSO: a shared object that the personality maps into every program, and its data page. */
#pragma once

#include <stdint.h>

struct mm;
struct vdso_data;

/* Prepares both; without memory programs run without a vDSO. */
void vdso_start(void);
/* Bytes of data page and image together; 0: there is none. */
uint64_t vdso_length(void);
/* Maps both at the address, the data page first; mm->lock held. Sets mm->vdso. 0 or an error. */
int vdso_map(struct mm *mm, uint64_t address);
/* The personality's view of the data page; NULL before vdso_start. */
struct vdso_data *vdso_data(void);
/* Fills in the clock's part (linux/arch). */
void clock_describe(struct vdso_data *data);
