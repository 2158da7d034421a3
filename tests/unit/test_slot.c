/* sources: servers/devices/slot.c */
/* Hot-plug slots played by hand: every way from an empty slot to a card that works and back, and random
 * events. */
#include "servers/devices/slot.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

enum { QEMU = 0x7b, PLAIN = 0x60, EMPTY = 0x7c0, RANDOM_STEPS = 200000, PATIENCE = 30000 };
#define MS 1000000ULL

/* The port: what its registers say, and what it does on commands. */
static struct {
    struct slot slot;
    uint64_t now;
    uint16_t status, control;
    bool link, answers, used, mute; /* mute: commands are never completed */
    unsigned begun, asked, ended, commands;
} world;

static void world_start(uint32_t capabilities, uint16_t status, bool in_use) {
    struct slot_view view = {.status = status, .link = in_use, .answers = in_use};
    memset(&world, 0, sizeof world);
    world.now = 5000 * MS;
    world.status = status;
    world.link = world.answers = in_use;
    world.control = in_use ? 0 : EMPTY;
    slot_open(&world.slot, capabilities, true, &view, world.control, in_use, world.now);
    world.slot.patience = PATIENCE * MS;
}

static bool powered(void) {
    return !(world.control & CONTROL_POWER_OFF);
}

/* One look, as hotplug.c does it. */
static void look(void) {
    struct slot_view view = {world.status, world.link, world.answers, world.used};
    uint16_t control;
    world.status &= (uint16_t)~SLOT_EVENTS;
    enum slot_action action = slot_step(&world.slot, &view, world.now);
    world.begun += action == SLOT_BEGIN;
    world.asked += action == SLOT_ASK;
    world.ended += action == SLOT_END;
    while (slot_command(&world.slot, world.now, &control)) {
        CHECK(control != world.control);
        world.control = control;
        world.commands++;
        if (!world.mute)
            world.status |= SLOT_COMPLETED;
        if (!(world.slot.capabilities & SLOT_NO_COMPLETION))
            CHECK(!slot_command(&world.slot, world.now, &control)); /* one at a time */
    }
}

/* Time passes as the slot wishes to be looked at. */
static void run(uint64_t time) {
    uint64_t end = world.now + time;
    for (unsigned looks = 0; world.now < end; looks++) {
        CHECK(looks < 1000);
        look();
        uint64_t next = slot_deadline(&world.slot, world.now);
        CHECK(next > world.now || (world.status & SLOT_EVENTS));
        if (!(world.status & SLOT_EVENTS))
            world.now = next < end ? next : end;
    }
    look();
}

static void insert(void) {
    world.status |= SLOT_PRESENT | SLOT_PRESENCE_CHANGED | SLOT_LINK_CHANGED;
    world.link = world.answers = true;
}

static void pull(void) {
    world.status &= (uint16_t)~SLOT_PRESENT;
    world.status |= SLOT_PRESENCE_CHANGED | SLOT_LINK_CHANGED;
    world.link = world.answers = false;
}

static unsigned indicator(void) {
    return world.control & 3 << 8;
}

TEST(a_card_comes_and_is_asked_for) {
    world_start(QEMU, 0, false);
    run(10000 * MS);
    CHECK(!powered() && indicator() == CONTROL_INDICATOR_OFF && !world.begun);
    insert();
    look();
    CHECK(!world.begun);
    run(50 * MS);
    CHECK(powered() && indicator() == CONTROL_INDICATOR_BLINK && !world.begun); /* 100 ms to settle */
    run(100 * MS);
    CHECK(world.begun == 1 && world.slot.state == SLOT_ON);
    run(10 * MS);
    CHECK(indicator() == CONTROL_INDICATOR_ON);
    world.status |= SLOT_PRESSED;
    run(10000 * MS);
    CHECK(world.ended == 1 && powered() &&
          indicator() == CONTROL_INDICATOR_BLINK); /* its drivers are still there */
    slot_drivers_ended(&world.slot, world.now);
    run(10 * MS);
    CHECK(!powered() && indicator() == CONTROL_INDICATOR_OFF);
    run(5000 * MS); /* it was not taken out: it stays off */
    CHECK(!powered() && world.begun == 1);
    world.status |= SLOT_PRESSED;
    run(500 * MS);
    CHECK(world.begun == 2);
}

static void card_in_use(void) {
    world_start(QEMU, SLOT_PRESENT, true);
    world.used = true;
    run(10 * MS);
    world.status |= SLOT_PRESSED;
    run(10 * MS);
    CHECK(world.asked == 1 && !world.ended && powered() && indicator() == CONTROL_INDICATOR_BLINK);
}

TEST(users_give_a_card_up) {
    card_in_use();
    run((PATIENCE - 1000) * MS);
    CHECK(world.asked == 1 && !world.ended && powered());
    world.used = false;
    look();
    CHECK(world.ended == 1 && !world.slot.failed);
    slot_drivers_ended(&world.slot, world.now);
    run(10 * MS);
    CHECK(!powered());
}

