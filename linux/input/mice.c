/*
 * /dev/input/mice: all mice and tablets as one PS/2 mouse, as Linux's mousedev has it. A file begins with
 * packets of three bytes; the knock of an IntelliMouse (sampling rates 200, 100, 80) or of an Explorer (200,
 * 200, 80) gives it four, with the wheel and, for the latter, two more buttons. Motion that a packet has no
 * room for stays for the next; packets wait in a queue of their own for each state of the buttons.
 */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/poll.h"
#include "linux/fs/device.h"
#include "linux/heap.h"
#include "linux/input/input.h"
#include "linux/io/poll.h"
#include "linux/platform.h"
#include "linux/task.h"
#include "linux/task/signal.h"

enum { MICE_MINOR = 63, PACKETS = 16, KNOCK = 6, REPLY = 6, WRITE_AT_ONCE = 64 };
enum { SCREEN_WIDTH = 1024, SCREEN_HEIGHT = 768 }; /* what a tablet's place is scaled to */
enum { BUTTON_SIDE = 8, BUTTON_EXTRA = 16 };       /* bits of packet.buttons; left 1, right 2, middle 4 */

enum mode { PLAIN, WHEEL, EXPLORER };

/* What a PS/2 mouse is asked. */
enum { ASK_INFO = 0xe9, ASK_POLL = 0xeb, ASK_ID = 0xf2, RESET = 0xff, ACKNOWLEDGE = 0xfa, TESTED = 0xaa };

struct packet {
    int32_t dx, dy, dz;
    uint32_t buttons;
};

struct mice_file {
    struct list link;
    struct waitq readers;
    struct packet packets[PACKETS];
    unsigned head, tail;
    bool ready;
    int32_t x, y; /* where the tablets' pointer was */
    uint32_t last_buttons;
    enum mode mode;
    unsigned wheel_knock, explorer_knock; /* bytes of them that came */
    uint8_t reply[REPLY];
    unsigned reply_length, reply_rest;
};

/* input_lock guards all of it. */
static struct list files = LIST_INIT(files);
static struct packet motion; /* of the packet under way; its buttons are those held now */
static int32_t place_x, place_y;
static bool placed;

static int32_t clamp(int64_t value, int32_t least, int32_t most) {
    return value < least ? least : value > most ? most : (int32_t)value;
}

/* Programs inject whatever they like. */
static int32_t sum(int32_t left, int64_t right) {
    enum { MOST = 1 << 30 };
    return clamp(left + right, -MOST, MOST);
}

/* ---- events in ---- */

static uint32_t button_of(unsigned code) {
    switch (code) {
    case BTN_LEFT:
    case BTN_TOUCH:
        return 1;
    case BTN_RIGHT:
        return 2;
    case BTN_MIDDLE:
    case BTN_FORWARD:
        return 4;
    case BTN_SIDE:
    case BTN_BACK:
        return BUTTON_SIDE;
    case BTN_EXTRA:
        return BUTTON_EXTRA;
    default:
        return 0;
    }
}

static bool is_mouse(const struct input_device *device) {
    if (input_has(device, EV_REL, REL_X) && input_has(device, EV_REL, REL_Y))
        return input_has(device, EV_KEY, BTN_LEFT);
    return input_has(device, EV_ABS, ABS_X) && input_has(device, EV_ABS, ABS_Y) &&
           (input_has(device, EV_KEY, BTN_LEFT) || input_has(device, EV_KEY, BTN_TOUCH));
}

static int32_t scaled(const struct input_device *device, unsigned axis, int32_t value, int32_t size) {
    int64_t first = device->axes[axis].minimum, range = device->axes[axis].maximum - first;
    int64_t from_first = value - first;
    if (range <= 0)
        range = size;
    return clamp(from_first * size / range, 0, size);
}

static void value_take(const struct input_device *device, const struct input_value *value) {
    uint32_t button = value->type == EV_KEY && value->value != KEY_REPEATED ? button_of(value->code) : 0;
    if (button)
        motion.buttons = value->value ? motion.buttons | button : motion.buttons & ~button;
    else if (value->type == EV_REL && value->code == REL_X)
        motion.dx = sum(motion.dx, value->value);
    else if (value->type == EV_REL && value->code == REL_Y)
        motion.dy = sum(motion.dy, -(int64_t)value->value);
    else if (value->type == EV_REL && value->code == REL_WHEEL)
        motion.dz = sum(motion.dz, -(int64_t)value->value);
    else if (value->type == EV_ABS && value->code == ABS_X)
        place_x = scaled(device, ABS_X, value->value, SCREEN_WIDTH), placed = true;
    else if (value->type == EV_ABS && value->code == ABS_Y)
        place_y = SCREEN_HEIGHT - scaled(device, ABS_Y, value->value, SCREEN_HEIGHT), placed = true;
}

