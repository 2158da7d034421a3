/* See handle.h. */
#include "kernel/handle.h"

#include "kernel/channel.h"
#include "kernel/event.h"
#include "kernel/job.h"
#include "kernel/log.h"
#include "kernel/object_use.h"
#include "kernel/page.h"
#include "kernel/user_page.h"

enum {
    TOKEN_VALID = 1u << 7,
    INDEX_MASK = (1u << HANDLE_INDEX_BITS) - 1,
};

/* Seven bits over the other 57: a multiplicative hash, so that any flipped bit is likely to show. */
static uint64_t token_checksum(uint64_t token) {
    return (token >> 7) * 0x9e3779b97f4a7c15ULL >> 57;
}

static uint64_t token_make(const struct object *object, uint32_t rights) {
    uint64_t token = (uint64_t)object->type << 56 | (uint64_t)object_id(object) << 24 |
                     (uint64_t)(rights & RIGHT_ALL) << 8 | TOKEN_VALID;
    return token | token_checksum(token);
}

static uint32_t token_rights(uint64_t token) {
    return (uint32_t)(token >> 8 & RIGHT_ALL);
}

static inline __attribute__((always_inline)) struct object *token_object_inline(uint64_t token) {
    if ((token & 0x7f) != token_checksum(token))
        panic("capability %lx fails its checksum", token);
    return object_from_id((uint32_t)(token >> 24));
}
static struct object *token_object(uint64_t token) {
    return token_object_inline(token);
}

static inline __attribute__((always_inline)) struct handle_slot *table_slot(struct handle_table *table,
                                                                            uint32_t index) {
    return &table->chunks[index / HANDLE_CHUNK][index % HANDLE_CHUNK];
}

int handle_table_init(struct handle_table *table, struct job *job) {
    *table = (struct handle_table){.lock = SPINLOCK(LOCK_RANK_HANDLES), .job = job};
    uint64_t page = table_page_alloc(job);
    if (!page)
        return -ENOMEM;
    table->chunks = phys_to_virt(page);
    return 0;
}

/* Adds a chunk of free slots in front of the free list. The lock is held. */
static __attribute__((noinline)) bool table_grow(struct handle_table *table) {
    uint32_t chunk = table->capacity / HANDLE_CHUNK;

    uint64_t page = chunk < HANDLE_CHUNKS ? table_page_alloc(table->job) : 0;
    if (!page)
        return false;
    table->chunks[chunk] = phys_to_virt(page);
    for (uint32_t i = HANDLE_CHUNK; i-- > (chunk ? 0 : 1);) {
        struct handle_slot *slot = &table->chunks[chunk][i];
        slot->next_free = table->first_free;
        table->first_free = slot->handle = chunk * HANDLE_CHUNK + i;
    }
    __atomic_store_n(&table->capacity, table->capacity + HANDLE_CHUNK, __ATOMIC_RELEASE);
    return true;
}

/* What look-ups read without the lock changes by these alone. The token, which says that the rest is valid,
 * goes last, or first when the slot is emptied. */
static inline void slot_set(struct handle_slot *slot, uint64_t token, uint32_t epoch) {
    __atomic_store_n(&slot->epoch, epoch, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->token, token, __ATOMIC_RELEASE);
}
static void slot_empty(struct handle_slot *slot) {
    __atomic_store_n(&slot->token, 0, __ATOMIC_RELAXED);
}

/* A slot off the free list, or NULL. The lock is held. */
static struct handle_slot *slot_take(struct handle_table *table, uint32_t *index) {
    if (!table->first_free && !table_grow(table))
        return NULL;
    *index = table->first_free;
    struct handle_slot *slot = table_slot(table, *index);
    table->first_free = slot->next_free;
    return slot;
}

/* Empties a slot; its handle is stale from now on. The lock is held, here and below. */
static inline __attribute__((always_inline)) void slot_end(struct handle_table *table,
                                                           struct handle_slot *slot) {
    slot_empty(slot);
    __atomic_store_n(&slot->handle, slot->handle + (1u << HANDLE_INDEX_BITS), __ATOMIC_RELEASE);
    table->changes++;
}

/* Back to the free list. */
static inline void slot_free(struct handle_table *table, struct handle_slot *slot, uint32_t index) {
    __atomic_store_n(&slot->next_free, table->first_free, __ATOMIC_RELAXED);
    table->first_free = index;
}

static void slot_release(struct handle_table *table, struct handle_slot *slot, uint32_t index) {
    slot_end(table, slot);
    slot_free(table, slot, index);
}

/* The occupied slot that a handle names, or NULL. The lock is held. */
static inline __attribute__((always_inline)) struct handle_slot *slot_find(struct handle_table *table,
                                                                           uint64_t handle) {
    uint32_t index = handle & INDEX_MASK;
    if (index >= table->capacity)
        return NULL;
    struct handle_slot *slot = table_slot(table, index); /* slot 0 is empty */
    return slot->token && slot->handle == handle ? slot : NULL;
}

