/*
 * uevents COUNT: tells of the next COUNT events of disks, network interfaces, PCI functions and USB devices,
 * one a line: action, subsystem, name, numbers. Says "listening" when it does. Helper of the case
 * hotplug-events.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NETLINK_KOBJECT_UEVENT = 15, CREDENTIALS = 2 };

struct sockaddr_nl {
    unsigned short nl_family, nl_padding;
    unsigned nl_pid, nl_groups;
};

static char text[8192];
static size_t length;

static void fail(const char *what) {
    printf("not ok %s (%s)\n", what, strerror(errno));
    exit(1);
}

/* The value of a line; "" when it is not there. */
static const char *value(const char *name) {
    for (const char *at = text; at < text + length; at += strlen(at) + 1)
        if (!strncmp(at, name, strlen(name)) && at[strlen(name)] == '=')
            return at + strlen(name) + 1;
    return "";
}

/* Whether it is an event that is waited for: drivers that come and go (bind) are not. */
static int told(void) {
    const char *subsystem = value("SUBSYSTEM"), *action = value("ACTION");
    return !strcmp(subsystem, "block") || !strcmp(subsystem, "net") ||
           ((!strcmp(subsystem, "pci") || !strcmp(subsystem, "usb")) &&
            (!strcmp(action, "add") || !strcmp(action, "remove")));
}

static void print(void) {
    if (!strcmp(value("SUBSYSTEM"), "pci"))
        printf("%s pci %s %s %s %s %s %s%s\n", value("ACTION"), value("PCI_SLOT_NAME"), value("PCI_ID"),
               value("PCI_SUBSYS_ID"), value("PCI_CLASS"), value("MODALIAS"), value("DEVPATH"),
               value("DRIVER"));
    else if (!strcmp(value("SUBSYSTEM"), "usb"))
        printf("%s %s%s %s %s %s%s%s:%s %s\n", value("ACTION"), value("DEVTYPE"), value("DRIVER"),
               value("PRODUCT"), value("TYPE"), value("DEVNAME"), value("INTERFACE"), value("MAJOR"),
               value("MINOR"), value("DEVPATH"));
    else
        printf("%s %s %s%s %s:%s %s\n", value("ACTION"), value("SUBSYSTEM"), value("DEVNAME"),
               value("INTERFACE"), value("MAJOR"), value("MINOR"), value("DEVTYPE"));
    fflush(stdout);
}

static void check(unsigned long long *last) {
    char first[512], path[512];
    unsigned long long number = strtoull(value("SEQNUM"), NULL, 10);
    snprintf(first, sizeof first, "%s@%s", value("ACTION"), value("DEVPATH"));
    snprintf(path, sizeof path, "/sys%s", value("DEVPATH"));
    if (strcmp(text, first) != 0)
        fail("the first line");
    if (number <= *last)
        fail("the numbers of events");
    *last = number;
    if (!strcmp(value("ACTION"), "add") && access(path, F_OK) && strcmp(value("SUBSYSTEM"), "block") != 0 &&
        told())
        fail(path);
}

/* Every message says that the kernel sent it. */
static void sender_check(struct msghdr *message) {
    struct cmsghdr *note = CMSG_FIRSTHDR(message);
    struct credentials {
        int pid;
        unsigned uid, gid;
    } sender;
    if (!note || note->cmsg_level != SOL_SOCKET || note->cmsg_type != CREDENTIALS ||
        note->cmsg_len != CMSG_LEN(sizeof sender))
        fail("a message without its sender");
    memcpy(&sender, CMSG_DATA(note), sizeof sender);
    if (sender.pid || sender.uid || sender.gid)
        fail("not from the kernel");
}

static void receive(int line) {
    struct sockaddr_nl from = {0};
    char control[64];
    struct iovec part = {text, sizeof text - 1};
    struct msghdr message = {.msg_name = &from,
                             .msg_namelen = sizeof from,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    ssize_t got = recvmsg(line, &message, 0);
    if (got <= 0)
        fail("recvmsg");
    sender_check(&message);
    if (from.nl_pid != 0 || from.nl_groups != 1 || text[got - 1] != 0)
        fail("the sender");
    length = (size_t)got;
}

/* One that hears of nothing, because its filter takes nothing. */
static int deaf_socket(const struct sockaddr_nl *address) {
    struct {
        unsigned short code;
        unsigned char yes, no;
        unsigned value;
    } nothing = {6, 0, 0, 0}; /* return 0 */
    struct {
        unsigned short length;
        const void *program;
    } filter = {1, &nothing};
    int line = socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
    if (line < 0 || setsockopt(line, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) ||
        bind(line, (const struct sockaddr *)address, sizeof *address))
        fail("a filter");
    nothing.code = 0xffff;
    if (!setsockopt(line, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter))
        fail("a filter that is none");
    return line;
}

int main(int argc, char **argv) {
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
    int line = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT), deaf = dup(line);
    int other = socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
    unsigned long long last = 0;
    int count = argc > 1 ? atoi(argv[1]) : 1;
    int on = 1, filtered = deaf_socket(&address);
    if (line < 0 || other < 0 || setsockopt(line, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) ||
        bind(line, (struct sockaddr *)&address, sizeof address))
        fail("bind");
    close(deaf);
    puts("listening");
    fflush(stdout);
    while (count > 0) {
        receive(line);
        check(&last);
        if (told()) {
            print();
            count--;
        }
    }
    if (recv(line, text, sizeof text, MSG_DONTWAIT) >= 0 && !strcmp(value("SUBSYSTEM"), "block"))
        fail("another event");
    if (recv(filtered, text, sizeof text, MSG_DONTWAIT) >= 0 || errno != EAGAIN)
        fail("a filtered event");
    if (recv(other, text, sizeof text, MSG_DONTWAIT) >= 0 || errno != EAGAIN)
        fail("a socket that did not join the group");
    return 0;
}
