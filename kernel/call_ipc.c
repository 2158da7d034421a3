/* Calls on ports, events, timers and channels. */
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

int64_t call_channel_create(uint64_t a, uint64_t b) {
    return (void)a, (void)b, -ENOSYS;
}

int64_t call_channel_read(struct channel *channel, uint64_t b, uint64_t c, uint64_t d, uint64_t e) {
    return (void)channel, (void)b, (void)c, (void)d, (void)e, -ENOSYS;
}

int64_t call_channel_write(struct channel *channel, uint64_t b, uint64_t c, uint64_t d, uint64_t e) {
    return call_channel_read(channel, b, c, d, e);
}
