/*
 * ATA commands as an AHCI controller takes them (AHCI 1.3.1, 4.2; ATA/ATAPI command set 3), and what a disk
 * says of itself. Pure: numbers in, numbers out.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/virtqueue/block_link.h"

enum { AHCI_SLOTS = 32, AHCI_IDENTIFY_SIZE = 512, AHCI_TRIM_SIZE = 512 };

struct ahci_header { /* of the command list: one per slot */
    uint32_t flags;  /* length of the command in dwords, direction, number of regions */
    uint32_t moved;  /* bytes, by the controller */
    uint64_t table;
    uint32_t reserved[4];
};

struct ahci_region {
    uint64_t address;
    uint32_t reserved;
    uint32_t last; /* bytes less one */
};

struct ahci_table {
    uint8_t command[64]; /* a register FIS */
    uint8_t packet[64];
    struct ahci_region region;
    uint8_t padding[112];
};

_Static_assert(sizeof(struct ahci_header) == 32 && sizeof(struct ahci_table) == 256, "as specified, aligned");

/* Builds a slot's command. data: address of the bytes; for BLOCK_DISCARD trim is filled, with its address.
 * block_size: bytes of the disk's blocks; the request is whole blocks. */
void ahci_translate(struct ahci_header *header, struct ahci_table *table, uint64_t table_address,
                    const struct block_io *io, uint64_t data, uint64_t *trim, uint64_t trim_address,
                    uint32_t block_size);

/* IDENTIFY DEVICE, AHCI_IDENTIFY_SIZE bytes to an address. */
void ahci_identify(struct ahci_header *header, struct ahci_table *table, uint64_t table_address, uint64_t to);

/* Reads its answer: 0, -ENOTSUP a disk without 48-bit addresses or with blocks of another size than 512 to
 * 4096 bytes. */
int ahci_identify_read(struct block_identity *identity, const uint16_t *words);
