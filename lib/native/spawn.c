/*
 * See spawn.h. Every segment becomes a memory object of its own, filled from the file and mapped with the
 * segment's protection, so that nothing of the file around a segment shows. What can fail without the process
 * is done before it.
 */
#include "lib/native/spawn.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/elf.h"
#include "lib/native/cpu.h"
#include "lib/native/keel.h"

enum { PAGE_BYTES = 4096, START_BYTES_MAX = 128 * 1024 };

struct spawn {
    const struct spawn_request *request;
    struct elf_image image;
    const uint8_t *headers;
    struct spawn_memory memory;
    uint64_t utcb, stack_pointer;
};

static int64_t vmo_fill(handle_t vmo, uint64_t offset, const void *bytes, uint64_t length) {
    const uint8_t *from = bytes;
    while (length > 0) {
        int64_t written = keel_vmo_write(vmo, offset, keel_pointer(from), length);
        if (written <= 0)
            return written < 0 ? written : -EIO;
        from += written;
        offset += (uint64_t)written;
        length -= (uint64_t)written;
    }
    return 0;
}

/* Adds a memory object of whole pages with bytes in it at an offset. */
static int64_t segment_add(struct spawn *spawn, struct spawn_segment segment, uint64_t offset,
                           const void *bytes, uint64_t length) {
    if (spawn->memory.count > SPAWN_SEGMENTS_MAX)
        return -ENOEXEC;
    int64_t vmo = keel_vmo_create(segment.length, 0);
    if (vmo < 0)
        return vmo;
    segment.vmo = (handle_t)vmo;
    spawn->memory.segments[spawn->memory.count++] = segment;
    return vmo_fill(segment.vmo, offset, bytes, length);
}

static int64_t image_check(struct spawn *spawn) {
    const struct spawn_request *request = spawn->request;
    if (elf_read_header(&spawn->image, request->image, request->image_length, request->image_length) < 0)
        return -ENOEXEC;
    spawn->headers = (const uint8_t *)request->image + spawn->image.segments_offset;
    bool upper = spawn->image.entry >= START_UPPER;
    uint64_t lowest = upper ? START_UPPER : PAGE_BYTES,
             limit = upper ? START_UPPER_STACK : START_NATIVE_STACK;
    if (spawn->image.type != ELF_EXEC || elf_read_segments(&spawn->image, spawn->headers, lowest, limit) < 0)
        return -ENOEXEC;
    spawn->utcb = upper ? START_UPPER_UTCB : START_NATIVE_UTCB;
    return 0;
}

static int64_t image_load(struct spawn *spawn) {
    struct elf_segment header;
    uint32_t index = 0;
    while (elf_next_segment(&spawn->image, spawn->headers, ELF_LOAD, &index, &header)) {
        uint64_t page = header.address & ~(uint64_t)(PAGE_BYTES - 1), inset = header.address - page;
        uint64_t protection = (header.flags & ELF_R ? MAP_READ : 0) | (header.flags & ELF_W ? MAP_WRITE : 0) |
                              (header.flags & ELF_X ? MAP_EXEC : 0);
        if ((protection & MAP_WRITE) && (protection & MAP_EXEC))
            return -ENOEXEC;
        struct spawn_segment segment = {
            page, (inset + header.memory_size + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1), protection, 0};
        const uint8_t *bytes = (const uint8_t *)spawn->request->image + header.offset;
        int64_t error = segment_add(spawn, segment, inset, bytes, header.file_size);
        if (error < 0)
            return error;
    }
    return 0;
}

/* The start block grows downwards in a buffer that will end at address top. */
struct start_builder {
    uint8_t *buffer;
    size_t used;
    uint64_t top;
    bool full;
};

/* Returns the address the bytes will have. */
static uint64_t builder_push(struct start_builder *builder, const void *bytes, size_t length) {
    if (length > START_BYTES_MAX - builder->used) {
        builder->full = true;
        return 0;
    }
    builder->used += length;
    memcpy(builder->buffer + START_BYTES_MAX - builder->used, bytes, length);
    return builder->top - builder->used;
}

static void builder_align(struct start_builder *builder, size_t alignment) {
    static const uint8_t zeros[16];
    (void)builder_push(builder, zeros, -builder->used % alignment);
}

static size_t strings_count(const char *const *strings) {
    size_t count = 0;
    while (strings[count])
        count++;
    return count;
}

/* Pushes the strings and stores their addresses, with a closing 0, at words. */
static void builder_strings(struct start_builder *builder, const char *const *strings, size_t count,
                            uint64_t *words) {
    for (size_t i = 0; i < count; i++)
        words[i] = builder_push(builder, strings[i], strlen(strings[i]) + 1);
    words[count] = 0;
}

static uint64_t builder_handles(struct start_builder *builder, const struct spawn_request *request) {
    struct start_handle table[SPAWN_HANDLES_MAX + 1] = {0};
    for (size_t i = 0; i < request->handle_count; i++) {
        memcpy(table[i].name, request->handles[i].name, START_NAME_SIZE - 1);
        table[i].handle = (handle_t)i + 1;
    }
    builder_align(builder, 16);
    return builder_push(builder, table, (request->handle_count + 1) * sizeof table[0]);
}