/* Another state of the buttons is another packet, as long as there is room. */
static struct packet *packet_place(struct mice_file *own) {
    unsigned next = (own->head + 1) % PACKETS;
    if (own->ready && own->packets[own->head].buttons != motion.buttons && next != own->tail) {
        own->head = next;
        own->packets[next] = (struct packet){0};
    }
    return &own->packets[own->head];
}

static void motion_add(struct mice_file *own) {
    struct packet *packet = packet_place(own);
    if (placed) {
        packet->dx = sum(packet->dx, place_x - own->x);
        packet->dy = sum(packet->dy, place_y - own->y);
        own->x = place_x;
        own->y = place_y;
    }
    own->x = clamp((int64_t)own->x + motion.dx, 0, SCREEN_WIDTH - 1);
    own->y = clamp((int64_t)own->y + motion.dy, 0, SCREEN_HEIGHT - 1);
    packet->dx = sum(packet->dx, motion.dx);
    packet->dy = sum(packet->dy, motion.dy);
    packet->dz = sum(packet->dz, motion.dz);
    packet->buttons = motion.buttons;
    if (packet->dx || packet->dy || packet->dz || packet->buttons != own->last_buttons) {
        own->ready = true;
        waitq_wake_all(&own->readers);
    }
}

void mice_packet(const struct input_device *device, const struct input_value *values, unsigned count) {
    struct mice_file *own;
    if (!is_mouse(device))
        return;
    for (unsigned i = 0; i < count; i++)
        value_take(device, &values[i]);
    list_for_each(own, &files, link) {
        motion_add(own);
    }
    motion = (struct packet){.buttons = motion.buttons};
    placed = false;
}

/* ---- bytes out ---- */

/* As much of a motion as fits a byte; the rest stays. */
static uint8_t part_take(int32_t *motion_left, int32_t most) {
    int32_t part = clamp(*motion_left, -most, most);
    *motion_left -= part;
    return (uint8_t)part;
}

/* The bytes of the oldest packet; how many. */
static unsigned packet_take(struct mice_file *own, uint8_t *bytes) {
    enum { ALWAYS = 8, NEGATIVE_X = 16, NEGATIVE_Y = 32, MOST = 127, EXPLORER_MOST = 7 };
    struct packet *packet = &own->packets[own->tail];
    uint32_t buttons = packet->buttons, extra = buttons & (BUTTON_SIDE | BUTTON_EXTRA);
    bytes[0] = (uint8_t)(ALWAYS | (packet->dx < 0 ? NEGATIVE_X : 0) | (packet->dy < 0 ? NEGATIVE_Y : 0) |
                         (buttons & 7));
    bytes[1] = part_take(&packet->dx, MOST);
    bytes[2] = part_take(&packet->dy, MOST);
    if (own->mode == EXPLORER)
        bytes[3] = (uint8_t)((part_take(&packet->dz, EXPLORER_MOST) & 0xf) | extra << 1);
    else /* the extra buttons stand for the right and the middle one */
        bytes[0] |= (uint8_t)(((extra & BUTTON_EXTRA) >> 3) | ((extra & BUTTON_SIDE) >> 1));
    if (own->mode == WHEEL)
        bytes[3] = part_take(&packet->dz, MOST);
    else if (own->mode == PLAIN)
        packet->dz = 0;
    if (!packet->dx && !packet->dy && !packet->dz) {
        if (own->tail == own->head) {
            own->ready = false;
            own->last_buttons = packet->buttons;
        } else {
            own->tail = (own->tail + 1) % PACKETS;
        }
    }
    return own->mode == PLAIN ? 3 : 4;
}

static void reply_set(struct mice_file *own, unsigned length) {
    own->reply_length = own->reply_rest = length;
}

static void knock(struct mice_file *own, uint8_t byte) {
    static const uint8_t wheel[KNOCK] = {0xf3, 200, 0xf3, 100, 0xf3, 80};
    static const uint8_t explorer[KNOCK] = {0xf3, 200, 0xf3, 200, 0xf3, 80};
    own->explorer_knock = byte == explorer[own->explorer_knock] ? own->explorer_knock + 1 : 0;
    own->wheel_knock = byte == wheel[own->wheel_knock] ? own->wheel_knock + 1 : 0;
    if (own->explorer_knock == KNOCK)
        own->explorer_knock = 0, own->mode = EXPLORER;
    if (own->wheel_knock == KNOCK)
        own->wheel_knock = 0, own->mode = WHEEL;
}

