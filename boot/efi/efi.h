/* The part of the UEFI specification that the EFI program uses: tables and protocols as the firmware lays
 * them out. */
#pragma once

#include <stdint.h>

#define EFI_CALL __attribute__((ms_abi))

/* The top bit says that it is an error. */
typedef uint64_t efi_status;
enum { EFI_SUCCESS = 0, EFI_BY_PROTOCOL = 2 };

struct efi_guid {
    uint32_t a;
    uint16_t b, c;
    uint8_t d[8];
};

struct efi_table_header {
    uint64_t signature;
    uint32_t revision, size, sum, reserved;
};

enum efi_allocation { EFI_ANY_PAGES = 0, EFI_PAGES_BELOW = 1, EFI_PAGES_AT = 2 };
enum efi_memory_type {
    EFI_LOADER_CODE = 1,
    EFI_LOADER_DATA = 2,
    EFI_BOOT_CODE = 3,
    EFI_BOOT_DATA = 4,
    EFI_CONVENTIONAL = 7,
};

struct efi_memory {
    uint32_t type, reserved;
    uint64_t physical, virtual, pages, attributes;
};

/* The firmware's functions until exit_boot_services; those that nobody calls are numbered places. */
struct efi_boot_services {
    struct efi_table_header header;
    void *task_priority[2];
    efi_status(EFI_CALL *allocate_pages)(enum efi_allocation how, enum efi_memory_type type, uint64_t pages,
                                         uint64_t *address);
    void *free_pages;
    efi_status(EFI_CALL *get_memory_map)(uint64_t *size, void *map, uint64_t *key, uint64_t *entry_size,
                                         uint32_t *version);
    void *pool_and_events[11];
    efi_status(EFI_CALL *handle_protocol)(void *handle, const struct efi_guid *protocol, void **found);
    void *images[9];
    efi_status(EFI_CALL *exit_boot_services)(void *image, uint64_t key);
    void *drivers[10];
    efi_status(EFI_CALL *locate_protocol)(const struct efi_guid *protocol, void *registration, void **found);
};

struct efi_text_output {
    void *reset;
    efi_status(EFI_CALL *write)(struct efi_text_output *output, const uint16_t *text);
};

struct efi_configuration {
    struct efi_guid guid;
    uint64_t table;
};

struct efi_system_table {
    struct efi_table_header header;
    const uint16_t *vendor;
    uint32_t vendor_revision, reserved;
    void *input_handle, *input, *output_handle;
    struct efi_text_output *output;
    void *error_handle, *error, *runtime;
    const struct efi_boot_services *boot;
    uint64_t configuration_count;
    const struct efi_configuration *configuration;
};

struct efi_loaded_image {
    uint32_t revision, reserved0;
    void *parent, *system_table, *device, *path, *reserved1;
    uint32_t options_size, reserved2;
    void *options;
    const uint8_t *base;
    uint64_t size;
};

enum efi_pixel_format { EFI_PIXEL_RGB = 0, EFI_PIXEL_BGR = 1, EFI_PIXEL_MASKS = 2 };

struct efi_screen_information {
    uint32_t version, width, height, format;
    uint32_t red, green, blue, unused; /* masks, for EFI_PIXEL_MASKS */
    uint32_t line_pixels;
};

struct efi_screen_mode {
    uint32_t modes, mode;
    const struct efi_screen_information *information;
    uint64_t information_size, base, size;
};

struct efi_screen {
    void *functions[3];
    const struct efi_screen_mode *mode;
};

struct efi_generator {
    void *information;
    /* algorithm NULL: the firmware's choice. */
    efi_status(EFI_CALL *generate)(struct efi_generator *generator, const struct efi_guid *algorithm,
                                   uint64_t size, void *bytes);
};
