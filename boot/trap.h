/* Exceptions while booting end the boot with a report instead of a silent reset. */
#pragma once

void trap_init(void);
