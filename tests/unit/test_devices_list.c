/* sources: servers/devices/list.c servers/devices/manifest.c servers/devices/pci.c lib/pci/config.c */
/* flags: -iquote tests/host */
/*
 * The names of devices: the same at each start of the machine, in whichever order their drivers come up, or
 * not at all. The drivers are made up here: each is a process that lives or not, and the headers of its
 * links.
 */
#include "servers/devices/list.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/native/keel.h"
#include "servers/devices/authority.h"
#include "tests/unit/check.h"

enum { FIRST = 8 << 3, SECOND = 9 << 3, THIRD = 10 << 3, PROCESS = 5, CARDS_MOST = 32 };

struct machine machine;
static struct link_header headers[DRIVERS_MOST][MANIFEST_LINKS];
static struct driver_run *started[DRIVERS_MOST];
static unsigned start_count;
static uint32_t refused = DEVICES_NO_ADDRESS; /* the function whose driver does not start */

/* ---- the archive: three kinds ---- */

static const struct {
    const char *path, *text;
} files[] = {
    {"drivers/console", "match pci 1af4:1003\noffers console vport%dp0 64K optional\n"
                        "offers console vport%dp1 64K optional\n"},
    {"drivers/disks", "match pci 8086:2922\noffers block sd%a 1M optional\noffers block sd%a 1M optional\n"},
    {"drivers/disk", "match pci 1af4:1001\noffers block vd%a 1M\n"},
};

bool archive_next(const struct archive *archive, size_t *at, const char **path, struct archive_file *file) {
    (void)archive;
    if (*at == sizeof files / sizeof files[0])
        return false;
    *path = files[*at].path;
    *file = (struct archive_file){files[*at].text, strlen(files[*at].text)};
    ++*at;
    return true;
}
int archive_find(const struct archive *archive, const char *name, struct archive_file *file) {
    (void)archive, (void)name;
    *file = (struct archive_file){0};
    return 0;
}

/* ---- the drivers ---- */

int64_t driver_start(struct driver_run *run, struct devices_pci *function) {
    unsigned place = start_count++;
    CHECK(function && place < DRIVERS_MOST);
    run->next_start = DEADLINE_NEVER;
    run->delay = function->address == refused;
    if (run->delay)
        return -ENOMEM;
    for (unsigned i = 0; i < run->kind->manifest.link_count; i++) {
        run->links[i].header = &headers[place][i];
        headers[place][i].presence = run->kind->manifest.links[i].optional;
    }
    run->process = PROCESS;
    started[place] = run;
    return 0;
}
void driver_ended(struct driver_run *run, struct devices_pci *function, int64_t status) {
    (void)function, (void)status;
    run->process = HANDLE_NONE;
    run->ready = false;
    run->delay = 1;
}
void driver_release(struct driver_run *run) {
    *run = (struct driver_run){0};
}
void driver_kill(struct driver_run *run, enum driver_status status) {
    (void)run, (void)status;
}
uint64_t driver_shown(const struct driver_run *run, const struct devices_pci *function) {
    (void)run, (void)function;
    return 0;
}
int64_t authority_check(handle_t sent, uint32_t device_class) {
    (void)sent, (void)device_class;
    return 0;
}
int64_t authority_check_all(handle_t sent, const struct manifest *manifest) {
    (void)sent, (void)manifest;
    return 0;
}
uint64_t clock_now(void) {
    return 1;
}
int64_t keel_event_signal(uint64_t event) {
    (void)event;
    return 0;
}
int64_t keel_handle_close(uint64_t handle) {
    (void)handle;
    return 0;
}
void log_line(const char *format, ...) {
    CHECK(strstr(format, "is left out") == NULL);
}

/* ---- a machine, in a process of its own, as `devices` is ---- */

static void card_put(uint32_t address, uint16_t vendor, uint16_t device) {
    pci_tree.functions[pci_tree.count++] =
        (struct devices_pci){.address = address, .vendor = vendor, .device = device};
}

static void machine_start(void) {
    list_make();
    (void)list_start_due();
}

static struct driver_run *run_of(uint32_t address) {
    for (unsigned i = 0; i < start_count; i++)
        if (started[i] && started[i]->address == address)
            return started[i];
    CHECK(!"there is a driver");
    return NULL;
}

static void link_set(uint32_t address, unsigned link, bool present) {
    struct link_header *header = run_of(address)->links[link].header;
    if (present == (header->presence & 1))
        header->presence++;
}

