/*
 * NVM Express commands as they lie in a submission queue (NVMe base 1.4, 4.2; NVM command set), and what a
 * controller says of itself and its namespace. Pure: numbers in, numbers out.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/virtqueue/block_link.h"

enum {
    NVME_PAGE = 4096,
    NVME_PRP_MOST = BLOCK_REQUEST_MAX / NVME_PAGE + 1, /* pages that a request may touch */
    NVME_IDENTIFY_SIZE = 4096,
    NVME_NAMESPACE = 1,
};

enum nvme_admin { NVME_CREATE_SQ = 0x01, NVME_CREATE_CQ = 0x05, NVME_IDENTIFY = 0x06 };
enum nvme_opcode { NVME_FLUSH = 0x00, NVME_WRITE = 0x01, NVME_READ = 0x02, NVME_DATASET = 0x09 };
enum { NVME_IDENTIFY_NAMESPACE = 0, NVME_IDENTIFY_CONTROLLER = 1 };

struct nvme_command {
    uint8_t opcode, flags;
    uint16_t id;
    uint32_t namespace;
    uint64_t reserved, metadata;
    uint64_t prp1, prp2; /* the data's first page, and its second one or a list of the others */
    uint32_t words[6];   /* 10 to 15 */
};

struct nvme_completion {
    uint32_t result, reserved;
    uint16_t head, queue;
    uint16_t id;
    uint16_t status; /* bit 0: phase */
};

struct nvme_range { /* of NVME_DATASET */
    uint32_t attributes, blocks;
    uint64_t first;
};

_Static_assert(sizeof(struct nvme_command) == 64 && sizeof(struct nvme_completion) == 16, "as specified");

/* Memory of one request that the controller reads: page addresses or a discard's range. */
struct nvme_extra {
    uint64_t pages[NVME_PRP_MOST];
    struct nvme_range range;
    uint8_t padding[512 - 8 * NVME_PRP_MOST - 16];
};

_Static_assert(sizeof(struct nvme_extra) == 512, "a page holds whole ones");

/* Translates a request. data: its address; extra and its address: filled when needed. block_size: bytes of
 * the namespace's blocks; the request is whole blocks. */
void nvme_translate(struct nvme_command *command, const struct block_io *io, uint64_t data,
                    struct nvme_extra *extra, uint64_t extra_address, uint32_t block_size);

/* What an answer means to the client: BLOCK_STATUS_…. */
uint8_t nvme_status(uint16_t status);

/* Reads the two identify pages: 0, -ENOTSUP the namespace is empty, its blocks have another size than 512 to
 * 4096 bytes or carry metadata, or the controller moves less than BLOCK_REQUEST_MAX at once. */
int nvme_identify_read(struct block_identity *identity, const uint8_t *controller, const uint8_t *namespace);
