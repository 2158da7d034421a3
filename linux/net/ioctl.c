/* The ioctls about interfaces that every socket has (netdevice(7)). There are no internet addresses. */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/io/socket.h"
#include "linux/net/interface.h"
#include "linux/net/packet.h"
#include "linux/platform.h"
#include "linux/task.h"

static bool may_administer(void) {
    return task_current()->capabilities_effective & 1ULL << CAP_NET_ADMIN;
}

/* SIOCGIFNAME goes the other way: from the number to the name. */
static int64_t name_get(struct ifreq *request) {
    struct interface *interface = interface_by_index(request->number);
    if (!interface)
        return -ENODEV;
    memcpy(request->name, interface->name, IFNAMSIZ);
    interface_put(interface);
    return 0;
}

/* Interfaces with an internet address: none. */
static int64_t list_get(uint64_t argument) {
    struct ifconf list;
    if (guest_copy_in(&list, argument, sizeof list) < 0)
        return -EFAULT;
    list.length = 0;
    return guest_copy_out(argument, &list, sizeof list);
}

static int64_t get(const struct interface *interface, uint32_t command, struct ifreq *request) {
    switch (command) {
    case SIOCGIFFLAGS:
        request->flags = (int16_t)interface_flags(interface);
        return 0;
    case SIOCGIFINDEX:
        request->number = interface->index;
        return 0;
    case SIOCGIFMTU:
        request->number = (int32_t)interface->mtu;
        return 0;
    case SIOCGIFMETRIC:
        request->number = 0;
        return 0;
    case SIOCGIFTXQLEN:
        request->number = TRANSMIT_QUEUE;
        return 0;
    case SIOCGIFMAP:
        memset(request->bytes, 0, sizeof request->bytes);
        return 0;
    case SIOCGIFHWADDR:
        memset(&request->address, 0, sizeof request->address);
        request->address.family = interface_type(interface);
        memcpy(request->address.data, interface->address, ETH_ALEN);
        return 0;
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR:
    case SIOCGIFBRDADDR:
    case SIOCGIFNETMASK:
        return -EADDRNOTAVAIL;
    case SIOCSIFHWADDR:
    case SIOCETHTOOL:
        return -EOPNOTSUPP;
    default:
        return -ENOTTY;
    }
}

static int64_t set(struct interface *interface, uint32_t command, const struct ifreq *request) {
    if (!may_administer())
        return -EPERM;
    return command == SIOCSIFFLAGS ? interface_flags_set(interface, (uint16_t)request->flags)
                                   : interface_mtu_set(interface, request->number);
}

int64_t interface_ioctl(uint64_t command_word, uint64_t argument) {
    uint32_t command = (uint32_t)command_word;
    struct ifreq request;
    int64_t result;
    if (command == SIOCGIFCONF)
        return list_get(argument);
    if (command < SIOCGIFNAME || command > SIOCGIFMAP)
        return -ENOTTY;
    if (guest_copy_in(&request, argument, sizeof request) < 0)
        return -EFAULT;
    request.name[IFNAMSIZ - 1] = 0;
    if (command == SIOCGIFNAME) {
        result = name_get(&request);
    } else {
        struct interface *interface = interface_by_name(request.name, strlen(request.name));
        if (!interface)
            return -ENODEV;
        if (command == SIOCSIFFLAGS || command == SIOCSIFMTU) {
            result = set(interface, command, &request);
        } else {
            mutex_lock(&interface->lock);
            result = get(interface, command, &request);
            mutex_unlock(&interface->lock);
        }
        interface_put(interface);
    }
    return result ? result : guest_copy_out(argument, &request, sizeof request);
}
