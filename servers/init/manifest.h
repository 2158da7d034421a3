/*
 * The manifest: which services init starts, from which files, with exactly which capabilities. Plain text,
 * one statement a line; blank lines and lines that begin with # say nothing. `service NAME` opens a block
 * that lasts to the next:
 *
 *   program FILE            in the native archive (required)
 *   argument TEXT           one more argument, without blanks
 *   arguments FILE          0-separated arguments from a file of the archive; none when it is missing
 *   ioport BASE LENGTH      I/O ports, handle "ioport.BASE" (hexadecimal)
 *   mmio BASE LENGTH        device memory, handle "mmio.BASE" (hexadecimal)
 *   irq NUMBER              interrupt line or message, handle "irq.NUMBER"
 *   framebuffer             the one that the boot path found: a Vmo, handle "framebuffer", and an argument
 *                           --framebuffer=… (servers/init/framebuffer.h); neither when there is none
 *   file NAME FILE          a copy of a file of the archive: a Vmo, handle NAME; none when it is missing
 *   log | info | debug      the kernel log, system information, fault injection; handles of these names
 *   dma                     memory for devices (dma_create); a handle of this name
 *   realtime                processor time for real-time tasks (thread_realtime); a handle of this name
 *   interrupts              every interrupt line and message; handle "interrupts"
 *   boot | archive          struct boot_info and the initial archive, READ; handles of these names
 *   power                   is asked to switch the machine off and to reset it; handles "power.off" and
 *                           "power.reset", events that init signals
 *   serves PORT | calls PORT  the two ends of a port that callers know the service by; handles "PORT.port"
 *                           (RECV, SEND) and "PORT" (SEND)
 *   right network | file    may use the network cards, or the disks, of a service that it calls: handle
 *                           "devices.right", a RESOURCE_LINK with NETWORK, FILE or both (abi/devices.h)
 *   job                     the service's own job, handle "job"
 *   root                    the Linux root archive, handle "root", argument --root-offset=BYTES; none when
 *                           it is missing
 *   memory N[K|M|G] | N%    limit of the job, in bytes or of all memory; what is not limited is bounded only
 *                           by the machine
 *   objects N, threads N    further limits
 *   cpu N%                  limit of its time on all CPUs together
 *   offers LINK, uses LINK  the two ends of a console link (abi/console.h), handles "LINK", "LINK.kick",
 *                           "LINK.call"
 *   restart always | never | exit   what happens when it ends; exit: the system ends with its status. Default
 *                           never
 *   late                    starts after the others, when they leave processor time for it
 *   when WORD               starts only if the kernel's command line has WORD or WORD=…; its links exist only
 * then
 *
 * The parser is pure: text in, structure or an exact message out. It does not trust the text.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MANIFEST_SERVICES = 16,
    MANIFEST_NAME = 16, /* service and link names, with the closing 0 */
    MANIFEST_TEXT = 96, /* files and arguments, with the closing 0 */
    MANIFEST_ARGUMENTS = 16,
    MANIFEST_IOPORTS = 8,
    MANIFEST_MMIOS = 4,
    MANIFEST_IRQS = 8,
    MANIFEST_FILES = 2,
    MANIFEST_LINKS = 4, /* ends per service */
    MANIFEST_ERROR = 160,
};

enum manifest_restart { RESTART_NEVER, RESTART_ALWAYS, RESTART_EXIT };

struct manifest_ioport {
    uint32_t base, length;
};

struct manifest_mmio {
    uint64_t base, length;
};

struct manifest_file {
    char name[MANIFEST_NAME];
    char path[MANIFEST_TEXT];
};

/* One end of a link. */
struct manifest_link {
    char name[MANIFEST_NAME];
    bool offers;
    unsigned line;
};

struct manifest_service {
    char name[MANIFEST_NAME];
    char program[MANIFEST_TEXT];
    char arguments_file[MANIFEST_TEXT]; /* "" none */
    char arguments[MANIFEST_ARGUMENTS][MANIFEST_TEXT];
    unsigned argument_count;
    struct manifest_ioport ioports[MANIFEST_IOPORTS];
    unsigned ioport_count;
    struct manifest_mmio mmios[MANIFEST_MMIOS];
    unsigned mmio_count;
    uint32_t irqs[MANIFEST_IRQS];
    unsigned irq_count;
    struct manifest_file files[MANIFEST_FILES];
    unsigned file_count;
    struct manifest_link links[MANIFEST_LINKS];
    unsigned link_count;
    struct manifest_link ports[MANIFEST_LINKS]; /* offers: serves */
    unsigned port_count;
    bool log, info, debug, realtime, dma, job, root, interrupts, boot, archive, power, late, framebuffer;
    uint32_t link_rights;    /* NETWORK, FILE */
    uint64_t memory_bytes;   /* 0: no limit of its own */
    unsigned memory_percent; /* 0: none */
    uint64_t objects, threads;
    unsigned share; /* of all CPUs, in 1/1024; 0: no limit */
    enum manifest_restart restart;
    char when[MANIFEST_NAME]; /* "" always */
    bool restart_given;
    unsigned line; /* of its `service` statement */
};

struct manifest {
    struct manifest_service services[MANIFEST_SERVICES];
    unsigned count;
    char error[MANIFEST_ERROR]; /* "manifest:LINE: …" after a failure */
};

/* Parses text[0, length). True when the whole of it is valid; otherwise error says what is wrong and where.
 */
bool manifest_parse(struct manifest *manifest, const char *text, size_t length);
