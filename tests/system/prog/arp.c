/* Asks who has an internet address, and prints who answers: arp INTERFACE OWN-ADDRESS ADDRESS. */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { ARP = 0x0806, LENGTH = 42, SENDER = 22, SENDER_IP = 28, TARGET_IP = 38 };

int main(int argc, char **argv) {
    unsigned char ask[LENGTH] = {[12] = 8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, answer[128];
    struct ifreq request = {0};
    struct timeval patience = {20, 0};
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ARP));
    if (argc != 4 || fd < 0)
        return 2;
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", argv[1]);
    struct sockaddr_ll place = {.sll_family = AF_PACKET, .sll_protocol = htons(ARP)};
    if (ioctl(fd, SIOCGIFHWADDR, &request))
        return 2;
    memset(ask, 0xff, 6);
    memcpy(ask + 6, request.ifr_hwaddr.sa_data, 6);
    memcpy(ask + SENDER, request.ifr_hwaddr.sa_data, 6);
    inet_pton(AF_INET, argv[2], ask + SENDER_IP);
    inet_pton(AF_INET, argv[3], ask + TARGET_IP);
    if (ioctl(fd, SIOCGIFINDEX, &request))
        return 2;
    place.sll_ifindex = request.ifr_ifindex;
    request.ifr_flags = IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &request) || bind(fd, (struct sockaddr *)&place, sizeof place) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) ||
        send(fd, ask, LENGTH, 0) != LENGTH)
        return 2;
    while (recv(fd, answer, sizeof answer, 0) >= LENGTH)
        if (answer[21] == 2 && memcmp(answer + SENDER_IP, ask + TARGET_IP, 4) == 0) {
            const unsigned char *at = answer + SENDER;
            printf("ok %s is at %02x:%02x:%02x:%02x:%02x:%02x\n", argv[3], at[0], at[1], at[2], at[3], at[4],
                   at[5]);
            return 0;
        }
    printf("not ok no answer\n");
    return 1;
}
