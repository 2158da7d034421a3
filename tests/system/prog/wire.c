/*
 * Frames from one interface to another that is on the same wire, both of this machine: numbered, of all
 * lengths, verified byte by byte. What is lost or comes twice is counted; what is changed is a failure.
 *
 *   wire FROM TO COUNT          until so many frames have come
 *   wire FROM TO until FILE     until the file is there, and then for 200 frames more; says "running" first
 *
 * Prints "ok sent S received R twice T lost L".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netpacket/packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TYPE = 0x88b5, WINDOW = 64, PATIENCE_MS = 300, LEAST = 60, MOST = 1514, AFTER = 200, SEEN = 1 << 16 };

struct end {
    int fd, index;
    unsigned char address[6];
};

static void fail(const char *what, const char *name) {
    printf("not ok %s %s: %s\n", what, name, strerror(errno));
    exit(1);
}

/* A socket bound to an interface, which is up then. */
static struct end end_open(const char *name, int protocol) {
    struct ifreq request = {0};
    struct end end = {.fd = socket(AF_PACKET, SOCK_RAW, 0)};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (end.fd < 0 || ioctl(end.fd, SIOCGIFINDEX, &request))
        fail("interface", name);
    end.index = request.ifr_ifindex;
    if (ioctl(end.fd, SIOCGIFHWADDR, &request))
        fail("address", name);
    memcpy(end.address, request.ifr_hwaddr.sa_data, 6);
    if (ioctl(end.fd, SIOCGIFFLAGS, &request))
        fail("flags", name);
    request.ifr_flags |= IFF_UP;
    if (ioctl(end.fd, SIOCSIFFLAGS, &request))
        fail("up", name);
    struct sockaddr_ll place = {
        .sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)protocol), .sll_ifindex = end.index};
    if (bind(end.fd, (struct sockaddr *)&place, sizeof place))
        fail("bind", name);
    return end;
}

static size_t frame_make(unsigned char *bytes, const struct end *from, const struct end *to,
                         uint32_t number) {
    size_t length = LEAST + number * 37U % (MOST - LEAST + 1);
    memcpy(bytes, to->address, 6);
    memcpy(bytes + 6, from->address, 6);
    bytes[12] = TYPE >> 8;
    bytes[13] = TYPE & 0xff;
    memcpy(bytes + 14, &number, sizeof number);
    for (size_t i = 18; i < length; i++)
        bytes[i] = (unsigned char)(number * 13 + i * 7);
    return length;
}

static struct end from, to;
static uint32_t next, received, twice, highest;
static unsigned char seen[SEEN / 8]; /* of the last SEEN numbers */

static void frame_take(const unsigned char *bytes, size_t length) {
    unsigned char expected[MOST];
    uint32_t number;
    memcpy(&number, bytes + 14, sizeof number);
    if (length < LEAST || number >= next || frame_make(expected, &from, &to, number) != length ||
        memcmp(bytes, expected, length) != 0) {
        printf("not ok a frame of %zu bytes that says it is number %u of %u was not sent\n", length, number,
               next);
        exit(1);
    }
    unsigned char *place = &seen[number % SEEN / 8], bit = (unsigned char)(1 << number % 8);
    if (*place & bit)
        twice++;
    else
        received++;
    *place |= bit;
    if (number + 1 > highest)
        highest = number + 1;
}

/* Sends the next frame and forgets what was said of the one that had its place. */
static void frame_send(void) {
    unsigned char bytes[MOST];
    seen[next % SEEN / 8] &= (unsigned char)~(1 << next % 8);
    size_t length = frame_make(bytes, &from, &to, next++);
    if (send(from.fd, bytes, length, 0) != (ssize_t)length)
        fail("send", "");
}

/* Takes what has come, and waits for something when nothing may be sent; false: it does not come. */
static bool frames_receive(bool wait) {
    unsigned char bytes[2048];
    struct pollfd one = {.fd = to.fd, .events = POLLIN};
    bool any = false;
    ssize_t length;
    if (wait && poll(&one, 1, PATIENCE_MS) == 0)
        return false;
    while ((length = recv(to.fd, bytes, sizeof bytes, MSG_DONTWAIT)) >= 0) {
        frame_take(bytes, (size_t)length);
        any = true;
    }
    if (errno != EAGAIN)
        fail("recv", "");
    return any || !wait;
}

int main(int argc, char **argv) {
    if (argc < 4)
        return 2;
    const char *file = strcmp(argv[3], "until") == 0 ? argv[4] : NULL;
    uint32_t count = file ? UINT32_MAX : (uint32_t)atoi(argv[3]), floor = 0;
    from = end_open(argv[1], 0);
    to = end_open(argv[2], TYPE);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (file)
        puts("running");
    while (received < count) {
        uint32_t known = highest > floor ? highest : floor;
        if (next - known < WINDOW) {
            frame_send();
            if (next % 8 == 0)
                frames_receive(false);
        } else if (!frames_receive(true)) {
            floor = next; /* lost: go on */
        }
        if (file && next % 256 == 0 && access(file, F_OK) == 0) {
            count = received + AFTER;
            file = NULL;
        }
    }
    while (highest < next && frames_receive(true))
        continue;
    printf("ok sent %u received %u twice %u lost %u\n", next, received, twice, next - received);
    return 0;
}
