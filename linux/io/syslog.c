/*
 * syslog(2), for dmesg: the kernel's log, where services write too. The kernel keeps the last LOG_SIZE bytes
 * and gives what lies at a position of all that was ever written; where that ends is found by asking. Reading
 * is root's, as with dmesg_restrict=1.
 */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "lib/keel/call.h"
#include "linux/fs/proc.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/system.h"
#include "linux/task.h"

enum { LOG_SIZE = 16384, LEVEL_LEAST = 1, LEVEL_MOST = 8 };

enum action {
    ACTION_CLOSE = 0,
    ACTION_OPEN = 1,
    ACTION_READ_ALL = 3,
    ACTION_READ_CLEAR = 4,
    ACTION_CLEAR = 5,
    ACTION_CONSOLE_OFF = 6,
    ACTION_CONSOLE_ON = 7,
    ACTION_CONSOLE_LEVEL = 8,
    ACTION_SIZE_UNREAD = 9,
    ACTION_SIZE_BUFFER = 10,
};

static struct mutex syslog_lock = MUTEX_INIT(syslog_lock); /* of the following */
static uint64_t known;                                     /* a position that was written */
static uint64_t cleared;                                   /* what READ_ALL begins behind */

static bool written(uint64_t position) {
    char byte;
    return keel_log_read(system_handles.log, position, keel_pointer(&byte), 1) == 1;
}

/* Doubles the step until it is beyond the end, and halves it back. */
static uint64_t log_end(void) {
    uint64_t step = 1;
    while (written(known + step))
        step *= 2;
    for (; step; step /= 2)
        if (written(known + step))
            known += step;
    return written(known) ? known + 1 : known;
}

/* The log from `cleared` on, each line behind the prefix of its level. */
static void log_text(struct text *text) {
    char chunk[256] = {0};
    uint64_t end = log_end(), at = end > LOG_SIZE ? end - LOG_SIZE : 0;
    bool line_starts = at <= cleared; /* else part of a line was lost, and the rest of it is left out */
    bool skip = !line_starts;
    if (line_starts)
        at = cleared;
    while (at < end) {
        int64_t length = keel_log_read(system_handles.log, at, keel_pointer(chunk), sizeof(chunk));
        if (length <= 0)
            break;
        for (int64_t i = 0; i < length; i++) {
            if (line_starts)
                text_add(text, "<6>");
            if (!skip)
                text_bytes(text, &chunk[i], 1);
            line_starts = chunk[i] == '\n';
            skip = skip && !line_starts;
        }
        at += (uint64_t)length;
    }
}

/* The last whole lines that fit. */
static int64_t read_all(uint64_t to, uint64_t length, bool clear) {
    struct text text = {0};
    mutex_lock(&syslog_lock);
    log_text(&text);
    if (clear)
        cleared = log_end();
    mutex_unlock(&syslog_lock);
    size_t first = text.length > length ? text.length - (size_t)length : 0;
    while (first && first < text.length && text.bytes[first - 1] != '\n')
        first++;
    int64_t result = (int64_t)(text.length - first);
    if (text.failed)
        result = -ENOMEM;
    else if (result && guest_copy_out(to, text.bytes + first, (size_t)result))
        result = -EFAULT;
    heap_free(text.bytes);
    return result;
}

int64_t sys_syslog(uint64_t action_word, uint64_t buffer, uint64_t length_word) {
    int32_t length = (int32_t)length_word;
    if (!task_is_root(task_current()))
        return -EPERM;
    switch ((enum action)(uint32_t)action_word) {
    case ACTION_READ_ALL:
    case ACTION_READ_CLEAR:
        if (!buffer || length < 0)
            return -EINVAL;
        return length ? read_all(buffer, (uint64_t)length, action_word == ACTION_READ_CLEAR) : 0;
    case ACTION_CLEAR:
        mutex_lock(&syslog_lock);
        cleared = log_end();
        mutex_unlock(&syslog_lock);
        return 0;
    case ACTION_CONSOLE_LEVEL:
        return length < LEVEL_LEAST || length > LEVEL_MOST ? -EINVAL : 0;
    case ACTION_SIZE_BUFFER:
        return LOG_SIZE;
    case ACTION_CLOSE:
    case ACTION_OPEN:
    case ACTION_CONSOLE_OFF:
    case ACTION_CONSOLE_ON:
    case ACTION_SIZE_UNREAD:
        return 0;
    default:
        return -EINVAL;
    }
}
