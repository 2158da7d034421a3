/* See input.h. */
#include "linux/input/input.h"

#include "abi/errors.h"
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "linux/abi/stat.h"
#include "linux/fs/device.h"
#include "linux/heap.h"
#include "linux/io/console.h"
#include "linux/platform.h"

enum { NODE_NAME = 20, DELAY_DEFAULT = 250, PERIOD_DEFAULT = 33, NS_PER_MS = 1000000, WORD_BITS = 64 };

struct mutex input_lock = MUTEX_INIT(input_lock);
static struct list devices = LIST_INIT(devices);

static bool bit_get(const uint64_t *words, unsigned bit) {
    return words[bit / WORD_BITS] >> bit % WORD_BITS & 1;
}
static void bit_set(uint64_t *words, unsigned bit, bool value) {
    uint64_t mask = 1ULL << bit % WORD_BITS;
    words[bit / WORD_BITS] = value ? words[bit / WORD_BITS] | mask : words[bit / WORD_BITS] & ~mask;
}

void input_unlock(void) {
    static bool flushing; /* by one at a time, in the order typed */
    uint8_t bytes[KEYBOARD_TYPED];
    size_t length;
    while (!flushing && (length = keyboard_typed(bytes)) > 0) {
        flushing = true;
        mutex_unlock(&input_lock);
        console_type(bytes, length);
        mutex_lock(&input_lock);
        flushing = false;
    }
    mutex_unlock(&input_lock);
}

/* ---- what a device can do ---- */

static unsigned codes_of(unsigned type) {
    static const uint16_t counts[EV_COUNT] = {
        [EV_SYN] = EV_COUNT,   [EV_KEY] = INPUT_KEYS, [EV_REL] = INPUT_RELS, [EV_ABS] = INPUT_ABSES,
        [EV_MSC] = INPUT_MSCS, [EV_SW] = INPUT_SWS,   [EV_LED] = INPUT_LEDS, [EV_SND] = INPUT_SNDS};
    return type < EV_COUNT ? counts[type] : 0;
}

unsigned input_bits(const struct input_device *device, unsigned type, const uint64_t **words) {
    *words = type == EV_SYN    ? &device->types
             : type == EV_KEY  ? device->keys
             : type < EV_COUNT ? &device->codes[type]
                               : NULL;
    return codes_of(type);
}

bool input_has(const struct input_device *device, unsigned type, unsigned code) {
    const uint64_t *words;
    if (type >= EV_COUNT || !bit_get(&device->types, type))
        return false;
    return type == EV_REP ? code < INPUT_REPS
                          : code < input_bits(device, type, &words) && bit_get(words, code);
}

/* A text without control characters: it goes into lines of /proc and /sys. */
static void text_read(char to[INPUT_TEXT], const struct input_config *config) {
    unsigned length = 0;
    for (; length < config->size && length < INPUT_TEXT - 1 && config->data[length]; length++)
        to[length] = config->data[length] < ' ' ? '?' : (char)config->data[length];
    to[length] = 0;
}

/* A type is there with whatever is told of it: of EV_REP nothing else is. */
static void codes_read(struct input_device *device, const struct input_config *config) {
    unsigned type = config->subsel, count = codes_of(type);
    if (config->size == 0 || (count == 0 && type != EV_REP) || type == EV_SYN)
        return;
    uint64_t *words = type == EV_KEY ? device->keys : &device->codes[type];
    bit_set(&device->types, type, true);
    for (unsigned code = 0; code < count && code / 8 < config->size; code++)
        if (config->data[code / 8] >> code % 8 & 1)
            bit_set(words, code, true);
}

static void axis_read(struct input_device *device, const struct input_config *config) {
    struct input_axis axis;
    if (config->subsel >= INPUT_ABSES || config->size < sizeof(axis))
        return;
    memcpy(&axis, config->data, sizeof(axis));
    device->axes[config->subsel] = (struct linux_input_absinfo){
        .minimum = axis.minimum,
        .maximum = axis.maximum,
        .fuzz = axis.fuzz,
        .flat = axis.flat,
        .resolution = axis.resolution,
    };
}

static void repeat_read(struct input_device *device, const struct input_config *config) {
    struct input_repeat repeat;
    if (config->size < sizeof(repeat))
        return;
    memcpy(&repeat, config->data, sizeof(repeat));
    device->repeat[REP_DELAY] = repeat.delay;
    device->repeat[REP_PERIOD] = repeat.period;
    device->repeats_itself = true;
}

