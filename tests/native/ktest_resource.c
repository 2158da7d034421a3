/* What drivers get by their resources: memory for devices, and interrupts that are messages. */
#include "tests/native/ktest.h"

enum { PAGE = 4096, MESSAGE = 60, NEVER_FREE = 96, BEHIND = IRQ_MESSAGE_END };

#define MOST  (16ULL << 20)
#define LIMIT (4ULL << 30)

static struct job_info job_now(uint64_t of) {
    struct job_info info = {0};
    EQ(keel_object_info(of, keel_pointer(&info), sizeof info), sizeof info);
    return info;
}

/* ---- memory for devices ---- */

static uint64_t address_of(int64_t vmo, uint64_t size) {
    struct vmo_info info = {0};
    EQ(keel_object_info((uint64_t)vmo, keel_pointer(&info), sizeof info), sizeof info);
    EQ(info.size, size);
    EQ(info.address != 0 && info.address % size == 0, 1);
    return info.address;
}

/* Zeroed, mapped as a whole, and the same through each mapping. */
static void block_check(int64_t vmo, uint64_t size) {
    volatile uint64_t *words = memory_map((handle_t)vmo, 0, size, MAP_READ | MAP_WRITE);
    volatile uint64_t *again = memory_map((handle_t)vmo, 0, size, MAP_READ);
    uint64_t dirty = 0, read = 0;
    for (uint64_t i = 0; i < size / 8; i++)
        dirty |= words[i];
    EQ(dirty, 0);
    for (uint64_t at = 0; at < size; at += PAGE)
        words[at / 8] = ~at;
    for (uint64_t at = 0; at < size; at += PAGE)
        EQ(again[at / 8], ~at);
    EQ(keel_vmo_read((uint64_t)vmo, size - PAGE, keel_pointer(&read), 8), 8);
    EQ(read, ~(size - PAGE));
    memory_unmap((void *)(uintptr_t)words, size);
    memory_unmap((void *)(uintptr_t)again, size);
}

/* Where whole 2 MB are shown, one entry may show them; what is done to a part must not be noticed elsewhere.
 */
static void large_check(int64_t vmo, uint64_t size) {
    const uint64_t window = 0x200000000000, middle = window + size / 2;
    EQ(keel_space_map(0, window, (uint64_t)vmo, 0, size, MAP_READ | MAP_WRITE), 0);
    for (uint64_t at = 0; at < size; at += PAGE)
        *(volatile uint64_t *)(window + at) = at;
    EQ(keel_space_protect(0, middle + PAGE, PAGE, MAP_READ), 0);
    EQ(keel_log_read(handle_find("log"), 0, middle + PAGE, 8), -EFAULT);
    EQ(keel_space_unmap(0, middle - PAGE, PAGE), 0);
    EQ(keel_log_write(handle_find("log"), middle - PAGE, 8), -EFAULT);
    EQ(keel_space_map(0, middle - PAGE, 0, 0, PAGE, MAP_READ | MAP_WRITE), 0);
    for (uint64_t at = 0; at < size; at += PAGE)
        EQ(*(volatile uint64_t *)(window + at), window + at == middle - PAGE ? 0 : at);
    EQ(keel_space_unmap(0, window, size), 0);
    EQ(keel_log_write(handle_find("log"), window, 8), -EFAULT);
}

static void test_dma_memory(void) {
    handle_t dma = handle_find("dma");
    for (uint64_t size = PAGE; size <= MOST; size *= size < 8 * PAGE ? 2 : 32) {
        int64_t vmo = keel_dma_create(dma, size, LIMIT);
        EQ(vmo > 0, 1);
        EQ(address_of(vmo, size) + size <= LIMIT, 1);
        block_check(vmo, size);
        if (size > 2 * PAGE)
            large_check(vmo, size);
        EQ(keel_vmo_write((uint64_t)vmo, 0, keel_pointer(&size), 8), -EINVAL);
        EQ(keel_vmo_resize((uint64_t)vmo, PAGE), -EINVAL);
        EQ(keel_vmo_discard((uint64_t)vmo, 0, PAGE), -EINVAL);
        EQ(keel_vmo_snapshot((uint64_t)vmo), -EINVAL);
        EQ(keel_space_map(0, 0x10000000, (uint64_t)vmo, 0, PAGE, MAP_READ | MAP_COPY), -EINVAL);
        EQ(keel_handle_close((uint64_t)vmo), 0);
    }
    int64_t low = keel_dma_create(dma, 64 << 10, 16 << 20);
    EQ(low > 0, 1);
    EQ(address_of(low, 64 << 10) + (64 << 10) <= 16 << 20, 1);
    EQ(keel_handle_close((uint64_t)low), 0);
}

