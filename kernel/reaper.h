/*
 * Destroys what has no references any more. Small objects go at once; spaces, Vmos and ended processes may
 * hold any amount, so they queue at the CPU that dropped the last reference and are taken apart in bounded
 * steps.
 */
#pragma once

#include "kernel/cpu.h"
#include "kernel/object.h"

/* Queues an object on this CPU. */
void reaper_add(struct object *object);
/* One bounded step; sets WORK_REAP again while there is more. */
void reaper_step(struct cpu *cpu);
