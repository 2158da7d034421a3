/*
 * Mappings: made, changed, touched and taken apart.
 */
#include "torturer.h"

#include <sys/mman.h>

/* More than a small machine has, together with what others take. */
static void memory_eat(struct torturer *t) {
    size_t size = (1 + below(t, 8)) << 20;
    char *map = (char *)CALL6(SYS_mmap, 0, size, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if ((long)map < 0 && (long)map > -4096)
        return;
    for (size_t at = 0; at < size; at += 4096)
        map[at] = 1;
    CALL0(SYS_sched_yield);
    CALL2(SYS_munmap, map, size);
}

void memory_op(struct torturer *t) {
    unsigned slot = below(t, 4);
    char *map = t->maps[slot];
    size_t size = t->map_sizes[slot];
    unsigned pages = map ? (unsigned)(size / 4096) : 1, page = below(t, pages);
    switch (below(t, 11)) {
    case 0:
    case 1:
    case 2: {
        bool file = !below(t, 3);
        size = (1 + below(t, 64)) * 4096UL;
        long made = CALL6(SYS_mmap, 0, size, below(t, 8),
                          (below(t, 2) ? MAP_PRIVATE : MAP_SHARED) | (file ? 0 : MAP_ANONYMOUS),
                          file ? fd_any(t) : -1, below(t, 4) * 4096);
        if (made > 0) {
            if (map)
                CALL2(SYS_munmap, map, t->map_sizes[slot]);
            t->maps[slot] = (char *)made;
            t->map_sizes[slot] = size;
        }
        break;
    }
    case 3:
        if (map) /* part of it; what is left goes with the process */
            CALL2(SYS_munmap, map + page * 4096, (1 + below(t, pages - page)) * 4096);
        break;
    case 4:
        if (map)
            CALL3(SYS_mprotect, map + page * 4096, (1 + below(t, pages - page)) * 4096, below(t, 8));
        break;
    case 5:
        if (map) {
            long moved = CALL6(SYS_mremap, map, size, (1 + below(t, 64)) * 4096, 1, 0, 0);
            t->maps[slot] = moved > 0 ? (char *)moved : NULL;
            t->map_sizes[slot] = moved > 0 ? 4096 : 0;
        }
        break;
    case 6:
        if (map)
            CALL3(SYS_madvise, map, size, below(t, 20));
        break;
    case 7:
        if (map) /* touched by the kernel, which does not mind what is not there */
            CALL3(SYS_getrandom, map + page * 4096, (1 + below(t, pages - page)) * 4096, 0);
        break;
    case 8:
        if (map)
            CALL3(SYS_write, fd_any(t), map, below(t, 20000));
        break;
    case 9:
        if (!below(t, 20))
            memory_eat(t);
        break;
    default: {
        long end = CALL1(SYS_brk, 0);
        CALL1(SYS_brk, end + (long)below(t, 1 << 16) - (1 << 15));
    }
    }
}
