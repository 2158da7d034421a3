/* The local APIC of each CPU (xAPIC, memory-mapped) and its one-shot timer. */
#pragma once

/* Enables this CPU's local APIC and timer. */
void apic_setup(void);
void apic_eoi(void);
