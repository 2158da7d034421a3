/* Exceptions while booting end the boot with a report instead of a silent reset. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Makes the table and loads it on the boot CPU; the others load it by themselves. */
void trap_init(void);
void trap_load(void);

/* RDMSR and WRMSR that may be refused: false when the processor answers with #GP, and nothing has changed. In
 * trap_entries.S. */
bool msr_try_read(uint32_t msr, uint64_t *value);
bool msr_try_write(uint32_t msr, uint64_t value);