static uint64_t builder_random(struct start_builder *builder) {
    uint64_t words[2] = {__builtin_ia32_rdtsc(), clock_now()};
    for (int i = 0; i < 2; i++)
        for (int tries = 0; tries < 100 && !random_word_read(&words[i]); tries++)
            continue;
    return builder_push(builder, words, sizeof words);
}

/* argc, argv, envp and the auxiliary vector, in that order from the stack pointer up. */
static int64_t builder_vectors(struct start_builder *builder, struct spawn *spawn) {
    const struct spawn_request *request = spawn->request;
    uint64_t handles = builder_handles(builder, request), random = builder_random(builder);
    uint64_t auxiliary[] = {AT_PHDR,         spawn->image.segments_address,
                            AT_PHENT,        ELF_SEGMENT_SIZE,
                            AT_PHNUM,        spawn->image.segments_count,
                            AT_PAGESZ,       PAGE_BYTES,
                            AT_ENTRY,        spawn->image.entry,
                            AT_RANDOM,       random,
                            AT_KEEL_HANDLES, handles,
                            AT_NULL,         0};
    size_t argc = strings_count(request->arguments), envc = strings_count(request->environment);
    size_t count = 1 + argc + 1 + envc + 1;
    uint64_t *words = malloc(count * sizeof *words);
    if (!words)
        return -ENOMEM;
    words[0] = argc;
    builder_strings(builder, request->arguments, argc, words + 1);
    builder_strings(builder, request->environment, envc, words + 1 + argc + 1);
    builder_align(builder, 16);
    if (count % 2)
        (void)builder_push(builder, &(uint64_t){0}, sizeof(uint64_t));
    (void)builder_push(builder, auxiliary, sizeof auxiliary);
    spawn->stack_pointer = builder_push(builder, words, count * sizeof *words);
    free(words);
    return builder->full ? -E2BIG : 0;
}

static int64_t stack_build(struct spawn *spawn) {
    uint64_t base = spawn->utcb == START_UPPER_UTCB ? START_UPPER_STACK : START_NATIVE_STACK;
    struct start_builder builder = {.buffer = malloc(START_BYTES_MAX), .top = base + START_STACK_SIZE};
    if (!builder.buffer)
        return -ENOMEM;
    int64_t error = builder_vectors(&builder, spawn);
    if (error == 0)
        error = segment_add(spawn, (struct spawn_segment){base, START_STACK_SIZE, MAP_READ | MAP_WRITE, 0},
                            START_STACK_SIZE - builder.used, builder.buffer + START_BYTES_MAX - builder.used,
                            builder.used);
    free(builder.buffer);
    return error;
}

static int64_t process_fill(struct spawn *spawn, handle_t process) {
    const struct spawn_request *request = spawn->request;
    for (size_t i = 0; i < spawn->memory.count; i++) {
        struct spawn_segment *segment = &spawn->memory.segments[i];
        int64_t error =
            keel_space_map(process, segment->address, segment->vmo, 0, segment->length, segment->protection);
        if (error < 0)
            return error;
    }
    if (request->port != HANDLE_NONE) {
        int64_t error = keel_object_bind(process, request->port, request->key);
        if (error < 0)
            return error;
    }
    int64_t thread =
        keel_thread_create(process, spawn->image.entry, spawn->stack_pointer, spawn->utcb, spawn->utcb);
    if (thread < 0)
        return thread;
    (void)keel_handle_close((uint64_t)thread);
    return 0;
}

static int64_t process_build(struct spawn *spawn, handle_t *process, bool *moved) {
    const struct spawn_request *request = spawn->request;
    handle_t handles[SPAWN_HANDLES_MAX];
    for (size_t i = 0; i < request->handle_count; i++)
        handles[i] = request->handles[i].handle;
    int64_t created = keel_process_create(request->job, keel_pointer(handles), request->handle_count);
    if (created < 0)
        return created;
    *moved = true;
    int64_t error = process_fill(spawn, (handle_t)created);
    if (error < 0) {
        (void)keel_task_kill((uint64_t)created, 0);
        (void)keel_handle_close((uint64_t)created);
        return error;
    }
    *process = (handle_t)created;
    return 0;
}

void spawn_memory_close(struct spawn_memory *memory) {
    for (size_t i = 0; i < memory->count; i++)
        (void)keel_handle_close(memory->segments[i].vmo);
    memory->count = 0;
}

int64_t process_spawn(const struct spawn_request *request, handle_t *process, bool *moved) {
    struct spawn spawn = {.request = request};
    *moved = false;
    if (request->handle_count > SPAWN_HANDLES_MAX)
        return -EINVAL;
    int64_t error = image_check(&spawn);
    if (error == 0)
        error = image_load(&spawn);
    if (error == 0)
        error = stack_build(&spawn);
    if (error == 0)
        error = process_build(&spawn, process, moved);
    if (request->memory && error == 0)
        *request->memory = spawn.memory;
    else
        spawn_memory_close(&spawn.memory);
    return error;
}
