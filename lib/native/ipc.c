/* See ipc.h. */
#include "lib/native/ipc.h"

#include <errno.h>
#include <string.h>

int64_t packet_receive(handle_t port, uint64_t deadline, struct port_packet *packet) {
    struct ipc_message message = {0};
    int64_t result = ipc_receive(port, deadline, 0, &message);
    if (result < 0)
        return result;
    if (message.label & IPC_PACKET) {
        memcpy(packet, message.words, sizeof *packet);
        return 0;
    }
    return -EPROTO;
}
