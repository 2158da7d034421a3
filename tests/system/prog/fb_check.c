/*
 * For tests/system/cases/display.py: draws on /dev/fb0, the left half by write and the right half in a
 * mapping, and waits for a key on the keyboard, so that somebody can look at the screen.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fb.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LEFT = 0xff8000, RIGHT = 0x0040c0 };

static void check(int good, const char *what) {
    printf(good ? "ok %s\n" : "not ok %s (errno %d)\n", what, errno);
}

static void row_fill(uint8_t *row, unsigned from, unsigned to, unsigned bytes, uint32_t colour) {
    for (unsigned x = from; x < to; x++)
        memcpy(row + (size_t)x * bytes, &colour, bytes);
}

int main(void) {
    static uint8_t row[65536], again[65536];
    struct fb_var_screeninfo variable;
    struct fb_fix_screeninfo fixed;
    int fd = open("/dev/fb0", O_RDWR);
    check(fd >= 0, "open");
    check(ioctl(fd, FBIOGET_VSCREENINFO, &variable) == 0 && ioctl(fd, FBIOGET_FSCREENINFO, &fixed) == 0,
          "facts");
    unsigned bytes = variable.bits_per_pixel / 8, half = variable.xres / 2;
    check(variable.red.offset == 16 && variable.green.offset == 8 && variable.blue.offset == 0,
          "true colours");
    check(fixed.line_length >= variable.xres * bytes && fixed.smem_len == fixed.line_length * variable.yres,
          "lengths");
    check(fixed.visual == FB_VISUAL_TRUECOLOR && fixed.type == FB_TYPE_PACKED_PIXELS, "kind");
    row_fill(row, 0, half, bytes, LEFT);
    int good = 1;
    for (unsigned y = 0; y < variable.yres; y++)
        good &= pwrite(fd, row, half * bytes, (off_t)y * fixed.line_length) == (long)(half * bytes);
    check(good, "write");
    check(pread(fd, again, half * bytes, fixed.line_length) == (long)(half * bytes) &&
              !memcmp(row, again, half * bytes),
          "read");
    uint8_t *pixels = mmap(NULL, fixed.smem_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    check(pixels != MAP_FAILED && !memcmp(pixels, row, half * bytes), "map");
    if (fork() == 0) { /* a mapping of a child's is the same memory */
        for (unsigned y = 0; y < variable.yres; y++)
            row_fill(pixels + (size_t)y * fixed.line_length, half, variable.xres, bytes, RIGHT);
        _exit(0);
    }
    wait(NULL);
    check(pread(fd, again, 3, half * bytes) == 3 && again[0] == 0xc0 && again[1] == 0x40,
          "what the child drew");
    check(pwrite(fd, row, 8, fixed.smem_len - 4) == 4, "cut off at the end");
    check(pwrite(fd, row, 8, fixed.smem_len) < 0 && errno == ENOSPC, "at the end");
    check(pwrite(fd, row, 8, fixed.smem_len + 1L) < 0 && errno == EFBIG, "behind the end");
    check(pread(fd, row, 8, fixed.smem_len) == 0, "nothing to read");
    variable.xres = 1;
    check(ioctl(fd, FBIOPUT_VSCREENINFO, &variable) == 0 && variable.xres == half * 2, "the mode is fixed");
    variable.yoffset = 1;
    check(ioctl(fd, FBIOPAN_DISPLAY, &variable) < 0 && errno == EINVAL, "no panning");
    check(ioctl(fd, 0x46ff, 0) < 0 && errno == ENOTTY, "no such call");
    int keyboard;
    for (int i = 0; (keyboard = open("/dev/input/event0", O_RDONLY)) < 0 && i < 1000; i++)
        usleep(10000);
    printf("look %u %u\n", variable.xres, variable.yres);
    fflush(stdout);
    return read(keyboard, row, sizeof row) <= 0;
}
