/*
 * The personality's start: handles and options from init, the parts in the order in which they need each
 * other, then process 1. The main native thread becomes that of process 1's first task; another one waits for
 * its end, which is the container's.
 *
 *   status    the program's own; 128 + n when signal n ended it; 127 not found, 126 not executable or no root
 * file system
 */
#include "abi/start.h"
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "lib/keel/call.h"
#include "linux/abi/fcntl.h"
#include "linux/block/disk.h"
#include "linux/device/char.h"
#include "linux/device/offers.h"
#include "linux/fs/fd.h"
#include "linux/fs/file.h"
#include "linux/fs/mount.h"
#include "linux/heap.h"
#include "linux/heap_start.h"
#include "linux/input/input.h"
#include "linux/io/console.h"
#include "linux/io/framebuffer.h"
#include "linux/io/port.h"
#include "linux/io/tty.h"
#include "linux/loop.h"
#include "linux/net/interface.h"
#include "linux/options.h"
#include "linux/platform.h"
#include "linux/start.h"
#include "linux/system.h"
#include "linux/task/exec.h"
#include "linux/task/mm.h"
#include "linux/task/process.h"
#include "linux/usb/usb.h"
#include "linux/vdso/vdso.h"

enum { STATUS_NOT_FOUND = 127, STATUS_NOT_RUN = 126, STATUS_SIGNAL = 128, MESSAGE_SIZE = 512, AUX_NULL = 0 };

static struct options options;
static handle_t devices, devices_right; /* the port of the server, and the right to what it offers */
static handle_t framebuffer;

/* ---- the end ---- */

void container_end(int64_t status) {
    disks_end();
    console_flush();
    keel_process_exit((uint64_t)status);
    __builtin_unreachable();
}

static _Noreturn void container_fail(int status, const char *what, const char *why) {
    char message[MESSAGE_SIZE];
    size_t length = format_text(message, sizeof(message), "keel: %s: %s\n", what, why);
    if (length > sizeof(message) - 1)
        length = sizeof(message) - 1;
    console_message(message, length);
    container_end(status);
    __builtin_unreachable();
}

static const char *error_text(int error) {
    switch (-error) {
#define ERROR(name, number, text)                                                                            \
    case number:                                                                                             \
        return text;
#include "abi/errors.def"
#undef ERROR
    default:
        return "Unknown error";
    }
}

static void end_wait(void *argument) {
    (void)argument;
    int32_t status = process_wait_first();
    container_end(status & 0x7f ? STATUS_SIGNAL + (status & 0x7f) : status >> 8 & 0xff);
}

/* ---- what init gave ---- */

static const struct start_handle *start_handles(const uint64_t *auxiliary) {
    static const struct start_handle none;
    for (; auxiliary[0] != AUX_NULL; auxiliary += 2)
        if (auxiliary[0] == AT_KEEL_HANDLES)
            return (const struct start_handle *)auxiliary[1];
    return &none;
}

static handle_t handle_named(const struct start_handle *handles, const char *name) {
    for (; handles->name[0]; handles++)
        if (!strncmp(handles->name, name, START_NAME_SIZE))
            return handles->handle;
    return HANDLE_NONE;
}

/* init hands the kernel's command line on as a variable. */
static void command_line_read(const struct start_arguments *arguments) {
    static const char variable[] = "KEEL_CMDLINE=";
    for (char **text = arguments->texts + arguments->count + 1; *text; text++)
        if (!strncmp(*text, variable, sizeof(variable) - 1))
            system_command_line = *text + sizeof(variable) - 1;
}

static void handles_read(const struct start_handle *handles, struct console_options *console) {
    system_handles = (struct system_handles){
        .job = handle_named(handles, "job"),
        .process = handle_named(handles, "process"),
        .log = handle_named(handles, "log"),
        .info = handle_named(handles, "info"),
        .debug = handle_named(handles, "debug"),
        .root = handle_named(handles, "root"),
    };
    devices = handle_named(handles, "devices");
    devices_right = handle_named(handles, "devices.right");
    framebuffer = handle_named(handles, "framebuffer");
    console->console = (struct console_handles){.memory = handle_named(handles, "console"),
                                                .kick = handle_named(handles, "console.kick"),
                                                .call = handle_named(handles, "console.call")};
    console->errors = (struct console_handles){.memory = handle_named(handles, "stderr"),
                                               .kick = handle_named(handles, "stderr.kick"),
                                               .call = handle_named(handles, "stderr.call")};
    console->display = (struct console_handles){.memory = handle_named(handles, "display"),
                                                .kick = handle_named(handles, "display.kick"),
                                                .call = handle_named(handles, "display.call")};
}

