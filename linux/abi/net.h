/* Network interfaces and packet sockets: addresses, ioctls, options, as Linux numbers them. */
#pragma once

#include <stdint.h>

enum { IFNAMSIZ = 16, ETH_ALEN = 6, ETH_HLEN = 14, VLAN_HLEN = 4 };

/* Protocols of frames, in host order. */
enum {
    ETH_P_802_3 = 0x0001,
    ETH_P_ALL = 0x0003,
    ETH_P_802_2 = 0x0004,
    ETH_P_802_3_MIN = 0x0600, /* from here on a type, below it a length */
    ETH_P_8021Q = 0x8100,
};

enum { ARPHRD_ETHER = 1, ARPHRD_LOOPBACK = 772 };

enum {
    IFF_UP = 0x1,
    IFF_BROADCAST = 0x2,
    IFF_LOOPBACK = 0x8,
    IFF_RUNNING = 0x40,
    IFF_PROMISC = 0x100,
    IFF_ALLMULTI = 0x200,
    IFF_MULTICAST = 0x1000,
    IFF_LOWER_UP = 0x10000,
};

struct sockaddr_ll {
    uint16_t family;
    uint16_t protocol; /* network order */
    int32_t ifindex;
    uint16_t hatype;
    uint8_t pkttype, halen;
    uint8_t addr[8];
};
_Static_assert(sizeof(struct sockaddr_ll) == 20, "struct sockaddr_ll");
enum { SOCKADDR_LL_ADDR = 12 }; /* offset of addr */

enum {
    PACKET_HOST = 0,
    PACKET_BROADCAST = 1,
    PACKET_MULTICAST = 2,
    PACKET_OTHERHOST = 3,
    PACKET_OUTGOING = 4
};

/* Options of SOL_PACKET. */
enum {
    PACKET_ADD_MEMBERSHIP = 1,
    PACKET_DROP_MEMBERSHIP = 2,
    PACKET_STATISTICS = 6,
    PACKET_IGNORE_OUTGOING = 23,
};

enum { PACKET_MR_MULTICAST = 0, PACKET_MR_PROMISC = 1, PACKET_MR_ALLMULTI = 2, PACKET_MR_UNICAST = 3 };

struct packet_mreq {
    int32_t ifindex;
    uint16_t type, alen;
    uint8_t address[8];
};

struct tpacket_stats {
    uint32_t packets, drops;
};

/* ioctls of any socket, on a struct ifreq. */
enum {
    SIOCGIFNAME = 0x8910,
    SIOCGIFCONF = 0x8912,
    SIOCGIFFLAGS = 0x8913,
    SIOCSIFFLAGS = 0x8914,
    SIOCGIFADDR = 0x8915,
    SIOCGIFDSTADDR = 0x8917,
    SIOCGIFBRDADDR = 0x8919,
    SIOCGIFNETMASK = 0x891b,
    SIOCGIFMETRIC = 0x891d,
    SIOCGIFMTU = 0x8921,
    SIOCSIFMTU = 0x8922,
    SIOCSIFHWADDR = 0x8924,
    SIOCGIFHWADDR = 0x8927,
    SIOCGIFINDEX = 0x8933,
    SIOCGIFTXQLEN = 0x8942,
    SIOCETHTOOL = 0x8946,
    SIOCGIFMAP = 0x8970,
};

struct ifreq {
    char name[IFNAMSIZ];
    union {
        int32_t number;
        int16_t flags;
        struct {
            uint16_t family;
            uint8_t data[14];
        } address;
        uint8_t bytes[24];
    };
};
_Static_assert(sizeof(struct ifreq) == 40, "struct ifreq");

struct ifconf {
    int32_t length, padding;
    uint64_t to;
};

/* Classic BPF: an instruction, and a program as SO_ATTACH_FILTER passes it. */
struct sock_filter {
    uint16_t code;
    uint8_t jt, jf;
    uint32_t k;
};

struct sock_fprog {
    uint16_t length, padding[3];
    uint64_t instructions; /* guest address */
};

enum { BPF_MAXINSNS = 4096, BPF_MEMWORDS = 16 };

enum { CAP_NET_ADMIN = 12, CAP_NET_RAW = 13 };
