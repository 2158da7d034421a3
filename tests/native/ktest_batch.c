/* Batches: results in order, refused calls, calls that fail, short counts, bad arrays. */
#include "tests/native/ktest.h"

static struct batch_entry entries[BATCH_MOST];

static struct batch_entry entry(uint64_t number, uint64_t a, uint64_t b, uint64_t c) {
    return (struct batch_entry){.rax = number, .rdi = a, .rsi = b, .rdx = c};
}

/* Makes all of a batch, however often it is interrupted. */
static int64_t batch_all(uint64_t count) {
    uint64_t done = 0;
    while (done < count) {
        int64_t result = keel_batch(keel_pointer(&entries[done]), count - done);
        if (result <= 0)
            return result ? result : (int64_t)done;
        done += (uint64_t)result;
    }
    return (int64_t)done;
}

static void test_results(void) {
    int64_t event = keel_handle_create(OBJECT_EVENT, 0, 0, 0);
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned i = 0; i < BATCH_MOST - 4; i++)
            entries[i] = entry(KEEL_CALL_event_signal, (uint64_t)event, 0, 0);
        entries[60] = entry(KEEL_CALL_event_wait, (uint64_t)event, 0, 0);
        entries[61] = entry(KEEL_CALL_event_wait, (uint64_t)event, 0, 0);
        entries[62] = entry(KEEL_CALL_handle_create, OBJECT_EVENT, 5, 0);
        entries[63] = entry(KEEL_CALL_event_wait, 0xabcdef, 0, 0);
        EQ(batch_all(BATCH_MOST), BATCH_MOST);
        EQ(entries[59].rax, 0);
        EQ(entries[60].rax, 60);
        EQ(entries[61].rax, -ETIMEDOUT);
        EQ(entries[63].rax, -EBADF);
        EQ(keel_event_wait(entries[62].rax, 0), 5);
        EQ(keel_handle_close(entries[62].rax), 0);
    }
    EQ(keel_handle_close(event), 0);
}

static void test_refused(void) {
    int64_t event = keel_handle_create(OBJECT_EVENT, 0, 0, 0),
            port = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    handle_t ends[2];
    uint32_t word = 0;
    EQ(keel_channel_create(keel_pointer(ends)), 0);
    entries[0] = entry(KEEL_CALL_thread_wait, DEADLINE_NEVER, 0, 0);
    entries[1] = entry(KEEL_CALL_futex_wait, keel_pointer(&word), 0, DEADLINE_NEVER);
    entries[2] = entry(KEEL_CALL_port_call, (uint64_t)port, 0, 0);
    entries[3] = entry(KEEL_CALL_port_receive, (uint64_t)port, DEADLINE_NEVER, 0);
    entries[4] = entry(KEEL_CALL_event_wait, (uint64_t)event, DEADLINE_NEVER, 0);
    entries[5] = entry(KEEL_CALL_channel_read, ends[0], 0, 0);
    entries[5].r8 = 1;
    entries[6] = entry(KEEL_CALL_batch, keel_pointer(entries), 1, 0);
    EQ(batch_all(7), 7);
    for (unsigned i = 0; i < 7; i++)
        EQ(entries[i].rax, -EOPNOTSUPP);
    struct channel_sizes sizes = {0};
    entries[0] = entry(0x1fff, 0, 0, 0);
    entries[1] = entry(1, 1, (uint64_t)ends, 1);
    entries[2] = entry(0x2000, 0, 0, 0);
    entries[3] = entry(UINT64_MAX, 0, 0, 0);
    entries[4] = entry(KEEL_CALL_channel_read, ends[0], 0, 0);
    entries[4].r10 = keel_pointer(&sizes);
    entries[5] = entry(KEEL_CALL_guest_enter, 0, 0, 0);
    EQ(batch_all(6), 6);
    for (unsigned i = 0; i < 6; i++)
        EQ(entries[i].rax, i == 4 ? -EAGAIN : -ENOSYS);
    EQ(keel_handle_close(event), 0);
    EQ(keel_handle_close(port), 0);
    EQ(keel_handle_close(ends[0]), 0);
    EQ(keel_handle_close(ends[1]), 0);
}

