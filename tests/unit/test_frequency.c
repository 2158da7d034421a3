/* sources: boot/frequency.c boot/source.c lib/base/string.c */
/* Frequency control on models of processors: registers that refuse what the real ones refuse, each CPU with
 * its own, and what was written in which order. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "boot/console.h"
#include "boot/cpu.h"
#include "boot/frequency.h"
#include "boot/trap.h"
#include "tests/unit/check.h"

enum { BIAS = 0x1b0, PM_ENABLE = 0x770, HWP_CAPABILITIES = 0x771, HWP_REQUEST = 0x774 };
#define CPPC_CAPABILITIES 0xc00102b0U
#define CPPC_ENABLE       0xc00102b1U
#define CPPC_REQUEST      0xc00102b3U

enum { HWP = 1 << 7, WINDOW = 1 << 9, PREFERENCE = 1 << 10, PACKAGE = 1 << 11 }; /* leaf 6, EAX */
enum { HAS_BIAS = 1 << 3 };                                                      /* leaf 6, ECX */
enum { CPPC = 1 << 27 };                                                         /* leaf 0x80000008, EBX */

enum { CPUS = 2, MOST_REGISTERS = 4, MOST_WRITES = 8 };

struct register_model {
    uint32_t msr, needs; /* needs: the register whose bit 0 must be 1 before, or 0 */
    uint64_t value, reserved;
    bool read_only, refuses_writes;
};

static struct {
    uint32_t eax, ecx, ebx;
    struct register_model registers[CPUS][MOST_REGISTERS];
    uint32_t count, cpu;
    uint32_t writes[MOST_WRITES], write_count, read_count;
} model;

static char notes[1024];
static struct boot_source source;

void boot_note(const char *format, ...) {
    size_t at = strlen(notes);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(notes + at, sizeof(notes) - at, format, arguments);
    va_end(arguments);
    strcat(notes, "\n");
}

struct cpuid cpu_leaf(uint32_t leaf) {
    if (leaf == 6)
        return (struct cpuid){.eax = model.eax, .ecx = model.ecx};
    CHECK_EQ(leaf, 0x80000008);
    return (struct cpuid){.ebx = model.ebx};
}

static struct register_model *find(uint32_t msr) {
    for (uint32_t i = 0; i < model.count; i++)
        if (model.registers[model.cpu][i].msr == msr)
            return &model.registers[model.cpu][i];
    return NULL;
}

static struct register_model *reachable(uint32_t msr) {
    struct register_model *found = find(msr);
    return found && (!found->needs || find(found->needs)->value & 1) ? found : NULL;
}

bool msr_try_read(uint32_t msr, uint64_t *value) {
    const struct register_model *found = reachable(msr);
    model.read_count++;
    if (found)
        *value = found->value;
    return found;
}

bool msr_try_write(uint32_t msr, uint64_t value) {
    struct register_model *found = reachable(msr);
    CHECK(model.write_count < MOST_WRITES);
    model.writes[model.write_count++] = msr;
    if (!found || found->read_only || found->refuses_writes || (value ^ found->value) & found->reserved)
        return false;
    if (!found->needs && msr != BIAS && found->value & ~value & 1) /* on until the next reset */
        return false;
    found->value = value;
    return true;
}

static void register_add(uint32_t msr, uint32_t needs, uint64_t value, uint64_t reserved) {
    for (unsigned cpu = 0; cpu < CPUS; cpu++)
        model.registers[cpu][model.count] =
            (struct register_model){msr, needs, value, reserved, false, false};
    model.count++;
}

/* A processor of Intel's with these bits in leaf 6; what they do not announce is reserved, and set. */
static void intel(uint32_t eax, uint32_t ecx) {
    uint64_t reserved = 0xffffULL << 43;
    memset(&model, 0, sizeof(model));
    model.eax = eax;
    model.ecx = ecx;
    if (!(eax & WINDOW))
        reserved |= 0x3ffULL << 32;
    if (!(eax & PREFERENCE))
        reserved |= 0xff000000;
    if (!(eax & PACKAGE))
        reserved |= 1ULL << 42;
    if (eax & HWP) {
        register_add(PM_ENABLE, 0, 0x500, ~1ULL);
        register_add(HWP_CAPABILITIES, PM_ENABLE, 0x08101c2f, ~0ULL);
        register_add(HWP_REQUEST, PM_ENABLE, 0xa55507ffa011ff07, reserved);
        find(HWP_CAPABILITIES)->read_only = true;
    }
    if (ecx & HAS_BIAS)
        register_add(BIAS, 0, 0x5a5a5a0, ~15ULL);
}