static void comes_up(uint32_t address) {
    list_packet(run_of(address)->key, 0);
}

static void ends(uint32_t address) {
    list_packet(run_of(address)->key | 1, -EIO);
}

/* What is listed is exactly this, in any order: "name@address " each, sorted by name. */
static void lists(const char *wanted) {
    char names[CARDS_MOST][24], all[1024] = "";
    struct devices_device device;
    unsigned count = 0;
    for (uint32_t id = 0; list_next(id, &device); id = device.id)
        snprintf(names[count++], sizeof names[0], "%.15s@%u ", device.name, device.address >> 3);
    qsort(names, count, sizeof names[0], (int (*)(const void *, const void *))strcmp);
    for (unsigned i = 0; i < count; i++)
        strcat(all, names[i]);
    if (strcmp(all, wanted) != 0) {
        fprintf(stderr, "listed: %s\nwanted: %s\n", all, wanted);
        exit(1);
    }
}

static void in_child(void (*function)(void)) {
    int status = -1;
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        function();
        exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK_EQ(status, 0);
}

/* ---- the names ---- */

static void consoles(void) {
    card_put(FIRST, 0x1af4, 0x1003);
    card_put(SECOND, 0x1af4, 0x1003);
    machine_start();
    link_set(SECOND, 0, true);
    comes_up(SECOND);
    lists("vport1p0@9 ");
    link_set(FIRST, 1, true);
    comes_up(FIRST);
    lists("vport0p1@8 vport1p0@9 ");
    link_set(FIRST, 0, true);
    link_set(FIRST, 1, false);
    comes_up(FIRST);
    lists("vport0p0@8 vport1p0@9 ");
    link_set(FIRST, 0, false);
    comes_up(FIRST);
    link_set(SECOND, 1, true);
    comes_up(SECOND);
    lists("vport1p0@9 vport1p1@9 ");
}

TEST(parts_have_the_number_of_their_device) {
    in_child(consoles);
}

/* Two controllers; the second one is up first, with a disk. */
static void disks_start(void) {
    card_put(FIRST, 0x8086, 0x2922);
    card_put(SECOND, 0x8086, 0x2922);
    machine_start();
    link_set(SECOND, 0, true);
    comes_up(SECOND);
}

static void disks(void) {
    disks_start();
    lists("");
    link_set(FIRST, 0, true);
    comes_up(FIRST);
    lists("sda@8 sdb@9 ");
    link_set(FIRST, 0, false);
    comes_up(FIRST);
    link_set(SECOND, 1, true);
    comes_up(SECOND);
    lists("sda@9 sdb@9 ");
}

TEST(disks_are_named_in_the_order_of_their_controllers) {
    in_child(disks);
}

static void fails(void) {
    disks_start();
    lists("");
    ends(FIRST);
    lists("sda@9 ");
}

TEST(a_driver_that_fails_holds_up_nobody) {
    in_child(fails);
}

static void starts_not(void) {
    refused = FIRST;
    disks_start();
    lists("sda@9 ");
}

TEST(nor_does_one_that_cannot_be_started) {
    in_child(starts_not);
}

static void leaves(void) {
    card_put(FIRST, 0x8086, 0x2922);
    card_put(SECOND, 0x8086, 0x2922);
    card_put(THIRD, 0x8086, 0x2922);
    machine_start();
    link_set(THIRD, 1, true);
    comes_up(THIRD);
    comes_up(FIRST);
    list_remove(SECOND);
    lists("");
    ends(SECOND);
    lists("sda@10 ");
}

TEST(nor_does_a_card_that_is_pulled) {
    in_child(leaves);
}

static void many(void) {
    char wanted[1024] = "", name[24];
    for (uint32_t i = 0; i < 28; i++)
        card_put(i << 3, 0x1af4, 0x1001);
    machine_start();
    for (uint32_t i = 28; i-- > 0;)
        comes_up(i << 3);
    for (uint32_t i = 0; i < 28; i++) {
        uint32_t n = i == 0 ? 0 : i < 3 ? 25 + i : i - 2; /* vda, vdaa, vdab, vdb … */
        snprintf(name, sizeof name, "vd%s%c@%u ", n < 26 ? "" : "a", 'a' + n % 26, n);
        strcat(wanted, name);
    }
    lists(wanted);
}

TEST(the_disk_behind_vdz_is_vdaa) {
    in_child(many);
}

TEST_MAIN();