static void config_read(struct input_device *device, const struct input_config *config) {
    switch (config->select) {
    case INPUT_CONFIG_NAME:
        text_read(device->name, config);
        break;
    case INPUT_CONFIG_SERIAL:
        text_read(device->serial, config);
        break;
    case INPUT_CONFIG_PLACE:
        text_read(device->place, config);
        break;
    case INPUT_CONFIG_IDS:
        if (config->size >= sizeof(device->ids))
            memcpy(&device->ids, config->data, sizeof(device->ids));
        break;
    case INPUT_CONFIG_PROPS:
        memcpy(&device->props, config->data, INPUT_PROPS / 8);
        break;
    case INPUT_CONFIG_BITS:
        codes_read(device, config);
        break;
    case INPUT_CONFIG_AXIS:
        axis_read(device, config);
        break;
    case INPUT_CONFIG_REPEAT:
        repeat_read(device, config);
        break;
    default:
        break;
    }
}

/* ---- events ---- */

static void packet_give(struct input_device *device) {
    unsigned count = device->packet_length;
    device->packet_length = 0;
    if (count == 0)
        return;
    evdev_packet(device, device->packet, count);
    if (device->grabbed)
        return;
    keyboard_packet(device, device->packet, count);
    mice_packet(device, device->packet, count);
}

/* Every packet has room for its SYN_REPORT: a longer one goes in parts. */
static void packet_add(struct input_device *device, unsigned type, unsigned code, int32_t value) {
    device->packet[device->packet_length++] = (struct input_value){(uint16_t)type, (uint16_t)code, value};
    if ((type == EV_SYN && code == SYN_REPORT) || device->packet_length == INPUT_PACKET)
        packet_give(device);
}

static void repeat_follow(struct input_device *device, unsigned key, int32_t value) {
    if (!bit_get(&device->types, EV_REP) || device->repeats_itself)
        return;
    if (value == KEY_PRESSED && device->repeat[REP_DELAY] && device->repeat[REP_PERIOD]) {
        device->repeated = (uint16_t)key;
        timer_event_arm(&device->repeater,
                        clock_monotonic() + (uint64_t)device->repeat[REP_DELAY] * NS_PER_MS);
    } else if (value == KEY_RELEASED) {
        device->repeated = KEY_NONE;
    }
}

static void repeat_fire(struct timer_event *event) {
    struct input_device *device = container_of(event, struct input_device, repeater);
    mutex_lock(&input_lock);
    if (device->repeated && !device->gone && bit_get(device->pressed, device->repeated)) {
        packet_add(device, EV_KEY, device->repeated, KEY_REPEATED);
        packet_add(device, EV_SYN, SYN_REPORT, 1);
        if (device->repeat[REP_PERIOD])
            timer_event_arm(event, clock_monotonic() + (uint64_t)device->repeat[REP_PERIOD] * NS_PER_MS);
    }
    input_unlock();
}

static bool key_news(struct input_device *device, unsigned key, int32_t value) {
    if (value == KEY_REPEATED)
        return true;
    if (bit_get(device->pressed, key) == !!value)
        return false;
    bit_set(device->pressed, key, value);
    repeat_follow(device, key, value);
    return true;
}

/* Half of the way towards the old value within the fuzz, as Linux does it. */
static int32_t fuzz_take(int32_t value, int32_t old, int32_t fuzz) {
    int64_t difference = (int64_t)value - old, size = difference < 0 ? -difference : difference;
    if (fuzz <= 0)
        return value;
    if (size < fuzz / 2)
        return old;
    if (size < fuzz)
        return (int32_t)((old * 3LL + value) / 4);
    return size < 2LL * fuzz ? (int32_t)(((int64_t)old + value) / 2) : value;
}

static bool axis_news(struct input_device *device, unsigned code, int32_t *value) {
    struct linux_input_absinfo *axis = &device->axes[code];
    if (code > ABS_MT_SLOT) /* of one of several fingers, which only the reader keeps apart */
        return true;
    *value = fuzz_take(*value, axis->value, axis->fuzz);
    if (axis->value == *value)
        return false;
    axis->value = *value;
    return true;
}

static bool state_news(uint64_t *state, unsigned code, int32_t value) {
    if (bit_get(state, code) == !!value)
        return false;
    bit_set(state, code, value);
    return true;
}

/* Whether an event tells something new; notes it. */
static bool is_news(struct input_device *device, unsigned type, unsigned code, int32_t *value) {
    switch (type) {
    case EV_KEY:
        return key_news(device, code, *value);
    case EV_SW:
        return state_news(&device->switches, code, *value);
    case EV_ABS:
        return axis_news(device, code, value);
    case EV_LED:
        return state_news(&device->leds, code, *value);
    case EV_SND:
        (void)state_news(&device->sounds, code, *value);
        return true;
    case EV_REP: {
        bool changes = *value >= 0 && device->repeat[code] != (uint32_t)*value;
        if (changes)
            device->repeat[code] = (uint32_t)*value;
        return changes;
    }
    case EV_REL:
        return *value != 0;
    default:
        return type == EV_MSC;
    }
}

