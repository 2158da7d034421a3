/* sources: servers/init/manifest.c */
/* The manifest parser: the shipped manifest, every statement, and the exact message of every error. */
#define _GNU_SOURCE
#include "servers/init/manifest.h"

#include <string.h>

#include "abi/rights.h"
#include "tests/unit/check.h"

static struct manifest manifest;

static bool parse(const char *text) {
    return manifest_parse(&manifest, text, strlen(text));
}

static void fails(const char *text, const char *error) {
    CHECK(!parse(text));
    if (strcmp(manifest.error, error) != 0) {
        fprintf(stderr, "got  %s\nwant %s\n", manifest.error, error);
        exit(1);
    }
}

TEST(shipped_manifest) {
    static char text[8192];
    FILE *file = fopen("servers/init/manifest", "r");
    CHECK(file != NULL);
    size_t length = fread(text, 1, sizeof text, file);
    fclose(file);
    if (!manifest_parse(&manifest, text, length))
        fprintf(stderr, "%s\n", manifest.error);
    CHECK_EQ(manifest.error[0], 0);
    const struct manifest_service *services = manifest.services;
    CHECK_EQ(manifest.count, 7);
    CHECK_EQ(services[0].ioports[0].base, 0x3f8);
    CHECK_EQ(services[1].irqs[0], 3);
    CHECK_EQ(strcmp(services[2].when, "console=tty0"), 0);
    CHECK(services[2].framebuffer && services[2].mmios[0].base == 0xb8000);
    CHECK_EQ(strcmp(services[3].when, "keelstat"), 0);
    CHECK_EQ(strcmp(services[4].when, "faults"), 0);
    CHECK(services[4].debug && !services[4].ports[0].offers);
    CHECK_EQ(services[5].when[0], 0);
    CHECK_EQ(services[5].restart, RESTART_EXIT);
    CHECK_EQ(strcmp(services[5].ports[0].name, "devices"), 0);
    CHECK(services[5].root && services[5].log && services[5].job);
    CHECK_EQ(services[5].link_rights, RIGHT_NETWORK | RIGHT_FILE);
    CHECK_EQ(services[6].link_rights, RIGHT_NONE);
    CHECK(services[6].dma && services[6].interrupts && services[6].power);
    CHECK(services[6].boot && services[6].archive && services[6].ports[0].offers);
}

TEST(all_statements) {
    CHECK(parse(
        "# comment\n\n\tservice a-1\nprogram bin/a\nargument x\nargument --y=1\narguments etc/run\n"
        "ioport 0x60 5\nioport 100 1\nirq 1\nirq 0x0c\nlog\ninfo\ndebug\njob\nroot\nmemory 3M\nobjects 7\n"
        "threads 9\noffers l\nlate\nserves p\npower\nrestart always\nmmio 0xa0000 0x20000\nframebuffer\n"
        "file font etc/f\nwhen a=1\nservice b\ncalls p\nprogram b\nuses l\nmemory 40%\ncpu 25%\n"
        "right file\nservice c\nprogram c\nright network\nright file\nright network\n"
        "service d\nprogram d\nright network"));
    const struct manifest_service *a = &manifest.services[0], *b = &manifest.services[1];
    CHECK_EQ(strcmp(a->name, "a-1"), 0);
    CHECK_EQ(strcmp(a->program, "bin/a"), 0);
    CHECK_EQ(a->argument_count, 2);
    CHECK_EQ(strcmp(a->arguments[1], "--y=1"), 0);
    CHECK_EQ(strcmp(a->arguments_file, "etc/run"), 0);
    CHECK_EQ(a->ioport_count, 2);
    CHECK_EQ(a->ioports[1].base, 100);
    CHECK_EQ(a->irqs[1], 12);
    CHECK(a->log && a->info && a->debug && a->job && a->root && a->late && a->power);
    CHECK(a->framebuffer && !b->framebuffer);
    CHECK_EQ(a->mmios[0].base, 0xa0000);
    CHECK_EQ(a->mmios[0].length, 0x20000);
    CHECK(strcmp(a->files[0].name, "font") == 0 && strcmp(a->files[0].path, "etc/f") == 0);
    CHECK_EQ(strcmp(a->when, "a=1"), 0);
    CHECK_EQ(a->memory_bytes, 3 << 20);
    CHECK_EQ(a->objects, 7);
    CHECK_EQ(a->threads, 9);
    CHECK_EQ(a->restart, RESTART_ALWAYS);
    CHECK(a->links[0].offers && !b->links[0].offers);
    CHECK_EQ(b->memory_percent, 40);
    CHECK_EQ(b->share, 256);
    CHECK_EQ(b->restart, RESTART_NEVER);
    CHECK(!b->log && !b->job);
    CHECK_EQ(a->link_rights, RIGHT_NONE);
    CHECK_EQ(b->link_rights, RIGHT_FILE);
    CHECK_EQ(manifest.services[2].link_rights, RIGHT_FILE | RIGHT_NETWORK);
    CHECK_EQ(manifest.services[3].link_rights, RIGHT_NETWORK);
}

