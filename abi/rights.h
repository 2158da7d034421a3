/*
 * Rights of a capability, bit 0 up (requirement C2); abi/syscalls.def says which one each call needs. The
 * names of Rustux and Zircon map onto them: DUPLICATE and TRANSFER are GRANT, EXECUTE is EXEC, MAP is READ,
 * WRITE and EXEC on a Vmo plus MEMORY on the space, SIGNAL is SEND, SIGNAL_PEER is WRITE on a channel's end,
 * WAIT is RECV, GET_PROPERTY, INSPECT and ENUMERATE are READ, SET_PROPERTY and SET_POLICY are ADMIN,
 * MANAGE_JOB and MANAGE_PROCESS are WRITE, MANAGE_THREAD and APPLY_PROFILE are PRIORITY, DESTROY is KILL,
 * RESUME is SUSPEND, and SAME_RIGHTS is RIGHT_ALL as the argument of handle_duplicate.
 *
 * The kernel carries NETWORK and FILE and asks for them nowhere: they count on a RESOURCE_LINK
 * (abi/objects.h), at the service `devices` (servers/devices/authority.h), which gives links of network cards
 * and disks, resets their drivers, shows their memory and lets them go for callers alone that send such a
 * handle along (abi/devices.h). All other devices (character devices, input, displays, ports of consoles,
 * lists of USB devices) lead to no network and hold no files: SEND on the service's port is enough.
 */
#pragma once

#include <stdint.h>

enum rights {
    RIGHT_NONE = 0,
    RIGHT_READ = 1u << 0,      /* read a Vmo, a channel or the log; learn about an object */
    RIGHT_WRITE = 1u << 1,     /* write them; make things in a job, threads in a process; set a timer */
    RIGHT_EXEC = 1u << 2,      /* map a Vmo executable */
    RIGHT_SEND = 1u << 3,      /* call or send to a port, bind to it; signal an event; kick a thread */
    RIGHT_RECV = 1u << 4,      /* receive at a port, wait for an event, bind a source to a port */
    RIGHT_GRANT = 1u << 5,     /* duplicate the handle; move it in a message or to a new process */
    RIGHT_REVOKE = 1u << 6,    /* make every other handle to the object stale */
    RIGHT_DEBUG = 1u << 7,     /* measure, and make allocations fail */
    RIGHT_KILL = 1u << 8,      /* end a process or a job */
    RIGHT_SUSPEND = 1u << 9,   /* stop and resume a thread */
    RIGHT_PRIORITY = 1u << 10, /* level and CPUs of a thread */
    RIGHT_MEMORY = 1u << 11,   /* change the mappings of a space or process */
    RIGHT_DEVICE = 1u << 12,   /* I/O ports, physical memory, interrupts */
    RIGHT_NETWORK = 1u << 13,  /* use network cards */
    RIGHT_FILE = 1u << 14,     /* use disks, where files are */
    RIGHT_ADMIN = 1u << 15,    /* limits of a job */
    RIGHT_ALL = 0xffff,
};

/* A handle names a slot of its process's handle table: slot index in bits 0-19, generation in bits 20-31.
 * 0 is never a valid handle. */
typedef uint32_t handle_t;
enum { HANDLE_NONE = 0, HANDLE_INDEX_BITS = 20 };