static void amd(void) {
    memset(&model, 0, sizeof(model));
    model.ebx = CPPC;
    register_add(CPPC_ENABLE, 0, 0x30, ~1ULL);
    register_add(CPPC_CAPABILITIES, 0, 0xa6783914, ~0ULL);
    register_add(CPPC_REQUEST, CPPC_ENABLE, 0x1234567800000000, ~0ULL << 32);
}

static void boot(const char *command_line) {
    notes[0] = 0;
    source_set_command_line(&source, command_line, strlen(command_line));
    frequency_choose(&source);
    for (model.cpu = 0; model.cpu < CPUS; model.cpu++)
        frequency_set();
    model.cpu = 0;
    frequency_report();
}

/* The numbers between these bits of a register of a CPU. */
static unsigned field(unsigned cpu, uint32_t msr, unsigned high, unsigned low) {
    model.cpu = cpu;
    uint64_t value = find(msr)->value;
    model.cpu = 0;
    return (unsigned)(value >> low & ((2ULL << (high - low)) - 1));
}

#define CHECK_NOTES(expected)                                                                                \
    do {                                                                                                     \
        if (strcmp(notes, expected) != 0) {                                                                  \
            fprintf(stderr, "%s:%d: noted \"%s\"\n", __FILE__, __LINE__, notes);                             \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

TEST(hwp_whole) {
    intel(HWP | WINDOW | PREFERENCE | PACKAGE, HAS_BIAS);
    boot("");
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        CHECK_EQ(field(cpu, PM_ENABLE, 0, 0), 1);
        CHECK_EQ(field(cpu, HWP_REQUEST, 7, 0), 8);
        CHECK_EQ(field(cpu, HWP_REQUEST, 15, 8), 47);
        CHECK_EQ(field(cpu, HWP_REQUEST, 23, 16), 0);
        CHECK_EQ(field(cpu, HWP_REQUEST, 31, 24), 0xa0); /* as the firmware left it */
        CHECK_EQ(field(cpu, HWP_REQUEST, 42, 32), 0);
        CHECK_EQ(field(cpu, HWP_REQUEST, 63, 43), 0xa55507ffa011ff07ULL >> 43);
        CHECK_EQ(field(cpu, BIAS, 31, 0), 0x5a5a5a0);
        CHECK_EQ(model.writes[2 * cpu], PM_ENABLE);
        CHECK_EQ(model.writes[2 * cpu + 1], HWP_REQUEST);
    }
    CHECK_EQ(model.write_count, 2 * CPUS);
    CHECK_NOTES("frequency: HWP, performance 8 to 47, energy preference 160 of 255 (default)\n");
}

TEST(hwp_bare) {
    intel(HWP, 0);
    boot("cpufreq=power");
    CHECK_EQ(find(HWP_REQUEST)->value, 0xa55507ffa0002f08);
    CHECK_EQ(model.write_count, 2 * CPUS);
    CHECK_NOTES("frequency: HWP, performance 8 to 47\n");
}

TEST(hwp_with_bias_for_its_preference) {
    intel(HWP | PACKAGE | WINDOW, HAS_BIAS);
    boot("cpufreq=balance_power");
    CHECK_EQ(find(HWP_REQUEST)->value, 0xa5550000a0002f08);
    CHECK_EQ(find(BIAS)->value, 0x5a5a5a8);
    CHECK_EQ(model.write_count, 3 * CPUS);
    CHECK_NOTES(
        "frequency: HWP, performance 8 to 47\nfrequency: energy preference 8 of 15 (balance_power)\n");
}

TEST(hwp_is_on_already) {
    intel(HWP | PREFERENCE, 0);
    for (model.cpu = 0; model.cpu < CPUS; model.cpu++)
        find(PM_ENABLE)->value |= 1;
    boot("");
    CHECK_EQ(model.write_count, CPUS);
    CHECK_EQ(model.writes[0], HWP_REQUEST);
}

TEST(each_cpu_has_its_range) {
    intel(HWP | PREFERENCE, 0);
    model.cpu = 1;
    find(HWP_CAPABILITIES)->value = 0x050f1020;
    boot("");
    CHECK_EQ(field(0, HWP_REQUEST, 15, 0), 47 << 8 | 8);
    CHECK_EQ(field(1, HWP_REQUEST, 15, 0), 32 << 8 | 5);
}

static const struct {
    const char *words;
    unsigned hwp, cppc, bias;
    const char *preference;
} choices[] = {
    {"cpufreq=performance", 0, 0, 0, "performance"},
    {"a cpufreq=balance_performance b", 128, 128, 4, "balance_performance"},
    {"cpufreq=default sched=pack", 0xa0, 128, 6, "default"},
    {"sched=rr", 0xa0, 128, 6, "default"},
    {"cpufreq=balance_power", 192, 192, 8, "balance_power"},
    {"sched=pack", 192, 192, 8, "balance_power"},
    {"cpufreq=power", 255, 255, 15, "power"},
    {"cpufreq=power cpufreq=performance", 0, 0, 0, "performance"},
    {"cpufreq=off cpufreq=power", 255, 255, 15, "power"},
};

TEST(every_preference) {
    char expected[200];
    for (unsigned i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        intel(HWP | PREFERENCE, HAS_BIAS);
        boot(choices[i].words);
        CHECK_EQ(field(CPUS - 1, HWP_REQUEST, 31, 24), choices[i].hwp);
        snprintf(expected, sizeof(expected),
                 "frequency: HWP, performance 8 to 47, energy preference %u of 255 (%s)\n", choices[i].hwp,
                 choices[i].preference);
        CHECK_NOTES(expected);
        amd();
        boot(choices[i].words);
        CHECK_EQ(field(CPUS - 1, CPPC_REQUEST, 31, 24), choices[i].cppc);
        snprintf(expected, sizeof(expected),
                 "frequency: CPPC, performance 20 to 166, energy preference %u of 255 (%s)\n",
                 choices[i].cppc, choices[i].preference);
        CHECK_NOTES(expected);
        intel(0, HAS_BIAS);
        boot(choices[i].words);
        CHECK_EQ(find(BIAS)->value, 0x5a5a5a0 + choices[i].bias);
        CHECK_EQ(model.write_count, CPUS);
        snprintf(expected, sizeof(expected), "frequency: energy preference %u of 15 (%s)\n", choices[i].bias,
                 choices[i].preference);
        CHECK_NOTES(expected);
    }
}

TEST(default_is_the_firmwares) {
    intel(HWP | PREFERENCE, 0);
    for (model.cpu = 0; model.cpu < CPUS; model.cpu++)
        find(HWP_REQUEST)->value = 0; /* a reset leaves 128: somebody chose this */
    boot("");
    CHECK_EQ(find(HWP_REQUEST)->value, 0x00002f08);
    amd();
    find(CPPC_REQUEST)->value |= 0x40000000;
    boot("");
    CHECK_EQ(field(0, CPPC_REQUEST, 31, 24), 0x40);
    intel(0, HAS_BIAS);
    find(BIAS)->value |= 9;
    boot("");
    CHECK_EQ(find(BIAS)->value, 0x5a5a5a9);
}

TEST(cppc_whole) {
    amd();
    boot("");
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        CHECK_EQ(field(cpu, CPPC_ENABLE, 31, 0), 0x31);
        CHECK_EQ(field(cpu, CPPC_REQUEST, 31, 0), 128U << 24 | 20 << 8 | 166);
        CHECK_EQ(field(cpu, CPPC_REQUEST, 63, 32), 0x12345678);
        CHECK_EQ(model.writes[2 * cpu], CPPC_ENABLE);
        CHECK_EQ(model.writes[2 * cpu + 1], CPPC_REQUEST);
    }
    CHECK_EQ(model.write_count, 2 * CPUS);
}

