/*
 * The register convention of synchronous IPC. A message is eight words, up to IPC_HANDLES handles and up to
 * IPC_BYTES bytes.
 *
 *   port_call      rdi port   rsi label   rbx deadline (ns)   rdx r10 r8 r9 r12 r13 r14 r15 words 0-7
 *   port_receive   rdi port   rsi deadline (ns)   rbx 0, or the reply's label | IPC_REPLY; then the words are
 * the reply's both return    rax 0 or error   rsi label (0 for a packet's IPC_PACKET)   the same eight words
 *
 * The label's low 32 bits belong to the caller; IPC_LABEL_BYTES and IPC_LABEL_HANDLES say how much of the
 * sender's UTCB message page and handle array goes along. Handles move: they leave the sender's table.
 */
#pragma once

#include <stdint.h>

enum { IPC_WORDS = 8, IPC_HANDLES = 8, IPC_BYTES = 4096 };
#define IPC_REPLY (1ULL << 62)

#define IPC_LABEL(user, bytes, handles)                                                                      \
    ((uint64_t)(uint32_t)(user) | (uint64_t)(bytes) << 32 | (uint64_t)(handles) << 48)
#define IPC_LABEL_USER(label)    ((uint32_t)(label))
#define IPC_LABEL_BYTES(label)   ((uint32_t)((label) >> 32 & 0xffff))
#define IPC_LABEL_HANDLES(label) ((uint32_t)((label) >> 48 & 0xf))
#define IPC_LABEL_MASK           0x000fffffffffffffULL
/* Set in a received label when it is a queued packet: words 0-3 are struct port_packet. */
#define IPC_PACKET (1ULL << 63)

struct ipc_message {
    uint64_t label;
    uint64_t words[IPC_WORDS];
};

/* Channels: the largest message, and how many may wait at an end. */
enum { CHANNEL_BYTES = 3840, CHANNEL_HANDLES = 8, CHANNEL_QUEUE = 64 };

/* channel_read: in, the room at the two addresses; out, the message's sizes. */
struct channel_sizes {
    uint32_t bytes, handles;
};
