/*
 * execve and execveat. The new program is built in a fresh address space (exec_image.h); only when all of it
 * is there do the other threads end and the spaces change places. Scripts ("#!") replace the file by their
 * interpreter first.
 */
#include "linux/task/exec.h"

#include "lib/base/format.h"
#include "lib/base/string.h"
#include "lib/keel/call.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/prctl.h"
#include "linux/abi/resource.h"
#include "linux/abi/signal.h"
#include "linux/abi/stat.h"
#include "linux/abi/wait.h"
#include "linux/arch/guest.h"
#include "linux/fs/fd.h"
#include "linux/fs/file.h"
#include "linux/fs/mount.h"
#include "linux/fs/path.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task/exec_image.h"
#include "linux/task/futex.h"
#include "linux/task/process.h"
#include "linux/task/session.h"

enum {
    STRING_MOST = 131072,   /* of one argument, with its 0 */
    STRINGS_LEAST = 131072, /* of all together, whatever the limit */
    STRINGS_MOST = 6 << 20,
    SCRIPTS_MOST = 5,
    MS_NOSUID = 2,
    RFLAGS_INITIAL = 0x202,
};

/* ---- lists of strings ---- */

static int string_list_reserve(struct string_list *list, size_t more) {
    size_t needed = list->length + more;
    if (needed <= list->capacity)
        return 0;
    size_t capacity = list->capacity ? list->capacity * 2 : 1024;
    while (capacity < needed)
        capacity *= 2;
    char *bytes = heap_alloc(capacity);
    if (!bytes)
        return -ENOMEM;
    if (list->length)
        memcpy(bytes, list->bytes, list->length);
    heap_free(list->bytes);
    list->bytes = bytes;
    list->capacity = capacity;
    return 0;
}

int string_list_add(struct string_list *list, const char *text, size_t length) {
    if (length >= STRING_MOST)
        return -E2BIG;
    int error = string_list_reserve(list, length + 1);
    if (error)
        return error;
    memcpy(list->bytes + list->length, text, length);
    list->bytes[list->length + length] = 0;
    list->length += length + 1;
    list->count++;
    return 0;
}

void string_list_free(struct string_list *list) {
    heap_free(list->bytes);
    *list = (struct string_list){0};
}

/* One string from the guest: tried in the room there is, then with all it may take. */
static int string_list_add_guest(struct string_list *list, uint64_t address, size_t limit) {
    size_t room = 256;
    for (;;) {
        int error = string_list_reserve(list, room);
        if (error)
            return error;
        room = list->capacity - list->length;
        if (room > STRING_MOST)
            room = STRING_MOST;
        int64_t length = guest_string_in(list->bytes + list->length, address, room);
        if (length >= 0) {
            list->length += (size_t)length + 1;
            list->count++;
            return list->length + list->count * sizeof(uint64_t) > limit ? -E2BIG : 0;
        }
        if (length != -ENAMETOOLONG)
            return (int)length;
        if (room == STRING_MOST || list->length + room > limit)
            return -E2BIG;
        room = STRING_MOST;
    }
}

/* All strings of an argv or envp; a null vector is an empty one. */
static int string_list_in(struct string_list *list, uint64_t vector, size_t limit) {
    for (uint64_t at = vector; vector; at += sizeof(uint64_t)) {
        uint64_t address;
        int error = guest_copy_in(&address, at, sizeof(address));
        if (error || !address)
            return error;
        error = string_list_add_guest(list, address, limit);
        if (error)
            return error;
    }
    return 0;
}

/* Puts strings in place of the first `drop` ones. */
static int string_list_replace_first(struct string_list *list, unsigned drop, const char *const *texts,
                                     unsigned count) {
    struct string_list made = {0};
    const char *rest = list->bytes;
    int error = 0;
    for (unsigned i = 0; i < drop && i < list->count; i++)
        rest += strlen(rest) + 1;
    for (unsigned i = 0; i < count && !error; i++)
        error = string_list_add(&made, texts[i], strlen(texts[i]));
    size_t left = list->length - (size_t)(rest - list->bytes);
    if (!error)
        error = string_list_reserve(&made, left);
    if (error) {
        string_list_free(&made);
        return error;
    }
    if (left)
        memcpy(made.bytes + made.length, rest, left);
    made.length += left;
    made.count += list->count > drop ? list->count - drop : 0;
    heap_free(list->bytes);
    *list = made;
    return 0;
}

static size_t strings_limit(const struct task *task) {
    uint64_t limit = task->process->limits[RLIMIT_STACK].current / 4;
    return limit > STRINGS_MOST ? STRINGS_MOST : limit < STRINGS_LEAST ? STRINGS_LEAST : limit;
}

