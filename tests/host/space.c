/* Guest spaces: mappings of Vmo ranges, and the look-up that a processor and its page faults would do. See
 * kernel.h. */
#include <stdlib.h>
#include <string.h>

#include "abi/errors.h"
#include "lib/base/list.h"
#include "lib/keel/call.h"
#include "linux/arch/host/host.h"
#include "tests/host/kernel.h"

enum { ALLOW_SHIFT = 8 };

static struct host_mapping *mapping_of(struct tree_node *node) {
    return node ? container_of(node, struct host_mapping, node) : NULL;
}

/* The first mapping that ends above an address. */
static struct host_mapping *mapping_from(const struct host_space *space, uint64_t address) {
    struct host_mapping *mapping = mapping_of(tree_find_le(&space->mappings, address));
    return mapping && mapping->end > address ? mapping : mapping_of(tree_find_ge(&space->mappings, address));
}

static bool range_valid(uint64_t address, uint64_t length) {
    return !((address | length) % HOST_PAGE) && length && address >= HOST_USER_BASE &&
           address < HOST_GUEST_LIMIT && length <= HOST_GUEST_LIMIT - address;
}

/* ---- changes ---- */

static struct host_mapping *mapping_create(struct host_space *space) {
    if (host_allocation_fails() || !host_charge(space->object.job, HOST_OBJECTS, 1))
        return NULL;
    return calloc(1, sizeof(struct host_mapping));
}

static void mapping_insert(struct host_space *space, struct host_mapping *mapping, uint64_t address) {
    tree_insert(&space->mappings, &mapping->node, address);
    space->mapping_count++;
}

static void mapping_take_out(struct host_space *space, struct host_mapping *mapping) {
    tree_remove(&space->mappings, &mapping->node);
    space->mapping_count--;
}

static void mapping_free(struct host_space *space, struct host_mapping *mapping) {
    host_object_put(&mapping->vmo->object);
    host_uncharge(space->object.job, HOST_OBJECTS, 1);
    free(mapping);
}

/* Cuts the mapping that lies across an address. 0 or -ENOMEM. */
static int cut(struct host_space *space, uint64_t address) {
    struct host_mapping *mapping = mapping_from(space, address);
    if (!mapping || mapping->node.key >= address)
        return 0;
    struct host_mapping *rest = mapping_create(space);
    if (!rest)
        return -ENOMEM;
    uint64_t skipped = address - mapping->node.key;
    rest->end = mapping->end;
    rest->offset = mapping->offset + skipped;
    rest->vmo = mapping->vmo;
    rest->flags = mapping->flags;
    host_object_get(&rest->vmo->object);
    mapping->end = address;
    mapping_insert(space, rest, address);
    return 0;
}

static int isolate(struct host_space *space, uint64_t start, uint64_t end) {
    int error = cut(space, start);
    return error ? error : cut(space, end);
}

/* Removes the mappings of an isolated range; pages that only they show go too. */
static void clear(struct host_space *space, uint64_t start, uint64_t end) {
    struct host_mapping *mapping;
    while ((mapping = mapping_from(space, start)) && mapping->node.key < end) {
        uint64_t pages = (mapping->end - mapping->node.key) / HOST_PAGE;
        if (mapping->flags & MAP_COPY)
            host_vmo_remove(mapping->vmo, mapping->offset / HOST_PAGE,
                            mapping->offset / HOST_PAGE + pages - 1);
        mapping_take_out(space, mapping);
        mapping_free(space, mapping);
    }
}

static struct host_vmo *mapping_source(struct host_space *space, struct host_vmo *vmo, uint64_t length,
                                       unsigned flags) {
    if (!vmo) {
        struct host_vmo *fresh = host_vmo_create(space->object.job, length);
        if (fresh)
            fresh->anonymous = true;
        return fresh;
    }
    if (flags & MAP_COPY)
        return host_vmo_snapshot(vmo, space->object.job);
    host_object_get(&vmo->object);
    return vmo;
}

