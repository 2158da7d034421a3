/* test: libc=glibc */
/* Packet sockets and the ioctls of interfaces, on lo. */
#include "tests/system/prog/check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

enum { TYPE = 0x88b5, OTHER = 0x88b6 }; /* for experiments, by IEEE 802 */

static int lo;

static int packet_socket(int type, int protocol) {
    int fd = socket(AF_PACKET, type, htons((uint16_t)protocol));
    CHECK(fd >= 0);
    return fd;
}

static void flags_set(const char *name, bool up) {
    struct ifreq request = {0};
    int fd = packet_socket(SOCK_DGRAM, 0);
    strcpy(request.ifr_name, name);
    CHECK(ioctl(fd, SIOCGIFFLAGS, &request) == 0);
    request.ifr_flags = (short)((request.ifr_flags & ~IFF_UP) | (up ? IFF_UP : 0));
    CHECK(ioctl(fd, SIOCSIFFLAGS, &request) == 0);
    CHECK(ioctl(fd, SIOCGIFFLAGS, &request) == 0);
    CHECK_EQ(request.ifr_flags & (IFF_UP | IFF_RUNNING), up ? IFF_UP | IFF_RUNNING : 0);
    close(fd);
}

static struct sockaddr_ll place(int protocol) {
    return (struct sockaddr_ll){.sll_family = AF_PACKET,
                                .sll_protocol = htons((uint16_t)protocol),
                                .sll_ifindex = lo,
                                .sll_halen = 6};
}

static int bound_socket(int type, int protocol) {
    struct sockaddr_ll address = place(protocol);
    int fd = packet_socket(type, protocol);
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

static void begin(void) {
    flags_set("lo", true);
    lo = (int)if_nametoindex("lo"); /* by an internet or Unix socket in libc, where there is one */
    if (lo == 0) {
        struct ifreq request = {.ifr_name = "lo"};
        int fd = packet_socket(SOCK_DGRAM, 0);
        CHECK(ioctl(fd, SIOCGIFINDEX, &request) == 0);
        lo = request.ifr_ifindex;
        close(fd);
    }
    CHECK_EQ(lo, 1);
}

/* A frame of so many bytes; its data say which one. */
static const unsigned char *frame(int protocol, unsigned length, unsigned char number) {
    static unsigned char bytes[70000];
    memset(bytes, 0, 12);
    bytes[12] = (unsigned char)(protocol >> 8);
    bytes[13] = (unsigned char)protocol;
    for (unsigned i = 14; i < length; i++)
        bytes[i] = (unsigned char)(number + i);
    return bytes;
}

static void is_empty(int fd) {
    char byte;
    CHECK_ERRNO(recv(fd, &byte, 1, MSG_DONTWAIT), EAGAIN);
}

TEST(making) {
    CHECK_ERRNO(socket(AF_PACKET, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
    int fd = packet_socket(SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, ETH_P_ALL);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    int value = 0;
    socklen_t length = sizeof value;
    CHECK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length) == 0 && value == SOCK_RAW);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &value, &length) == 0 && value == AF_PACKET);
    CHECK_ERRNO(listen(fd, 1), EOPNOTSUPP);
    CHECK_ERRNO(accept(fd, NULL, NULL), EOPNOTSUPP);
    CHECK_ERRNO(shutdown(fd, SHUT_RD), EOPNOTSUPP);
    struct sockaddr_ll address = {0};
    CHECK_ERRNO(connect(fd, (struct sockaddr *)&address, sizeof address), EOPNOTSUPP);
    length = sizeof address;
    CHECK_ERRNO(getpeername(fd, (struct sockaddr *)&address, &length), EOPNOTSUPP);
    struct stat info;
    CHECK(fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode));
}

