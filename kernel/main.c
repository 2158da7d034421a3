/*
 * The kernel's start: takes over what the boot path prepared (abi/boot_info.h), brings up memory and CPUs,
 * and makes the first process, init, whose handles are the whole authority over the system: 1 root job   2
 * itself   3 root resource   4 initial archive   5 boot_info   6 its first thread
 */
#include "kernel/arch_cpu.h"
#include "kernel/futex.h"
#include "kernel/guest.h"
#include "kernel/info.h"
#include "kernel/job.h"
#include "kernel/kmem.h"
#include "kernel/log.h"
#include "kernel/page.h"
#include "kernel/process.h"
#include "kernel/resource.h"
#include "kernel/sched.h"
#include "kernel/space.h"
#include "kernel/vmo.h"
#include "lib/base/string.h"

enum { INIT_STACK_SIZE = 65536 };
#define INIT_STACK_TOP 0x00007f0000000000ULL
#define INIT_UTCB      0x00007f0000010000ULL

static const struct boot_info *boot_info;
_Static_assert(offsetof(struct boot_info, canary) == BOOT_INFO_CANARY, "entry.S");

struct memory_cpu *memory_cpu(void) {
    return &cpu_self()->memory;
}
struct memory_cpu *memory_cpu_of(unsigned cpu) {
    return cpu < machine.cpu_count ? &machine.cpus[cpu]->memory : NULL;
}

/* ---- init ---- */

/* Where it was the report's return addresses say. */
static void check(bool good) {
    if (!good)
        panic("cannot start init");
}

static void init_map_segments(struct process *process) {
    for (uint32_t i = 0; i < boot_info->segment_count; i++) {
        const struct boot_segment *segment = &boot_info->segments[i];
        struct vmo *vmo;
        check(!vmo_create_physical(process->object.job, segment->physical, segment->length, true, &vmo));
        check(!space_map(process->space, segment->address, vmo, 0, segment->length, segment->protection));
    }
}

static void init_map_stack(struct process *process) {
    check(!space_map(process->space, INIT_STACK_TOP - INIT_STACK_SIZE, NULL, 0, INIT_STACK_SIZE,
                     MAP_READ | MAP_WRITE | MAP_COPY));
}

/* Pages that the boot path filled. */
static __attribute__((noinline)) struct object *init_pages(struct job *job, uint64_t physical,
                                                           uint64_t length) {
    struct vmo *vmo;
    check(!vmo_create_physical(job, physical, (length + PAGE_SIZE - 1) & -(uint64_t)PAGE_SIZE, true, &vmo));
    return &vmo->object;
}

static void init_start(void) {
    struct job *job = job_create(NULL);
    check(job);
    struct process *process = process_create(job);
    check(process && process_enlist(process));
    init_map_segments(process);
    init_map_stack(process);
    struct thread *thread;
    check(!thread_create(process, boot_info->init_entry, INIT_STACK_TOP, INIT_UTCB, INIT_UTCB, &thread));
    thread->utcb->user[0] = 1; /* bare start: lib/native/start.S makes argc, argv and auxv */

    struct resource *root = resource_create(job, RESOURCE_ROOT, 0, UINT64_MAX);
    check(root);
    struct object *given[] = {
        &job->object,
        &process->object,
        &root->object,
        init_pages(job, boot_info->archive, boot_info->archive_length),
        init_pages(job, boot_info->copy, boot_info->copy_length),
        &thread->object,
    };
    for (unsigned i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
        check(handle_add(&process->handles, given[i], RIGHT_ALL) == i + 1);
        if (i) /* the root job stays */
            object_put(given[i]);
    }
    thread_start(thread);
}

/* ---- start ---- */

_Noreturn void kernel_main(struct boot_info *info);
_Noreturn void cpu_main(void);
_Noreturn void leave_slowly(void);

_Noreturn void cpu_main(void) {
    apic_setup();
    cpu_self()->switched_at = tsc_read();
    cpu_work_add(cpu_self(), WORK_RESCHEDULE);
    leave_slowly();
}

_Noreturn void kernel_main(struct boot_info *info) {
    boot_info = info;
    kmem_init();
    futex_init();
    init_start();
    log_line("keel: %u CPUs, %lu MB free, TSC %lu MHz", machine.cpu_count, page_free_count() >> 8,
             machine.clock.tsc_hz / 1000000);
    info->release = 1;
    cpu_main();
}
