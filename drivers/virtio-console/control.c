/* See control.h. */
#include "drivers/virtio-console/control.h"

#include <string.h>

static void name_read(struct control_message *message, const uint8_t *bytes, uint32_t length) {
    uint32_t most = length < PORT_NAME_SIZE - 1 ? length : PORT_NAME_SIZE - 1, at = 0;
    for (; at < most && bytes[at]; at++)
        message->name[at] = bytes[at] > ' ' && bytes[at] < 0x7f ? (char)bytes[at] : '?';
    message->name[at] = 0;
}

bool control_parse(const uint8_t *bytes, uint32_t length, struct control_message *message) {
    struct control_header header;
    uint16_t size[2]; /* columns, rows */
    *message = (struct control_message){0};
    if (length < sizeof header)
        return false;
    memcpy(&header, bytes, sizeof header);
    *message = (struct control_message){
        .port = header.port, .event = (enum control_event)header.event, .value = header.value};
    bytes += sizeof header;
    length -= sizeof header;
    switch (header.event) {
    case CONTROL_PORT_ADD:
    case CONTROL_PORT_REMOVE:
    case CONTROL_CONSOLE:
    case CONTROL_OPEN:
        return true;
    case CONTROL_NAME:
        name_read(message, bytes, length);
        return true;
    case CONTROL_RESIZE:
        if (length < sizeof size)
            return false;
        memcpy(size, bytes, sizeof size);
        message->columns = size[0];
        message->rows = size[1];
        return true;
    default:
        return false;
    }
}
