/* What programs ask of /dev/input/event* besides reading. */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/fs.h"
#include "linux/input/evdev.h"
#include "linux/platform.h"

enum { NUMBER_MASK = 0xff, WORD = 8, ANSWER_MOST = INPUT_KEYS / 8 };

/* At most as much as the caller's number says: how many bytes. */
static int64_t give(uint64_t to, uint32_t size, const void *from, size_t length) {
    if (length > size)
        length = size;
    return guest_copy_out(to, from, length) ? -EFAULT : (int64_t)length;
}

/* A text that the device does not tell is missing. */
static int64_t text_give(uint64_t to, uint32_t size, const char *text) {
    return *text ? give(to, size, text, strlen(text) + 1) : -ENOENT;
}

/* Bitmaps have whole words. */
static int64_t bits_give(uint64_t to, uint32_t size, const uint64_t *words, unsigned count) {
    return give(to, size, words, (count + 63) / 64 * WORD);
}

/* The state of keys, lights and so on, copied while nothing changes; what is queued of it is forgotten. */
static int64_t state_give(struct evdev_file *own, uint64_t to, uint32_t size, unsigned type) {
    struct input_device *device = own->device;
    uint64_t state[INPUT_KEY_WORDS] = {0};
    mutex_lock(&input_lock);
    if (type == EV_KEY)
        memcpy(state, device->pressed, sizeof(device->pressed));
    else
        state[0] = type == EV_LED ? device->leds : type == EV_SND ? device->sounds : device->switches;
    evdev_forget(own, type);
    mutex_unlock(&input_lock);
    return bits_give(to, size, state, type == EV_KEY ? INPUT_KEYS : 1);
}

static int64_t axis_give(struct evdev_file *own, uint64_t to, uint32_t size, unsigned code) {
    if (!(own->device->types >> EV_ABS & 1))
        return -EINVAL;
    mutex_lock(&input_lock);
    struct linux_input_absinfo axis = own->device->axes[code];
    mutex_unlock(&input_lock);
    return give(to, size, &axis, sizeof(axis)) < 0 ? -EFAULT : 0;
}

static int64_t axis_set(struct evdev_file *own, uint64_t from, uint32_t size, unsigned code) {
    struct linux_input_absinfo axis = {0};
    if (!(own->device->types >> EV_ABS & 1))
        return -EINVAL;
    if (guest_copy_in(&axis, from, size < sizeof(axis) ? size : sizeof(axis)))
        return -EFAULT;
    if (code == ABS_MT_SLOT) /* which finger is meant is the device's */
        return -EINVAL;
    mutex_lock(&input_lock);
    own->device->axes[code] = axis;
    mutex_unlock(&input_lock);
    return 0;
}

/* Those whose number says by itself what they are and whose size is the caller's. */
static int64_t read_by_number(struct evdev_file *own, unsigned number, uint64_t to, uint32_t size) {
    const struct input_device *device = own->device;
    const uint64_t *words;
    switch (number) {
    case EVIOCGNAME_NUMBER:
        return text_give(to, size, device->name);
    case EVIOCGPHYS_NUMBER:
        return text_give(to, size, device->place);
    case EVIOCGUNIQ_NUMBER:
        return text_give(to, size, device->serial);
    case EVIOCGPROP_NUMBER:
        return bits_give(to, size, &device->props, INPUT_PROPS);
    case EVIOCGKEY_NUMBER:
        return state_give(own, to, size, EV_KEY);
    case EVIOCGLED_NUMBER:
        return state_give(own, to, size, EV_LED);
    case EVIOCGSND_NUMBER:
        return state_give(own, to, size, EV_SND);
    case EVIOCGSW_NUMBER:
        return state_give(own, to, size, EV_SW);
    default:
        break;
    }
    if (number >= EVIOCGABS_NUMBER && number < EVIOCGABS_NUMBER + INPUT_ABSES)
        return axis_give(own, to, size, number - EVIOCGABS_NUMBER);
    if (number >= EVIOCGBIT_NUMBER && number < EVIOCGBIT_NUMBER + EV_COUNT) {
        unsigned count = input_bits(device, number - EVIOCGBIT_NUMBER, &words);
        return count ? bits_give(to, size, words, count) : -EINVAL;
    }
    return -EINVAL;
}