TEST(absent) {
    intel(0, 0);
    boot("");
    CHECK_NOTES("");
    boot("sched=pack");
    CHECK_NOTES("");
    boot("cpufreq=power");
    CHECK_NOTES("cpufreq=power: this processor has no frequency control\n");
    boot("cpufreq=off");
    CHECK_NOTES("");
    CHECK_EQ(model.write_count + model.read_count, 0);
}

TEST(features_without_hwp_mean_nothing) {
    intel(WINDOW | PREFERENCE | PACKAGE, 0);
    boot("");
    CHECK_EQ(model.write_count + model.read_count, 0);
    intel(WINDOW | PREFERENCE | PACKAGE, HAS_BIAS);
    boot("cpufreq=power");
    CHECK_EQ(find(BIAS)->value, 0x5a5a5af);
    CHECK_EQ(model.write_count, CPUS);
}

TEST(off_leaves_everything) {
    intel(HWP | PREFERENCE, HAS_BIAS);
    boot("cpufreq=power cpufreq=off");
    CHECK_EQ(model.write_count + model.read_count, 0);
    CHECK_NOTES("");
    amd();
    boot("cpufreq=off");
    CHECK_EQ(model.write_count + model.read_count, 0);
    CHECK_NOTES("");
}

TEST(unknown_words_are_ignored) {
    static const char *const unknown[] = {"fast", "", "powe", "powers", "Power", "power,"};
    char line[100], expected[200];
    for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        intel(0, 0);
        snprintf(line, sizeof(line), "a cpufreq=%s", unknown[i]);
        boot(line);
        snprintf(expected, sizeof(expected), "cpufreq=%s is not known and ignored\n", unknown[i]);
        CHECK_NOTES(expected);
    }
    intel(HWP | PREFERENCE, 0);
    boot("cpufreq=power");
    boot("cpufreq"); /* the rest stands behind the end */
    CHECK_EQ(field(0, HWP_REQUEST, 31, 24), 255);
    CHECK_NOTES("frequency: HWP, performance 8 to 47, energy preference 255 of 255 (default)\n");
    intel(HWP | PREFERENCE, 0);
    boot("xcpufreq=power");
    CHECK_EQ(field(0, HWP_REQUEST, 31, 24), 0xa0);
    CHECK_NOTES("frequency: HWP, performance 8 to 47, energy preference 160 of 255 (default)\n");
    boot("sched=pack cpufreq=fast");
    CHECK_EQ(field(0, HWP_REQUEST, 31, 24), 192);
}

