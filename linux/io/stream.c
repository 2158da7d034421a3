/* See stream.h. Writers that find the link full ask it for an event when there is space; so do readers for
 * bytes. */
#include "linux/io/stream.h"

#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/poll.h"
#include "linux/abi/stat.h"
#include "linux/abi/termios.h"
#include "linux/fs.h"
#include "linux/fs/mount.h"
#include "linux/io/anon.h"
#include "linux/platform.h"
#include "linux/task/signal.h"

size_t stream_decode(struct stream_decoder *decoder, const uint8_t *from, size_t length, uint8_t *to) {
    size_t count = 0;
    for (size_t i = 0; i < length && !decoder->ended; i++) {
        if (decoder->escaped) {
            decoder->escaped = false;
            decoder->ended = from[i] == STREAM_END;
            if (!decoder->ended)
                to[count++] = from[i];
        } else if (from[i] == STREAM_ESCAPE) {
            decoder->escaped = true;
        } else {
            to[count++] = from[i];
        }
    }
    return count;
}

/* Decodes what the link has; true when there is something to read, the end included. */
static bool input_fill(struct stream *stream) {
    while (stream->input_head == stream->input_tail && !stream->decoder.ended && stream->link.present) {
        uint8_t bytes[STREAM_INPUT];
        size_t length = link_read(&stream->link, bytes, sizeof bytes);
        if (length == 0)
            return false;
        stream->input_tail = 0;
        stream->input_head = (uint32_t)stream_decode(&stream->decoder, bytes, length, stream->input);
    }
    return true;
}

/* Ready to read; otherwise the link's next bytes will raise an event. */
static bool input_ready(struct stream *stream) {
    while (!input_fill(stream))
        if (!link_readable(&stream->link))
            return false;
    return true;
}

static int64_t stream_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct stream *stream = file->data;
    struct waiter waiter = {.exclusive = false};
    int64_t result = 0;
    (void)offset;
    if (buffer->length == 0)
        return 0;
    mutex_lock(&stream->lock);
    waitq_add(&stream->readers, &waiter);
    while (result == 0 && !input_ready(stream)) {
        if (file->flags & O_NONBLOCK)
            result = -EAGAIN;
        else if (task_wait(&stream->lock, DEADLINE_NEVER) < 0)
            result = -ERESTARTSYS;
    }
    waitq_remove(&stream->readers, &waiter);
    if (result == 0) {
        size_t length = stream->input_head - stream->input_tail;
        length = length < buffer->length ? length : buffer->length;
        result = buffer_put(buffer, stream->input + stream->input_tail, length);
        if (result == 0) {
            stream->input_tail += (uint32_t)length;
            result = (int64_t)length;
        }
    }
    mutex_unlock(&stream->lock);
    return result;
}

/* Waits for space (or for another writer's end). */
static int stream_wait(struct stream *stream, const struct file *file) {
    if (file->flags & O_NONBLOCK)
        return -EAGAIN;
    return task_wait(&stream->lock, DEADLINE_NEVER) < 0 ? -ERESTARTSYS : 0;
}

static int write_piece(struct stream *stream, const struct file *file, const uint8_t *bytes, size_t length,
                       int64_t *done) {
    size_t at = 0;
    int error = 0;
    while (at < length && error == 0) {
        size_t taken = link_write(&stream->link, bytes + at, length - at);
        at += taken;
        *done += (int64_t)taken;
        if (at < length && !link_want_space(&stream->link))
            error = stream_wait(stream, file);
    }
    return error;
}

static int write_all(struct stream *stream, const struct file *file, struct buffer *buffer, int64_t *done) {
    uint8_t bytes[1024];
    int error = 0;
    while (stream->writing && error == 0)
        error = stream_wait(stream, file);
    if (error < 0)
        return error;
    stream->writing = true;
    while (buffer->length > 0 && error == 0) {
        size_t length = buffer->length < sizeof bytes ? buffer->length : sizeof bytes;
        error = buffer_get(buffer, bytes, length);
        if (error == 0)
            error = write_piece(stream, file, bytes, length, done);
    }
    stream->writing = false;
    if (error == 0)
        link_space_enough(&stream->link);
    return error;
}

