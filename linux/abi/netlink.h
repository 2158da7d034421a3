/* Netlink: messages, and those of the family ROUTE that are about interfaces. */
#pragma once

#include <stdint.h>

enum { NETLINK_ROUTE = 0, NETLINK_KOBJECT_UEVENT = 15 };
enum { UEVENT_GROUP_KERNEL = 1 };

struct sockaddr_nl {
    uint16_t family, padding;
    uint32_t port, groups;
};

struct nlmsghdr {
    uint32_t length;
    uint16_t type, flags;
    uint32_t sequence, port;
};

enum { NLMSG_ERROR = 2, NLMSG_DONE = 3, NLMSG_MIN_TYPE = 16 };
enum { NLM_F_REQUEST = 1, NLM_F_MULTI = 2, NLM_F_ACK = 4, NLM_F_ROOT = 0x100, NLM_F_MATCH = 0x200 };
enum { RTM_NEWLINK = 16, RTM_GETLINK = 18, RTM_SETLINK = 19, RTM_GETADDR = 22 };

struct ifinfomsg {
    uint8_t family, padding;
    uint16_t type;
    int32_t index;
    uint32_t flags, change;
};

struct rtattr {
    uint16_t length, type;
};

enum {
    IFLA_ADDRESS = 1,
    IFLA_BROADCAST = 2,
    IFLA_IFNAME = 3,
    IFLA_MTU = 4,
    IFLA_QDISC = 6,
    IFLA_TXQLEN = 13,
    IFLA_OPERSTATE = 16,
    IFLA_CARRIER = 33,
};

enum { IF_OPER_UNKNOWN = 0, IF_OPER_DOWN = 2, IF_OPER_UP = 6 };
