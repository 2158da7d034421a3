/*
 * One service of the manifest while the system runs: its job, its process, and when it may start again. A
 * service gets a new job at every start; it ends with all that was started inside it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "abi/rights.h"
#include "servers/init/archive.h"
#include "servers/init/framebuffer.h"
#include "servers/init/links.h"
#include "servers/init/manifest.h"
#include "servers/init/power.h"

/* What all services share. */
struct system {
    struct archive archive;
    struct manifest manifest;
    struct links links;
    struct power power;
    struct framebuffer_pages framebuffer; /* once a service asked for it */
    handle_t port;                        /* deaths arrive here, keyed by the service's index */
    uint64_t pages_total;                 /* of the machine */
    const char *environment[2];           /* KEEL_CMDLINE=…, NULL */
};

struct service {
    const struct manifest_service *spec;
    uint64_t key;
    bool wanted;           /* asked for, and its program is there */
    handle_t job, process; /* HANDLE_NONE while it does not run */
    uint64_t started;      /* clock_now() of the last start */
    uint64_t next_start;   /* when to start it again; DEADLINE_NEVER: not */
    uint64_t delay;        /* ns, the last back-off */
};

/* Starts it: exactly the capabilities of its manifest entry. On failure nothing is left behind, a log line
 * says why, and the negated error is returned. */
int64_t service_start(struct service *service, struct system *system);

/* Its process has ended: ends the rest of its job, and plans the next start by policy. */
void service_ended(struct service *service);

/* Plans a start after a failed one, by policy. */
void service_back_off(struct service *service);