static int64_t map(struct host_space *space, uint64_t address, struct host_vmo *vmo, uint64_t offset,
                   uint64_t length, unsigned flags) {
    if (!range_valid(address, length) || offset % HOST_PAGE || offset > HOST_VMO_SIZE_MAX ||
        (!vmo && offset) || (vmo && vmo->pinned && flags & MAP_COPY))
        return -EINVAL;
    struct host_mapping *mapping = mapping_create(space);
    if (!mapping)
        return -ENOMEM;
    mapping->vmo = mapping_source(space, vmo, length, flags);
    if (!mapping->vmo) {
        host_uncharge(space->object.job, HOST_OBJECTS, 1);
        free(mapping);
        return -ENOMEM;
    }
    if (isolate(space, address, address + length)) {
        mapping_free(space, mapping);
        return -ENOMEM;
    }
    unsigned allowed = !vmo || flags & MAP_COPY ? MAP_PROT_MASK : (flags & MAP_PROT_MASK) | MAP_READ;
    clear(space, address, address + length);
    mapping->end = address + length;
    mapping->offset = offset;
    mapping->flags = flags | allowed << ALLOW_SHIFT;
    mapping_insert(space, mapping, address);
    return 0;
}

static int64_t unmap(struct host_space *space, uint64_t address, uint64_t length) {
    if (!range_valid(address, length))
        return -EINVAL;
    int error = isolate(space, address, address + length);
    if (!error)
        clear(space, address, address + length);
    return error;
}

/* Whether mappings that allow the protection cover the range. */
static int range_check(struct host_space *space, uint64_t start, uint64_t end, unsigned protection,
                       int hole) {
    struct host_mapping *mapping = mapping_from(space, start);
    for (; mapping && mapping->node.key <= start; mapping = mapping_of(tree_next(&mapping->node))) {
        if (protection << ALLOW_SHIFT & ~mapping->flags)
            return -EACCES;
        if (mapping->end >= end)
            return 0;
        start = mapping->end;
    }
    return hole;
}

static int64_t protect(struct host_space *space, uint64_t address, uint64_t length, unsigned protection) {
    if (!range_valid(address, length) || protection & ~(unsigned)MAP_PROT_MASK)
        return -EINVAL;
    uint64_t end = address + length;
    int error = range_check(space, address, end, protection, -ENOMEM);
    if (!error)
        error = isolate(space, address, end);
    if (error)
        return error;
    struct host_mapping *mapping = mapping_from(space, address);
    for (; mapping && mapping->node.key < end; mapping = mapping_of(tree_next(&mapping->node)))
        mapping->flags = (mapping->flags & ~(uint32_t)MAP_PROT_MASK) | protection;
    return 0;
}

static int64_t move(struct host_space *space, uint64_t address, uint64_t length, uint64_t to) {
    if (!range_valid(address, length) || !range_valid(to, length) ||
        (address < to + length && to < address + length))
        return -EINVAL;
    int error = range_check(space, address, address + length, 0, -EFAULT);
    if (!error)
        error = isolate(space, address, address + length);
    if (!error)
        error = isolate(space, to, to + length);
    if (error)
        return error;
    clear(space, to, to + length);
    struct host_mapping *mapping;
    while ((mapping = mapping_from(space, address)) && mapping->node.key < address + length) {
        uint64_t there = mapping->node.key - address + to;
        mapping_take_out(space, mapping);
        mapping->end = mapping->end - address + to;
        mapping_insert(space, mapping, there);
    }
    return 0;
}

/* ---- whole spaces ---- */

static void space_destroy(struct host_object *object) {
    struct host_space *space = (struct host_space *)object;
    struct host_mapping *mapping;
    while ((mapping = mapping_from(space, 0))) {
        mapping_take_out(space, mapping);
        mapping_free(space, mapping);
    }
    host_object_free(object);
}

