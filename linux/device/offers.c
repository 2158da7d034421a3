/*
 * See offers.h. The thread sleeps at one port: key 0 is the event of the list, every other key the id of a
 * device whose driver signalled.
 */
#include "linux/device/offers.h"

#include "abi/objects.h"
#include "lib/base/list.h"
#include "lib/base/string.h"
#include "lib/keel/call.h"
#include "linux/device/functions.h"
#include "linux/device/ipc.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/system.h"

enum {
    KINDS_MAX = 8,
    CLASSES = DEVICES_USB + 1,
    DEVICES_MOST = 512,
    PORT_QUEUE = 64,
    KEY_LIST = 0,
    EXPECTED_MOST = 64,
    AWAIT_STEP_NS = 1000000
};
#define AWAIT_NS     10000000000ULL
#define CALL_TIME_NS 5000000000ULL

/* A device that a kind uses, or that nobody does (state NULL). */
struct entry {
    struct list link;
    uint32_t id;
    bool seen;      /* in the present walk over the list */
    bool departing; /* its user knows that it is to go */
    const struct device_kind *kind;
    void *state;
    void *area;
    uint64_t length;
    handle_t memory, call, kick, page;
};

static const struct device_kind *kinds[KINDS_MAX];
static unsigned kind_count;
static _Atomic unsigned refusals[CLASSES]; /* by device_class, of kinds that are known */
static handle_t server, right, port;
static struct list entries = LIST_INIT(entries); /* the thread's own */

void offers_use(const struct device_kind *kind) {
    if (kind_count == KINDS_MAX)
        fatal("more than %d kinds of devices", KINDS_MAX);
    kinds[kind_count++] = kind;
}

/* ---- calls of the server ---- */

static void handle_drop(handle_t handle) {
    if (handle != HANDLE_NONE)
        keel_handle_close(handle);
}

/* A copy of the right goes with what needs one. */
static int64_t server_call(uint32_t call, const uint64_t words[3], uint64_t deadline,
                           struct ipc_message *message) {
    bool shown =
        right != HANDLE_NONE && (call == DEVICES_LINK || call == DEVICES_RESET || call == DEVICES_LEFT);
    int64_t copy = shown ? keel_handle_duplicate(right, RIGHT_ALL) : HANDLE_NONE;
    if (copy < 0)
        return copy;
    if (shown)
        thread_handles()[0] = (uint32_t)copy;
    *message =
        (struct ipc_message){.label = IPC_LABEL(call, 0, shown), .words = {words[0], words[1], words[2]}};
    int64_t error = ipc_call(server, deadline, message);
    if (error)
        handle_drop((handle_t)copy);
    return error ? error : (int64_t)message->words[0];
}

int64_t offers_call(uint32_t call, const uint64_t words[3], struct ipc_message *message) {
    if (server == HANDLE_NONE)
        return -ENODEV;
    return server_call(call, words, clock_monotonic() + CALL_TIME_NS, message);
}

void offers_left(uint32_t id) {
    struct ipc_message message;
    (void)offers_call(DEVICES_LEFT, (const uint64_t[3]){id}, &message); /* or it is gone already */
}

/* The device behind an id, -ENOENT at the end; and how often the list has changed. */
static int64_t device_next(uint32_t id, struct devices_device *device, uint64_t *changes) {
    struct ipc_message message;
    int64_t error = server_call(DEVICES_NEXT, (const uint64_t[3]){id}, DEADLINE_NEVER, &message);
    if (!error && IPC_LABEL_BYTES(message.label) < sizeof(*device))
        error = -EPROTO;
    if (!error)
        memcpy(device, thread_message(), sizeof(*device));
    device->name[DEVICES_NAME - 1] = 0;
    *changes = message.words[1];
    return error;
}