/* Every byte is acknowledged; what was not read of the answer before is forgotten. */
static void byte_answer(struct mice_file *own, uint8_t byte) {
    static const uint8_t ids[] = {[PLAIN] = 0, [WHEEL] = 3, [EXPLORER] = 4}, info[] = {0x60, 3, 200};
    own->reply[0] = ACKNOWLEDGE;
    switch (byte) {
    case ASK_POLL:
        reply_set(own, 1 + packet_take(own, own->reply + 1));
        break;
    case ASK_ID:
        own->reply[1] = ids[own->mode];
        reply_set(own, 2);
        break;
    case ASK_INFO:
        memcpy(own->reply + 1, info, sizeof info);
        reply_set(own, 1 + sizeof info);
        break;
    case RESET:
        own->wheel_knock = own->explorer_knock = 0;
        own->mode = PLAIN;
        own->reply[1] = TESTED;
        own->reply[2] = 0;
        reply_set(own, 3);
        break;
    default:
        reply_set(own, 1);
    }
}

/* ---- files ---- */

static int64_t wait_ready(struct file *file, struct mice_file *own) {
    struct waiter waiter = {.exclusive = false};
    int64_t error = 0;
    waitq_add(&own->readers, &waiter);
    while (!own->ready && !own->reply_rest && !error) {
        if (file->flags & O_NONBLOCK)
            error = -EAGAIN;
        else if (task_wait(&input_lock, DEADLINE_NEVER) < 0)
            error = -ERESTARTSYS;
    }
    waitq_remove(&own->readers, &waiter);
    return error;
}

static int64_t mice_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct mice_file *own = file->data;
    uint8_t bytes[REPLY];
    size_t count = 0;
    (void)offset;
    mutex_lock(&input_lock);
    int64_t error = wait_ready(file, own);
    if (!error) {
        if (!own->reply_rest)
            reply_set(own, packet_take(own, own->reply));
        count = buffer->length < own->reply_rest ? buffer->length : own->reply_rest;
        memcpy(bytes, own->reply + own->reply_length - own->reply_rest, count);
        own->reply_rest -= (unsigned)count;
    }
    mutex_unlock(&input_lock);
    if (!error && buffer_put(buffer, bytes, count))
        error = -EFAULT;
    return error ? error : (int64_t)count;
}

static int64_t mice_write(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct mice_file *own = file->data;
    uint8_t bytes[WRITE_AT_ONCE];
    int64_t total = 0;
    (void)offset;
    while (buffer->length) {
        size_t count = buffer->length < sizeof bytes ? buffer->length : sizeof bytes;
        if (buffer_get(buffer, bytes, count))
            return -EFAULT;
        mutex_lock(&input_lock);
        for (size_t i = 0; i < count; i++) {
            knock(own, bytes[i]);
            byte_answer(own, bytes[i]);
        }
        mutex_unlock(&input_lock);
        waitq_wake_all(&own->readers);
        total += (int64_t)count;
    }
    return total;
}

static uint32_t mice_poll(struct file *file, struct poll_watch *watch) {
    struct mice_file *own = file->data;
    if (watch)
        poll_watch(watch, &own->readers);
    mutex_lock(&input_lock);
    bool input = own->ready || own->reply_rest;
    mutex_unlock(&input_lock);
    return POLLOUT | POLLWRNORM | (input ? POLLIN | POLLRDNORM : 0U);
}

static void mice_release(struct file *file) {
    struct mice_file *own = file->data;
    mutex_lock(&input_lock);
    list_remove(&own->link);
    mutex_unlock(&input_lock);
    heap_free(own);
}

static const struct file_operations mice_operations = {
    .read = mice_read, .write = mice_write, .poll = mice_poll, .release = mice_release};

static int mice_open(struct inode *inode, struct file *file) {
    struct mice_file *own = heap_zalloc(sizeof *own);
    (void)inode;
    if (!own)
        return -ENOMEM;
    own->x = SCREEN_WIDTH / 2;
    own->y = SCREEN_HEIGHT / 2;
    waitq_init(&own->readers);
    mutex_lock(&input_lock);
    list_push_back(&files, &own->link);
    mutex_unlock(&input_lock);
    file->data = own;
    file->operations = &mice_operations;
    return 0;
}

const struct device mice_device = {
    .family = "input", .major = INPUT_MAJOR, .minor = MICE_MINOR, .minor_count = 1, .open = mice_open};