static struct host_space *space_create(struct host_job *job) {
    return host_object_create(OBJECT_SPACE, sizeof(struct host_space), job, space_destroy);
}

static struct host_vmo *clone_source(struct host_mapping *mapping, struct host_job *job) {
    struct host_vmo *vmo = mapping->vmo;
    if (mapping->flags & MAP_COPY) {
        if (!vmo->clone)
            return vmo->clone = host_vmo_snapshot(vmo, job);
        vmo = vmo->clone;
    }
    host_object_get(&vmo->object);
    return vmo;
}

static int mapping_clone(struct host_mapping *mapping, struct host_space *space) {
    struct host_mapping *copy = mapping_create(space);
    if (!copy)
        return -ENOMEM;
    copy->vmo = clone_source(mapping, space->object.job);
    if (!copy->vmo) {
        host_uncharge(space->object.job, HOST_OBJECTS, 1);
        free(copy);
        return -ENOMEM;
    }
    copy->end = mapping->end;
    copy->offset = mapping->offset;
    copy->flags = mapping->flags;
    mapping_insert(space, copy, mapping->node.key);
    return 0;
}

static int64_t space_clone(struct host_space *space, struct host_job *job) {
    struct host_space *copy = space_create(job);
    struct host_mapping *mapping;
    int error = copy ? 0 : -ENOMEM;
    for (mapping = mapping_from(space, 0); mapping && !error; mapping = mapping_of(tree_next(&mapping->node)))
        error = mapping_clone(mapping, copy);
    for (mapping = mapping_from(space, 0); mapping; mapping = mapping_of(tree_next(&mapping->node)))
        mapping->vmo->clone = NULL;
    if (!error)
        return host_handle_add(&copy->object, RIGHT_ALL);
    if (copy)
        host_object_put(&copy->object);
    return error;
}

/* ---- access ---- */

static int mapping_byte(struct host_mapping *mapping, uint64_t address, bool write, uint8_t **byte) {
    uint64_t index = (mapping->offset + (address - mapping->node.key)) / HOST_PAGE;
    int error;
    if (index >= (mapping->vmo->size + HOST_PAGE - 1) / HOST_PAGE)
        return -ENXIO;
    uint8_t *bytes = host_vmo_page(mapping->vmo, index, write, &error);
    if (!bytes && !error)
        bytes = host_vmo_page(mapping->vmo, index, true, &error);
    if (error)
        return error;
    *byte = bytes + address % HOST_PAGE;
    return 0;
}

int host_space_byte(struct host_space *space, uint64_t address, unsigned access, uint8_t **byte) {
    struct host_mapping *mapping = mapping_from(space, address);
    if (!mapping || mapping->node.key > address)
        return -EFAULT;
    /* The processor reads what it may write or execute. */
    if (!(mapping->flags & (access == MAP_READ ? (unsigned)MAP_PROT_MASK : access)))
        return -EACCES;
    return mapping_byte(mapping, address, access == MAP_WRITE, byte);
}

int host_space_byte_any(struct host_space *space, uint64_t address, bool write, uint8_t **byte) {
    struct host_mapping *mapping = mapping_from(space, address);
    return mapping && mapping->node.key <= address ? mapping_byte(mapping, address, write, byte) : -EFAULT;
}

static size_t in_page(uint64_t address, size_t length) {
    size_t left = HOST_PAGE - address % HOST_PAGE;
    return length < left ? length : left;
}

/* One address of user memory, of either kind. */
int host_user_byte(uint64_t address, unsigned access, uint8_t **byte) {
    if (address < HOST_GUEST_LIMIT && host_attached())
        return host_space_byte(host_attached(), address, access, byte);
    if (address < HOST_GUEST_LIMIT && address - HOST_GUEST_BASE >= HOST_GUEST_SIZE)
        return -EFAULT;
    if (address < HOST_GUEST_LIMIT)
        host_guest_memory();
    *byte = (uint8_t *)address;
    return 0;
}

