/* See framebuffer.h. */
#include "linux/io/framebuffer.h"

#include "abi/errors.h"
#include "abi/objects.h"
#include "lib/base/string.h"
#include "lib/keel/call.h"
#include "linux/abi/fb.h"
#include "linux/fs/device.h"
#include "linux/fs/file.h"
#include "linux/platform.h"

enum { FB_MAJOR = 29, COLOURS = 3, FIELDS = 5, MOST = 1 << 24 };

static struct framebuffer_facts facts;
static struct fb_bitfield colours[COLOURS]; /* red, green, blue */
static handle_t memory;
static uint64_t inset, length; /* bytes */
static uint8_t *pixels;

/* ---- the description ---- */

/* A decimal number and what must stand behind it. */
static bool number_take(const char **text, char behind, uint32_t *number) {
    uint32_t value = 0;
    const char *at = *text;
    for (; *at >= '0' && *at <= '9' && value < MOST; at++)
        value = value * 10 + (uint32_t)(*at - '0');
    bool good = at > *text && value < MOST && *at == behind;
    *text = *at ? at + 1 : at;
    *number = value;
    return good;
}

static bool description_read(const char *text) {
    uint32_t first = 0;
    uint32_t *const fields[FIELDS] = {&first, &facts.width, &facts.height, &facts.pitch, &facts.bits};
    bool good = true;
    for (unsigned i = 0; i < FIELDS; i++)
        good = good && number_take(&text, ',', fields[i]);
    for (unsigned i = 0; i < COLOURS; i++) {
        good = good && number_take(&text, ':', &colours[i].offset);
        good = good && number_take(&text, i == COLOURS - 1 ? 0 : ',', &colours[i].length);
    }
    inset = first;
    length = (uint64_t)facts.pitch * facts.height;
    return good && inset < PAGE_SIZE && facts.width && length;
}

/* ---- files ---- */

/* As Linux: what goes beyond the end is cut off, and an error when nothing is left. */
static int64_t fb_write(struct file *file, struct buffer *buffer, uint64_t *offset) {
    uint64_t count = buffer->length;
    int64_t error = 0;
    (void)file;
    if (*offset > length)
        return -EFBIG;
    if (count > length - *offset) {
        error = -ENOSPC;
        count = length - *offset;
    }
    if (count && buffer_get(buffer, pixels + *offset, count))
        return -EFAULT;
    *offset += count;
    return count ? (int64_t)count : error;
}

static int64_t fb_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    (void)file;
    if (*offset >= length)
        return 0;
    uint64_t left = length - *offset, count = buffer->length < left ? buffer->length : left;
    if (buffer_put(buffer, pixels + *offset, count))
        return -EFAULT;
    *offset += count;
    return (int64_t)count;
}

static struct fb_var_screeninfo variable_facts(void) {
    return (struct fb_var_screeninfo){
        .xres = facts.width,
        .yres = facts.height,
        .xres_virtual = facts.width,
        .yres_virtual = facts.height,
        .bits_per_pixel = facts.bits,
        .red = colours[0],
        .green = colours[1],
        .blue = colours[2],
        .height = FB_SIZE_UNKNOWN,
        .width = FB_SIZE_UNKNOWN,
    };
}

static struct fb_fix_screeninfo fixed_facts(void) {
    struct vmo_info info = {0};
    (void)keel_object_info(memory, keel_pointer(&info), sizeof(info));
    return (struct fb_fix_screeninfo){
        .id = "EFI VGA",
        .smem_start = info.address ? info.address + inset : 0,
        .smem_len = (uint32_t)length,
        .type = FB_TYPE_PACKED_PIXELS,
        .visual = FB_VISUAL_TRUECOLOR,
        .line_length = facts.pitch,
    };
}

/* The mode is fixed: another one is taken for a wish, and the answer is what there is. */
static int64_t fb_ioctl(struct file *file, uint64_t command, uint64_t argument) {
    struct fb_var_screeninfo variable = variable_facts(), asked;
    struct fb_fix_screeninfo fixed;
    (void)file;
    switch ((uint32_t)command) {
    case FBIOGET_FSCREENINFO:
        fixed = fixed_facts();
        return guest_copy_out(argument, &fixed, sizeof(fixed));
    case FBIOPAN_DISPLAY:
    case FBIOPUT_VSCREENINFO:
        if (guest_copy_in(&asked, argument, sizeof(asked)))
            return -EFAULT;
        if ((uint32_t)command == FBIOPAN_DISPLAY && (asked.xoffset || asked.yoffset))
            return -EINVAL;
        return guest_copy_out(argument, &variable, sizeof(variable));
    case FBIOGET_VSCREENINFO:
        return guest_copy_out(argument, &variable, sizeof(variable));
    default:
        return -ENOTTY;
    }
}

/* Whole pages are mapped: an inset would show the program where its pixels are not. */
static int fb_map(struct file *file, handle_t *vmo) {
    (void)file;
    if (inset)
        return -ENODEV;
    *vmo = memory;
    return 0;
}

static const struct file_operations operations = {
    .read = fb_read, .write = fb_write, .seek = file_seek_position, .ioctl = fb_ioctl, .map = fb_map};

/* ---- start ---- */

const struct framebuffer_facts *framebuffer_facts(void) {
    return pixels ? &facts : NULL;
}

void framebuffer_start(handle_t vmo, const char *description) {
    static const struct device device = {
        .name = "fb0", .major = FB_MAJOR, .minor_count = 1, .mode = 0600, .operations = &operations};
    struct vmo_info info = {0};
    if (vmo == HANDLE_NONE || !description)
        return;
    int64_t error = keel_object_info(vmo, keel_pointer(&info), sizeof(info));
    if (error < 0 || !description_read(description) || inset + length > info.size) {
        log_line("the framebuffer's description makes no sense");
        return;
    }
    uint8_t *mapped =
        memory_map(vmo, 0, (inset + length + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1), MAP_READ | MAP_WRITE);
    if (!mapped) {
        log_line("the framebuffer cannot be mapped");
        return;
    }
    memory = vmo;
    pixels = mapped + inset;
    device_register(&device);
}
