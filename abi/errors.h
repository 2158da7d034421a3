/*
 * Error numbers shared by the kernel, the personality and native programs. A call that fails returns the
 * negated number. Programs that link musl use its <errno.h> instead; the numbers are the same.
 */
#pragma once

enum error {
#define ERROR(name, number, text) name = number,
#include "abi/errors.def"
#undef ERROR
};
