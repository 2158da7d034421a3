/* See service.h. */
#include "servers/init/service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "abi/boot_info.h"
#include "lib/native/keel.h"
#include "lib/native/spawn.h"
#include "servers/init/grant.h"

enum { PAGE_BYTES = 4096, ARGUMENTS_MAX = 4096 };

#define DELAY_FIRST 100000000ULL   /* ns */
#define DELAY_MOST  10000000000ULL /* ns; a service that ran longer starts again with the first delay */

struct argument_list {
    const char *words[ARGUMENTS_MAX + 1]; /* ends with NULL */
    unsigned count;
    char root[40];
};

static int64_t argument_add(struct argument_list *list, const char *word) {
    if (list->count == ARGUMENTS_MAX)
        return -E2BIG;
    list->words[list->count++] = word;
    return 0;
}

/* Every string of a 0-separated file; a last one without its 0 is damage. */
static int64_t arguments_from_file(struct argument_list *list, const struct archive *archive,
                                   const char *name) {
    struct archive_file file;
    if (archive_find(archive, name, &file) < 0)
        return 0;
    const char *at = file.bytes, *end = at + file.length;
    if (file.length > 0 && end[-1] != 0) {
        log_line("%s does not end with a 0 byte", name);
        return -EINVAL;
    }
    for (; at < end; at += strlen(at) + 1)
        if (argument_add(list, at) < 0)
            return -E2BIG;
    return 0;
}

static int64_t arguments_build(struct argument_list *list, const struct manifest_service *spec,
                               const struct system *system) {
    *list = (struct argument_list){0};
    int64_t error = argument_add(list, spec->name);
    for (unsigned i = 0; i < spec->argument_count && !error; i++)
        error = argument_add(list, spec->arguments[i]);
    if (spec->root && system->archive.root_offset && !error) {
        snprintf(list->root, sizeof list->root, "--root-offset=%llu",
                 (unsigned long long)system->archive.root_offset);
        error = argument_add(list, list->root);
    }
    if (spec->framebuffer && system->framebuffer.length && !error)
        error = argument_add(list, system->framebuffer.argument);
    if (spec->arguments_file[0] && !error)
        error = arguments_from_file(list, &system->archive, spec->arguments_file);
    return error;
}

static uint64_t memory_limit(const struct manifest_service *spec, uint64_t pages_total) {
    if (spec->memory_percent)
        return pages_total * spec->memory_percent / 100;
    return (spec->memory_bytes + PAGE_BYTES - 1) / PAGE_BYTES;
}

static int64_t job_open(struct service *service, const struct system *system) {
    const struct manifest_service *spec = service->spec;
    int64_t job = keel_handle_create(OBJECT_JOB, INIT_JOB, 0, 0);
    if (job < 0)
        return job;
    service->job = (handle_t)job;
    return keel_job_limit((uint64_t)job, memory_limit(spec, system->pages_total), spec->objects,
                          spec->threads, spec->share);
}

static void job_end(struct service *service) {
    if (service->job == HANDLE_NONE)
        return;
    (void)keel_task_kill(service->job, 0);
    (void)keel_handle_close(service->job);
    service->job = HANDLE_NONE;
}

/* Looks at what the boot path found; of one that cannot be used, the log says why. */
static void framebuffer_find(struct framebuffer_pages *pages) {
    static struct boot_info info;
    int64_t got = keel_vmo_read(INIT_BOOT, 0, keel_pointer(&info), sizeof info);
    if (got != sizeof info)
        return;
    size_t ranges = info.range_count < BOOT_MAX_RANGES ? info.range_count : BOOT_MAX_RANGES;
    const char *problem = framebuffer_check(&info.framebuffer, info.ranges, ranges);
    if (problem && info.framebuffer.address)
        log_line("framebuffer: %s", problem);
    else if (!problem)
        framebuffer_describe(&info.framebuffer, pages);
}

static int64_t process_start(struct service *service, struct system *system,
                             const struct archive_file *program) {
    struct argument_list arguments;
    struct grants grants;
    int64_t error = arguments_build(&arguments, service->spec, system);
    if (error < 0)
        return error;
    grants_collect(&grants, service, system);
    struct spawn_request request = {
        .job = service->job,
        .image = program->bytes,
        .image_length = program->length,
        .arguments = arguments.words,
        .environment = system->environment,
        .handles = grants.handles,
        .handle_count = grants.count,
        .port = system->port,
        .key = service->key,
    };
    bool moved = false;
    error = grants.error ? grants.error : process_spawn(&request, &service->process, &moved);
    if (!moved)
        grants_close(&grants);
    return error;
}

int64_t service_start(struct service *service, struct system *system) {
    const struct manifest_service *spec = service->spec;
    struct archive_file program;
    int64_t error = archive_find(&system->archive, spec->program, &program);
    if (error == 0)
        error = job_open(service, system);
    if (error == 0 && spec->framebuffer && system->framebuffer.length == 0)
        framebuffer_find(&system->framebuffer);
    if (error == 0)
        error = process_start(service, system, &program);
    if (error < 0) {
        log_line("service %s: %s does not start: %s", spec->name, spec->program, strerror((int)-error));
        job_end(service);
        return error;
    }
    service->started = clock_now();
    service->next_start = DEADLINE_NEVER;
    return 0;
}

void service_back_off(struct service *service) {
    if (service->spec->restart != RESTART_ALWAYS)
        return;
    uint64_t now = clock_now();
    bool settled = service->delay == 0 || now - service->started > DELAY_MOST;
    service->delay = settled                           ? DELAY_FIRST
                     : service->delay * 2 < DELAY_MOST ? service->delay * 2
                                                       : DELAY_MOST;
    service->next_start = now + service->delay;
}

void service_ended(struct service *service) {
    (void)keel_handle_close(service->process);
    service->process = HANDLE_NONE;
    job_end(service);
    service_back_off(service);
}
