/* sources: servers/devices/manifest.c */
/* Drivers' manifests: every one that is shipped, every statement, every refusal. */
#define _GNU_SOURCE
#include "servers/devices/manifest.h"

#include <glob.h>
#include <string.h>

#include "tests/unit/check.h"

static struct manifest manifest;

static bool parse(const char *text) {
    return manifest_parse(&manifest, "d", text, strlen(text));
}

static void fails(const char *text, const char *error) {
    CHECK(!parse(text));
    if (strcmp(manifest.error, error) != 0) {
        fprintf(stderr, "got  %s\nwant %s\n", manifest.error, error);
        exit(1);
    }
}

TEST(shipped_manifests) {
    static char text[8192];
    glob_t found;
    CHECK_EQ(glob("drivers/*/manifest", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        FILE *file = fopen(found.gl_pathv[i], "r");
        CHECK(file != NULL);
        size_t length = fread(text, 1, sizeof text, file);
        fclose(file);
        if (!manifest_parse(&manifest, found.gl_pathv[i], text, length)) {
            fprintf(stderr, "%s\n", manifest.error);
            exit(1);
        }
    }
    globfree(&found);
}

TEST(statements) {
    CHECK(parse("# a comment\n\nmatch pci 1af4:1042\nmatch class 0108..\nmatch class 010802\nmatch always\n"
                "offers block vd%a 1M\noffers char x 5000 optional\ndma 12K\nvectors 4\nioport 0x60 5\nmmio "
                "0xfed00000 1024\n"
                "irq 12\nmemory 4M\nmatch acpi HPET\nshows 0"));
    CHECK_EQ(manifest.match_count, 5);
    CHECK(manifest_matches(&manifest, MATCH_HPET) && manifest.has_shown && manifest.shown_bar == 0);
    CHECK_EQ(manifest.matches[1].class_mask, 0xffff00);
    CHECK_EQ(manifest.links[0].size, 1 << 20);
    CHECK(!manifest.links[0].optional && manifest.links[1].optional);
    CHECK_EQ(manifest.links[1].size, 8192);
    CHECK_EQ(manifest.links[1].device_class, DEVICES_CHAR);
    CHECK_EQ(manifest.dma, 16384);
    CHECK_EQ(manifest.vectors, 4);
    CHECK(manifest.ranges[0].ports && manifest.ranges[0].base == 0x60 && manifest.ranges[0].length == 5);
    CHECK(!manifest.ranges[1].ports && manifest.ranges[1].base == 0xfed00000);
    CHECK(manifest.irq_count == 1 && manifest.irqs[0] == 12);
    CHECK_EQ(manifest.memory, 4 << 20);
}

TEST(fits) {
    struct devices_pci function = {.vendor = 0x1af4, .device = 0x1042, .class_code = 0x010802};
    CHECK(parse("match pci 1af4:1042"));
    CHECK_EQ(manifest_fits(&manifest, &function), 2);
    CHECK(parse("match class 0108.."));
    CHECK_EQ(manifest_fits(&manifest, &function), 1);
    CHECK(parse("match class 010802\nmatch pci 1af4:1042"));
    CHECK_EQ(manifest_fits(&manifest, &function), 2);
    CHECK(parse("match class 010801\nmatch always\nmatch pci 1af4:1043"));
    CHECK_EQ(manifest_fits(&manifest, &function), 0);
}

TEST(refusals) {
    fails("dma 4K\n", "d:1: no \"match\"");
    fails("match pci 1af4:104\n", "d:1: no device is described by \"pci 1af4:104\"");
    fails("match pci 1AF4:1042\n", "d:1: no device is described by \"pci 1AF4:1042\"");
    fails("match class 0108.\n", "d:1: no device is described by \"class 0108.\"");
    fails("match acpi TPM2\n", "d:1: no device is described by \"acpi TPM2\"");
    fails("match always\nshows 6\n", "d:2: \"6\" is not a number up to 5");
    fails("match usb 1\n", "d:1: no device is described by \"usb 1\"");
    fails("match always\nwhat\n", "d:2: unknown word \"what\"");
    fails("match always\ndma 17M\n", "d:2: \"17M\" is not a size up to 16777216");
    fails("match always\ndma 4T\n", "d:2: \"4T\" is not a size up to 16777216");
    fails("match always\ndma 0\n", "d:2: \"0\" is not a size up to 16777216");
    fails("match always\nvectors 9\n", "d:2: \"9\" is not a number up to 8");
    fails("match always\nioport 0xffff 2\n", "d:2: not a range");
    fails("match always\noffers disk x 4K\n", "d:2: \"disk\" is no class of devices");
    fails("match always\noffers block %x 4K\n", "d:2: \"%x\" is not a name for devices");
    fails("match always\noffers block a/b 4K\n", "d:2: \"a/b\" is not a name for devices");
    fails("match always\noffers block abcdefghijklmno 4K\n",
          "d:2: \"abcdefghijklmno\" is not a name for devices");
    fails("match always\noffers block a 4K sometimes\n", "d:2: unknown word \"sometimes\"");
    fails("match always\ndma\n", "d:2: \"dma\" with 0 words behind it");
    fails("match always\nirq 48\n", "d:2: \"48\" is not a number up to 47");
}

TEST_MAIN();
