/* Mount options: the comma-separated text of mount(2)'s data. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Finds NAME=NUMBER of a base: true and *value, or false and *value unchanged. */
bool option_number(const char *options, const char *name, unsigned base, uint64_t *value);
/* Finds NAME=NUMBER[kmg%]; a percentage is of whole. */
bool option_size(const char *options, const char *name, uint64_t whole, uint64_t *value);
