/* See trace.h. */
#include "kernel/trace.h"

#include "kernel/page.h"
#include "kernel/resource.h"
#include "kernel/syscall.h"

enum { BLOCK_ORDER = 3 };
_Static_assert(TRACE_BLOCK_BYTES == PAGE_SIZE << BLOCK_ORDER, "a block of pages");

void trace_add(enum trace_kind kind, unsigned detail, const struct thread *thread, uint64_t a, uint64_t b) {
    struct trace_block *block = cpu_self()->trace_block;
    block->events[block->next % TRACE_EVENTS] = (struct trace_event){
        .time = tsc_read(),
        .kind = (uint16_t)kind,
        .detail = (uint16_t)detail,
        .thread = trace_thread(thread),
        .a = a,
        .b = b,
    };
    __atomic_store_n(&block->next, block->next + 1, __ATOMIC_RELEASE);
}

void trace_begin(enum trace_kind kind, unsigned detail, uint64_t a, uint64_t b) {
    struct cpu *cpu = cpu_self();
    trace_add(kind, detail, cpu->thread, a, b);
    cpu->traced = kind == TRACE_FAULT ? TIME_FAULTS : detail;
    cpu->traced_since = tsc_read();
    cpu_work_add(cpu, WORK_TRACE);
}

void trace_end(struct cpu *cpu) {
    struct time_histogram *times = &cpu->trace_block->times[cpu->traced];
    uint64_t ticks = tsc_read() - cpu->traced_since;
    times->total += ticks;
    times->buckets[31 - __builtin_clz((uint32_t)ticks | 1)]++;
    trace_add(TRACE_RETURN, cpu->traced, cpu->thread, cpu->thread->native.rax, ticks);
}

/* ---- the call ---- */

/* A CPU's block, made when it is first asked for; it stays. NULL when there is no memory. */
static struct trace_block *trace_block(struct cpu *cpu) {
    struct trace_block *block = cpu->trace_block, *none = NULL;
    if (block)
        return block;
    uint64_t page = page_alloc(BLOCK_ORDER);
    if (!page)
        return NULL;
    block = phys_to_virt(page);
    words_clear((uint64_t *)block, TRACE_BLOCK_BYTES / sizeof(uint64_t));
    if (__atomic_compare_exchange_n(&cpu->trace_block, &none, block, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_RELAXED))
        return block;
    page_free(page, BLOCK_ORDER);
    return none;
}

int64_t call_trace_open(struct resource *resource, uint64_t index, uint64_t mask) {
    if (!resource_is(resource, RESOURCE_INFO))
        return -EACCES;
    if (index >= machine.cpu_count)
        return -EINVAL;
    struct cpu *cpu = machine.cpus[index];
    struct trace_block *block = trace_block(cpu);
    struct vmo *vmo;
    if (!block || vmo_create_physical(process_current()->object.job, virt_to_phys(block), TRACE_BLOCK_BYTES,
                                      true, &vmo))
        return -ENOMEM;
    block->counters = cpu->counters;
    if (!(mask & TRACE_KEEP)) {
        cpu->hand_over = mask & TRACE_ALL || !machine.has_xsaveopt ? 0 : cpu->bit;
        __atomic_store_n(&cpu->trace, mask & TRACE_ALL, __ATOMIC_RELEASE);
    }
    return object_publish_with(&vmo->object, RIGHT_READ | RIGHT_GRANT);
}