static int64_t grab(struct evdev_file *own, bool wanted) {
    struct evdev_file **grabbed = &own->device->grabbed;
    int64_t error = 0;
    mutex_lock(&input_lock);
    if (wanted && *grabbed)
        error = -EBUSY;
    else if (!wanted && *grabbed != own)
        error = -EINVAL;
    else
        *grabbed = wanted ? own : NULL;
    mutex_unlock(&input_lock);
    return error;
}

/* The clock of the events from now on; those not read yet are dropped. */
static int64_t clock_set(struct evdev_file *own, uint64_t argument) {
    int32_t clock;
    if (guest_copy_in(&clock, argument, sizeof(clock)))
        return -EFAULT;
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME)
        return -EINVAL;
    mutex_lock(&input_lock);
    if (clock != own->clock) {
        static const struct linux_input_event none;
        bool lost = own->ready != own->tail;
        own->clock = clock;
        own->tail = own->ready = own->head = 0;
        if (lost) {
            own->events[0] = none;
            own->events[0].code = SYN_DROPPED;
            own->events[0].time =
                timeval_from_ns(clock == CLOCK_REALTIME ? clock_realtime() : clock_monotonic());
            own->ready = own->head = 1;
        }
    }
    mutex_unlock(&input_lock);
    return 0;
}

static int64_t repeat_ioctl(struct evdev_file *own, bool set, uint64_t argument) {
    struct input_device *device = own->device;
    uint32_t repeat[INPUT_REPS];
    if (!(device->types >> EV_REP & 1))
        return -ENOSYS;
    if (!set) {
        mutex_lock(&input_lock);
        memcpy(repeat, device->repeat, sizeof(repeat));
        mutex_unlock(&input_lock);
        return guest_copy_out(argument, repeat, sizeof(repeat));
    }
    if (guest_copy_in(repeat, argument, sizeof(repeat)))
        return -EFAULT;
    mutex_lock(&input_lock);
    for (unsigned i = 0; i < INPUT_REPS; i++)
        input_take(device, EV_REP, i, (int32_t)repeat[i]);
    input_unlock();
    return 0;
}

static int64_t revoke(struct evdev_file *own, uint64_t argument) {
    if (argument)
        return -EINVAL;
    mutex_lock(&input_lock);
    own->revoked = true;
    if (own->device->grabbed == own)
        own->device->grabbed = NULL;
    waitq_wake_all(&own->readers);
    mutex_unlock(&input_lock);
    return 0;
}

int64_t evdev_ioctl(struct file *file, uint64_t command, uint64_t argument) {
    static const int32_t version = EVDEV_VERSION;
    struct evdev_file *own = file->data;
    uint32_t request = (uint32_t)command, size = request >> IOC_SIZE_SHIFT & IOC_SIZE_MASK;
    unsigned number = request & NUMBER_MASK, direction = request >> IOC_DIRECTION_SHIFT;
    if (own->device->gone || own->revoked)
        return -ENODEV;
    switch (request) {
    case EVIOCGVERSION:
        return guest_copy_out(argument, &version, sizeof(version));
    case EVIOCGID:
        return guest_copy_out(argument, &own->device->ids, sizeof(own->device->ids));
    case EVIOCGREP:
    case EVIOCSREP:
        return repeat_ioctl(own, request == EVIOCSREP, argument);
    case EVIOCGRAB:
        return grab(own, argument);
    case EVIOCREVOKE:
        return revoke(own, argument);
    case EVIOCSCLOCKID:
        return clock_set(own, argument);
    default:
        break;
    }
    if ((request >> IOC_TYPE_SHIFT & NUMBER_MASK) != EVDEV_TYPE)
        return -EINVAL;
    if (direction == IOC_READ)
        return read_by_number(own, number, argument, size);
    if (direction == IOC_WRITE && number >= EVIOCSABS_NUMBER && number < EVIOCSABS_NUMBER + INPUT_ABSES)
        return axis_set(own, argument, size, number - EVIOCSABS_NUMBER);
    return -EINVAL;
}
