/*
 * See frequency.h. Intel's hardware-controlled performance states (HWP: Software Developer's Manual, volume
 * 3B, "Power and Thermal Management") and AMD's collaborative performance control (CPPC: Architecture
 * Programmer's Manual, volume 2, and the Processor Programming References of family 19h) are alike: one
 * register switches the mechanism on, for as long as the processor runs, another tells the bounds, a third
 * takes the request. Older processors of Intel's, and those whose request has no place for a preference, have
 * IA32_ENERGY_PERF_BIAS. Bits that mean nothing here stay as they were found.
 */
#include "boot/frequency.h"

#include <stdint.h>

#include "boot/console.h"
#include "boot/cpu.h"
#include "boot/trap.h"
#include "lib/base/string.h"

enum {
    LEAF_POWER = 6,
    EAX_HWP = 1 << 7,
    EAX_HWP_WINDOW = 1 << 9,
    EAX_HWP_PREFERENCE = 1 << 10,
    EAX_HWP_PACKAGE = 1 << 11,
    ECX_BIAS = 1 << 3,
    EBX_CPPC = 1 << 27
};
#define LEAF_SIZES 0x80000008U

/* All fields of capabilities and requests but the window are bytes; these two lie where both makers have
 * them.
 */
enum { BYTE = 0xff, DESIRED = 16, PREFERENCE = 24 };
#define WINDOW  (0x3ffULL << 32) /* over how long demand is averaged; 0: the processor chooses */
#define PACKAGE (1ULL << 42)     /* the package's request counts, not this CPU's */

enum { MSR_BIAS = 0x1b0, BIAS_MASK = 15 };

enum preference { PERFORMANCE, BALANCE_PERFORMANCE, BALANCE_POWER, POWER, DEFAULT, OFF, PREFERENCES };
static const char *const words[] = {
    [PERFORMANCE] = "performance",
    [BALANCE_PERFORMANCE] = "balance_performance",
    [DEFAULT] = "default",
    [BALANCE_POWER] = "balance_power",
    [POWER] = "power",
    [OFF] = "off",
};

/* 0 is performance alone. Where that is also what a reset leaves, nobody has chosen it: default takes the
 * value unset. Anything else is the firmware's choice and stays. */
struct scale {
    uint8_t values[DEFAULT]; /* by enum preference */
    uint8_t unset;
};
static const struct scale hwp_scale = {{0, 128, 192, 255}, 0}; /* a reset leaves 128 */
static const struct scale cppc_scale = {{0, 128, 192, 255}, 128};
static const struct scale bias_scale = {{0, 4, 8, 15}, 6};

struct mechanism {
    const char *name;
    uint32_t enable, capabilities, request; /* MSRs */
    uint8_t highest, lowest;                /* shifts in capabilities … */
    uint8_t most, least;                    /* … and in request */
    const struct scale *scale;
};
static const struct mechanism hwp = {"HWP", 0x770, 0x771, 0x774, 0, 24, 8, 0, &hwp_scale};
static const struct mechanism cppc = {"CPPC", 0xc00102b1, 0xc00102b0, 0xc00102b3, 24, 0, 0, 8, &cppc_scale};

static struct choice {
    enum preference preference;
    bool asked;                        /* by the command line */
    const struct mechanism *mechanism; /* or NULL */
    bool in_request;                   /* the request takes the preference */
    bool in_bias;                      /* IA32_ENERGY_PERF_BIAS does */
    uint64_t cleared;                  /* fields of the request that must be 0 */
    _Atomic uint32_t refusals;         /* CPUs that did not take it */
} chosen;

static enum preference preference_read(const struct boot_source *source, enum preference otherwise) {
    size_t length;
    const char *value = source_value(source, "cpufreq=", &length);

    if (!value)
        return otherwise;
    for (enum preference i = 0; i < PREFERENCES; i++)
        if (strlen(words[i]) == length && !memcmp(words[i], value, length)) {
            chosen.asked = true;
            return i;
        }
    boot_note("cpufreq=%.*s is not known and ignored", (int)length, value);
    return otherwise;
}

static void hwp_choose(uint32_t features) {
    chosen.mechanism = &hwp;
    chosen.in_request = features & EAX_HWP_PREFERENCE;
    if (features & EAX_HWP_WINDOW)
        chosen.cleared |= WINDOW;
    if (features & EAX_HWP_PACKAGE)
        chosen.cleared |= PACKAGE;
}