TEST(without_the_capability) {
    pid_t pid = fork();
    if (pid == 0) {
        struct ifreq request = {.ifr_name = "lo", .ifr_flags = 0};
        int fd = packet_socket(SOCK_RAW, 0);
        CHECK(setuid(1000) == 0);
        CHECK_ERRNO(socket(AF_PACKET, SOCK_RAW, 0), EPERM);
        CHECK_ERRNO(ioctl(fd, SIOCSIFFLAGS, &request), EPERM);
        CHECK(ioctl(fd, SIOCGIFFLAGS, &request) == 0);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
}

TEST(names) {
    begin();
    struct sockaddr_ll address = place(TYPE), got;
    socklen_t length = sizeof got;
    int fd = packet_socket(SOCK_RAW, OTHER);
    CHECK(getsockname(fd, (struct sockaddr *)&got, &length) == 0);
    CHECK(length == 12 && got.sll_ifindex == 0 && got.sll_protocol == htons(OTHER));
    CHECK_ERRNO(bind(fd, (struct sockaddr *)&address, 8), EINVAL);
    address.sll_family = AF_UNIX;
    CHECK_ERRNO(bind(fd, (struct sockaddr *)&address, sizeof address), EINVAL);
    address = place(TYPE);
    address.sll_ifindex = 77;
    CHECK_ERRNO(bind(fd, (struct sockaddr *)&address, sizeof address), ENODEV);
    address = place(TYPE);
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    length = sizeof got;
    CHECK(getsockname(fd, (struct sockaddr *)&got, &length) == 0);
    CHECK(length == 18 && got.sll_family == AF_PACKET && got.sll_ifindex == lo);
    CHECK(got.sll_protocol == htons(TYPE) && got.sll_hatype == 772 && got.sll_halen == 6);
}

TEST(frames_in_both_forms) {
    begin();
    unsigned char bytes[128];
    struct sockaddr_ll from, to = place(TYPE);
    socklen_t length = sizeof from;
    int raw = bound_socket(SOCK_RAW, TYPE), plain = bound_socket(SOCK_DGRAM, TYPE),
        all = bound_socket(SOCK_RAW, ETH_P_ALL);
    CHECK_EQ(send(raw, frame(TYPE, 60, 1), 60, 0), 60);
    CHECK_EQ(recvfrom(raw, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length), 60);
    CHECK(memcmp(bytes, frame(TYPE, 60, 1), 60) == 0);
    CHECK(length == sizeof from && from.sll_family == AF_PACKET && from.sll_protocol == htons(TYPE));
    CHECK(from.sll_ifindex == lo && from.sll_hatype == 772 && from.sll_pkttype == PACKET_HOST);
    CHECK_EQ(from.sll_halen, 6);
    CHECK_EQ(recv(plain, bytes, sizeof bytes, 0), 46);
    CHECK(memcmp(bytes, frame(TYPE, 60, 1) + 14, 46) == 0);
    /* Who sees everything sees it go out and come in. */
    CHECK_EQ(recvfrom(all, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length), 60);
    CHECK_EQ(from.sll_pkttype, PACKET_OUTGOING);
    CHECK_EQ(recvfrom(all, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length), 60);
    CHECK_EQ(from.sll_pkttype, PACKET_HOST);
    is_empty(raw);
    is_empty(plain);
    is_empty(all);
    /* Without a header of its own, to an address. */
    memcpy(to.sll_addr, "\2\1\2\3\4\5", 6);
    CHECK_EQ(sendto(plain, "hello", 5, 0, (struct sockaddr *)&to, sizeof to), 5);
    CHECK_EQ(recvfrom(raw, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length), 19);
    CHECK(memcmp(bytes, "\2\1\2\3\4\5\0\0\0\0\0\0\x88\xb5hello", 19) == 0);
    CHECK_EQ(from.sll_pkttype, PACKET_OTHERHOST);
    memset(to.sll_addr, 0xff, 6);
    CHECK_EQ(sendto(plain, "all", 3, 0, (struct sockaddr *)&to, sizeof to), 3);
    CHECK_EQ(recvfrom(raw, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length), 17);
    CHECK_EQ(from.sll_pkttype, PACKET_MULTICAST); /* lo has no broadcast address */
    to.sll_addr[0] = 1;
    CHECK_EQ(sendto(plain, "some", 4, 0, (struct sockaddr *)&to, sizeof to), 4);
    CHECK_EQ(recvfrom(raw, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length), 18);
    CHECK_EQ(from.sll_pkttype, PACKET_MULTICAST);
}

TEST(the_sender_does_not_see_it_go) {
    begin();
    unsigned char bytes[128];
    struct sockaddr_ll from;
    socklen_t length = sizeof from;
    int one = bound_socket(SOCK_RAW, ETH_P_ALL), other = bound_socket(SOCK_RAW, ETH_P_ALL), yes = 1;
    CHECK(setsockopt(other, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes) == 0);
    CHECK_EQ(write(one, frame(TYPE, 40, 2), 40), 40);
    CHECK_EQ(recvfrom(one, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length), 40);
    CHECK(from.sll_pkttype == PACKET_HOST && from.sll_protocol == htons(TYPE));
    is_empty(one);
    CHECK_EQ(recvfrom(other, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length), 40);
    CHECK_EQ(from.sll_pkttype, PACKET_HOST);
    is_empty(other);
}

TEST(sending_errors) {
    begin();
    int loose = packet_socket(SOCK_RAW, TYPE), fd = bound_socket(SOCK_RAW, TYPE);
    struct sockaddr_ll to = place(TYPE);
    CHECK_ERRNO(send(loose, frame(TYPE, 60, 0), 60, 0), ENXIO);
    CHECK_ERRNO(sendto(loose, frame(TYPE, 60, 0), 60, 0, (struct sockaddr *)&to, 8), EINVAL);
    CHECK_EQ(sendto(loose, frame(TYPE, 60, 0), 60, 0, (struct sockaddr *)&to, sizeof to), 60);
    to.sll_ifindex = 99;
    CHECK_ERRNO(sendto(loose, frame(TYPE, 60, 0), 60, 0, (struct sockaddr *)&to, sizeof to), ENXIO);
    CHECK_ERRNO(send(fd, frame(TYPE, 13, 0), 13, 0), EINVAL);
    CHECK_EQ(send(fd, frame(TYPE, 14, 0), 14, 0), 14);
    CHECK_ERRNO(send(fd, frame(TYPE, 65536 + 15, 0), 65536 + 15, 0), EMSGSIZE);
    CHECK_ERRNO(send(fd, (void *)8, 60, 0), EFAULT);
}

TEST(truncation_and_peeking) {
    begin();
    unsigned char bytes[128];
    int fd = bound_socket(SOCK_RAW, TYPE), waiting = 0;
    CHECK_EQ(send(fd, frame(TYPE, 100, 3), 100, 0), 100);
    CHECK_EQ(send(fd, frame(TYPE, 50, 4), 50, 0), 50);
    CHECK(ioctl(fd, FIONREAD, &waiting) == 0 && waiting == 100);
    CHECK_EQ(recv(fd, bytes, 20, MSG_PEEK), 20);
    CHECK_EQ(recv(fd, bytes, 20, MSG_PEEK | MSG_TRUNC), 100);
    struct iovec parts[2] = {{bytes, 10}, {bytes + 64, 20}};
    struct sockaddr_ll from;
    struct msghdr message = {
        .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = parts, .msg_iovlen = 2};
    CHECK_EQ(recvmsg(fd, &message, 0), 30);
    CHECK(message.msg_flags == MSG_TRUNC && message.msg_namelen == sizeof from && from.sll_ifindex == lo);
    CHECK(memcmp(bytes + 64, frame(TYPE, 100, 3) + 10, 20) == 0);
    CHECK_EQ(recv(fd, bytes, sizeof bytes, 0), 50);
    CHECK_ERRNO(recv(fd, bytes, 10, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(send(fd, frame(TYPE, 50, 4), 50, 0), 50);
    CHECK_ERRNO(recv(fd, (void *)8, 50, 0), EFAULT);
    struct iovec out[2] = {{(void *)frame(TYPE, 40, 5), 14}, {(void *)(frame(TYPE, 40, 5) + 14), 26}};
    struct msghdr sent = {.msg_iov = out, .msg_iovlen = 2};
    CHECK_EQ(sendmsg(fd, &sent, 0), 40);
    CHECK_EQ(read(fd, bytes, sizeof bytes), 40);
    CHECK(memcmp(bytes, frame(TYPE, 40, 5), 40) == 0);
}

TEST(waiting) {
    begin();
    unsigned char bytes[64];
    int fd = bound_socket(SOCK_RAW, TYPE), set = epoll_create1(0);
    struct pollfd one = {fd, POLLIN | POLLOUT, 0};
    struct epoll_event event = {.events = EPOLLIN};
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
    CHECK_EQ(poll(&one, 1, 0), 1);
    CHECK_EQ(one.revents, POLLOUT);
    pid_t pid = fork();
    if (pid == 0) {
        check_sleep_ms(30);
        CHECK_EQ(send(bound_socket(SOCK_RAW, OTHER), frame(TYPE, 20, 6), 20, 0), 20);
        _exit(0);
    }
    CHECK_EQ(epoll_wait(set, &event, 1, -1), 1);
    CHECK_EQ(recv(fd, bytes, sizeof bytes, 0), 20);
    CHECK_EXITS(pid, 0);
    struct timeval time = {0, 20000};
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == 0);
    CHECK_ERRNO(recv(fd, bytes, sizeof bytes, 0), EAGAIN);
}

TEST(statistics_and_a_full_buffer) {
    begin();
    unsigned char bytes[2000];
    int fd = bound_socket(SOCK_RAW, TYPE), out = packet_socket(SOCK_RAW, 0), size = 4096, got = 0;
    struct sockaddr_ll to = place(TYPE);
    socklen_t length = sizeof size;
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &length) == 0);
    CHECK_EQ(size, 8192);
    for (int i = 0; i < 50; i++)
        CHECK_EQ(sendto(out, frame(TYPE, 1500, 7), 1500, 0, (struct sockaddr *)&to, sizeof to), 1500);
    while (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) == 1500)
        got++;
    CHECK(got >= 1 && got <= 5);
    struct tpacket_stats counted;
    length = sizeof counted;
    CHECK(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &counted, &length) == 0);
    CHECK_EQ(counted.tp_packets, 50);
    CHECK_EQ(counted.tp_drops, 50 - got);
    CHECK(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &counted, &length) == 0);
    CHECK_EQ(counted.tp_packets, 0);
}

