/*
 * Standard input, output and error as bytes over a console link. Programs take these files for pipes: no
 * terminal, no position. Input is escaped (see console.h); output goes out as it is.
 */
#pragma once

#include <stddef.h>

#include "linux/io/link.h"
#include "linux/lock.h"

struct file;
struct inode;

enum { STREAM_ESCAPE = 0x10, STREAM_END = 0x04, STREAM_INPUT = 1024 };

/* Takes the escapes out of received bytes: pure, for tests. */
struct stream_decoder {
    bool escaped; /* an escape byte came last */
    bool ended;   /* the end of input was seen; what follows is dropped */
};
size_t stream_decode(struct stream_decoder *decoder, const uint8_t *from, size_t length, uint8_t *to);

struct stream {
    struct link link;
    struct mutex lock; /* everything below and the link */
    struct waitq readers, writers;
    struct stream_decoder decoder;
    uint32_t input_head, input_tail; /* decoded bytes not read yet */
    bool writing;                    /* a write is under way */
    struct inode *inode;
    uint8_t input[STREAM_INPUT];
};

int stream_open(struct stream *stream, const struct console_handles *handles);
/* An open file over the stream; NULL: no memory. */
struct file *stream_file(struct stream *stream, uint32_t flags);
/* Writes everything, waiting on any thread; for the personality's own messages. */
void stream_put(struct stream *stream, const void *bytes, size_t length);
/* Waits until everything has left the driver. */
void stream_flush(struct stream *stream);
