/* sources: linux/dispatch.c linux/loop.c linux/lock.c linux/fs/?*.c linux/io/?*.c linux/task/?*.c linux/vdso/?*.c linux/arch/host/?*.c tests/host/?*.c tests/host/guest/?*.c lib/base/?*.c lib/virtqueue/?*.c */
/* flags: -Itests/host -pthread */
#include "tests/host/guest/guest.h"
#include "tests/unit/check.h"
TEST(nothing) { guest_boot(); }
TEST_MAIN();