TEST(filters) {
    begin();
    /* Frames of OTHER whole, of TYPE their first 16 bytes when byte 14 is at least 20, nothing else. */
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OTHER, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xffff),      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TYPE, 0, 3),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 20, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 16),          BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    unsigned char bytes[64];
    int fd = bound_socket(SOCK_RAW, ETH_P_ALL), out = packet_socket(SOCK_RAW, 0), yes = 1;
    struct sockaddr_ll to = place(TYPE);
    CHECK(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes) == 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0);
    static const struct {
        int protocol;
        unsigned char number;
        int kept;
    } sent[] = {{OTHER, 0, 40}, {TYPE, 0, 0}, {TYPE, 6, 16}, {0x88b7, 6, 0}, {OTHER, 9, 40}};
    for (unsigned i = 0; i < 5; i++)
        CHECK_EQ(sendto(out, frame(sent[i].protocol, 40, sent[i].number), 40, 0, (struct sockaddr *)&to,
                        sizeof to),
                 40);
    for (unsigned i = 0; i < 5; i++)
        if (sent[i].kept) {
            CHECK_EQ(recv(fd, bytes, sizeof bytes, MSG_TRUNC), sent[i].kept);
            CHECK_EQ(bytes[13], sent[i].protocol & 0xff);
        }
    is_empty(fd);
    struct sock_filter bad[] = {BPF_JUMP(BPF_JMP | BPF_JA, 5, 0, 0), BPF_STMT(BPF_RET | BPF_K, 0)};
    struct sock_fprog wrong = {2, bad};
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &wrong, sizeof wrong), EINVAL);
    bad[0] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0);
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &wrong, sizeof wrong), EINVAL);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &yes, sizeof yes) == 0);
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &yes, sizeof yes), ENOENT);
}

