/* A driver's state and memory, for tools with the right to debug and to what the driver serves. */
#pragma once

#include "abi/devices.h"
#include "abi/rights.h"

/* The driver of an index: its state, and as many handles (READ, WRITE, GRANT) as it says, which are the
 * caller's. -EACCES: of the handles that were sent, the first gives no right to what the driver serves
 * (authority.h), or the second is no debug resource with DEBUG; -ENOENT after the last; -ENOMEM. */
int64_t inspect_driver(const handle_t sent[2], uint64_t index, struct devices_inspect *state,
                       handle_t *handles);
