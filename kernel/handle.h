/*
 * Handle tables. A slot holds a 64-bit capability token (C1): checksum in bits 0-6, valid bit 7, rights 8-23,
 * object id 24-55, type 56-63; beside it the one handle that means it, and the object's epoch at the time the
 * token was made, which revocation leaves behind. A free slot's token is 0.
 */
#pragma once

#include "abi/rights.h"
#include "kernel/lock.h"
#include "kernel/object.h"

enum { HANDLE_CHUNK = 256, HANDLE_CHUNKS = 512, HANDLE_MOVE_MAX = 8 };

struct channel;

struct handle_slot {
    uint64_t token;
    handle_t handle; /* index, and above that how often the slot was emptied */
    union {
        uint32_t epoch;     /* occupied */
        uint32_t next_free; /* free: slot index, 0 ends the list */
    };
};

struct handle_table {
    struct spinlock lock;        /* rank HANDLES: guards all below; look-ups read without it */
    uint32_t capacity;           /* slots backed by chunks */
    struct handle_slot **chunks; /* a page of HANDLE_CHUNKS pointers, each to a page of HANDLE_CHUNK slots */
    uint32_t first_free;         /* 0: none; slot 0 is never used */
    struct job *job;             /* charged for the chunks */
    uint64_t changes;            /* handles that ended: see struct port_use */
    struct handle_slot *kept;    /* what handle_reopen_event gives out next: the slot, … */
    uint64_t kept_token;         /* … and the token of its event; 0: none */
};

int handle_table_init(struct handle_table *table, struct job *job);
/* Closes up to most handles; true when none is left and the table's memory is freed. */
bool handle_table_close_step(struct handle_table *table, unsigned most);

/* A handle that user space names is a 64-bit word, and stale when it is no handle_t.
 *
 * The object of a handle, with a reference for the caller; *held: all the rights that the handle carries.
 * type OBJECT_NONE takes any. 0, -EBADF, -EINVAL (type), -EACCES (rights). A token whose checksum is wrong is
 * memory corruption: panic. */
int handle_lookup_held(struct handle_table *table, uint64_t handle, enum object_type type, uint32_t rights,
                       struct object **object, uint32_t *held);
static inline int handle_lookup(struct handle_table *table, uint64_t handle, enum object_type type,
                                uint32_t rights, struct object **object) {
    uint32_t held;
    return handle_lookup_held(table, handle, type, rights, object, &held);
}
/* As handle_lookup, without the reference and, when the handle is good, without the lock: the object may be
 * used until object_unuse, on this CPU, which uses one at a time. In two steps: NULL from the first, which
 * may have announced an object in vain, asks for the second. */
struct object *handle_announce(struct handle_table *table, uint64_t handle, enum object_type type,
                               uint32_t rights);
int handle_use_slowly(struct handle_table *table, uint64_t handle, enum object_type type, uint32_t rights,
                      struct object **object);
static inline int handle_use(struct handle_table *table, uint64_t handle, enum object_type type,
                             uint32_t rights, struct object **object) {
    *object = handle_announce(table, handle, type, rights);
    return *object ? 0 : handle_use_slowly(table, handle, type, rights, object);
}
/* Turns a reference into such a use. */
void object_use(struct object *object);

/* A new handle for the object, which takes over the caller's reference. 0 when the table or memory is full;
 * then the reference is dropped. No lock of rank ≥ VMO may be held. */
handle_t handle_give(struct handle_table *table, struct object *object, uint32_t rights);
/* As above; the caller keeps its reference. */
static inline handle_t handle_add(struct handle_table *table, struct object *object, uint32_t rights) {
    object_get(object);
    return handle_give(table, object, rights);
}
int64_t handle_close(struct handle_table *table, uint64_t handle);
/* An event that was closed by its only handle stays, still charged, for the next one: a new handle with all
 * rights to it, as to a new event with that count. 0 when there is none. */
handle_t handle_reopen_event(struct handle_table *table, uint64_t count);
/* Another handle with some of the rights, or -EACCES when it would have none, -EBADF, -ENOMEM. Needs GRANT.
 */
int64_t handle_duplicate(struct handle_table *table, uint64_t handle, uint32_t rights);
/* Makes every handle to the object stale but this one. */
int64_t handle_revoke(struct handle_table *table, uint64_t handle);

/* The object of an occupied slot, in a table or not. */
struct object *handle_slot_object(const struct handle_slot *slot);

/* The two halves of a move. handle_take empties handles (GRANT needed) into slots, which own the references
 * from then on: all or, when one is stale, named twice, not to be granted or (-EINVAL) an end of the channel
 * pair that they go through, none. count ≤ HANDLE_MOVE_MAX. */
int handle_take(struct handle_table *from, const handle_t *handles, unsigned count, struct handle_slot *slots,
                const struct channel *through);
/* Makes room: handles that name nothing until handle_settle fills them or, with slots NULL, gives them back.
 * All or none, -ENOMEM. */
int handle_reserve(struct handle_table *table, handle_t *reserved, unsigned count);
void handle_settle(struct handle_table *table, const handle_t *reserved, unsigned count,
                   const struct handle_slot *slots);

/* Moves handles (GRANT needed) between tables: all or, with an error, none; at most
 * HANDLE_MOVE_MAX. The new ones go to moved[]. */
int handle_move(struct handle_table *from, const handle_t *handles, unsigned count, struct handle_table *to,
                handle_t *moved);