TEST(memberships) {
    begin();
    struct packet_mreq request = {.mr_ifindex = lo, .mr_type = PACKET_MR_PROMISC};
    int fd = packet_socket(SOCK_RAW, 0);
    CHECK(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request) == 0);
    CHECK(setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &request, sizeof request) == 0);
    request.mr_ifindex = 99;
    CHECK_ERRNO(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request), ENODEV);
    request = (struct packet_mreq){.mr_ifindex = lo, .mr_type = PACKET_MR_MULTICAST, .mr_alen = 3};
    CHECK_ERRNO(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request), EINVAL);
    CHECK_ERRNO(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, 8), EINVAL);
}

/* The state of the interface reaches those bound to it. */
TEST(down_and_up) {
    begin();
    unsigned char bytes[64];
    struct sockaddr_ll to = place(TYPE);
    int fd = bound_socket(SOCK_RAW, TYPE), loose = packet_socket(SOCK_RAW, 0);
    struct pollfd one = {fd, POLLIN, 0};
    flags_set("lo", false);
    CHECK_EQ(poll(&one, 1, 0), 1);
    CHECK(one.revents & POLLERR);
    CHECK_ERRNO(recv(fd, bytes, sizeof bytes, MSG_DONTWAIT), ENETDOWN);
    CHECK_ERRNO(recv(fd, bytes, sizeof bytes, MSG_DONTWAIT), EAGAIN);
    CHECK_ERRNO(send(fd, frame(TYPE, 60, 0), 60, 0), ENETDOWN);
    int late = packet_socket(SOCK_RAW, TYPE), error = 0;
    socklen_t length = sizeof error;
    CHECK(bind(late, (struct sockaddr *)&to, sizeof to) == 0);
    CHECK(getsockopt(late, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == ENETDOWN);
    flags_set("lo", true);
    CHECK_EQ(sendto(loose, frame(TYPE, 60, 0), 60, 0, (struct sockaddr *)&to, sizeof to), 60);
    CHECK_EQ(recv(fd, bytes, sizeof bytes, MSG_DONTWAIT), 60);
    CHECK_EQ(recv(late, bytes, sizeof bytes, MSG_DONTWAIT), 60);
}

TEST(interface_requests) {
    begin();
    struct ifreq request = {.ifr_name = "lo"};
    int fd = packet_socket(SOCK_DGRAM, 0), pair[2];
    CHECK(ioctl(fd, SIOCGIFHWADDR, &request) == 0 && request.ifr_hwaddr.sa_family == 772);
    CHECK(ioctl(fd, SIOCGIFMTU, &request) == 0 && request.ifr_mtu == 65536);
    CHECK(ioctl(fd, SIOCGIFFLAGS, &request) == 0 && request.ifr_flags & IFF_LOOPBACK);
    memset(&request, 0, sizeof request);
    request.ifr_ifindex = lo;
    CHECK(ioctl(fd, SIOCGIFNAME, &request) == 0 && check_is(request.ifr_name, "lo"));
    request.ifr_ifindex = 99;
    CHECK_ERRNO(ioctl(fd, SIOCGIFNAME, &request), ENODEV);
    strcpy(request.ifr_name, "none");
    CHECK_ERRNO(ioctl(fd, SIOCGIFFLAGS, &request), ENODEV);
    CHECK_ERRNO(ioctl(fd, SIOCGIFFLAGS, 8), EFAULT);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0); /* any socket will do */
    strcpy(request.ifr_name, "lo");
    CHECK(ioctl(pair[0], SIOCGIFINDEX, &request) == 0 && request.ifr_ifindex == lo);
    CHECK_ERRNO(ioctl(pair[0], 0x1234, &request), ENOTTY);
}

