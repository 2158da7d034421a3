/*
 * Frequency control: processors that choose their own frequency are told between what bounds, and how much
 * energy counts against performance (docs/decisions/0040).
 */
#pragma once

#include "boot/source.h"

/*
 * Looks what the processor has, and what cpufreq= on the command line wants of it: performance,
 * balance_performance, default, balance_power or power, as in Linux's energy_performance_preference, or off.
 * Without it, or with another word, which is noted: balance_power with sched=pack, else default. On the boot
 * CPU, before the others start.
 */
void frequency_choose(const struct boot_source *source);

/* Sets this CPU. On each, at the same time as others; needs trap_load. */
void frequency_set(void);

/* Notes what the boot CPU's registers say then, and how many CPUs did not take it; nothing where there is
 * nothing to be set and no cpufreq= asks for it. */
void frequency_report(void);