static void send(struct input_device *device, unsigned type, unsigned code, int32_t value) {
    const struct input_event event = {(uint16_t)type, (uint16_t)code, (uint32_t)value};
    if (device->send && (type == EV_LED || type == EV_SND || type == EV_REP || type == EV_MSC))
        device->send(device, &event);
}

void input_take(struct input_device *device, unsigned type, unsigned code, int32_t value) {
    if (type == EV_SYN) {
        if (code == SYN_MT_REPORT || (code == SYN_REPORT && device->packet_length))
            packet_add(device, type, code, value);
        else if (code == SYN_DROPPED)
            input_release_keys(device);
    } else if (input_has(device, type, code) && is_news(device, type, code, &value)) {
        packet_add(device, type, code, value);
        send(device, type, code, value);
    }
}

void input_release_keys(struct input_device *device) {
    for (unsigned key = 0; key < INPUT_KEYS; key++)
        if (bit_get(device->pressed, key))
            input_take(device, EV_KEY, key, KEY_RELEASED);
    input_take(device, EV_SYN, SYN_REPORT, 0);
}

/* ---- coming and going ---- */

void input_put(struct input_device *device) {
    if (device->references-- == 1)
        heap_free(device);
}

struct input_device *input_create(const struct input_description *description) {
    struct input_device *device = heap_zalloc(sizeof(*device));
    if (!device)
        return NULL;
    device->references = 1;
    list_init(&device->files);
    device->repeater.fire = repeat_fire;
    device->repeat[REP_DELAY] = DELAY_DEFAULT;
    device->repeat[REP_PERIOD] = PERIOD_DEFAULT;
    bit_set(&device->types, EV_SYN, true);
    for (uint32_t i = 0; i < description->count; i++)
        config_read(device, &description->configs[i]);
    return device;
}

struct input_device *input_by_number(uint32_t number) {
    struct input_device *device, *found = NULL;
    mutex_lock(&input_lock);
    list_for_each(device, &devices, link) {
        if (device->number == number)
            found = device;
    }
    if (found)
        found->references++;
    mutex_unlock(&input_lock);
    return found;
}

struct input_device *input_at(unsigned index) {
    struct input_device *device = NULL;
    for (uint32_t number = 0; number < INPUT_DEVICES_MOST; number++) {
        device = input_by_number(number);
        if (device && index-- == 0)
            return device;
        if (device)
            input_put(device);
    }
    return NULL;
}

void input_each(void (*visit)(struct input_device *device)) {
    struct input_device *device;
    list_for_each(device, &devices, link) {
        visit(device);
    }
}

/* The wanted number, or the least free one. */
static uint32_t number_choose(uint32_t wanted) {
    const struct input_device *device;
    uint64_t taken = 0;
    list_for_each(device, &devices, link) {
        taken |= 1ULL << device->number;
    }
    return wanted < INPUT_DEVICES_MOST && !(taken >> wanted & 1) ? wanted : (uint32_t)__builtin_ctzll(~taken);
}

void input_register(struct input_device *device, uint32_t wanted) {
    char name[NODE_NAME];
    mutex_lock(&input_lock);
    device->number = number_choose(wanted);
    device->gone = device->number >= INPUT_DEVICES_MOST;
    if (!device->gone) {
        list_push_back(&devices, &device->link);
        keyboard_appear(device);
    }
    input_unlock();
    if (device->gone) {
        log_line("more than %d input devices; %s is left out", INPUT_DEVICES_MOST, device->name);
        return;
    }
    format_text(name, sizeof(name), "input/event%u", device->number);
    int error = device_node_make(name, S_IFCHR | 0600,
                                 device_number(INPUT_MAJOR, INPUT_EVENT_MINOR + device->number));
    if (error)
        log_line("/dev/%s cannot be made (error %d)", name, -error);
}

void input_unregister(struct input_device *device) {
    char name[NODE_NAME];
    mutex_lock(&input_lock);
    bool known = !device->gone;
    if (known) {
        input_release_keys(device);
        list_remove(&device->link);
        device->gone = true;
        device->send = NULL;
        evdev_gone(device);
    }
    input_unlock();
    timer_event_drain(&device->repeater);
    format_text(name, sizeof(name), "input/event%u", device->number);
    if (known)
        device_node_remove(name);
    input_put(device);
}
