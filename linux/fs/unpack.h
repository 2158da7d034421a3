/* Filling the root from a cpio archive. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Unpacks the archives (one or several, with zeros between) that begin at offset of length bytes into the
 * tree at fs_root. 0; or -EINVAL for damage, -ENOSPC, -ENOMEM …, with what and where in error (size bytes):
 * "root archive: WHAT at offset N".
 */
int unpack_archives(const void *bytes, size_t length, size_t offset, char *error, size_t size);
