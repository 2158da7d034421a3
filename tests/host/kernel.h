/*
 * The kernel's objects on the host: just enough of each for the personality, with the kernel's error codes
 * and quotas. One lock, held by every keel_NAME function while it works, guards all of it.
 *
 * User addresses: those below HOST_GUEST_LIMIT mean the guest space attached to the calling thread and are
 * looked up in its mappings page by page, as the MMU would; all others are plain pointers of the personality
 * (which therefore must be linked position-independent: the host puts such programs above 64 TB).
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/objects.h"
#include "abi/rights.h"
#include "lib/base/tree.h"

#define HOST_GUEST_LIMIT  0x0000400000000000ULL
#define HOST_VMO_SIZE_MAX (1ULL << 47)
enum { HOST_PAGE = 4096, HOST_COPY_MAX = 256 << 10, HOST_USER_BASE = 0x10000 };

struct host_job;

struct host_object {
    uint32_t references; /* handles, and objects that point here */
    uint32_t epoch;      /* handle_revoke counts it up */
    enum object_type type;
    struct host_job *job; /* charged; NULL for the first job */
    void (*destroy)(struct host_object *object);
};

enum { HOST_PAGES, HOST_OBJECTS, HOST_THREADS, HOST_QUOTAS };

struct host_job {
    struct host_object object; /* object.job is the parent */
    uint64_t used[HOST_QUOTAS], limit[HOST_QUOTAS];
};

struct host_page {
    uint32_t references; /* trees that hold it */
    struct host_job *job;
    uint8_t *bytes; /* a block of its own, so that the address sanitizer sees its ends */
    bool exposed;   /* no: part of what host_vmo_expose gave out */
};

struct host_vmo {
    struct host_object object;
    uint64_t size;
    bool pinned, anonymous;
    struct tree pages; /* struct host_slot by index */
    uint64_t page_count;
    struct host_vmo *clone; /* while a space is copied */
};

struct host_mapping {
    struct tree_node node; /* key: first address */
    uint64_t end, offset;
    struct host_vmo *vmo;
    uint32_t flags; /* MAP_, and what space_protect may raise it to, << 8 */
};

struct host_space {
    struct host_object object;
    struct tree mappings;
    uint64_t mapping_count;
};

struct host_event {
    struct host_object object;
    uint64_t count;
    handle_t waiter; /* thread to kick; 0: nobody waits */
};

struct host_resource {
    struct host_object object;
    uint64_t kind;
};

/* ---- the lock, allocation, references ---- */
void host_lock(void); /* recursive */
void host_unlock(void);
pthread_mutex_t *host_mutex(void);

/* Zeroed, charged to the job as one object (NULL: the first job), one reference; NULL: quota or a failed
 * allocation. */
void *host_object_create(enum object_type type, size_t size, struct host_job *job,
                         void (*destroy)(struct host_object *object));
void host_object_free(struct host_object *object); /* the end of a destroy function */
void host_object_get(struct host_object *object);
void host_object_put(struct host_object *object);
bool host_charge(struct host_job *job, unsigned quota, uint64_t count);
void host_uncharge(struct host_job *job, unsigned quota, uint64_t count);
/* The job that the personality itself is charged to. */
struct host_job *host_first_job(void);

/* Makes the n-th allocation of the kernel and of the personality's heap from now fail, once; 0: none. */
void host_fail_allocation(uint64_t n);
bool host_allocation_fails(void);
void host_fail_pause(bool pause); /* what the host needs for itself does not count */

/* Live objects by type and pages in use, for leak checks. */
uint64_t host_object_count(enum object_type type);
uint64_t host_page_count(void);

/* ---- handles ---- */
int64_t host_handle_add(struct host_object *object,
                        uint32_t rights); /* takes the reference over; handle or -ENOMEM */
/* Borrowed, valid under the lock: 0, -EBADF, -EINVAL, -EACCES. OBJECT_NONE: any type. */
int host_handle_find(uint64_t handle, enum object_type type, uint32_t rights, struct host_object **object);
int64_t host_job_open(uint64_t parent_handle); /* keel_handle_create(JOB) */
int host_find_job(uint64_t handle, uint32_t rights, struct host_job **job);

/* ---- memory ---- */
struct host_vmo *host_vmo_create(struct host_job *job, uint64_t size);
struct host_vmo *host_vmo_snapshot(struct host_vmo *vmo, struct host_job *job);
/* The page's bytes; NULL for a hole when not written (reads as zero), or when memory ran out (*error
 * -ENOMEM). */
uint8_t *host_vmo_page(struct host_vmo *vmo, uint64_t index, bool write, int *error);
void host_vmo_remove(struct host_vmo *vmo, uint64_t first, uint64_t last);
/* The pages in one piece of plain memory, committed; NULL beyond the end or without memory. Until
 * host_vmo_conceal. */
void *host_vmo_expose(struct host_vmo *vmo, uint64_t offset, uint64_t length);
void host_vmo_conceal(void *address, uint64_t length);
uint64_t host_vmo_resident(const struct host_vmo *vmo, uint64_t first, uint64_t last);

/* One address as a page fault would resolve it: 0 and the byte's place, or -EFAULT, -EACCES, -ENXIO, -ENOMEM.
 * access is one MAP_ bit. */
int host_space_byte(struct host_space *space, uint64_t address, unsigned access, uint8_t **byte);
/* The same whatever the mapping's protection. */
int host_space_byte_any(struct host_space *space, uint64_t address, bool write, uint8_t **byte);

/* User memory of either kind, as the calling thread sees it: one address; copies, which stop at the first
 * page that refuses: bytes done. */
int host_user_byte(uint64_t address, unsigned access, uint8_t **byte);
size_t host_user_read(void *to, uint64_t from, size_t length);
size_t host_user_write(uint64_t to, const void *from, size_t length);

/* ---- what linux/arch/host supplies to the calls ---- */
struct host_space *host_attached(void);     /* the calling thread's guest space, or NULL */
void host_attach(struct host_space *space); /* takes a reference, drops the old one's */
uint64_t host_now(void);                    /* ns, as clock_monotonic */
handle_t host_thread_handle(void);          /* the calling thread's */
