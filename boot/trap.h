/* Exceptions while booting end the boot with a report instead of a silent reset. */
#pragma once

/* Makes the table and loads it on the boot CPU; the others load it by themselves. */
void trap_init(void);
void trap_load(void);
