/*
 * What a native process knows about its own start: its name, its handles, its log; and the start of init,
 * whose stack the kernel leaves empty. start_bare and start_record run before musl: no thread-local storage,
 * no class 0 calls.
 */
#include <elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/native/cpu.h"
#include "lib/native/keel.h"

enum { LOG_PIECE = 1024, BARE_WORDS = 512 / 8 };

extern const Elf64_Ehdr __ehdr_start;
void native_start(void);
void start_bare(uint64_t *block);
void start_record(const uint64_t *block);

static const struct start_handle init_handles[] = {
    {.name = "root-job", .handle = INIT_JOB},
    {.name = "process", .handle = INIT_PROCESS},
    {.name = "root-resource", .handle = INIT_RESOURCE},
    {.name = "archive", .handle = INIT_ARCHIVE},
    {.name = "boot", .handle = INIT_BOOT},
    {.name = "thread", .handle = INIT_THREAD},
    {.name = ""},
};

static const struct start_handle no_handles[] = {{.name = ""}};
static const struct start_handle *own_handles = no_handles;
static const char *own_name = "";
static handle_t log_handle;

struct start_block {
    uint64_t *next;
};

static void block_put(struct start_block *block, uint64_t a, uint64_t b) {
    *block->next++ = a;
    *block->next++ = b;
}

static uint64_t random_word(void) {
    uint64_t word = __builtin_ia32_rdtsc();
    for (int tries = 0; tries < 100 && !random_word_read(&word); tries++)
        continue;
    return word;
}

/* Builds the start block of a program without arguments: block has room for BARE_WORDS words, on the stack.
 */
void start_bare(uint64_t *block) {
    static const char name[] = "init";
    uint64_t *random = block + BARE_WORDS - 2;
    random[0] = random_word();
    random[1] = random_word();
    block[0] = 1;
    block[1] = keel_pointer(name);
    block[2] = block[3] = 0; /* ends of argv and envp */
    struct start_block vector = {block + 4};
    block_put(&vector, AT_PHDR, keel_pointer(&__ehdr_start) + __ehdr_start.e_phoff);
    block_put(&vector, AT_PHENT, __ehdr_start.e_phentsize);
    block_put(&vector, AT_PHNUM, __ehdr_start.e_phnum);
    block_put(&vector, AT_PAGESZ, 4096);
    block_put(&vector, AT_ENTRY, keel_pointer(native_start));
    block_put(&vector, AT_RANDOM, keel_pointer(random));
    block_put(&vector, AT_KEEL_HANDLES, keel_pointer(init_handles));
    block_put(&vector, AT_NULL, 0);
}

/* Remembers what the start block says: argc, argv, 0, envp, 0, auxiliary vector. */
void start_record(const uint64_t *block) {
    const uint64_t *word = block + 1;
    if (block[0] > 0)
        own_name = (const char *)word[0];
    word += block[0] + 1;
    while (*word++)
        continue;
    for (; word[0] != AT_NULL; word += 2)
        if (word[0] == AT_KEEL_HANDLES)
            own_handles = (const struct start_handle *)word[1];
    log_handle = handle_find("log");
}

handle_t handle_find(const char *name) {
    for (const struct start_handle *entry = own_handles; entry->name[0]; entry++)
        if (strncmp(entry->name, name, START_NAME_SIZE) == 0)
            return entry->handle;
    return HANDLE_NONE;
}

const char *program_name(void) {
    return own_name;
}

void log_use(handle_t log) {
    log_handle = log;
}

void log_bytes(const char *bytes, size_t length) {
    while (length > 0 && log_handle != HANDLE_NONE) {
        size_t piece = length < LOG_PIECE ? length : LOG_PIECE;
        if (keel_log_write(log_handle, keel_pointer(bytes), piece) < 0)
            return;
        bytes += piece;
        length -= piece;
    }
}

void log_line(const char *format, ...) {
    char line[LOG_LINE_MAX];
    size_t used = (size_t)snprintf(line, sizeof line, "%s: ", own_name);
    if (used > sizeof line / 2)
        used = sizeof line / 2;
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(line + used, sizeof line - used - 1, format, arguments);
    va_end(arguments);
    used += more < 0 ? 0 : (size_t)more;
    if (used > sizeof line - 2)
        used = sizeof line - 2;
    line[used] = '\n';
    log_bytes(line, used + 1);
}