TEST(errors) {
    fails("", "manifest:0: no service");
    fails("log\n", "manifest:1: \"log\" stands before the first service");
    fails("service a\nfrobnicate\n", "manifest:2: unknown word \"frobnicate\"");
    fails("service a b\n", "manifest:1: \"service\" takes 1 word, not 2");
    fails("service a\nlog 1 2 3 4 5\n", "manifest:2: \"log\" takes 0 words, not 5");
    fails("service A\n", "manifest:1: \"A\" is not a name: up to 15 of a-z 0-9 -");
    fails("service abcdefghijklmnop\n",
          "manifest:1: \"abcdefghijklmnop\" is not a name: up to 15 of a-z 0-9 -");
    fails("service a\nprogram p\n\nservice a\n", "manifest:4: service \"a\" stands at line 1 already");
    fails("service a\nlog\n", "manifest:1: service \"a\" has no program");
    fails("service a\nprogram p\nprogram q\n", "manifest:3: given twice: \"program\"");
    fails("service a\nirq 256\n", "manifest:2: \"256\" is not a number up to 255");
    fails("service a\nirq -1\n", "manifest:2: \"-1\" is not a number up to 255");
    fails("service a\nirq 4x\n", "manifest:2: \"4x\" is not a number up to 255");
    fails("service a\nirq 99999999999999999999999\n",
          "manifest:2: \"99999999999999999999999\" is not a number up to 255");
    fails("service a\nioport 0xfff8 9\n", "manifest:2: I/O ports 0xfff8 + 0x9 do not lie below 0x10000");
    fails("service a\nioport 0x10 0\n", "manifest:2: I/O ports 0x10 + 0x0 do not lie below 0x10000");
    fails("service a\nfile F x\n", "manifest:2: \"F\" is not a name: up to 15 of a-z 0-9 -");
    fails("service a\nwhen console=TTY\n",
          "manifest:2: \"console=TTY\" is not a word of a command line: up to 15 of a-z 0-9 - =");
    fails("service a\nmemory 0\n", "manifest:2: not an amount of memory: \"0\"");
    fails("service a\nmemory 101%\n", "manifest:2: not an amount of memory: \"101%\"");
    fails("service a\nmemory 5T\n", "manifest:2: not an amount of memory: \"5T\"");
    fails("service a\nmemory 5MB\n", "manifest:2: not an amount of memory: \"5MB\"");
    fails("service a\nmemory 1M\nmemory 1%\n", "manifest:3: given twice: \"memory\"");
    fails("service a\ncpu 101%\n", "manifest:2: not 1% to 100%: \"101%\"");
    fails("service a\nthreads 0\n", "manifest:2: a limit of 0 would let nothing start");
    fails("service a\nrestart sometimes\n",
          "manifest:2: not a restart policy (always, never, exit): \"sometimes\"");
    fails("service a\nright disk\n", "manifest:2: not a right to devices (network, file): \"disk\"");
    fails("service a\nright network file\n", "manifest:2: \"right\" takes 1 word, not 2");
    fails("service a\nrestart never\nrestart never\n", "manifest:3: given twice: \"restart\"");
    fails("service a\nprogram p\nuses l\n", "manifest:3: no service offers \"l\"");
    fails("service a\nprogram p\noffers l\nservice b\nprogram p\noffers l\n",
          "manifest:3: \"l\" is offered by more than one service");
    fails("service a\nprogram p\ncalls x\n", "manifest:3: no service serves \"x\"");
    fails("service a\nprogram p\nserves x\nservice b\nprogram p\nserves x\n",
          "manifest:3: \"x\" is served by more than one service");
    fails("service a\nprogram p\nrestart exit\nservice b\nprogram p\nrestart exit\n",
          "manifest:4: service \"b\" is the second with restart exit");
    fails("service a\npro\x01gram p\n", "manifest:2: control character 0x01 at column 4");
    fails("service a\r\n", "manifest:1: control character 0x0d at column 10");
}

TEST(limits) {
    static char text[4096];
    strcpy(text, "service a\nprogram p\n");
    for (int i = 0; i <= MANIFEST_ARGUMENTS; i++)
        strcat(text, "argument x\n");
    fails(text, "manifest:19: more than 16 of \"argument\" in one service");
    memset(text, 'x', 300);
    text[300] = 0;
    fails(text, "manifest:1: line of 300 bytes; the longest may have 255");
    text[0] = 0;
    for (int i = 0; i <= MANIFEST_SERVICES; i++)
        sprintf(text + strlen(text), "service s%d\n", i);
    fails(text, "manifest:17: more than 16 services");
}

TEST_MAIN();