static void test_bad_arrays(void) {
    EQ(keel_batch(keel_pointer(entries), BATCH_MOST + 1), -EINVAL);
    EQ(keel_batch(0x1000, 0), 0);
    EQ(keel_batch(0x1000, 1), -EFAULT);
    EQ(keel_batch(0xffff800000000000ULL, 2), -EFAULT);
    EQ(keel_batch(UINT64_MAX - 8, 2), -EFAULT);
    /* Entries up to the end of what is mapped are made. */
    int64_t vmo = keel_vmo_create(4096, 0);
    struct batch_entry *page = memory_map((handle_t)vmo, 0, 4096, MAP_READ | MAP_WRITE);
    int64_t event = keel_handle_create(OBJECT_EVENT, 0, 0, 0);
    for (unsigned i = 60; i < 64; i++)
        page[i] = entry(KEEL_CALL_event_signal, (uint64_t)event, 0, 0);
    uint64_t done = 0;
    while (done < 4)
        done += (uint64_t)keel_batch(keel_pointer(&page[60 + done]), 8 - done);
    EQ(keel_batch(keel_pointer(&page[64]), 4), -EFAULT);
    EQ(keel_event_wait(event, 0), 4);
    /* A result that cannot be stored. */
    page[0] = entry(KEEL_CALL_event_signal, (uint64_t)event, 0, 0);
    EQ(keel_space_protect(0, keel_pointer(page), 4096, MAP_READ), 0);
    EQ(keel_batch(keel_pointer(page), 1), -EFAULT);
    EQ(keel_event_wait(event, 0), 1);
    memory_unmap(page, 4096);
    EQ(keel_handle_close(event), 0);
    EQ(keel_handle_close(vmo), 0);
}

/* Calls that do their work in pieces, and one that ends the thread. */
static void test_pieces(void) {
    enum { LENGTH = 64 << 20 };
    int64_t vmo = keel_vmo_create(LENGTH, 0);
    char byte = 1;
    for (uint64_t at = 0; at < LENGTH; at += 1 << 20)
        EQ(keel_vmo_write(vmo, at, keel_pointer(&byte), 1), 1);
    for (unsigned i = 0; i < 8; i++)
        entries[i] = entry(KEEL_CALL_vmo_discard, (uint64_t)vmo, i * (LENGTH / 8), LENGTH / 8);
    EQ(batch_all(8), 8);
    for (unsigned i = 0; i < 8; i++)
        EQ(entries[i].rax, 0);
    EQ(keel_vmo_read(vmo, LENGTH / 2, keel_pointer(&byte), 1), 1);
    EQ(byte, 0);
    EQ(keel_handle_close(vmo), 0);

    /* A call that remembers how far it came is the first of a batch. */
    vmo = keel_vmo_create(4096, 0);
    void *page = memory_map((handle_t)vmo, 0, 4096, MAP_READ | MAP_WRITE);
    for (unsigned i = 0; i < 3; i++)
        entries[i] = entry(KEEL_CALL_null, 0, 0, 0);
    entries[1] = entry(KEEL_CALL_space_protect, 0, keel_pointer(page), 4096);
    entries[1].r10 = MAP_READ;
    EQ(keel_batch(keel_pointer(entries), 3), 1);
    entries[0].rax = KEEL_CALL_null;
    EQ(batch_all(3), 3);
    EQ(entries[1].rax, 0);
    memory_unmap(page, 4096);
    EQ(keel_handle_close(vmo), 0);
    for (unsigned i = 0; i < 3; i++)
        entries[i] = entry(KEEL_CALL_vmo_create, (i + 1) << 20, VMO_PINNED, 0);
    EQ(batch_all(3), 3);
    for (unsigned i = 0; i < 3; i++) {
        byte = 1;
        EQ(keel_vmo_read(entries[i].rax, ((uint64_t)i + 1) * (1 << 20) - 1, keel_pointer(&byte), 1), 1);
        EQ(byte, 0);
        EQ(keel_handle_close(entries[i].rax), 0);
    }
}

static _Atomic uint32_t left;
static void leaver(uint64_t i) {
    struct batch_entry mine[3] = {entry(KEEL_CALL_thread_yield, 0, 0, 0), entry(KEEL_CALL_null, 0, 0, 0),
                                  entry(KEEL_CALL_thread_exit, keel_pointer((void *)&left), 0, 0)};
    for (int64_t done = 0; done < 3;)
        done += keel_batch(keel_pointer(mine + done), (uint64_t)(3 - done));
    fail(__LINE__, "thread", (int64_t)i, 0);
    thread_end(i);
}

static void test_ends_thread(void) {
    left = 0;
    handle_t thread = thread_start(0, leaver);
    while (!left)
        keel_thread_wait(clock_now() + MS);
    EQ(keel_handle_close(thread), 0);
}

const struct test batch_tests[] = {
    {"batch_results", test_results},         {"batch_refused", test_refused},
    {"batch_bad_arrays", test_bad_arrays},   {"batch_pieces", test_pieces},
    {"batch_ends_thread", test_ends_thread}, {NULL, NULL},
};
