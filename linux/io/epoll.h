/* The operations of the files that have no other home, by which /proc tells them apart. */
#pragma once

#include "linux/fs.h"

extern const struct file_operations epoll_operations;
extern const struct file_operations eventfd_operations;
extern const struct file_operations timerfd_operations;
extern const struct file_operations signalfd_operations;