/* ---- scripts ---- */

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* Splits the first line: interpreter and one optional argument, both terminated in place. */
static int script_parse(char *line, size_t length, char **interpreter, char **argument) {
    char *end = memchr(line, '\n', length), *at = line + 2;
    if (!end &&
        length == EXEC_HEAD) { /* the line goes on: the interpreter's name at least must be complete */
        end = line + length - 1;
        char *name = at;
        while (name < end && is_blank(*name))
            name++;
        while (name < end && !is_blank(*name) && *name)
            name++;
        if (name == end)
            return -ENOEXEC;
    }
    if (!end)
        end = line + length;
    while (end > at && is_blank(end[-1]))
        end--;
    *end = 0;
    while (is_blank(*at))
        at++;
    if (!*at)
        return -ENOEXEC;
    *interpreter = at;
    *argument = NULL;
    while (*at && !is_blank(*at))
        at++;
    if (!*at)
        return 0;
    *at++ = 0;
    while (is_blank(*at))
        at++;
    if (*at)
        *argument = at;
    return 0;
}

static int head_read(struct exec_image *image) {
    int64_t count = file_read_at(image->file, image->head, sizeof(image->head), 0);
    if (count < 0)
        return (int)count;
    image->head_length = (size_t)count;
    return 0;
}

/* The script's interpreter takes its place. */
static int script_step(struct exec_image *image, const char *script) {
    char line[EXEC_HEAD + 1], *interpreter, *argument;
    memcpy(line, image->head, image->head_length);
    line[image->head_length] = 0;
    int error = script_parse(line, image->head_length, &interpreter, &argument);
    if (error)
        return error;
    const char *texts[3] = {interpreter, argument ? argument : script, script};
    error = string_list_replace_first(&image->arguments, 1, texts, argument ? 3 : 2);
    struct file *file;
    if (!error)
        error = file_open_program(AT_FDCWD, interpreter, 0, &file);
    if (error)
        return error;
    file_put(image->file);
    image->file = file;
    return head_read(image);
}

/* Follows scripts to an ELF file (or something unknown). */
static int scripts_follow(struct exec_image *image) {
    char script[EXEC_HEAD];
    const char *name = image->name;
    int error = head_read(image);
    for (unsigned depth = 0;
         !error && image->head_length > 2 && image->head[0] == '#' && image->head[1] == '!'; depth++) {
        if (depth == SCRIPTS_MOST)
            return -ELOOP;
        error = script_step(image, name);
        if (error || !image->arguments.count)
            return error;
        /* what the next step would call the script: the interpreter just opened */
        size_t length = strlen(image->arguments.bytes);
        if (length >= sizeof(script))
            return -ENAMETOOLONG;
        memcpy(script, image->arguments.bytes, length + 1);
        name = script;
    }
    return error;
}

/* ---- the change ---- */

static bool is_nosuid(const struct file *file) {
    const struct mount *mount = file->path.mount; /* NULL: memfd_create */
    return !mount || mount->flags & MS_NOSUID;
}

