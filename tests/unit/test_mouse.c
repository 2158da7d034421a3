/* sources: drivers/ps2/mouse.c */
/* PS/2 packets, as the three kinds of mice send them. */
#include <string.h>

#include "drivers/ps2/mouse.h"
#include "tests/unit/check.h"

static struct mouse mouse;
static struct mouse_motion motion;

/* Sends bytes, of which the last must complete a packet and no other one. */
static void packet(enum mouse_kind kind, const uint8_t *bytes, unsigned count) {
    mouse = (struct mouse){.kind = kind};
    for (unsigned i = 0; i < count; i++)
        CHECK_EQ(mouse_take(&mouse, bytes[i], &motion), i == count - 1);
}

TEST(plain) {
    packet(MOUSE_PLAIN, (const uint8_t[]){0x09, 5, 3}, 3);
    CHECK(motion.x == 5 && motion.y == -3 && motion.buttons == MOUSE_LEFT && motion.wheel == 0);
    packet(MOUSE_PLAIN, (const uint8_t[]){0x3e, 0xff, 0x80}, 3);
    CHECK(motion.x == -1 && motion.y == 128 && motion.buttons == (MOUSE_RIGHT | MOUSE_MIDDLE));
    packet(MOUSE_PLAIN, (const uint8_t[]){0x48, 200, 7}, 3); /* it moved too far to say how far */
    CHECK(motion.x == 0 && motion.y == 0);
}

TEST(wheels) {
    packet(MOUSE_WHEEL, (const uint8_t[]){0x08, 0, 0, 0xff}, 4);
    CHECK_EQ(motion.wheel, 1);
    packet(MOUSE_WHEEL, (const uint8_t[]){0x08, 0, 0, 2}, 4);
    CHECK_EQ(motion.wheel, -2);
    packet(MOUSE_EXPLORER, (const uint8_t[]){0x08, 0, 0, 0x1f}, 4);
    CHECK(motion.wheel == 1 && motion.buttons == MOUSE_SIDE);
    packet(MOUSE_EXPLORER, (const uint8_t[]){0x08, 0, 0, 0x21}, 4);
    CHECK(motion.wheel == -1 && motion.buttons == MOUSE_EXTRA);
}

TEST(out_of_step) {
    mouse = (struct mouse){.kind = MOUSE_PLAIN};
    CHECK(!mouse_take(&mouse, 0xf7, &motion)); /* the end of a packet whose begin was lost */
    CHECK(!mouse_take(&mouse, 0x08, &motion) && !mouse_take(&mouse, 1, &motion));
    CHECK(mouse_take(&mouse, 0, &motion) && motion.x == 1);
}

TEST(any_bytes) {
    srand(1);
    for (int i = 0; i < 200000; i++) {
        if (i % 100 == 0)
            mouse = (struct mouse){
                .kind = (enum mouse_kind[]){MOUSE_PLAIN, MOUSE_WHEEL, MOUSE_EXPLORER}[i / 100 % 3]};
        if (mouse_take(&mouse, (uint8_t)rand(), &motion))
            CHECK(motion.x >= -256 && motion.x < 256 && motion.y > -256 && motion.y <= 256 &&
                  motion.buttons < 32);
    }
}

TEST_MAIN();
