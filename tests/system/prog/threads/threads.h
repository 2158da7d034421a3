/* Starting and joining, for the tests of threads. */
#pragma once

#include "tests/system/prog/check.h"

#include <pthread.h>

enum { THREADS = 8 };

static inline pthread_t start(void *(*body)(void *), void *argument) {
    pthread_t thread;
    int error = pthread_create(&thread, NULL, body, argument);
    CHECK_EQ(error, 0);
    return thread;
}

static inline void *join(pthread_t thread) {
    void *result;
    CHECK_EQ(pthread_join(thread, &result), 0);
    return result;
}
