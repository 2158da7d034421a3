/* A driver's state and memory, for tools with the right to debug. */
#pragma once

#include "abi/devices.h"
#include "abi/rights.h"

/* The driver of an index: its state, and as many handles (READ, WRITE, GRANT) as it says, which are the
 * caller's. -EACCES: authority is no debug resource with DEBUG; -ENOENT after the last; -ENOMEM. */
int64_t inspect_driver(handle_t authority, uint64_t index, struct devices_inspect *state, handle_t *handles);