static void test_dma_refused(void) {
    static const uint64_t sizes[] = {0,        1,        2048,       PAGE - 1,  PAGE + 1,
                                     3 * PAGE, 2 * MOST, 1ULL << 63, UINT64_MAX};
    handle_t dma = handle_find("dma");
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        EQ(keel_dma_create(dma, sizes[i], 0), -EINVAL);
    EQ(keel_dma_create(handle_find("info"), PAGE, 0), -EACCES);          /* lacks the right */
    EQ(keel_dma_create(handle_find("mmio.fee00000"), PAGE, 0), -EACCES); /* another kind */
    EQ(keel_dma_create(job, PAGE, 0), -EINVAL);
    int64_t weak = keel_handle_duplicate(dma, RIGHT_ALL & ~(uint64_t)RIGHT_DEVICE);
    EQ(keel_dma_create((uint64_t)weak, PAGE, 0), -EACCES);
    /* What is derived has no right that its parent's handle has not. */
    int64_t derived = keel_handle_create(OBJECT_RESOURCE, (uint64_t)weak, (uint64_t)RESOURCE_DMA << 56, 1);
    EQ(derived > 0, 1);
    EQ(keel_dma_create((uint64_t)derived, PAGE, 0), -EACCES);
    EQ(keel_handle_duplicate((uint64_t)derived, RIGHT_DEVICE), -EACCES);
    EQ(keel_handle_close((uint64_t)derived), 0);
    EQ(keel_handle_close((uint64_t)weak), 0);
    EQ(keel_handle_create(OBJECT_RESOURCE, dma, (uint64_t)RESOURCE_IRQ << 56 | MESSAGE, 1), -EACCES);
    int64_t narrow = keel_handle_create(OBJECT_RESOURCE, dma, (uint64_t)RESOURCE_DMA << 56, 1);
    EQ(narrow > 0, 1);
    EQ(keel_handle_create(OBJECT_RESOURCE, dma, (uint64_t)(RESOURCE_LINK + 1) << 56, 1), -EINVAL);
    EQ(keel_handle_close((uint64_t)narrow), 0);
}

/* What the quota does not allow leaves nothing behind, and what is closed is given back. */
static void test_dma_charged(void) {
    handle_t dma = handle_find("dma");
    struct job_info before = job_now(job);
    int64_t vmo = keel_dma_create(dma, 64 * PAGE, 0);
    EQ(job_now(job).pages, before.pages + 64);
    void *mapped = memory_map((handle_t)vmo, 0, 64 * PAGE, MAP_READ);
    EQ(keel_handle_close((uint64_t)vmo), 0);
    EQ(job_now(job).pages >= before.pages + 64, 1); /* the mapping keeps it */
    memory_unmap(mapped, 64 * PAGE);
    EQ(job_now(job).pages < before.pages + 64, 1);
    handle_t blocks[256];
    unsigned count = 0;
    while (count < 256 && (vmo = keel_dma_create(dma, MOST, 0)) > 0)
        blocks[count++] = (handle_t)vmo;
    EQ(count > 0, 1);
    EQ(count == 256 || vmo == -ENOMEM, 1); /* no block is left, though pages may be */
    before = job_now(job);
    EQ(count == 256 || keel_dma_create(dma, MOST, 0) == -ENOMEM, 1);
    EQ(job_now(job).pages, before.pages);
    EQ(job_now(job).objects, before.objects);
    while (count)
        EQ(keel_handle_close(blocks[--count]), 0);
}

/* ---- memory of NUMA nodes ---- */

static struct system_info system_now(void) {
    struct system_info info = {0};
    EQ(keel_object_info(handle_find("info"), keel_pointer(&info), sizeof info), sizeof info);
    return info;
}

/* Memory comes from the node of the CPU that asks. CPUs and memory are spread evenly
 * (tools/launch/machine.py). */
