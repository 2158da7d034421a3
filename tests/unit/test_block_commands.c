/* sources: drivers/nvme/command.c drivers/ahci/command.c */
/* What the NVMe and AHCI drivers tell their controllers, field by field, and what they believe of them. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "drivers/ahci/command.h"
#include "drivers/nvme/command.h"
#include "tests/unit/check.h"

enum { EXTRA = 0x7000, DATA = 0x100000 };

static struct nvme_command command;
static struct nvme_extra extra;

static void nvme(uint32_t type, uint64_t sector, uint32_t bytes, uint64_t data, uint32_t block) {
    struct block_io io = {.type = type, .sector = sector, .sectors = bytes / 512, .length = bytes};
    memset(&extra, 0xff, sizeof extra);
    nvme_translate(&command, &io, data, &extra, EXTRA, block);
}

TEST(nvme_transfers) {
    nvme(BLOCK_IN, 0x123456789, 4096, DATA, 512);
    CHECK_EQ(command.opcode, NVME_READ);
    CHECK_EQ(command.namespace, 1);
    CHECK_EQ(command.words[0], 0x23456789);
    CHECK_EQ(command.words[1], 1);
    CHECK_EQ(command.words[2], 7);
    CHECK_EQ(command.prp1, DATA);
    CHECK_EQ(command.prp2, 0);
    nvme(BLOCK_OUT, 80, 8192, DATA, 4096);
    CHECK_EQ(command.opcode, NVME_WRITE);
    CHECK_EQ(command.words[0], 10);
    CHECK_EQ(command.words[2], 1);
    CHECK_EQ(command.prp2, DATA + 4096);
}

TEST(nvme_page_lists) {
    nvme(BLOCK_IN, 0, 4096, DATA + 512, 512); /* crosses a page */
    CHECK_EQ(command.prp1, DATA + 512);
    CHECK_EQ(command.prp2, DATA + 4096);
    nvme(BLOCK_IN, 0, 12288, DATA, 512);
    CHECK_EQ(command.prp2, EXTRA);
    CHECK_EQ(extra.pages[0], DATA + 4096);
    CHECK_EQ(extra.pages[1], DATA + 8192);
    CHECK_EQ(extra.pages[2], -1);
    nvme(BLOCK_IN, 0, BLOCK_REQUEST_MAX, DATA + 512, 512); /* the most pages */
    CHECK_EQ(extra.pages[31], DATA + 32 * 4096);
    CHECK_EQ(extra.pages[32], -1);
}

TEST(nvme_others) {
    nvme(BLOCK_FLUSH, 0, 0, 0, 512);
    CHECK_EQ(command.opcode, NVME_FLUSH);
    struct block_io io = {.type = BLOCK_DISCARD, .sector = 64, .sectors = 16, .length = 16};
    nvme_translate(&command, &io, DATA, &extra, EXTRA, 4096);
    CHECK_EQ(command.opcode, NVME_DATASET);
    CHECK_EQ(command.words[0], 0);
    CHECK_EQ(command.words[1], 4);
    CHECK_EQ(command.prp1, EXTRA + offsetof(struct nvme_extra, range));
    CHECK_EQ(extra.range.first, 8);
    CHECK_EQ(extra.range.blocks, 2);
    CHECK_EQ(nvme_status(1), BLOCK_STATUS_OK); /* the phase alone */
    CHECK_EQ(nvme_status(1 << 1), BLOCK_STATUS_UNSUPPORTED);
    CHECK_EQ(nvme_status(0x281 << 1 | 1), BLOCK_STATUS_ERROR);
}