/* Takes the link: area mapped, call bound to the port. */
static int64_t link_take(struct entry *entry) {
    struct ipc_message message;
    int64_t error = server_call(DEVICES_LINK, (const uint64_t[3]){entry->id}, DEADLINE_NEVER, &message);
    if (error)
        return error;
    const uint32_t *handles = thread_handles();
    unsigned count = IPC_LABEL_HANDLES(message.label);
    entry->memory = count > 0 ? handles[0] : HANDLE_NONE;
    entry->kick = count > 1 ? handles[1] : HANDLE_NONE;
    entry->call = count > 2 ? handles[2] : HANDLE_NONE;
    entry->page = count > 3 ? handles[3] : HANDLE_NONE;
    entry->length = message.words[1] & ~(PAGE_SIZE - 1);
    if (count >= 3 && entry->length)
        entry->area = memory_map(entry->memory, 0, entry->length, MAP_READ | MAP_WRITE);
    return entry->area ? keel_object_bind(entry->call, port, entry->id) : -ENOMEM;
}

static void entry_free(struct entry *entry) {
    list_remove(&entry->link);
    handle_drop(entry->memory);
    handle_drop(entry->kick);
    handle_drop(entry->call);
    handle_drop(entry->page);
    if (entry->area)
        memory_unmap(entry->area, entry->length);
    heap_free(entry);
}

/* ---- the list ---- */

static struct entry *entry_find(uint32_t id) {
    struct entry *entry;
    list_for_each(entry, &entries, link) {
        if (entry->id == id)
            return entry;
    }
    return NULL;
}

static const struct device_kind *kind_find(uint32_t device_class) {
    for (unsigned i = 0; i < kind_count; i++)
        if (kinds[i]->device_class == device_class)
            return kinds[i];
    return NULL;
}

static void device_appear(const struct devices_device *device) {
    struct entry *entry = heap_zalloc(sizeof(*entry));
    if (!entry)
        return; /* it is asked for again when the list changes */
    entry->id = device->id;
    entry->kind = kind_find(device->device_class);
    entry->seen = true;
    list_push_back(&entries, &entry->link);
    if (!entry->kind || !device->area_length)
        return;
    int64_t error = link_take(entry);
    struct device_offer offer = {.device = *device,
                                 .area = entry->area,
                                 .length = entry->length,
                                 .memory = entry->memory,
                                 .kick = entry->kick,
                                 .page = entry->page};
    if (!error)
        entry->state = entry->kind->appear(&offer);
    if (error == -EACCES) {
        log_line("%s is not used: no right to it was granted", device->name);
        refusals[device->device_class]++;
    } else if (!entry->state) {
        log_line("%s cannot be used (error %d)", device->name, (int)-error);
    }
}

/* What is not offered any more. It goes before anything new comes, which may have its name and its link. */
static void gone_drop(void) {
    struct entry *entry, *after;
    list_for_each_safe(entry, after, &entries, link) {
        if (entry->seen)
            continue;
        if (entry->state)
            entry->kind->gone(entry->state);
        entry_free(entry);
    }
}

static void device_depart(struct entry *entry) {
    if (entry->departing)
        return;
    entry->departing = true;
    if (entry->state && entry->kind->depart)
        entry->kind->depart(entry->state);
    else
        offers_left(entry->id);
}

/* The list as it was at one moment, and how often it had changed: how many devices, or an error. */
static int64_t list_read(struct devices_device *devices, uint64_t *changes) {
    uint64_t first = 0;
    unsigned count;
    int64_t error;
    do {
        uint32_t id = 0;
        count = 0;
        while (!(error = device_next(id, &devices[count], changes)) && (count == 0 || *changes == first)) {
            first = *changes;
            id = devices[count].id;
            if (++count == DEVICES_MOST)
                return count;
        }
    } while ((!error || error == -ENOENT) && count && *changes != first);
    return error == -ENOENT ? count : error;
}