static void test_local_first(void) {
    struct system_info all = system_now();
    unsigned nodes = 0;
    uint64_t pages = 0, free = 0;
    for (unsigned i = 0; i < NODES_MOST; i++) {
        uint64_t blocks = 0;
        for (unsigned order = 0; order < BLOCK_ORDERS; order++)
            blocks += (uint64_t)all.nodes[i].blocks[order] << order;
        EQ(all.cpus > 1 || blocks == all.nodes[i].free, 1);
        nodes += all.nodes[i].pages != 0;
        pages += all.nodes[i].pages;
        free += all.nodes[i].free;
    }
    EQ(pages, all.pages_total);
    EQ(free <= all.pages_free || all.cpus > 1, 1);
    for (unsigned cpu = 0; cpu < all.cpus; cpu++) {
        EQ(keel_thread_set(0, 1, 1ULL << cpu), 0);
        keel_thread_yield();
        unsigned home = (unsigned)(cpu * nodes / all.cpus);
        uint64_t before = system_now().nodes[home].free;
        int64_t vmo = keel_dma_create(handle_find("dma"), 4 << 20, 0);
        EQ(vmo > 0, 1);
        EQ(system_now().nodes[home].free + 1024 <= before + 128, 1); /* others may free a few */
        EQ(keel_handle_close((uint64_t)vmo), 0);
    }
    EQ(keel_thread_set(0, 1, UINT64_MAX), 0);
}

/* ---- messages ---- */

static int64_t message_open(void) {
    return keel_handle_create(OBJECT_INTERRUPT, handle_find("irq.60"), MESSAGE, 0);
}

/* What a device would do. Where a CPU cannot (hardware virtualisation), its local APIC sends the vector to
 * itself. */
static void message_send(volatile uint32_t *apic, const struct interrupt_info *to, bool itself) {
    if (itself)
        apic[0x300 / 4] = 0x44000 | (uint32_t)to->data;
    else
        apic[(to->address & (PAGE - 1)) / 4] = (uint32_t)to->data;
}

static void test_messages(void) {
    int64_t port = keel_handle_create(OBJECT_PORT, 4, 0, 0), interrupt = message_open();
    int64_t registers = keel_vmo_physical(handle_find("mmio.fee00000"), 0xfee00000, PAGE);
    volatile uint32_t *apic = memory_map((handle_t)registers, 0, PAGE, MAP_READ | MAP_WRITE);
    struct interrupt_info to = {0};
    struct port_packet packet = {0};
    EQ(interrupt > 0, 1);
    EQ(keel_object_info((uint64_t)interrupt, keel_pointer(&to), sizeof to), sizeof to);
    EQ(to.data, 32 + MESSAGE);
    EQ(to.address & ~0xff000ULL, 0xfee00000);
    EQ(message_open(), -EBUSY);
    EQ(keel_object_bind((uint64_t)interrupt, (uint64_t)port, 7), 0);
    bool itself = false;
    for (uint64_t sent = 0; sent < 20; sent++) {
        message_send(apic, &to, itself);
        int64_t error = packet_receive((handle_t)port, clock_now() + 100 * MS, &packet);
        if (error && !sent && !itself) {
            itself = true;
            sent--;
            continue;
        }
        EQ(error, 0);
        EQ(packet.key, 7);
        EQ(packet.count, 1);
        if (sent % 2)
            EQ(keel_interrupt_ack((uint64_t)interrupt), 0); /* not needed, and does no harm */
    }
    EQ(keel_handle_close((uint64_t)interrupt), 0);
    message_send(apic, &to, itself); /* too late */
    EQ(packet_receive((handle_t)port, clock_now() + 2 * MS, &packet), -ETIMEDOUT);
    interrupt = message_open();
    EQ(interrupt > 0, 1);
    EQ(keel_handle_close((uint64_t)interrupt), 0);
    memory_unmap((void *)(uintptr_t)apic, PAGE);
    EQ(keel_handle_close((uint64_t)registers), 0);
    EQ(keel_handle_close((uint64_t)port), 0);
}

static void test_messages_refused(void) {
    EQ(keel_handle_create(OBJECT_INTERRUPT, handle_find("irq.60"), MESSAGE + 1, 0), -EACCES);
    EQ(keel_handle_create(OBJECT_INTERRUPT, handle_find("irq.96"), NEVER_FREE, 0), -ENXIO);
    EQ(keel_handle_create(OBJECT_INTERRUPT, handle_find("irq.208"), BEHIND, 0), -ENXIO);
}

const struct test resource_tests[] = {
    {"dma_memory", test_dma_memory},
    {"dma_refused", test_dma_refused},
    {"dma_charged", test_dma_charged},
    {"local_first", test_local_first},
    {"messages", test_messages},
    {"messages_refused", test_messages_refused},
    {NULL, NULL},
};