void frequency_choose(const struct boot_source *source) {
    chosen = (struct choice){.cleared = (uint64_t)BYTE << DESIRED};
    chosen.preference =
        preference_read(source, source_has_word(source, "sched=pack") ? BALANCE_POWER : DEFAULT);
    if (chosen.preference == OFF)
        return;
    struct cpuid power = cpu_leaf(LEAF_POWER);
    if (power.eax & EAX_HWP) {
        hwp_choose(power.eax);
    } else if (cpu_leaf(LEAF_SIZES).ebx & EBX_CPPC) {
        chosen.mechanism = &cppc;
        chosen.in_request = true;
    }
    chosen.in_bias = !chosen.in_request && power.ecx & ECX_BIAS;
}

static uint64_t byte_of(uint64_t value, uint8_t shift) {
    return value >> shift & BYTE;
}

static uint64_t energy_value(const struct scale *scale, uint64_t now) {
    if (chosen.preference != DEFAULT)
        return scale->values[chosen.preference];
    return now ? now : scale->unset;
}

static uint64_t request_make(const struct mechanism *mechanism, uint64_t request, uint64_t capabilities) {
    uint64_t replaced =
        chosen.cleared | (uint64_t)BYTE << mechanism->most | (uint64_t)BYTE << mechanism->least;
    uint64_t fields = byte_of(capabilities, mechanism->highest) << mechanism->most |
                      byte_of(capabilities, mechanism->lowest) << mechanism->least;

    if (chosen.in_request) {
        replaced |= (uint64_t)BYTE << PREFERENCE;
        fields |= energy_value(mechanism->scale, byte_of(request, PREFERENCE)) << PREFERENCE;
    }
    return (request & ~replaced) | fields;
}

/* The other registers may be read only once the mechanism is on. */
static bool request_set(const struct mechanism *mechanism) {
    uint64_t enable, capabilities, request;

    if (!msr_try_read(mechanism->enable, &enable))
        return false;
    if (!(enable & 1) && !msr_try_write(mechanism->enable, enable | 1))
        return false;
    if (!msr_try_read(mechanism->capabilities, &capabilities) || !msr_try_read(mechanism->request, &request))
        return false;
    uint64_t highest = byte_of(capabilities, mechanism->highest);
    if (!highest || byte_of(capabilities, mechanism->lowest) > highest)
        return false;
    return msr_try_write(mechanism->request, request_make(mechanism, request, capabilities));
}

static bool bias_set(void) {
    uint64_t bias;

    if (!msr_try_read(MSR_BIAS, &bias))
        return false;
    return msr_try_write(MSR_BIAS,
                         (bias & ~(uint64_t)BIAS_MASK) | energy_value(&bias_scale, bias & BIAS_MASK));
}

void frequency_set(void) {
    bool taken = !chosen.mechanism || request_set(chosen.mechanism);

    if (chosen.in_bias && !bias_set())
        taken = false;
    if (!taken)
        chosen.refusals++;
}

static void request_report(const struct mechanism *mechanism) {
    uint64_t request;

    if (!msr_try_read(mechanism->request, &request))
        return;
    uint64_t least = byte_of(request, mechanism->least), most = byte_of(request, mechanism->most);
    if (chosen.in_request)
        boot_note("frequency: %s, performance %lu to %lu, energy preference %lu of 255 (%s)", mechanism->name,
                  least, most, byte_of(request, PREFERENCE), words[chosen.preference]);
    else
        boot_note("frequency: %s, performance %lu to %lu", mechanism->name, least, most);
}

static void bias_report(void) {
    uint64_t bias;

    if (msr_try_read(MSR_BIAS, &bias))
        boot_note("frequency: energy preference %lu of 15 (%s)", bias & BIAS_MASK, words[chosen.preference]);
}

void frequency_report(void) {
    if (chosen.refusals) {
        boot_note("frequency: refused by %u of the CPUs", chosen.refusals);
        return;
    }
    if (chosen.mechanism)
        request_report(chosen.mechanism);
    if (chosen.in_bias)
        bias_report();
    if (chosen.asked && chosen.preference != OFF && !chosen.mechanism && !chosen.in_bias)
        boot_note("cpufreq=%s: this processor has no frequency control", words[chosen.preference]);
}