/* Set-user-id and set-group-id programs. */
static void credentials_exec(struct exec_image *image) {
    struct credentials *credentials = &image->credentials;
    const struct file *file = image->file;
    struct attributes attributes;
    if (inode_getattr(file->path.inode, &attributes))
        return;
    bool allowed = !image->task->no_new_privileges && !is_nosuid(file);
    if (allowed && attributes.mode & S_ISUID)
        credentials->euid = attributes.uid;
    if (allowed && (attributes.mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
        credentials->egid = attributes.gid;
    image->secure |= credentials->euid != credentials->uid || credentials->egid != credentials->gid;
    credentials->suid = credentials->fsuid = credentials->euid;
    credentials->sgid = credentials->fsgid = credentials->egid;
}

static void comm_set(struct task *task, const char *name) {
    const char *base = strrchr(name, '/');
    base = base ? base + 1 : name;
    size_t length = strnlen(base, sizeof(task->comm) - 1);
    memset(task->comm, 0, sizeof(task->comm));
    memcpy(task->comm, base, length);
}

static void registers_set(struct task *task, const struct exec_image *image) {
    struct guest_registers *guest = &task->utcb->guest;
    memset(guest, 0, sizeof(*guest));
    guest->rip = image->start;
    guest->rsp = image->stack_pointer;
    guest->rflags = RFLAGS_INITIAL;
    guest_vector_reset();
    guest_bases_set(0, 0);
    task->full_restore = true;
}

/* Builds everything that can fail. The new space is attached afterwards. */
static int image_build(struct exec_image *image) {
    struct task *task = image->task;
    image->mm = mm_create(session_job(task));
    if (!image->mm)
        return -ENOMEM;
    int error = exec_map_elf(image);
    if (!error && keel_guest_attach(image->mm->space))
        error = -ENOMEM;
    if (!error)
        error = exec_fill(image);
    if (!error && !(error = inode_deny_write(image->file->path.inode)))
        image->mm->executable = file_get(image->file);
    return error;
}

static void image_drop(struct exec_image *image) {
    keel_guest_attach(image->task->mm ? image->task->mm->space : 0);
    if (image->mm)
        mm_put(image->mm);
}

/* The point of no return lies in process_leave_threads. */
static int image_run(struct exec_image *image) {
    struct task *task = image->task;
    int error = process_leave_threads(task);
    if (error)
        return error;
    if (task->mm) {
        keel_guest_attach(task->mm->space); /* robust locks and clear_child_tid are in the old space */
        futex_task_end(task);
    }
    mm_switch(task, image->mm);
    mutex_lock(&tasks_lock);
    task->credentials = image->credentials;
    security_exec(task);
    comm_set(task, image->name);
    if (image->secure)
        task->personality &= ~ADDR_NO_RANDOMIZE;
    mutex_unlock(&tasks_lock);
    bool closed = !fd_table_exec(task);
    process_exec_done(task);
    registers_set(task, image);
    if (!closed)
        process_exit_all(task->process, WAIT_SIGNALED(SIGKILL));
    return 0;
}

int exec_file(struct task *task, struct file *file, const char *name, const struct string_list *arguments,
              const struct string_list *environment) {
    struct exec_image image = {.task = task,
                               .file = file_get(file),
                               .name = name,
                               .environment = environment,
                               .credentials = task->credentials};
    int error = string_list_reserve(&image.arguments, arguments->length + 1);
    if (!error && arguments->bytes && image.arguments.bytes) {
        memcpy(image.arguments.bytes, arguments->bytes, arguments->length);
        image.arguments.length = arguments->length;
        image.arguments.count = arguments->count;
    }
    if (!error && !arguments->count) /* Linux gives an empty argv[0] */
        error = string_list_add(&image.arguments, "", 0);
    if (!error) /* a script counts, not its interpreter */
        error = security_exec_check(task, is_nosuid(file), &image.secure);
    if (!error)
        error = scripts_follow(&image);
    if (!error)
        credentials_exec(&image);
    if (!error)
        error = image_build(&image);
    if (!error)
        error = image_run(&image);
    if (error)
        image_drop(&image);
    string_list_free(&image.arguments);
    file_put(image.file);
    return error;
}

/* ---- the calls ---- */

/* What execveat calls the file: the path, or /dev/fd/N with the path behind it. */
static char *program_name_make(int fd, const char *path) {
    size_t size = strlen(path) + 32;
    char *name = heap_alloc(size);
    if (!name)
        return NULL;
    if (fd == AT_FDCWD || *path == '/')
        format_text(name, size, "%s", path);
    else
        format_text(name, size, "/dev/fd/%d%s%s", fd, *path ? "/" : "", path);
    return name;
}

static int exec_named(int fd, const char *path, unsigned flags, uint64_t argv, uint64_t envp) {
    struct task *task = task_current();
    struct string_list arguments = {0}, environment = {0};
    size_t limit = strings_limit(task);
    struct file *file = NULL;
    char *name = program_name_make(fd, path);
    int error = name ? string_list_in(&arguments, argv, limit) : -ENOMEM;
    if (!error)
        error = string_list_in(&environment, envp, limit - arguments.length);
    if (!error)
        error = file_open_program(fd, path, flags, &file);
    if (!error)
        error = exec_file(task, file, name, &arguments, &environment);
    string_list_free(&arguments);
    string_list_free(&environment);
    if (file)
        file_put(file);
    heap_free(name);
    return error;
}

static int64_t exec_at(int fd, uint64_t path, unsigned flags, uint64_t argv, uint64_t envp) {
    char *text;
    int error = path_text_in(path, &text);
    if (error)
        return error;
    error = !*text && !(flags & AT_EMPTY_PATH) ? -ENOENT : exec_named(fd, text, flags, argv, envp);
    heap_free(text);
    return error;
}

int64_t sys_execve(uint64_t path, uint64_t argv, uint64_t envp) {
    return exec_at(AT_FDCWD, path, 0, argv, envp);
}

int64_t sys_execveat(uint64_t fd, uint64_t path, uint64_t argv, uint64_t envp, uint64_t flags) {
    if (flags & ~(uint64_t)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
        return -EINVAL;
    return exec_at((int)fd, path, (unsigned)flags, argv, envp);
}