/* A register that is not there, or refuses to be written, ends the attempt on that CPU alone. */
static void refuse(uint32_t msr, bool writes) {
    model.cpu = 1;
    if (writes)
        find(msr)->refuses_writes = true;
    else
        find(msr)->msr = 0;
}

TEST(refusals) {
    static const struct {
        uint32_t msr;
        bool writes;
        unsigned tried; /* writes on the CPU that refuses, of request or enable */
    } cases[] = {{PM_ENABLE, false, 0},
                 {PM_ENABLE, true, 1},
                 {HWP_CAPABILITIES, false, 1},
                 {HWP_REQUEST, false, 1},
                 {HWP_REQUEST, true, 2}};
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        intel(HWP | PREFERENCE, 0);
        if (!cases[i].writes && cases[i].msr == PM_ENABLE)
            model.registers[1][1].needs = model.registers[1][2].needs = 0;
        refuse(cases[i].msr, cases[i].writes);
        boot("");
        CHECK_EQ(field(0, HWP_REQUEST, 15, 0), 47 << 8 | 8);
        CHECK_EQ(model.write_count, 2 + cases[i].tried);
        CHECK_NOTES("frequency: refused by 1 of the CPUs\n");
    }
    for (unsigned writes = 0; writes < 2; writes++) {
        intel(0, HAS_BIAS);
        refuse(BIAS, writes);
        boot("");
        CHECK_NOTES("frequency: refused by 1 of the CPUs\n");
    }
    intel(HWP, HAS_BIAS); /* both, and one count */
    refuse(HWP_REQUEST, true);
    refuse(BIAS, true);
    boot("");
    CHECK_NOTES("frequency: refused by 1 of the CPUs\n");
}

TEST(ranges_that_make_no_sense) {
    static const uint64_t capabilities[] = {0, 0x08000000, 0x30101c2f, 0xffffffff08000000};
    for (unsigned i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++) {
        intel(HWP | PREFERENCE, 0);
        for (model.cpu = 0; model.cpu < CPUS; model.cpu++)
            find(HWP_CAPABILITIES)->value = capabilities[i];
        boot("");
        CHECK_EQ(find(HWP_REQUEST)->value, 0xa55507ffa011ff07);
        CHECK_NOTES("frequency: refused by 2 of the CPUs\n");
    }
    intel(HWP | PREFERENCE, 0);
    find(HWP_CAPABILITIES)->value = 0x2f2f2f2f; /* one step is a range, too */
    boot("");
    CHECK_EQ(field(0, HWP_REQUEST, 15, 0), 0x2f2f);
}

TEST_MAIN();
