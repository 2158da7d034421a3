/* A set of page numbers as ranges: which pages of a sparse file hold data. No locking. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/tree.h"

struct extents {
    struct tree tree; /* struct extent by first page */
    uint64_t pages;   /* in all ranges */
};

/* Adds or removes [first, end). 0, or -ENOMEM with nothing changed. Removing up to the end never fails. */
int extents_add(struct extents *extents, uint64_t first, uint64_t end);
int extents_remove(struct extents *extents, uint64_t first, uint64_t end);
/* How many pages of [first, end) are in the set. */
uint64_t extents_count(const struct extents *extents, uint64_t first, uint64_t end);
/* The first page >= page that is in the set (UINT64_MAX: none), or is not. */
uint64_t extents_next(const struct extents *extents, uint64_t page);
uint64_t extents_next_gap(const struct extents *extents, uint64_t page);
void extents_clear(struct extents *extents);
