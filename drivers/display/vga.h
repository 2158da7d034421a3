/*
 * VGA text mode as the firmware left it: characters and attributes at 0xb8000, the cursor in the CRT
 * controller. Characters are those of code page 437, which is what the firmware's font shows.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "abi/rights.h"

enum { VGA_MEMORY = 0xb8000, VGA_MEMORY_SIZE = 0x8000, VGA_PORTS = 0x3c0 };

struct vga {
    handle_t ports;
    volatile uint16_t *cells;
    unsigned columns, rows;
};

/* Looks for a VGA in a text mode with colours. NULL: ready, with background colours in place of blinking;
 * otherwise what is missing. memory: VGA_MEMORY_SIZE bytes. */
const char *vga_open(struct vga *vga, handle_t ports, volatile void *memory);

/* Colours are palette indexes below 16, as the terminal has them. */
void vga_draw(const struct vga *vga, unsigned column, unsigned row, uint32_t character, uint32_t foreground,
              uint32_t background);
void vga_cursor(const struct vga *vga, unsigned column, unsigned row, bool visible);