static void file_is(const char *path, const char *expected) {
    char text[128] = "";
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    CHECK(read(fd, text, sizeof text - 1) >= 0);
    close(fd);
    if (!check_is(text, expected))
        check_fail("%s is \"%s\"", path, text);
}

TEST(files) {
    begin();
    file_is("/sys/class/net/lo/address", "00:00:00:00:00:00\n");
    file_is("/sys/class/net/lo/mtu", "65536\n");
    file_is("/sys/class/net/lo/operstate", "unknown\n");
    file_is("/sys/class/net/lo/carrier", "1\n");
    file_is("/sys/class/net/lo/ifindex", "1\n");
    file_is("/sys/class/net/lo/flags", "0x9\n");
    file_is("/sys/class/net/lo/type", "772\n");
    char text[8192] = "", line[64];
    int sent = bound_socket(SOCK_RAW, TYPE), fd = open("/proc/net/dev", O_RDONLY);
    CHECK(read(fd, text, sizeof text - 1) > 0 && strstr(text, "    lo: "));
    close(fd);
    fd = open("/proc/net/packet", O_RDONLY);
    memset(text, 0, sizeof text);
    CHECK(read(fd, text, sizeof text - 1) > 0);
    struct stat info;
    CHECK(fstat(sent, &info) == 0);
    snprintf(line, sizeof line, " 3    %04x   %-5d 1 0      0      %llu", TYPE, lo,
             (unsigned long long)info.st_ino);
    CHECK(strstr(text, line));
}

TEST_MAIN()
