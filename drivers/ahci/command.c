/* See command.h. */
#include "drivers/ahci/command.h"

#include <errno.h>
#include <string.h>

enum ata_command {
    ATA_TRIM = 0x06, /* DATA SET MANAGEMENT with feature 1 */
    ATA_READ = 0x25,
    ATA_WRITE = 0x35,
    ATA_FLUSH = 0xea,
    ATA_IDENTIFY = 0xec,
};
enum {
    FIS_REGISTERS = 0x27,
    FIS_COMMAND = 0x80,
    FIS_DWORDS = 5,
    DEVICE_LBA = 0x40,
    HEADER_WRITE = 1 << 6,
    HEADER_REGION = 1 << 16,
    TRIM_MOST = 65535,
};
enum {
    WORD_SERIAL = 10,
    WORD_COMMANDS = 83, /* bit 10: 48-bit addresses; 13: FLUSH CACHE EXT */
    WORD_ENABLED = 85,  /* bit 5: write cache */
    WORD_SECTORS = 100,
    WORD_SIZES = 106, /* bit 12: blocks larger than 512 bytes; 15:14 = 1: valid */
    WORD_BLOCK = 117, /* their size in 16-bit words */
    WORD_TRIM = 169,
    BLOCK_MOST = 4096,
};

static void fis_build(struct ahci_table *table, enum ata_command command, uint8_t feature, uint64_t block,
                      uint32_t count) {
    uint8_t *fis = table->command;
    memset(table, 0, sizeof *table);
    fis[0] = FIS_REGISTERS;
    fis[1] = FIS_COMMAND;
    fis[2] = (uint8_t)command;
    fis[3] = feature;
    for (unsigned i = 0; i < 3; i++) {
        fis[4 + i] = (uint8_t)(block >> 8 * i);
        fis[8 + i] = (uint8_t)(block >> (24 + 8 * i));
    }
    fis[7] = DEVICE_LBA;
    fis[12] = (uint8_t)count;
    fis[13] = (uint8_t)(count >> 8);
}

static void header_build(struct ahci_header *header, struct ahci_table *table, uint64_t table_address,
                         bool write, uint64_t data, uint32_t length) {
    *header = (struct ahci_header){.flags = FIS_DWORDS | (write ? HEADER_WRITE : 0), .table = table_address};
    if (!length)
        return;
    header->flags |= HEADER_REGION;
    table->region = (struct ahci_region){.address = data, .last = length - 1};
}

/* Ranges of at most 65,535 blocks: length in the upper 16 bits. */
static void trim_build(uint64_t *trim, uint64_t block, uint64_t blocks) {
    memset(trim, 0, AHCI_TRIM_SIZE);
    for (unsigned i = 0; i < AHCI_TRIM_SIZE / sizeof *trim && blocks; i++) {
        uint64_t part = blocks < TRIM_MOST ? blocks : TRIM_MOST;
        trim[i] = part << 48 | block;
        block += part;
        blocks -= part;
    }
}

void ahci_translate(struct ahci_header *header, struct ahci_table *table, uint64_t table_address,
                    const struct block_io *io, uint64_t data, uint64_t *trim, uint64_t trim_address,
                    uint32_t block_size) {
    uint32_t ratio = block_size / BLOCK_SECTOR;
    bool write = io->type != BLOCK_IN;
    switch (io->type) {
    case BLOCK_IN:
    case BLOCK_OUT:
        fis_build(table, write ? ATA_WRITE : ATA_READ, 0, io->sector / ratio, io->sectors / ratio);
        header_build(header, table, table_address, write, data, io->length);
        break;
    case BLOCK_DISCARD:
        trim_build(trim, io->sector / ratio, io->sectors / ratio);
        fis_build(table, ATA_TRIM, 1, 0, 1);
        header_build(header, table, table_address, true, trim_address, AHCI_TRIM_SIZE);
        break;
    default:
        fis_build(table, ATA_FLUSH, 0, 0, 0);
        header_build(header, table, table_address, false, 0, 0);
        break;
    }
}

void ahci_identify(struct ahci_header *header, struct ahci_table *table, uint64_t table_address,
                   uint64_t to) {
    fis_build(table, ATA_IDENTIFY, 0, 0, 0);
    header_build(header, table, table_address, false, to, AHCI_IDENTIFY_SIZE);
}

/* Two characters in a word, the first one above; padded with blanks. */
static void serial_copy(char *to, const uint16_t *words) {
    unsigned length = BLOCK_SERIAL_SIZE;
    for (unsigned i = 0; i < BLOCK_SERIAL_SIZE; i++)
        to[i] = (char)(words[i / 2] >> (i % 2 ? 0 : 8));
    while (length && (to[length - 1] == ' ' || to[length - 1] == 0))
        to[--length] = 0;
}

int ahci_identify_read(struct block_identity *identity, const uint16_t *words) {
    uint64_t blocks = 0;
    uint32_t size = BLOCK_SECTOR;
    for (unsigned i = 0; i < 4; i++)
        blocks |= (uint64_t)words[WORD_SECTORS + i] << 16 * i;
    if (words[WORD_SIZES] >> 14 == 1 && words[WORD_SIZES] >> 12 & 1)
        size = (words[WORD_BLOCK] | (uint32_t)words[WORD_BLOCK + 1] << 16) * 2;
    if (!(words[WORD_COMMANDS] >> 10 & 1) || !blocks || blocks >> 48 || size < BLOCK_SECTOR ||
        size > BLOCK_MOST || size & (size - 1))
        return -ENOTSUP;
    *identity = (struct block_identity){
        .sectors = blocks * (size / BLOCK_SECTOR),
        .block_size = size,
        .features = (words[WORD_COMMANDS] >> 13 & words[WORD_ENABLED] >> 5 & 1 ? BLOCK_FEATURE_FLUSH : 0) |
                    (words[WORD_TRIM] & 1 ? BLOCK_FEATURE_DISCARD : 0),
    };
    serial_copy(identity->serial, words + WORD_SERIAL);
    return 0;
}