/* As above, and not revoked. */
static struct handle_slot *slot_find_live(struct handle_table *table, uint64_t handle) {
    struct handle_slot *slot = slot_find(table, handle);
    if (!slot || slot->epoch != token_object(slot->token)->epoch)
        return NULL;
    return slot;
}

static void slot_fill(struct handle_slot *slot, struct object *object, uint32_t rights) {
    slot_set(slot, token_make(object, rights), object->epoch);
}

int handle_lookup_held(struct handle_table *table, uint64_t handle, enum object_type type, uint32_t rights,
                       struct object **object, uint32_t *held) {
    int error = 0;

    spin_lock(&table->lock);
    struct handle_slot *slot = slot_find(table, handle);
    struct object *found = slot ? token_object(slot->token) : NULL;
    if (!slot || slot->epoch != found->epoch)
        error = -EBADF;
    else if (type != OBJECT_NONE && slot->token >> 56 != type)
        error = -EINVAL;
    else if ((*held = token_rights(slot->token), *held & rights) != rights)
        error = -EACCES;
    else
        object_get(*object = found);
    spin_unlock(&table->lock);
    return error;
}

struct object *handle_announce(struct handle_table *table, uint64_t handle, enum object_type type,
                               uint32_t rights) {
    uint32_t index = handle & INDEX_MASK;
    if (index >= __atomic_load_n(&table->capacity, __ATOMIC_ACQUIRE))
        return NULL;
    struct handle_slot *slot = &table->chunks[index / HANDLE_CHUNK][index % HANDLE_CHUNK];
    uint64_t token = __atomic_load_n(&slot->token, __ATOMIC_ACQUIRE);
    if (__atomic_load_n(&slot->handle, __ATOMIC_ACQUIRE) != handle ||
        (type != OBJECT_NONE && token >> 56 != type) || (~token >> 7 & (rights << 1 | 1)) ||
        (token & 0x7f) != token_checksum(token)) /* there it is found again, and a panic */
        return NULL;
    struct object *object = object_from_id((uint32_t)(token >> 24));
    object_announce(object);
    /* The same token and, around it, the same handle: nobody emptied the slot before the announcement. */
    if (__atomic_load_n(&slot->token, __ATOMIC_ACQUIRE) == token &&
        __atomic_load_n(&slot->handle, __ATOMIC_ACQUIRE) == handle &&
        __atomic_load_n(&slot->epoch, __ATOMIC_RELAXED) == object->epoch)
        return object;
    return NULL;
}

int handle_use_slowly(struct handle_table *table, uint64_t handle, enum object_type type, uint32_t rights,
                      struct object **object) {
    object_unuse();
    /* Why not? Only the lock gives an answer that no other thread is just changing. */
    int error = handle_lookup(table, handle, type, rights, object);
    if (error)
        return error;
    object_use(*object);
    return 0;
}

void object_use(struct object *object) {
    object_announce(object);
    object_put(object); /* or who uses it: this CPU */
}

handle_t handle_give(struct handle_table *table, struct object *object, uint32_t rights) {
    uint32_t index;
    handle_t handle = HANDLE_NONE;

    spin_lock(&table->lock);
    struct handle_slot *slot = slot_take(table, &index);
    if (slot) {
        slot_fill(slot, object, rights);
        handle = slot->handle;
    }
    spin_unlock(&table->lock);
    if (!handle)
        object_put(object);
    return handle;
}

/* Keeps what an ended slot held, an event with nothing but this handle to it, for the next one that is made:
 * true. False: *object is still to be put, if there is one. */
static inline bool event_keep(struct handle_table *table, struct handle_slot *slot, uint64_t token,
                              struct object **object) {
    struct event *event = container_of(*object, struct event, object);

    if (table->kept_token || token >> 56 != OBJECT_EVENT || token_rights(token) != RIGHT_ALL)
        return false;
    /* Others may be at it until here, without a reference or just getting one. */
    if (object_hand_over(*object)) {
        *object = NULL;
        return false;
    }
    if (event->object.references != 1 || event->object.job != table->job || event->binding.port)
        return false;
    table->kept = slot;
    table->kept_token = token;
    *object = NULL;
    return true;
}

handle_t handle_reopen_event(struct handle_table *table, uint64_t count) {
    handle_t handle = HANDLE_NONE;

    spin_lock_inline(&table->lock);
    uint64_t token = table->kept_token;
    if (token) {
        struct handle_slot *slot = table->kept;
        struct object *object = object_from_id((uint32_t)(token >> 24));
        container_of(object, struct event, object)->count = count;
        table->kept_token = 0;
        handle = slot->handle;
        slot_set(slot, token, object->epoch);
    }
    spin_unlock(&table->lock);
    return handle;
}

int64_t handle_close(struct handle_table *table, uint64_t handle) {
    struct object *object = NULL;
    int64_t result = -EBADF;

    spin_lock_inline(&table->lock);
    struct handle_slot *slot = slot_find(table, handle);
    if (slot) {
        uint64_t token = slot->token;
        object = token_object_inline(token);
        slot_end(table, slot);
        if (!event_keep(table, slot, token, &object))
            slot_free(table, slot, handle & INDEX_MASK);
        result = 0;
    }
    spin_unlock(&table->lock);
    if (object)
        object_put(object);
    return result;
}

