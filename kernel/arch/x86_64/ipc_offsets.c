/* The offsets that ipc.S, switch.S and tags.S use are those of the structures. */
#include "kernel/event.h"
#include "kernel/handle.h"
#include "kernel/object_use.h"
#include "kernel/port.h"
#include "kernel/process.h"
#include "kernel/space.h"
#include "kernel/sched.h"

#define OFFSET(name, type, member) _Static_assert(offsetof(struct type, member) == name, #name)

OFFSET(CPU_SLICE_END, cpu, slice_end);
OFFSET(CPU_TIMER_DEADLINE, cpu, timer_deadline);
OFFSET(CPU_QUEUE_LOCK, cpu, queue.lock);
OFFSET(CPU_AGES_AT, cpu, queue.ages_at);
OFFSET(CPU_LEVELS, cpu, queue.levels);
OFFSET(CPU_NEXT, cpu, next);
OFFSET(THREAD_STATE + 1, thread, preempted);
OFFSET(THREAD_CARE, thread, parked);
OFFSET(THREAD_CARE + 1, thread, kick);
OFFSET(THREAD_RELEASES, thread, releases);
OFFSET(THREAD_CARE + 3, thread, releases);
OFFSET(THREAD_QUANTUM_LEFT, thread, quantum_left);
OFFSET(THREAD_DEADLINE, thread, deadline);
OFFSET(THREAD_QUEUE_LINK, thread, queue_link);
OFFSET(THREAD_BURST, thread, burst);
OFFSET(CPU_BIT, cpu, bit);
OFFSET(CPU_HAND_OVER, cpu, hand_over);
OFFSET(CPU_USED, cpu, memory.used);
OFFSET(CPU_SWITCHED_AT, cpu, switched_at);
OFFSET(CPU_INDEX, cpu, index);
OFFSET(CPU_NATIVE_SPACE, cpu, native_space);
OFFSET(CPU_BITMAP, cpu, queue.bitmap);
OFFSET(CPU_CONTEXT_SWITCHES, cpu, counters.context_switches);
OFFSET(THREAD_PROCESS, thread, process);
OFFSET(THREAD_STATE, thread, state);
OFFSET(THREAD_ON_CPU, thread, on_cpu);
OFFSET(THREAD_LEVEL, thread, level);
OFFSET(THREAD_OWN_LEVEL, thread, own_level);
OFFSET(THREAD_LENT_LEVEL, thread, lent_level);
OFFSET(THREAD_LOCK, thread, lock);
OFFSET(THREAD_WAIT_OBJECT, thread, wait_object);
OFFSET(THREAD_WAIT_SEQUENCE, thread, wait_sequence);
OFFSET(THREAD_WAIT_LINK, thread, wait_link);
OFFSET(THREAD_CALLER, thread, caller);
OFFSET(THREAD_SERVER, thread, server);
OFFSET(THREAD_HAND_OVER, thread, hand_over);
OFFSET(THREAD_CPU, thread, cpu);
OFFSET(THREAD_CPU + 1, thread, own_level);
OFFSET(THREAD_CPU + 2, thread, lent_level);
OFFSET(THREAD_CPU + 3, thread, base_level);
OFFSET(THREAD_RUN_TIME, thread, run_time);
OFFSET(THREAD_FPU, thread, fpu);
OFFSET(THREAD_FS_BASE, thread, fs_base);
OFFSET(THREAD_DYING, thread, dying);
OFFSET(THREAD_CALLS, thread, calls);
OFFSET(THREAD_SERVES, thread, serves);
OFFSET(THREAD_ARMED, thread, alarm.armed);
OFFSET(PROCESS_SPACE, process, space);
OFFSET(PROCESS_HANDLES, process, handles.lock);
OFFSET(PROCESS_CAPACITY, process, handles.capacity);
OFFSET(PROCESS_CHUNKS, process, handles.chunks);
OFFSET(PROCESS_CHANGES, process, handles.changes);
OFFSET(0, handle_slot, token);
OFFSET(SLOT_HANDLE, handle_slot, handle);
OFFSET(SLOT_EPOCH, handle_slot, epoch);
OFFSET(SPACE_ACTIVE_CPUS, space, active_cpus);
OFFSET(SPACE_ROOT, space, root);
OFFSET(SPACE_STAMP, space, stamp);
OFFSET(CPU_STAMPS, cpu, stamps);
OFFSET(CPU_NATIVE_STAMPS, cpu, native_stamps);
OFFSET(CPU_USER_TAG, cpu, user_tag);
OFFSET(THREAD_GUEST_SPACE, thread, guest_space);
OFFSET(MACHINE_ISOLATED, machine, isolated);
OFFSET(PORT_LOCK, port, lock);
OFFSET(PORT_RECEIVERS, port, receivers);
OFFSET(PORT_CALLERS, port, callers);
OFFSET(PORT_SERVER, port, server);
OFFSET(PORT_SIGNALLED, port, signalled);
OFFSET(PORT_PACKETS, port, packets);
OFFSET(PORT_CAPACITY, port, capacity);
OFFSET(PORT_FIRST, port, first);
OFFSET(PORT_COUNT, port, count);
OFFSET(PORT_PENDING, port, pending);
OFFSET(EVENT_LOCK, event, lock);
OFFSET(EVENT_PORT, event, binding.port);
OFFSET(EVENT_WAITERS, event, waiters);
OFFSET(OBJECT_REFERENCES, object, references);
OFFSET(OBJECT_EPOCH, object, epoch);
OFFSET(USE_HANDLE, port_use, handle);
OFFSET(USE_CHANGES, port_use, changes);
_Static_assert(THREAD_READY == 1 && THREAD_RUNNING == 2 && THREAD_BLOCKED == 3 && LEVELS == 7, "ipc.S");
_Static_assert(WORK_RESCHEDULE == 1 && LEVEL_SYSTEM == 1 && SCHED_PACK == 1 << 16, "switch.S");
_Static_assert(sizeof(struct handle_slot) == 16 && HANDLE_CHUNK == 256 && HANDLE_INDEX_BITS == 20,
               "switch.S");
_Static_assert(OBJECT_EVENT == 7 && RIGHT_SEND == 8, "switch.S");
_Static_assert(USED_OWES == USE_OWES, "entry.S");
_Static_assert(sizeof(struct port_packet) == 32 && offsetof(struct port_packet, words) == 16, "ipc.S");
