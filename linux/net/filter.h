/*
 * Classic BPF, as SO_ATTACH_FILTER takes it: a program that says how many bytes of a frame a socket wants.
 * Programs are checked when they are attached (known instructions, forward jumps inside the program, a return
 * at the end, division by a constant other than 0), so that running one ends and stays in the frame.
 */
#pragma once

#include <stdint.h>

#include "linux/abi/net.h"

struct filter {
    uint32_t length;
    struct sock_filter instructions[];
};

/* What a program may ask beside the frame's bytes (SKF_AD_…). */
struct filter_frame {
    const uint8_t *bytes; /* where offset 0 is: the Ethernet header, or behind it */
    uint32_t length;
    const uint8_t *link, *network; /* SKF_LL_OFF and SKF_NET_OFF; both end where bytes do */
    uint16_t protocol;             /* host order */
    uint8_t type;                  /* PACKET_HOST … */
    int32_t ifindex;
    uint16_t hatype;
};

/* 0, or -EINVAL for a program that could not be run safely. */
int filter_check(const struct sock_filter *instructions, uint32_t length);

/* The program that SO_ATTACH_FILTER points to, checked, for the caller to free: 0, -EINVAL, -EFAULT, -ENOMEM.
 */
int64_t filter_take(uint64_t from, uint32_t length, struct filter **taken);

/* Bytes of the frame wanted; 0: none. */
uint32_t filter_run(const struct filter *filter, const struct filter_frame *frame);