static void list_follow(void) {
    static struct devices_device devices[DEVICES_MOST];
    struct entry *entry;
    uint64_t changes, then = 0;
    int64_t count;
    int error;
    do { /* both at one moment: a function comes before its devices, and goes after them */
        count = list_read(devices, &changes);
        error = functions_read(&then);
    } while (count >= 0 && !error && changes != then);
    if (count < 0) {
        log_line("the list of devices cannot be read (error %d)", (int)-count);
        return;
    }
    list_for_each(entry, &entries, link) {
        entry->seen = false;
    }
    for (int64_t i = 0; i < count; i++)
        if ((entry = entry_find(devices[i].id)))
            entry->seen = true;
    gone_drop();
    if (!error) {
        functions_tell_gone();
        functions_tell_new();
    }
    for (int64_t i = 0; i < count; i++)
        if (!entry_find(devices[i].id))
            device_appear(&devices[i]);
    for (int64_t i = 0; i < count; i++)
        if (devices[i].flags & DEVICES_DEPARTING && (entry = entry_find(devices[i].id)))
            device_depart(entry);
}

/* ---- the thread ---- */

/* The server keeps the handle that it is sent; ours stays bound. The server's answer may take as long as it
 * looks for devices. */
static int64_t watch(void) {
    int64_t event = keel_handle_create(OBJECT_EVENT, 0, 0, 0);
    int64_t error = event < 0 ? event : keel_object_bind((uint64_t)event, port, KEY_LIST);
    int64_t copy = error ? error : keel_handle_duplicate((uint64_t)event, RIGHT_SEND | RIGHT_GRANT);
    if (copy < 0)
        return copy;
    struct ipc_message message = {.label = IPC_LABEL(DEVICES_WATCH, 0, 1)};
    thread_handles()[0] = (uint32_t)copy;
    error = ipc_call(server, DEADLINE_NEVER, &message);
    return error ? error : (int64_t)message.words[0];
}

static void offers_run(void *argument) {
    (void)argument;
    int64_t refused = watch();
    if (refused) {
        log_line("the list of devices cannot be followed (error %d)", (int)-refused);
        return;
    }
    for (;;) {
        struct ipc_message message = {0};
        int64_t error = ipc_receive(port, DEADLINE_NEVER, 0, &message);
        if (error < 0 && error != -EINTR)
            fatal("waiting for devices failed with error %d", (int)-error);
        if (error < 0 || !(message.label & IPC_PACKET))
            continue;
        uint64_t key = message.words[0];
        struct entry *entry = key == KEY_LIST ? NULL : entry_find((uint32_t)key);
        if (key == KEY_LIST)
            list_follow();
        else if (entry && entry->state)
            entry->kind->event(entry->state);
    }
}

int offers_start(handle_t devices, handle_t devices_right) {
    if (devices == HANDLE_NONE)
        return 0;
    server = devices;
    right = devices_right;
    int64_t made = keel_handle_create(OBJECT_PORT, PORT_QUEUE, 0, 0);
    if (made < 0)
        return (int)made;
    port = (handle_t)made;
    return thread_spawn(offers_run, NULL, NULL);
}

/* ---- the start ---- */

/* The number behind a word of the command line; 0: it is not there. */
static unsigned expected(const char *word) {
    size_t length = strlen(word);
    unsigned count = 0;
    const char *at = system_command_line;
    while (*at && strncmp(at, word, length) != 0) {
        while (*at && *at != ' ')
            at++;
        at += *at == ' ';
    }
    if (*at)
        for (at += length; *at >= '0' && *at <= '9' && count < EXPECTED_MOST; at++)
            count = count * 10 + (unsigned)(*at - '0');
    return count;
}

void offers_await(uint32_t device_class, const char *word, unsigned (*count)(void)) {
    uint64_t end = clock_monotonic() + AWAIT_NS;
    unsigned wanted = expected(word);
    while (count() + refusals[device_class] < wanted && clock_monotonic() < end)
        thread_park(clock_monotonic() + AWAIT_STEP_NS);
}