int64_t handle_duplicate(struct handle_table *table, uint64_t handle, uint32_t rights) {
    struct object *object;
    uint32_t held;
    int error = handle_lookup_held(table, handle, OBJECT_NONE, RIGHT_GRANT, &object, &held);
    if (error)
        return error;
    if (!(held & rights)) {
        object_put(object);
        return -EACCES;
    }
    handle_t copy = handle_give(table, object, held & rights);
    return copy ? (int64_t)copy : -ENOMEM;
}

int64_t handle_revoke(struct handle_table *table, uint64_t handle) {
    int64_t result = -EBADF;

    spin_lock(&table->lock);
    struct handle_slot *slot = slot_find_live(table, handle);
    if (slot && token_rights(slot->token) & RIGHT_REVOKE) {
        slot_set(slot, slot->token, atomic_fetch_add(&token_object(slot->token)->epoch, 1) + 1);
        result = 0;
    } else if (slot) {
        result = -EACCES;
    }
    spin_unlock(&table->lock);
    return result;
}

/* ---- moving ---- */

struct object *handle_slot_object(const struct handle_slot *slot) {
    return token_object(slot->token);
}

/* Why a slot may not be taken, or 0. */
static int slot_refused(const struct handle_slot *slot, const struct channel *through) {
    if (!slot)
        return -EBADF;
    if (!(token_rights(slot->token) & RIGHT_GRANT))
        return -EACCES;
    uint64_t offset = (uint64_t)((uintptr_t)token_object(slot->token) - (uintptr_t)through);
    return offset < 2 * sizeof(struct channel) ? -EINVAL : 0;
}

int handle_take(struct handle_table *from, const handle_t *handles, unsigned count, struct handle_slot *slots,
                const struct channel *through) {
    int error = 0;
    unsigned taken = 0;

    spin_lock(&from->lock);
    for (; taken < count; taken++) {
        struct handle_slot *slot = slot_find_live(from, handles[taken]);
        error = slot_refused(slot, through);
        if (error)
            break;
        slots[taken] = *slot;
        slot_empty(slot); /* a handle named twice is not found again */
    }
    for (unsigned i = 0; i < taken; i++) {
        struct handle_slot *slot = table_slot(from, handles[i] & INDEX_MASK);
        if (error)
            slot_set(slot, slots[i].token, slots[i].epoch);
        else
            slot_release(from, slot, handles[i] & INDEX_MASK);
    }
    spin_unlock(&from->lock);
    return error;
}

int handle_reserve(struct handle_table *table, handle_t *reserved, unsigned count) {
    struct handle_slot *slot;
    uint32_t index;
    unsigned done = 0;

    spin_lock(&table->lock);
    for (; done < count && (slot = slot_take(table, &index)); done++)
        reserved[done] = slot->handle;
    spin_unlock(&table->lock);
    if (done == count)
        return 0;
    handle_settle(table, reserved, done, NULL);
    return -ENOMEM;
}

void handle_settle(struct handle_table *table, const handle_t *reserved, unsigned count,
                   const struct handle_slot *slots) {
    spin_lock(&table->lock);
    for (unsigned i = 0; i < count; i++) {
        uint32_t index = reserved[i] & INDEX_MASK;
        struct handle_slot *slot = table_slot(table, index);
        if (slots)
            slot_set(slot, slots[i].token, slots[i].epoch);
        else
            slot_release(table, slot, index);
    }
    spin_unlock(&table->lock);
}

STACK_GUARD int handle_move(struct handle_table *from, const handle_t *handles, unsigned count,
                            struct handle_table *to, handle_t *moved) {
    struct handle_slot slots[HANDLE_MOVE_MAX];

    int error = handle_reserve(to, moved, count);
    if (error)
        return error;
    error = handle_take(from, handles, count, slots, NULL);
    handle_settle(to, moved, count, error ? NULL : slots);
    return error;
}

bool handle_table_close_step(struct handle_table *table, unsigned most) {
    if (table->kept_token)
        object_put(token_object(table->kept_token));
    table->kept_token = 0;
    while (table->chunks && table->capacity && most-- > 0) {
        uint32_t index = --table->capacity;
        struct handle_slot *slot = table_slot(table, index);
        if (slot->token)
            object_put(token_object(slot->token));
        slot->token = 0;
        if (index % HANDLE_CHUNK == 0) {
            page_free(virt_to_phys(table->chunks[index / HANDLE_CHUNK]), 0);
            job_uncharge(table->job, JOB_PAGES, 1);
        }
    }
    if (!table->chunks || table->capacity)
        return !table->chunks;
    page_free(virt_to_phys(table->chunks), 0);
    job_uncharge(table->job, JOB_PAGES, 1);
    table->chunks = NULL;
    return true;
}