static int64_t stream_write(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct stream *stream = file->data;
    struct waiter waiter = {.exclusive = false};
    int64_t done = 0;
    (void)offset;
    mutex_lock(&stream->lock);
    waitq_add(&stream->writers, &waiter);
    int error = write_all(stream, file, buffer, &done);
    waitq_remove(&stream->writers, &waiter);
    if (!waitq_empty(&stream->writers))
        waitq_wake_all(&stream->writers);
    mutex_unlock(&stream->lock);
    return done ? done : error;
}

static uint32_t stream_poll(struct file *file, struct poll_watch *watch) {
    struct stream *stream = file->data;
    uint32_t mode = file->flags & O_ACCMODE, events = 0;
    if (watch) {
        poll_watch(watch, &stream->readers);
        poll_watch(watch, &stream->writers);
    }
    mutex_lock(&stream->lock);
    if (mode != O_WRONLY && input_ready(stream)) {
        bool bytes = stream->input_head != stream->input_tail;
        events |= bytes ? POLLIN | POLLRDNORM : POLLHUP;
    }
    if (mode != O_RDONLY && !stream->writing && link_writable(&stream->link))
        events |= POLLOUT | POLLWRNORM;
    mutex_unlock(&stream->lock);
    return events;
}

static int64_t stream_ioctl(struct file *file, uint64_t command, uint64_t argument) {
    struct stream *stream = file->data;
    if ((uint32_t)command != FIONREAD)
        return -ENOTTY;
    mutex_lock(&stream->lock);
    int32_t count = input_fill(stream) ? (int32_t)(stream->input_head - stream->input_tail) : 0;
    mutex_unlock(&stream->lock);
    return guest_copy_out(argument, &count, sizeof count);
}

static const struct file_operations stream_operations = {
    .read = stream_read,
    .write = stream_write,
    .ioctl = stream_ioctl,
    .poll = stream_poll,
};

/* Opened once more through /proc/self/fd: the same stream. */
static int stream_reopen(struct inode *inode, struct file *file) {
    file->operations = &stream_operations;
    file->data = inode->data;
    return 0;
}

static const struct inode_operations stream_inode_operations = {.open = stream_reopen};

static void stream_event(void *context) {
    struct stream *stream = context;
    waitq_wake_all(&stream->readers);
    waitq_wake_all(&stream->writers);
}

int stream_open(struct stream *stream, const struct console_handles *handles) {
    mutex_init(&stream->lock);
    waitq_init(&stream->readers);
    waitq_init(&stream->writers);
    int error = link_open(&stream->link, handles);
    return error < 0 ? error : link_start(&stream->link, stream_event, stream);
}

struct file *stream_file(struct stream *stream, uint32_t flags) {
    if (!stream->inode) {
        stream->inode = anon_inode(ANON_PIPE, S_IFIFO | 0600);
        if (!stream->inode)
            return NULL;
        stream->inode->operations = &stream_inode_operations;
        stream->inode->data = stream;
    }
    return anon_file_at(stream->inode, &stream_operations, flags, stream);
}

/* Lets the driver work for a while; the lock is dropped meanwhile. */
static void stream_pause(struct stream *stream) {
    enum { PAUSE_NS = 10000000 };
    struct waiter waiter = {.exclusive = false};
    waitq_add(&stream->writers, &waiter);
    bool space = link_want_space(&stream->link);
    mutex_unlock(&stream->lock);
    if (!space)
        thread_park(clock_monotonic() + PAUSE_NS);
    mutex_lock(&stream->lock);
    waitq_remove(&stream->writers, &waiter);
}

void stream_put(struct stream *stream, const void *bytes, size_t length) {
    mutex_lock(&stream->lock);
    for (size_t at = 0; at < length;) {
        at += link_write(&stream->link, (const char *)bytes + at, length - at);
        if (at < length)
            stream_pause(stream);
    }
    mutex_unlock(&stream->lock);
}

void stream_flush(struct stream *stream) {
    mutex_lock(&stream->lock);
    while (!link_drained(&stream->link))
        stream_pause(stream);
    mutex_unlock(&stream->lock);
}