TEST(users_do_not_give_a_card_up) {
    card_in_use();
    world.status |= SLOT_PRESSED; /* again: they do not get more time */
    run(PATIENCE * MS);
    CHECK(world.asked == 1 && world.ended == 1);
}

TEST(a_card_is_pulled_while_users_finish) {
    card_in_use();
    pull();
    look();
    CHECK(world.ended == 1);
    card_in_use();
    world.status |= SLOT_FAULT;
    look();
    CHECK(world.ended == 1 && world.slot.failed);
}

TEST(a_card_is_pulled_and_put_back_at_once) {
    world_start(QEMU, SLOT_PRESENT, true);
    run(10 * MS);
    CHECK(world.slot.state == SLOT_ON && powered());
    pull();
    insert();
    look();
    CHECK(world.ended == 1);
    slot_drivers_ended(&world.slot, world.now);
    run(10 * MS);
    CHECK(!powered());
    run(900 * MS);
    CHECK(!powered()); /* a second of rest */
    run(500 * MS);
    CHECK(powered() && world.begun == 1);
}

TEST(a_card_that_goes_in_each_state) {
    world_start(QEMU, 0, false);
    insert();
    run(50 * MS);
    pull();
    run(3000 * MS);
    CHECK(!world.begun && !powered() && !world.slot.failed);
    insert();
    run(300 * MS);
    CHECK(world.begun == 1);
    world.status |= SLOT_PRESSED;
    look();
    pull(); /* while drivers end */
    run(100 * MS);
    CHECK(world.ended == 1);
    slot_drivers_ended(&world.slot, world.now);
    run(3000 * MS);
    CHECK(!powered() && world.slot.state == SLOT_OFF);
    world_start(QEMU, SLOT_PRESENT, true);
    world.link = world.answers = false; /* only the link is lost */
    look();
    CHECK(world.ended == 1);
}

TEST(a_card_that_does_not_work) {
    world_start(QEMU, 0, false);
    insert();
    world.answers = false;
    run(1400 * MS);
    CHECK(powered() && !world.begun);
    run(200 * MS);
    CHECK(!powered() && !world.begun && world.slot.failed &&
          (world.control & 3 << 6) == CONTROL_ATTENTION_ON);
    run(5000 * MS);
    CHECK(!powered()); /* not again and again */
    world.answers = true;
    world.status |= SLOT_PRESSED;
    run(500 * MS);
    CHECK(world.begun == 1 && (world.control & 3 << 6) == CONTROL_ATTENTION_OFF);
    world.status |= SLOT_FAULT;
    look();
    CHECK(world.ended == 1 && world.slot.failed);
}

TEST(commands_that_are_never_completed) {
    world_start(QEMU, 0, false);
    world.mute = true;
    insert();
    run(5000 * MS);
    CHECK(world.begun == 1);
    run(2000 * MS);
    CHECK(powered() && indicator() == CONTROL_INDICATOR_ON && world.commands <= 4);
}

TEST(without_button_and_power_controller) {
    world_start(PLAIN | SLOT_NO_COMPLETION, 0, false);
    world.status |= SLOT_PRESSED; /* there is no button */
    insert();
    run(500 * MS);
    CHECK(world.begun == 1);
    world.status |= SLOT_PRESSED;
    run(500 * MS);
    CHECK(!world.ended);
    pull();
    look();
    CHECK(world.ended == 1);
    slot_drivers_ended(&world.slot, world.now);
    insert();
    run(500 * MS);
    CHECK(world.begun == 2);
}

/* Whatever happens: begin and end alternate, and a card that stays ends up working. */
TEST(random_events) {
    srand(7);
    world_start(QEMU, 0, false);
    for (unsigned i = 0; i < RANDOM_STEPS; i++) {
        world.status |= (uint16_t)(1U << rand() % 9 & SLOT_EVENTS & ~(unsigned)(rand() % 2 ? 0 : SLOT_FAULT));
        if (rand() % 4 == 0)
            rand() % 2 ? insert() : pull();
        if (rand() % 3 == 0)
            world.answers = rand() % 2;
        world.used = rand() % 2;
        look();
        CHECK(world.begun == world.ended || world.begun == world.ended + 1);
        CHECK((world.slot.state == SLOT_ON || world.slot.state == SLOT_ASKING) ==
              (world.begun == world.ended + 1));
        if (world.slot.state == SLOT_STOPPING && rand() % 2)
            slot_drivers_ended(&world.slot, world.now);
        world.now += (uint64_t)(rand() % 400) * MS;
    }
    CHECK(world.begun > 100 && world.asked > 100);
    world.used = false;
    slot_drivers_ended(&world.slot, world.now);
    pull();
    run(3000 * MS);
    slot_drivers_ended(&world.slot, world.now);
    run(3000 * MS);
    insert();
    run(3000 * MS);
    CHECK(world.slot.state == SLOT_ON && powered());
}

TEST_MAIN();
