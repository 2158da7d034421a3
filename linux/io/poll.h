/*
 * Waiting for files: what poll, select and epoll share. A file's poll operation says which events are ready
 * now and enters the watch it is given into the queue(s) that announce changes. Wake-ups are hints: the
 * caller asks again.
 *
 * An event source wakes its queue after the change is visible to its own poll operation.
 */
#pragma once

#include "linux/abi/poll.h"
#include "linux/fs.h"

/* A watch is whatever wants to hear from queues; enter decides how. */
struct poll_watch {
    void (*enter)(struct poll_watch *watch, struct waitq *queue);
};

/* What a file is ready for now; for a file without a poll operation, reading and writing. Enters the watch
 * when not NULL. */
uint32_t file_poll(struct file *file, struct poll_watch *watch);

/* From file_put, before the file's release: takes the file out of every epoll set that holds it. Only needed
 * when file->epoll_items is not NULL. */
void epoll_file_gone(struct file *file);

/* The epoll set behind a file, else NULL: what epoll_ctl and poll of nested sets look at. */
struct epoll;
struct epoll *epoll_of(const struct file *file);
