/* Interrupt vectors and segment selectors; read by C and assembly. */
#pragma once

#define VECTOR_NMI           2
#define VECTOR_DOUBLE_FAULT  8
#define VECTOR_GP            13
#define VECTOR_PAGE_FAULT    14
#define VECTOR_MACHINE_CHECK 18
#define EXCEPTIONS           22 /* have smaller numbers; 28 to 30, which encrypted guests get, have no gate */
#define VECTOR_IRQ_FIRST     32
#define VECTOR_SHARED        56 /* stands for every vector from here to VECTOR_LOCAL_FIRST: they share a stub */
#define VECTOR_IRQ_END       80
#define VECTOR_INT80         128
#define VECTOR_SYSCALL       256 /* not a CPU vector: marks frames of the SYSCALL instruction */
#define VECTOR_LOCAL_FIRST   0xf0
#define VECTOR_TIMER         0xf0
#define VECTOR_RESCHEDULE    0xf1
#define VECTOR_TLB           0xf2
#define VECTOR_SPURIOUS      0xff
#define INTERRUPT_NMI        0x400 /* not a vector: cpu_interrupt sends a non-maskable one */

/* The stubs of entry.S, by number: those of the lines of a first IO-APIC, one for further lines and all
 * messages, one each for the timer, rescheduling, TLB and (at 0xff as at 0xf3) the spurious vector, and that
 * of int 0x80. */
#define STUB_BYTES    4
#define STUB_SHARED   (VECTOR_SHARED - VECTOR_IRQ_FIRST)
#define LOCAL_STUBS   4
#define STUB_INT80    (STUB_SHARED + LOCAL_STUBS + 1)
#define VECTORS_FATAL (1 << VECTOR_NMI | 1 << VECTOR_DOUBLE_FAULT | 1 << VECTOR_MACHINE_CHECK)

#define KERNEL_CS      0x08
#define KERNEL_SS      0x10
#define USER_SS        0x1b /* SYSRET takes it from STAR + 8 */
#define USER_CS        0x23 /* … and this from STAR + 16 */
#define TSS_SELECTOR   0x28 /* of the first CPU; the others' follow */
#define TSS_DESCRIPTOR 16

/* What user roots show of the kernel when page tables are isolated (isolation.inc): in pages from here, code
 * that enters and leaves the kernel, the interrupt table, the segments, and one page for each CPU, with its
 * task state and behind it the stack on which it enters; exceptions that do not return have the rest.
 * ROOT_USER_BIT of CR3 chooses the page for user mode. */
#define ISOLATED_BASE        0xffffffffffe00000
#define ISOLATED_INTERRUPTS  (ISOLATED_BASE + 0x1000)
#define ISOLATED_SEGMENTS    (ISOLATED_BASE + 0x2000)
#define ISOLATED_CPUS        (ISOLATED_BASE + 0x4000)
#define ISOLATED_ENTRY_STACK 0x100 /* in a CPU's page: its end */
#define ROOT_USER_BIT        12

/* CR3 where translations are tagged (kernel/tag.h): its low bits are TAG_FIRST + the root's tag, and
 * TAG_USER_BIT chooses the tag for user mode, as ROOT_USER_BIT the page. A value with CR3_KEEP_BIT flushes
 * nothing. */
#define TAG_FIRST    0x80
#define TAGS         128
#define TAG_USER_BIT 11
#define CR3_KEEP_BIT 63

/* When the loader does what a patch says (isolation.inc). */
#define PATCH_ISOLATED 0
#define PATCH_TAGGED   1

/* Cleared on system calls: TF, IF, DF, NT, AC. */
#define SYSCALL_FLAGS_MASK (0x100 | 0x200 | 0x400 | 0x4000 | 0x40000)

/* Flags a guest may set for itself: CF PF AF ZF SF TF DF OF AC ID. */
#define GUEST_FLAGS 0x240dd5
#define FLAG_IF     0x200
#define FLAG_FIXED  0x2

/* Offsets into struct frame (frame.h) from its end, where CPU_FRAME_TOP points. */
#define FRAME_SIZE   176
#define FRAME_RSP    -16
#define FRAME_RFLAGS -24
#define FRAME_RIP    -40
#define FRAME_VECTOR -56
#define FRAME_RDI    -64
#define FRAME_RSI    -72
#define FRAME_RDX    -80
#define FRAME_RAX    -96
#define FRAME_R8     -104
#define FRAME_R9     -112
#define FRAME_R10    -120
#define FRAME_RBX    -136
#define FRAME_RBP    -144
#define FRAME_R12    -152
#define FRAME_R13    -160
#define FRAME_R14    -168
#define FRAME_R15    -176

/* Offset into struct boot_info. */
#define BOOT_INFO_CANARY 8

