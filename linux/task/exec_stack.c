/*
 * The new program's stack: where it lies, and what stands on it.
 *
 *   … argc argv… 0 envp… 0 auxv… | random bytes, platform | arguments | environment | file name | 8 zero
 * bytes | top
 *
 * The stack's whole reserve (RLIMIT_STACK) is mapped at once, committed as touched: a fault of the
 * personality on the guest's stack must not need the personality. Stack and vDSO share a 2 MB region, so that
 * they share a page table.
 */
#include "lib/base/string.h"
#include "linux/abi/auxv.h"
#include "linux/abi/mman.h"
#include "linux/abi/resource.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/task.h"
#include "linux/task/exec_image.h"
#include "linux/task/mm_internal.h"
#include "linux/task/process.h"
#include "linux/vdso/vdso.h"

enum {
    STACK_LEAST = 132 * 1024,
    STACK_MOST = 256 << 20,
    STACK_GUARD = 1 << 20,
    REGION = 2 << 20,
    REGION_CHOICES = 1 << 16,
    TOP_CHOICES = 64,
    STACK_ALIGN = 16,
    STARTS = PAGE_SIZE / STACK_ALIGN,
    VDSO_ROOM = 64 * 1024,
    CLOCK_TICKS = 100,
    HWCAP2_FSGSBASE = 2,
    SIGNAL_FRAME_REST = 936, /* of a signal frame beside the vector image */
};

/* ---- layout ---- */

static uint64_t stack_reserve(const struct task *task) {
    uint64_t limit = task->process->limits[RLIMIT_STACK].current & -PAGE_SIZE;
    return limit < STACK_LEAST ? STACK_LEAST : limit > STACK_MOST ? STACK_MOST : limit;
}

int exec_layout(struct exec_image *image) {
    struct mm *mm = image->mm;
    uint64_t reserve = stack_reserve(image->task);
    uint64_t region_end = GUEST_END - REGION - exec_random(image, REGION_CHOICES) / PAGE_SIZE * REGION;
    uint64_t top = region_end - VDSO_ROOM - PAGE_SIZE - exec_random(image, TOP_CHOICES);
    image->stack_top = top - exec_random(image, STARTS) / PAGE_SIZE * STACK_ALIGN;
    mm->stack_start = top;
    mm->mmap_top = top - reserve - STACK_GUARD;
    uint32_t protection = PROT_READ | PROT_WRITE | (image->stack_executable ? PROT_EXEC : 0);
    int error = mm_map(mm, top - reserve, reserve, protection, VMA_STACK | VMA_GROWSDOWN, NULL, 0, "[stack]");
    if (!error && vdso_length() && vdso_length() <= VDSO_ROOM)
        error = vdso_map(mm, region_end - VDSO_ROOM);
    return error;
}

/* ---- contents ---- */

/* The vectors, in order of address. */
struct words {
    uint64_t *words;
    size_t count;
};

static void word_add(struct words *words, uint64_t word) {
    words->words[words->count++] = word;
}

/* The addresses of a list's strings, which lie one behind the other from `at`. */
static void words_add_strings(struct words *words, const struct string_list *list, uint64_t at) {
    const char *text = list->bytes;
    for (uint32_t i = 0; i < list->count; i++) {
        size_t length = strlen(text) + 1;
        word_add(words, at);
        at += length;
        text += length;
    }
    word_add(words, 0);
}

static uint64_t cpu_features(void) {
    uint32_t a = 1, b, c = 0, d;
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return d;
}

struct stack_places {
    uint64_t name, environment, arguments, platform, random;
};

static void auxiliary_add(struct words *words, struct exec_image *image, const struct stack_places *places) {
    const struct credentials *credentials = &image->credentials;
    const uint64_t pairs[][2] = {
        {image->mm->vdso ? AT_SYSINFO_EHDR : AT_FLAGS, image->mm->vdso},
        {AT_MINSIGSTKSZ, guest_vector_size() + SIGNAL_FRAME_REST},
        {AT_HWCAP, cpu_features()},
        {AT_PAGESZ, PAGE_SIZE},
        {AT_CLKTCK, CLOCK_TICKS},
        {AT_PHDR, image->headers},
        {AT_PHENT, ELF_SEGMENT_SIZE},
        {AT_PHNUM, image->headers_count},
        {AT_BASE, image->interpreter_base},
        {AT_FLAGS, 0},
        {AT_ENTRY, image->entry},
        {AT_UID, credentials->uid},
        {AT_EUID, credentials->euid},
        {AT_GID, credentials->gid},
        {AT_EGID, credentials->egid},
        {AT_SECURE, image->secure},
        {AT_RANDOM, places->random},
        {AT_HWCAP2, HWCAP2_FSGSBASE},
        {AT_EXECFN, places->name},
        {AT_PLATFORM, places->platform},
        {AT_NULL, 0},
    };
    _Static_assert(sizeof(pairs) <= sizeof(image->mm->auxv), "mm->auxv holds them");
    memcpy(image->mm->auxv, pairs, sizeof(pairs));
    for (size_t i = 0; i < sizeof(pairs) / sizeof(uint64_t); i++)
        word_add(words, pairs[i / 2][i % 2]);
}

/* The strings, at the top. */
static int strings_write(struct exec_image *image, struct stack_places *places) {
    static const char platform[] = "x86_64";
    struct mm *mm = image->mm;
    size_t name_length = strlen(image->name) + 1;
    uint8_t random[16];

    places->name = image->stack_top - sizeof(uint64_t) - name_length;
    places->environment = places->name - image->environment->length;
    places->arguments = places->environment - image->arguments.length;
    places->platform = (places->arguments - sizeof(platform)) & -16ULL;
    places->random = places->platform - sizeof(random);
    random_bytes(random, sizeof(random));
    if (guest_copy_out(places->name, image->name, name_length) ||
        guest_copy_out(places->environment, image->environment->bytes, image->environment->length) ||
        guest_copy_out(places->arguments, image->arguments.bytes, image->arguments.length) ||
        guest_copy_out(places->platform, platform, sizeof(platform)) ||
        guest_copy_out(places->random, random, sizeof(random)))
        return -EFAULT;
    mm->argument_start = places->arguments;
    mm->argument_end = mm->environment_start = places->environment;
    mm->environment_end = places->name;
    return 0;
}

static int vectors_write(struct exec_image *image, const struct stack_places *places) {
    size_t most =
        1 + image->arguments.count + 1 + image->environment->count + 1 + sizeof(image->mm->auxv) / 8;
    struct words words = {heap_alloc(most * sizeof(uint64_t)), 0};
    if (!words.words)
        return -ENOMEM;
    word_add(&words, image->arguments.count);
    words_add_strings(&words, &image->arguments, places->arguments);
    words_add_strings(&words, image->environment, places->environment);
    auxiliary_add(&words, image, places);
    image->stack_pointer = (places->random - words.count * sizeof(uint64_t)) & -16ULL;
    int error = guest_copy_out(image->stack_pointer, words.words, words.count * sizeof(uint64_t));
    heap_free(words.words);
    return error;
}

int exec_fill(struct exec_image *image) {
    struct stack_places places;
    for (unsigned i = 0; i < image->clear_count; i++)
        if (guest_clear(image->clears[i].address, image->clears[i].length))
            return -EFAULT;
    int error = strings_write(image, &places);
    return error ? error : vectors_write(image, &places);
}
