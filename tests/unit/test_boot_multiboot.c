/* sources: boot/multiboot.c boot/source.c */
/* The reader of Multiboot2 information: what GRUB hands over arrives, and each damage is refused by name. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boot/console.h"
#include "boot/protocol.h"
#include "tests/unit/check.h"

static uint8_t bytes[65536];
static uint32_t length, notes;
static struct boot_source source;

void boot_note(const char *format, ...) {
    (void)format;
    notes++;
}
void boot_fail(const char *format, ...) {
    (void)format;
    abort();
}

static void put(uint64_t value, uint32_t size) {
    memcpy(bytes + length, &value, size);
    length += size;
}

static void begin(void) {
    memset(bytes, 0, sizeof(bytes));
    memset(&source, 0, sizeof(source));
    length = 8;
    notes = 0;
}

static void put_tag(uint32_t type, const void *body, uint32_t size) {
    put(type, 4);
    put(size + 8, 4);
    memcpy(bytes + length, body, size);
    length = (length + size + 7) & ~7U;
}

static void put_module(uint32_t start, uint32_t end) {
    uint32_t body[3] = {start, end, 0};
    put_tag(3, body, 9);
}

static void put_memory(uint32_t entries) {
    put(6, 4);
    put(16 + entries * 24, 4);
    put(24, 4);
    put(0, 4);
    for (uint32_t i = 0; i < entries; i++) {
        put(i * 0x200000ULL, 8);
        put(0x100000, 8);
        put(i % 2 ? 2 : 1, 8);
    }
}

/* In a buffer of its own, so that a read behind its end is seen. */
static const char *parse(void) {
    uint8_t *copy = malloc(length);
    memcpy(copy, bytes, length);
    const char *problem = multiboot_parse(copy, length, &source);
    free(copy);
    return problem;
}

static const char *finish(void) {
    put_tag(0, "", 0);
    return parse();
}

TEST(everything_arrives) {
    uint8_t screen[30] = {0}, rsdp[36] = "RSD PTR 1", newer[36] = "RSD PTR 2";
    begin();
    put_tag(1, "one two", 8);
    put_tag(21, "skipped", 7);
    put_module(0x200000, 0x300001);
    put_module(0x400000, 0x400000);
    put_module(0x500000, 0x500010);
    put_memory(3);
    memcpy(screen, &(uint64_t){0xfd000000}, 8);
    memcpy(screen + 8, (uint32_t[]){4096, 1024, 768}, 12);
    memcpy(screen + 20, (uint8_t[]){32, 1, 0, 0, 16, 8, 8, 8, 0, 8}, 10);
    put_tag(8, screen, 30);
    put_tag(15, newer, 36);
    put_tag(14, rsdp, 20);
    CHECK(!finish());
    CHECK(source.command_line_length == 7 && !memcmp(source.command_line, "one two", 7));
    CHECK(source.piece_count == 2); /* the empty one is left out */
    CHECK(source.pieces[0].address == 0x200000 && source.pieces[0].length == 0x100001);
    CHECK(source.pieces[1].address == 0x500000 && source.pieces[1].length == 16);
    CHECK(source.memory_count == 3 && source.memory[0].usable && !source.memory[1].usable);
    CHECK(source.memory[2].base == 0x400000 && source.memory[2].length == 0x100000);
    CHECK(source.framebuffer.address == 0xfd000000 && source.framebuffer.pitch == 4096);
    CHECK(source.framebuffer.width == 1024 && source.framebuffer.height == 768);
    CHECK(source.framebuffer.bits == 32 && source.framebuffer.red.shift == 16);
    CHECK(source.framebuffer.blue.bits == 8 && source.framebuffer.green.shift == 8);
    CHECK(source.rsdp_copied == 36 && source.rsdp_copy[8] == '2');
}

TEST(text_screen_is_no_framebuffer) {
    uint8_t screen[30] = {0};
    begin();
    put_memory(1);
    screen[0] = 1;
    screen[21] = 2;
    put_tag(8, screen, 30);
    CHECK(!finish());
    CHECK(source.framebuffer.address == 0);
}

TEST(neighbours_are_joined) {
    begin();
    for (uint64_t i = 0; i < 200; i++)
        CHECK(source_add_memory(&source, i << 20, 1 << 20, true));
    CHECK(source.memory_count == 1 && source.memory[0].length == 200 << 20);
    CHECK(source_add_memory(&source, 200 << 20, 1 << 20, false));
    CHECK(source_add_memory(&source, 201 << 20, UINT64_MAX, false)); /* would wrap: stays apart */
    CHECK(source.memory_count == 3);
}

TEST(long_command_line_is_cut) {
    static char text[SOURCE_COMMAND_LINE + 100];
    begin();
    memset(text, 'x', sizeof(text));
    put_tag(1, text, sizeof(text)); /* and has no terminating 0 */
    put_memory(1);
    CHECK(!finish());
    CHECK(source.command_line_length == SOURCE_COMMAND_LINE && notes == 1);
}

static void refused(const char *why) {
    const char *problem = finish();
    CHECK(problem && strstr(problem, why));
}

TEST(damage_is_refused) {
    begin();
    refused("no memory map");
    begin();
    put_memory(1);
    put_module(0x200000, 0x100000);
    refused("ends before it starts");
    begin();
    for (uint32_t i = 0; i <= SOURCE_MAX_PIECES; i++)
        put_module(0x200000, 0x300000);
    refused("more modules");
    begin();
    put_memory(SOURCE_MAX_MEMORY + 1);
    refused("more entries");
    begin();
    put_tag(3, "short", 5);
    refused("too short");
    begin();
    put_tag(6, "short", 5);
    refused("too short");
    begin();
    put_tag(6, (uint32_t[]){0, 0}, 8); /* entries of size 0 */
    refused("too short");
    begin();
    put(1, 4);
    put(7, 4);
    refused("size is wrong");
    begin();
    put(1, 4);
    put(0xfffffff0, 4);
    refused("size is wrong");
    begin();
    put_memory(1);
    CHECK(strstr(parse(), "no end"));
}

TEST(cut_anywhere_is_refused) {
    begin();
    put_tag(1, "line", 5);
    put_module(0x200000, 0x300000);
    put_memory(4);
    put_tag(14, "RSD PTR             ", 20);
    put_tag(0, "", 0);
    for (uint32_t whole = length; length > 0; length--) {
        memset(&source, 0, sizeof(source));
        CHECK((parse() == NULL) == (length == whole));
    }
}

TEST_MAIN();
