/* What the files of dtest share: calls of `devices`, and waiting for what it says. */
#pragma once

#include <stddef.h>

#include "abi/devices.h"
#include "lib/native/ipc.h"
#include "tests/native/check.h"

#define MS      1000000ULL
#define PATIENT (60000 * MS) /* ns */

/* A call of the devices port; the reply's bytes go to a structure. Word 0 of the reply. */
int64_t ask(enum devices_call call, uint64_t a, uint64_t b, uint64_t c, void *bytes, size_t length);
/* The same with handles, which are given away; message has the whole reply. */
int64_t ask_with(struct ipc_message *message, const handle_t *handles, unsigned count);

/* Waits until a device is there with a driver of at least a generation. */
bool device_await(const char *name, uint32_t generation, struct devices_device *device);

/* dtest_rights.c */
void test_links_refused(void);
void test_rights_divided(void);
void test_calls_refused(void);
void test_handles_closed(void);
