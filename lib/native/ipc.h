/* Receiving at a port, by the register convention of abi/ipc.h. */
#pragma once

#include "abi/ipc.h"
#include "abi/objects.h"
#include "abi/rights.h"

/* port_receive with label and words in message both ways. flags: IPC_REPLY sends message as the reply first.
 * Blocks until the deadline (ns). 0, -ETIMEDOUT, or the kernel's other errors. */
int64_t ipc_receive(handle_t port, uint64_t deadline, uint64_t flags, struct ipc_message *message);

/* port_call: sends message and waits until the deadline (ns) for the reply, which replaces it. */
int64_t ipc_call(handle_t port, uint64_t deadline, struct ipc_message *message);

/* Waits for a packet at a port that nobody calls. 0, -ETIMEDOUT, or -EPROTO when a call or a
 * message of another kind came in. */
int64_t packet_receive(handle_t port, uint64_t deadline, struct port_packet *packet);
