/* Calls and packets by the register convention of abi/ipc.h; lib/native/ipc_call.S. */
#pragma once

#include "abi/ipc.h"
#include "abi/rights.h"

/* port_call: sends message and waits until the deadline (ns) for the reply, which replaces it. Bytes and
 * handles go by the calling thread's UTCB. */
int64_t ipc_call(handle_t port, uint64_t deadline, struct ipc_message *message);
/* port_receive; flags: IPC_REPLY. */
int64_t ipc_receive(handle_t port, uint64_t deadline, uint64_t flags, struct ipc_message *message);

/* The calling thread's message page, and its handles sent or received. */
void *thread_message(void);
uint32_t *thread_handles(void);