TEST(nvme_identify) {
    static uint8_t controller[NVME_IDENTIFY_SIZE], namespace[NVME_IDENTIFY_SIZE];
    struct block_identity identity;
    uint64_t blocks = 1000;
    CHECK_EQ(nvme_identify_read(&identity, controller, namespace), -ENOTSUP); /* empty */
    memcpy(namespace, &blocks, sizeof blocks);
    namespace[26] = 1;
    namespace[128 + 4 + 2] = 12;
    memcpy(controller + 4, "S123                ", 20);
    controller[525] = 1;
    CHECK_EQ(nvme_identify_read(&identity, controller, namespace), 0);
    CHECK_EQ(identity.sectors, 8000);
    CHECK_EQ(identity.block_size, 4096);
    CHECK_EQ(identity.features, BLOCK_FEATURE_FLUSH);
    CHECK_EQ(memcmp(identity.serial, "S123\0\0", 6), 0);
    controller[77] = 4; /* 64 KB at once are too little */
    CHECK_EQ(nvme_identify_read(&identity, controller, namespace), -ENOTSUP);
    controller[77] = 5;
    namespace[128 + 4] = 8; /* metadata */
    CHECK_EQ(nvme_identify_read(&identity, controller, namespace), -ENOTSUP);
    namespace[128 + 4] = 0;
    for (unsigned shift = 0; shift < 256; shift++) {
        namespace[128 + 4 + 2] = (uint8_t)shift;
        CHECK_EQ(nvme_identify_read(&identity, controller, namespace),
                 shift >= 9 && shift <= 12 ? 0 : -ENOTSUP);
    }
    namespace[128 + 4 + 2] = 12;
    memset(namespace, 0xff, 8);
    CHECK_EQ(nvme_identify_read(&identity, controller, namespace), -ENOTSUP);
}

static struct ahci_header header;
static struct ahci_table table;
static uint64_t trim[AHCI_TRIM_SIZE / 8];

static void ahci(uint32_t type, uint64_t sector, uint32_t sectors, uint32_t length, uint32_t block) {
    struct block_io io = {.type = type, .sector = sector, .sectors = sectors, .length = length};
    memset(&table, 0xff, sizeof table);
    ahci_translate(&header, &table, 0x2000, &io, DATA, trim, 0x3000, block);
}

TEST(ahci_transfers) {
    static const uint8_t fis[16] = {0x27, 0x80, 0x25, 0, 0x89, 0x67, 0x45,
                                    0x40, 0x23, 0x01, 0, 0,    0x00, 0x01};
    ahci(BLOCK_IN, 0x0123456789, 256, 131072, 512);
    CHECK_EQ(memcmp(table.command, fis, sizeof fis), 0);
    CHECK_EQ(header.flags, 5 | 1 << 16);
    CHECK_EQ(header.table, 0x2000);
    CHECK_EQ(table.region.address, DATA);
    CHECK_EQ(table.region.last, 131071);
    ahci(BLOCK_OUT, 80, 8, 4096, 4096);
    CHECK_EQ(table.command[2], 0x35);
    CHECK_EQ(table.command[4], 10);
    CHECK_EQ(table.command[12], 1);
    CHECK_EQ(header.flags, 5 | 1 << 6 | 1 << 16);
    ahci(BLOCK_FLUSH, 0, 0, 0, 512);
    CHECK_EQ(table.command[2], 0xea);
    CHECK_EQ(header.flags, 5);
}

TEST(ahci_trim) {
    ahci(BLOCK_DISCARD, 100, 65536 + 5, 16, 512);
    CHECK_EQ(table.command[2], 0x06);
    CHECK_EQ(table.command[3], 1);
    CHECK_EQ(table.region.address, 0x3000);
    CHECK_EQ(trim[0], 65535ULL << 48 | 100);
    CHECK_EQ(trim[1], 6ULL << 48 | (100 + 65535));
    CHECK_EQ(trim[2], 0);
}

TEST(ahci_identify) {
    uint16_t words[256] = {0};
    struct block_identity identity;
    CHECK_EQ(ahci_identify_read(&identity, words), -ENOTSUP);
    words[100] = 0x1000;
    words[83] = 1 << 10 | 1 << 13;
    words[85] = 1 << 5;
    words[169] = 1;
    memcpy(&words[10], "ekel-1              ", 20);
    CHECK_EQ(ahci_identify_read(&identity, words), 0);
    CHECK_EQ(identity.sectors, 0x1000);
    CHECK_EQ(identity.block_size, 512);
    CHECK_EQ(identity.features, BLOCK_FEATURE_FLUSH | BLOCK_FEATURE_DISCARD);
    CHECK_EQ(memcmp(identity.serial, "kele1-\0", 7), 0);
    words[106] = 1 << 14 | 1 << 12;
    words[117] = 2048;
    CHECK_EQ(ahci_identify_read(&identity, words), 0);
    CHECK_EQ(identity.block_size, 4096);
    CHECK_EQ(identity.sectors, 0x8000);
    words[117] = 1000;
    CHECK_EQ(ahci_identify_read(&identity, words), -ENOTSUP);
    words[106] = 0;
    words[103] = 1;
    CHECK_EQ(ahci_identify_read(&identity, words), -ENOTSUP);
}

TEST_MAIN();