/* ---- the parts ---- */

static void parts_start(struct console_options *console) {
    char message[MESSAGE_SIZE];
    tasks_init(system_handles.job);
    vdso_start();
    console->tty = options.tty;
    console->winsize.rows = options.rows;
    console->winsize.columns = options.columns;
    guest_isolation_flags = options.appliance ? GUEST_UNIFIED : 0;
    int error = console_start(console);
    if (error)
        fatal("the console cannot be started: %s", error_text(error));
    framebuffer_start(framebuffer, options.framebuffer);
    tty_register();
    if (fs_start(system_handles.root, options.root_offset, message, sizeof(message)))
        container_fail(STATUS_NOT_RUN, "root", message);
    disks_use();
    char_devices_use();
    input_start();
    interfaces_use();
    ports_use();
    usb_use();
    error = offers_start(devices, devices_right);
    if (error)
        log_line("no devices: %s", error_text(error));
    disks_wait();
    interfaces_wait();
    console_wait();
    error = tty_mount();
    if (error)
        log_line("/dev/pts cannot be mounted: %s", error_text(error));
}

/* ---- process 1 ---- */

static void standard_files_open(void) {
    for (unsigned fd = 0; fd < 3; fd++) {
        struct file *file = console_standard_file(fd);
        if (!file || fd_install(file, false) < 0)
            fatal("no memory for descriptor %u of process 1", fd);
    }
}

static struct task *first_create(void) {
    struct task *task = process_create_first(options.context);
    if (task) {
        task_thread_adopt(task);
        task->files = fd_table_create();
        task->fs = fs_state_create();
        task_answers_update(task);
    }
    if (!task || !task->files || !task->fs)
        fatal("no memory for process 1");
    standard_files_open();
    console_take_control(task->process);
    return task;
}

/* Opens the program: its path, or its name in the directories of PATH. The place found goes to `place`. */
static int program_open(const char *name, char *place, size_t size, struct file **file) {
    const char *path = environment_find(&options.environment, "PATH");
    int error = -ENOENT, denied = 0;
    if (strchr(name, '/') || !path) {
        format_text(place, size, "%s", name);
        return file_open_program(AT_FDCWD, name, 0, file);
    }
    for (const char *at = path; error; at++) {
        const char *end = strchr(at, ':');
        size_t length = end ? (size_t)(end - at) : strlen(at);
        format_text(place, size, "%.*s/%s", length ? (int)length : 1, length ? at : ".", name);
        error = file_open_program(AT_FDCWD, place, 0, file);
        if (error == -EACCES)
            denied = error;
        at += length;
        if (!*at)
            break;
    }
    return error == -ENOENT && denied ? denied : error;
}

static void first_exec(struct task *task) {
    char place[MESSAGE_SIZE];
    struct file *file = NULL;
    int error = program_open(options.program, place, sizeof(place), &file);
    if (!error)
        error = exec_file(task, file, place, &options.arguments, &options.environment);
    if (error)
        container_fail(error == -ENOENT || error == -ENOTDIR ? STATUS_NOT_FOUND : STATUS_NOT_RUN,
                       options.program, error_text(error));
    file_put(file);
    string_list_free(&options.arguments);
    string_list_free(&options.environment);
}

void linux_main(const struct start_arguments *arguments) {
    struct console_options console = {0};
    const char *wrong = NULL;
    handles_read(start_handles(arguments->auxiliary), &console);
    command_line_read(arguments);
    int error = heap_start();
    if (!error)
        error = options_read(&options, arguments->count, arguments->texts, &wrong);
    if (error) {
        log_line("%s: %s", wrong ? wrong : "start", error_text(error));
        keel_process_exit(STATUS_NOT_RUN);
    }
    parts_start(&console);
    struct task *task = first_create();
    first_exec(task);
    if (thread_spawn(end_wait, NULL, NULL))
        fatal("no memory for the thread that waits for process 1");
    guest_loop(task);
    task_thread_leave();
}
