/*
 * What a client may do with devices (abi/devices.h): a disk is for holders of a RESOURCE_LINK of mass storage
 * with FILE, a network card for those of one of network controllers with NETWORK; devices of other classes
 * are for whoever may call at all. The kernel says what a handle is: only a resource that covers a class can
 * be narrowed to it, and a duplicate with a right can be had of a handle with that right alone.
 */
#pragma once

#include "servers/devices/manifest.h"

#include "abi/rights.h"

/* Whether a handle that came with a request (HANDLE_NONE: none did) lets its sender use devices of a class,
 * enum devices_class. 0; -EACCES; -ENOMEM when it cannot be found out. The handle stays the caller's. */
int64_t authority_check(handle_t sent, uint32_t device_class);

/* The same for everything that a driver may ever offer. */
int64_t authority_check_all(handle_t sent, const struct manifest *manifest);
