/* Calls on ports, events, timers, channels and futexes. */
#include "kernel/futex.h"
#include "kernel/syscall.h"

int64_t call_port_send(struct port *port, uint64_t key, uint64_t word0, uint64_t word1) {
    struct port_packet packet = {.key = key, .count = 1, .words = {word0, word1}};
    return port_send(port, &packet);
}

/* Label, deadline and words are in the frame (abi/ipc.h). */
int64_t call_port_call(struct port *port, uint64_t label, uint64_t word0, uint64_t word1) {
    (void)label, (void)word0, (void)word1;
    return port_call(port, &thread_current()->native);
}

int64_t call_port_receive(struct port *port, uint64_t deadline, uint64_t word0) {
    (void)deadline, (void)word0;
    return port_receive(port, &thread_current()->native);
}

int64_t call_event_signal(struct event *event) {
    event_signal(event);
    return 0;
}

int64_t call_event_wait(struct event *event, uint64_t deadline) {
    return event_wait(event, deadline);
}

int64_t call_timer_set(struct timer *timer, uint64_t deadline, uint64_t period) {
    timer_set(timer, deadline, period);
    return 0;
}

int64_t call_channel_create(uint64_t array) {
    struct channel *ends = channel_create(process_current()->object.job);
    handle_t handles[2];
    int64_t result = 0;

    if (!ends)
        return -ENOMEM;
    for (unsigned i = 0; i < 2; i++) {
        int64_t handle = object_publish(&ends[i].object);
        if (handle < 0)
            result = handle;
        handles[i] = handle < 0 ? HANDLE_NONE : (handle_t)handle;
    }
    if (!result && user_copy_out(array, handles, sizeof(handles)))
        result = -EFAULT;
    for (unsigned i = 0; i < 2 && result; i++)
        handle_close(handles_current(), handles[i]);
    return result;
}

STACK_GUARD int64_t call_channel_read(struct channel *channel, uint64_t bytes, uint64_t handles,
                                      uint64_t sizes, uint64_t deadline) {
    return channel_read(channel, bytes, handles, sizes, deadline);
}

STACK_GUARD int64_t call_channel_write(struct channel *channel, uint64_t bytes, uint64_t length,
                                       uint64_t handles, uint64_t count) {
    return channel_write(channel, bytes, length, handles, count);
}

int64_t call_futex_wait(uint64_t address, uint64_t expected, uint64_t deadline) {
    return futex_wait(address, expected, deadline);
}

int64_t call_futex_wake(uint64_t address, uint64_t count) {
    return futex_wake(address, count);
}