/* struct machine (kernel/machine.h), checked in kernel/cpu.h. */
#define MACHINE_BYTES      2048
#define MACHINE_CPUS       184
#define MACHINE_QUANTA     80
#define MACHINE_TSC_BASE   32
#define MACHINE_CLOCK_MULT 40
#define MACHINE_ISOLATED   2
#define MACHINE_IDLE_MWAIT 3
#define MACHINE_IDLE_HINT  4
#define MACHINE_POLICY     8

/* In struct memory_cpu.used: USED_OWES. */
#define USE_OWES 1

/* In call_rules: there is no object. */
#define CALL_PLAIN        0x80
#define CALL_ON_SPACE     0x22 /* SELF_SPACE_OR_OWN */
#define CALL_THREAD_YIELD 0x1020
#define CALL_PORT_CALL    0x1022
#define CALL_EVENT_SIGNAL 0x1024

/* Offsets into struct cpu (kernel/cpu.h) and struct thread (kernel/thread.h), checked there. */
#define CPU_SCRATCH     264
#define CPU_GUEST       16
#define CPU_FRAME_TOP   296
#define CPU_STACK       256
#define CPU_ENTRY_STACK 304
#define CPU_THREAD      0
#define CPU_ROOT        40
#define CPU_WORK        12
#define CPU_REFLECTIONS 488
#define CPU_SWITCHES    496
#define CPU_ENTRIES     504
#define CPU_CALLS       536 /* counted calls, by index */
#define CPU_TRACE       396
#define CPU_TRACE_CALL  8 /* bit TRACE_CALL */

#define THREAD_GS_BASE      216
#define THREAD_NATIVE       224
#define THREAD_NATIVE_END   400
#define THREAD_GUEST_END    576
#define THREAD_UNIFIED_ROOT 576
#define THREAD_GUEST_ROOT   584
#define THREAD_GUEST_UTCB   592
#define THREAD_KICK         53
#define THREAD_GUEST_SPACE  152

/* What ipc.S knows beyond that, checked in ipc_offsets.c. */
#define CPU_SLICE_END        24
#define CPU_TIMER_DEADLINE   64
#define CPU_QUEUE_LOCK       96
#define CPU_AGES_AT          112
#define CPU_LEVELS           128
#define CPU_NEXT             1568
#define CPU_HAND_OVER        248
#define CPU_BIT              240
#define CPU_SWITCHED_AT      32
#define CPU_INDEX            8
#define CPU_USED             1600
#define CPU_NATIVE_SPACE     80
#define CPU_STAMPS           2680
#define CPU_NATIVE_STAMPS    3704
#define CPU_USER_TAG         4728
#define CPU_BITMAP           100
#define CPU_CONTEXT_SWITCHES 512
#define THREAD_PROCESS       32
#define THREAD_CARE          52 /* parked, kick, dying, releases */
#define THREAD_QUANTUM_LEFT  88
#define THREAD_QUEUE_LINK    120
#define THREAD_BURST         752
#define THREAD_ON_CPU        40
#define THREAD_STATE         41 /* then preempted */
#define THREAD_LEVEL         43
#define THREAD_OWN_LEVEL     49
#define THREAD_LENT_LEVEL    50
#define THREAD_LOCK          44
#define THREAD_WAIT_OBJECT   56
#define THREAD_WAIT_SEQUENCE 64
#define THREAD_WAIT_LINK     72
#define THREAD_DEADLINE      144
#define THREAD_CALLER        168
#define THREAD_SERVER        176
#define THREAD_HAND_OVER     184
#define THREAD_CPU           48
#define THREAD_RUN_TIME      192
#define THREAD_FPU           200
#define THREAD_FS_BASE       208
#define THREAD_DYING         54
#define THREAD_RELEASES      55
#define THREAD_CALLS         624
#define THREAD_SERVES        648
#define THREAD_ARMED         713
#define PROCESS_SPACE        80
#define PROCESS_HANDLES      112 /* the table; its lock */
#define PROCESS_CAPACITY     116
#define PROCESS_CHUNKS       120
#define PROCESS_CHANGES      144
#define SLOT_HANDLE          8
#define SLOT_EPOCH           12
#define SPACE_ACTIVE_CPUS    112
#define SPACE_ROOT           40
#define SPACE_STAMP          120
#define PORT_LOCK            32
#define PORT_RECEIVERS       40
#define PORT_CALLERS         56
#define PORT_SERVER          72
#define PORT_SIGNALLED       80
#define PORT_PACKETS         96
#define PORT_CAPACITY        104
#define PORT_FIRST           108
#define PORT_COUNT           112
#define PORT_PENDING         116
#define EVENT_LOCK           32
#define EVENT_PORT           40
#define EVENT_WAITERS        88
#define OBJECT_REFERENCES    4
#define OBJECT_EPOCH         8
#define USE_HANDLE           8
#define USE_CHANGES          16
