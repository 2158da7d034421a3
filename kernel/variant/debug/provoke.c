/*
 * Mistakes made on purpose, one for each thing that the kernel or the debug kernel detects: a test asks for
 * it and expects the panic (tests/harness/panics.py).
 */
#include "provoke.h"

#include "abi/debug.h"
#include "kernel/cpu.h"
#include "kernel/kmem.h"
#include "kernel/log.h"
#include "kernel/page.h"

enum { BYTES = 100, OTHER_CPU = 3 };

static struct spinlock low = SPINLOCK(LOCK_RANK_LOG), high = SPINLOCK(LOCK_RANK_VMO);

static void provoke_lock(uint64_t what) {
    spin_lock(&low);
    if (what == DEBUG_LOCK_ORDER)
        spin_lock(&high);
    if (what == DEBUG_LOCK_STUCK) {
        debug_lock_released(low.rank);
        debug_lock_give(&low, OTHER_CPU);
    }
    spin_lock(&low);
}

static void provoke_object(uint64_t what) {
    uint8_t *object = kmem_alloc(BYTES);
    if (!object)
        return;
    if (what == DEBUG_RED_ZONE_BYTE)
        object[BYTES] = 0;
    kmem_free(object, BYTES);
    if (what == DEBUG_FREED_OBJECT)
        object[BYTES / 2] = 0;
    if (what == DEBUG_OBJECT_TWICE)
        kmem_free(object, BYTES);
    (void)kmem_alloc(BYTES);
}

static void provoke_page(uint64_t what) {
    uint64_t page = page_alloc_clear(0);
    uint8_t *bytes = phys_to_virt(page);
    if (what == DEBUG_CLEARED_PAGE) {
        page_free_clear(page);
        bytes[BYTES] = 1;
        (void)page_alloc_clear(0);
        return;
    }
    page_free(page, 0);
    if (what == DEBUG_FREED_PAGE)
        bytes[BYTES] = 1;
    if (what == DEBUG_PAGE_TWICE)
        page_free(page, 0);
    (void)page_alloc(0);
}

static void provoke_list(void) {
    struct list head, first, second;
    list_init(&head);
    list_push_back(&head, &first);
    list_push_back(&head, &second);
    first.next = &head;
    list_remove(&first);
}

STACK_GUARD static __attribute__((noinline)) void provoke_canary(uint64_t what) {
    uint64_t words[4];
    volatile uint64_t *at = words;
    for (uint64_t i = 0; i < what; i++)
        at[i % 6] = i;
}

int64_t debug_provoke(uint64_t what) {
    switch (what) {
    case DEBUG_PANIC:
        panic("asked for by debug_control(%lu)", what);
    case DEBUG_FAULT:
        *(volatile uint64_t *)8 = what;
        break;
    case DEBUG_LOCK_ORDER:
    case DEBUG_LOCK_TWICE:
    case DEBUG_LOCK_STUCK:
        provoke_lock(what);
        break;
    case DEBUG_RED_ZONE_BYTE:
    case DEBUG_FREED_OBJECT:
    case DEBUG_OBJECT_TWICE:
        provoke_object(what);
        break;
    case DEBUG_FREED_PAGE:
    case DEBUG_PAGE_TWICE:
    case DEBUG_CLEARED_PAGE:
        provoke_page(what);
        break;
    case DEBUG_LIST:
        provoke_list();
        break;
    case DEBUG_STACK:
        *(volatile uint64_t *)(uintptr_t)(cpu_self()->stack - KERNEL_STACK_BYTES) = what;
        break;
    case DEBUG_CANARY:
        provoke_canary(what);
        break;
    case DEBUG_UNDEFINED: {
        volatile uint64_t bits = cpu_self()->stack; /* far more than 64, which no analyser can know */
        bits = what << bits;
        break;
    }
    default:
        return -EINVAL;
    }
    return 0;
}
