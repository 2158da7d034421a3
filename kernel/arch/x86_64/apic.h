/* The local APIC of each CPU (xAPIC, memory-mapped) and its one-shot timer. */
#pragma once

void apic_eoi(void);
/* The vector of the interrupt that was delivered and not yet acknowledged by apic_eoi. */
unsigned apic_in_service(void);
