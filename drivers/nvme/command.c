/* See command.h. */
#include "drivers/nvme/command.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum { DATASET_DEALLOCATE = 4, STATUS_CODE = 0xfff, STATUS_INVALID_OPCODE = 1 };
enum {
    CONTROLLER_SERIAL = 4,
    CONTROLLER_TRANSFER = 77,
    CONTROLLER_OPTIONS = 520,
    CONTROLLER_CACHE = 525,
    OPTION_DATASET = 4,
};
enum {
    NAMESPACE_BLOCKS = 0,
    NAMESPACE_FORMAT = 26,
    NAMESPACE_ATTRIBUTES = 99,
    NAMESPACE_FORMATS = 128,
    FORMAT_MASK = 15,
    SHIFT_LEAST = 9,
    SHIFT_MOST = 12,
};
/* The controller's most, as a power of two of pages. */
enum { TRANSFER_LEAST = 5 };
_Static_assert(NVME_PAGE << TRANSFER_LEAST == BLOCK_REQUEST_MAX, "what clients may ask for at once");

/* The data's pages after the first. */
static void pages_set(struct nvme_command *command, uint64_t data, uint32_t length, struct nvme_extra *extra,
                      uint64_t extra_address) {
    uint64_t page = (data & ~(uint64_t)(NVME_PAGE - 1)) + NVME_PAGE, end = data + length;
    unsigned count = 0;
    command->prp1 = data;
    for (; page < end; page += NVME_PAGE)
        extra->pages[count++] = page;
    command->prp2 = count > 1 ? extra_address : count ? extra->pages[0] : 0;
}

static void transfer_set(struct nvme_command *command, const struct block_io *io, uint32_t ratio) {
    uint64_t first = io->sector / ratio;
    command->words[0] = (uint32_t)first;
    command->words[1] = (uint32_t)(first >> 32);
    command->words[2] = io->sectors / ratio - 1;
}

void nvme_translate(struct nvme_command *command, const struct block_io *io, uint64_t data,
                    struct nvme_extra *extra, uint64_t extra_address, uint32_t block_size) {
    uint32_t ratio = block_size / BLOCK_SECTOR;
    *command = (struct nvme_command){.namespace = NVME_NAMESPACE};
    switch (io->type) {
    case BLOCK_IN:
    case BLOCK_OUT:
        command->opcode = io->type == BLOCK_IN ? NVME_READ : NVME_WRITE;
        pages_set(command, data, io->length, extra, extra_address);
        transfer_set(command, io, ratio);
        break;
    case BLOCK_DISCARD:
        command->opcode = NVME_DATASET;
        command->words[1] = DATASET_DEALLOCATE;
        extra->range = (struct nvme_range){.blocks = io->sectors / ratio, .first = io->sector / ratio};
        command->prp1 = extra_address + offsetof(struct nvme_extra, range);
        break;
    default:
        command->opcode = NVME_FLUSH;
        break;
    }
}

uint8_t nvme_status(uint16_t status) {
    uint16_t code = status >> 1 & STATUS_CODE;
    return code == 0                       ? BLOCK_STATUS_OK
           : code == STATUS_INVALID_OPCODE ? BLOCK_STATUS_UNSUPPORTED
                                           : BLOCK_STATUS_ERROR;
}

/* Text is padded with blanks there, with 0 here. */
static void serial_copy(char *to, const uint8_t *from) {
    unsigned length = BLOCK_SERIAL_SIZE;
    while (length && (from[length - 1] == ' ' || from[length - 1] == 0))
        length--;
    memcpy(to, from, length);
}

int nvme_identify_read(struct block_identity *identity, const uint8_t *controller, const uint8_t *namespace) {
    const uint8_t *format = namespace + NAMESPACE_FORMATS + (namespace[NAMESPACE_FORMAT] & FORMAT_MASK) * 4;
    uint64_t blocks;
    unsigned metadata = format[0] | format[1] << 8, shift = format[2],
             transfer = controller[CONTROLLER_TRANSFER];
    memcpy(&blocks, namespace + NAMESPACE_BLOCKS, sizeof blocks);
    if (!blocks || metadata || shift < SHIFT_LEAST || shift > SHIFT_MOST ||
        blocks > (uint64_t)INT64_MAX >> SHIFT_MOST || (transfer && transfer < TRANSFER_LEAST))
        return -ENOTSUP;
    *identity = (struct block_identity){
        .sectors = blocks << (shift - SHIFT_LEAST),
        .block_size = 1U << shift,
        .features = (controller[CONTROLLER_CACHE] & 1 ? BLOCK_FEATURE_FLUSH : 0) |
                    (controller[CONTROLLER_OPTIONS] & OPTION_DATASET ? BLOCK_FEATURE_DISCARD : 0),
        .read_only = namespace[NAMESPACE_ATTRIBUTES] & 1,
    };
    serial_copy(identity->serial, controller + CONTROLLER_SERIAL);
    return 0;
}