size_t host_user_read(void *to, uint64_t from, size_t length) {
    size_t done = 0;
    uint8_t *byte;
    while (done < length && !host_user_byte(from + done, MAP_READ, &byte)) {
        size_t count = in_page(from + done, length - done);
        memcpy((char *)to + done, byte, count);
        done += count;
    }
    return done;
}

size_t host_user_write(uint64_t to, const void *from, size_t length) {
    size_t done = 0;
    uint8_t *byte;
    while (done < length && !host_user_byte(to + done, MAP_WRITE, &byte)) {
        size_t count = in_page(to + done, length - done);
        memcpy(byte, (const char *)from + done, count);
        done += count;
    }
    return done;
}

/* ---- calls ---- */

#define WITH_SPACE(handle, expression)                                                                       \
    ({                                                                                                       \
        struct host_object *found_;                                                                          \
        host_lock();                                                                                         \
        int64_t result_ = host_handle_find(handle, OBJECT_SPACE, RIGHT_MEMORY, &found_);                     \
        if (!result_) {                                                                                      \
            struct host_space *space = (struct host_space *)found_;                                          \
            result_ = (expression);                                                                          \
        }                                                                                                    \
        host_unlock();                                                                                       \
        result_;                                                                                             \
    })

static int64_t space_open(uint64_t job_handle) {
    struct host_job *job;
    int error = host_find_job(job_handle, RIGHT_WRITE, &job);
    if (error)
        return error;
    struct host_space *space = space_create(job);
    return space ? host_handle_add(&space->object, RIGHT_ALL) : -ENOMEM;
}

int64_t keel_space_create(uint64_t job_handle) {
    host_lock();
    int64_t result = space_open(job_handle);
    host_unlock();
    return result;
}

static int find_vmo(uint64_t handle, uint64_t flags, struct host_vmo **vmo) {
    struct host_object *object;
    uint32_t rights = RIGHT_READ;
    *vmo = NULL;
    if (!handle)
        return 0;
    if (flags & MAP_WRITE && !(flags & MAP_COPY))
        rights |= RIGHT_WRITE;
    if (flags & MAP_EXEC)
        rights |= RIGHT_EXEC;
    int error = host_handle_find(handle, OBJECT_VMO, rights, &object);
    if (!error)
        *vmo = (struct host_vmo *)object;
    return error;
}

int64_t keel_space_map(uint64_t handle, uint64_t address, uint64_t vmo_handle, uint64_t offset,
                       uint64_t length, uint64_t flags) {
    struct host_vmo *vmo;
    if (flags & ~(uint64_t)(MAP_PROT_MASK | MAP_COPY))
        return -EINVAL;
    host_lock();
    int64_t result = find_vmo(vmo_handle, flags, &vmo);
    if (!result)
        result = WITH_SPACE(handle, map(space, address, vmo, offset, length, (unsigned)flags));
    host_unlock();
    return result;
}

int64_t keel_space_unmap(uint64_t handle, uint64_t address, uint64_t length) {
    return WITH_SPACE(handle, unmap(space, address, length));
}

int64_t keel_space_protect(uint64_t handle, uint64_t address, uint64_t length, uint64_t protection) {
    if (protection & ~(uint64_t)MAP_PROT_MASK)
        return -EINVAL;
    return WITH_SPACE(handle, protect(space, address, length, (unsigned)protection));
}

int64_t keel_space_clone(uint64_t handle, uint64_t job_handle) {
    struct host_job *job;
    host_lock();
    int64_t result = host_find_job(job_handle, RIGHT_WRITE, &job);
    if (!result)
        result = WITH_SPACE(handle, space_clone(space, job));
    host_unlock();
    return result;
}

int64_t keel_space_move(uint64_t handle, uint64_t address, uint64_t length, uint64_t to) {
    return WITH_SPACE(handle, move(space, address, length, to));
}
