/* Random bytes: the machine's, or in a simulation a fixed sequence. */
#include <stdlib.h>
#include <sys/random.h>

#include "linux/arch/host/thread.h"
#include "linux/platform.h"

static void bytes_simulated(uint8_t *to, size_t length) {
    static uint64_t state = 88172645463325252ULL;
    for (size_t i = 0; i < length; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        to[i] = (uint8_t)(state >> 24);
    }
}

void random_bytes(void *to, size_t length) {
    if (host_simulated()) {
        bytes_simulated(to, length);
        return;
    }
    for (size_t done = 0; done < length;) {
        ssize_t got = getrandom((char *)to + done, length - done, 0);
        if (got < 0)
            abort();
        done += (size_t)got;
    }
}
