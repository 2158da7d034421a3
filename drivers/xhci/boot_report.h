/*
 * Reports of keyboards and mice by the boot protocol (HID 1.11, appendix B) as input events. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KEYBOARD_REPORT = 8,
    MOUSE_REPORT = 4,
    MOUSE_REPORT_LEAST = 3,
    KEYBOARD_CHANGES = 20,
    HID_PAGE_KEYS = 0x70000
};

struct key_change {
    uint8_t usage; /* of the keyboard page: what Linux tells as the scan code */
    uint16_t key;  /* enum key */
    bool pressed;
};

/* The key with a usage; KEY_NONE: none that is known. */
uint16_t keyboard_key(uint8_t usage);

/* What has changed from one report to the next: releases first. A report that says that too many keys are
 * pressed says nothing else. Returns how many of the changes, which follow the reports' order. */
unsigned keyboard_changes(uint8_t held[KEYBOARD_REPORT], const uint8_t report[KEYBOARD_REPORT],
                          struct key_change changes[KEYBOARD_CHANGES]);
