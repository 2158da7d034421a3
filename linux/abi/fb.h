/* Linux's <linux/fb.h>, as far as a fixed framebuffer of true colours needs it. */
#pragma once

#include <stdint.h>

enum {
    FBIOGET_VSCREENINFO = 0x4600,
    FBIOPUT_VSCREENINFO = 0x4601,
    FBIOGET_FSCREENINFO = 0x4602,
    FBIOPAN_DISPLAY = 0x4606,
};

enum { FB_TYPE_PACKED_PIXELS = 0, FB_VISUAL_TRUECOLOR = 2, FB_SIZE_UNKNOWN = UINT32_MAX };

struct fb_bitfield {
    uint32_t offset, length, msb_right;
};

struct fb_var_screeninfo {
    uint32_t xres, yres, xres_virtual, yres_virtual, xoffset, yoffset;
    uint32_t bits_per_pixel, grayscale;
    struct fb_bitfield red, green, blue, transp;
    uint32_t nonstd, activate, height, width, accel_flags;
    uint32_t pixclock, left_margin, right_margin, upper_margin, lower_margin, hsync_len, vsync_len, sync,
        vmode;
    uint32_t rotate, colorspace, reserved[4];
};

struct fb_fix_screeninfo {
    char id[16];
    uint64_t smem_start;
    uint32_t smem_len, type, type_aux, visual;
    uint16_t xpanstep, ypanstep, ywrapstep;
    uint32_t line_length;
    uint64_t mmio_start;
    uint32_t mmio_len, accel;
    uint16_t capabilities, reserved[2];
};

_Static_assert(sizeof(struct fb_var_screeninfo) == 160 && sizeof(struct fb_fix_screeninfo) == 80,
               "Linux's sizes");
