/*
 * ELF programs: reading and checking their headers (lib/base/elf.h does the judging), mapping their segments,
 * and the same for the interpreter they name.
 */
#include "linux/abi/fcntl.h"
#include "linux/abi/mman.h"
#include "linux/abi/prctl.h"
#include "linux/fs/file.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/system.h"
#include "linux/task.h"
#include "linux/task/exec_image.h"
#include "linux/task/mm_internal.h"

enum { ELIBBAD = 80 };
/* Position-independent programs go to two thirds of the address space, as on Linux; fixed ones may use what
 * is below. */
#define PROGRAM_BASE  (GUEST_END / 3 * 2 & ~0x3fffffffULL)
#define PROGRAM_LIMIT (GUEST_END - (1ULL << 40))
enum { PROGRAM_RANDOM_PAGES = 1 << 14, HEAP_RANDOM_PAGES = 1 << 13 };

struct program {
    struct elf_image elf;
    struct file *file;
    uint8_t *segments; /* program headers, heap */
    uint64_t bias;
};

static int program_read(struct program *program, struct file *file, const uint8_t *head, size_t head_length) {
    struct attributes attributes;
    program->file = file;
    program->segments = NULL;
    int error = inode_getattr(file->path.inode, &attributes);
    if (error)
        return error;
    error = elf_read_header(&program->elf, head, head_length, attributes.size);
    if (error)
        return error;
    size_t length = (size_t)program->elf.segments_count * ELF_SEGMENT_SIZE;
    program->segments = heap_alloc(length);
    if (!program->segments)
        return -ENOMEM;
    int64_t count = file_read_at(file, program->segments, length, program->elf.segments_offset);
    if (count < 0)
        return (int)count;
    if ((size_t)count != length)
        return -ENOEXEC;
    bool fixed = program->elf.type == ELF_EXEC;
    return elf_read_segments(&program->elf, program->segments, fixed ? MMAP_LOWEST : 0,
                             fixed ? PROGRAM_LIMIT : PROGRAM_LIMIT - PROGRAM_BASE - (1ULL << 40));
}

static uint32_t segment_protection(const struct elf_segment *segment) {
    return (segment->flags & ELF_R ? PROT_READ : 0) | (segment->flags & ELF_W ? PROT_WRITE : 0) |
           (segment->flags & ELF_X ? PROT_EXEC : 0);
}

/* The file's part of a segment, in whole pages; what lies behind it in the last page is cleared later. */
static int segment_map_file(struct exec_image *image, const struct program *program,
                            const struct elf_segment *segment, uint64_t address) {
    uint64_t inset = address % PAGE_SIZE, end = address + segment->file_size;
    int error = mm_map(image->mm, address - inset, page_up(end) - (address - inset),
                       segment_protection(segment), 0, program->file, segment->offset - inset, NULL);
    if (error || segment->memory_size <= segment->file_size || !(segment->flags & ELF_W) ||
        end % PAGE_SIZE == 0)
        return error;
    if (image->clear_count == sizeof(image->clears) / sizeof(image->clears[0]))
        return -ENOEXEC;
    image->clears[image->clear_count++] = (struct clear){end, (uint32_t)(page_up(end) - end)};
    return 0;
}

static int segment_map(struct exec_image *image, const struct program *program,
                       const struct elf_segment *segment) {
    uint64_t address = segment->address + program->bias, end = address + segment->memory_size;
    uint64_t zero = address & -PAGE_SIZE;
    if (segment->file_size) {
        int error = segment_map_file(image, program, segment, address);
        if (error)
            return error;
        zero = page_up(address + segment->file_size);
    }
    if (page_up(end) <= zero)
        return 0;
    return mm_map(image->mm, zero, page_up(end) - zero, segment_protection(segment), 0, NULL, 0, NULL);
}

static int program_map(struct exec_image *image, const struct program *program) {
    struct elf_segment segment;
    uint32_t index = 0;
    int error = 0;
    while (!error && elf_next_segment(&program->elf, program->segments, ELF_LOAD, &index, &segment))
        error = segment_map(image, program, &segment);
    return error;
}

/* Code, data and heap of the main program. */
static void program_describe(struct mm *mm, const struct program *program) {
    struct elf_segment segment;
    uint32_t index = 0;
    while (elf_next_segment(&program->elf, program->segments, ELF_LOAD, &index, &segment)) {
        uint64_t start = segment.address + program->bias, end = start + segment.file_size;
        if (segment.flags & ELF_X && (!mm->code_start || start < mm->code_start))
            mm->code_start = start;
        if (segment.flags & ELF_X && end > mm->code_end)
            mm->code_end = end;
        if (start > mm->data_start)
            mm->data_start = start;
        if (end > mm->data_end)
            mm->data_end = end;
    }
}

uint64_t exec_random(const struct exec_image *image, uint32_t limit) {
    uint32_t number;
    if ((image->task->personality & ADDR_NO_RANDOMIZE && !image->secure) || !system_randomize)
        return 0;
    random_bytes(&number, sizeof(number));
    return (uint64_t)(number % limit) * PAGE_SIZE;
}

static void heap_place(const struct exec_image *image, const struct program *program) {
    uint64_t gap = system_randomize > 1 ? exec_random(image, HEAP_RANDOM_PAGES) : 0;
    image->mm->brk_start = image->mm->brk = page_up(program->elf.high + program->bias) + gap;
}

static uint64_t segments_alignment(const struct program *program) {
    struct elf_segment segment;
    uint32_t index = 0;
    uint64_t most = PAGE_SIZE;
    while (elf_next_segment(&program->elf, program->segments, ELF_LOAD, &index, &segment))
        if (segment.align > most && !(segment.align & (segment.align - 1)) && segment.align <= 1ULL << 30)
            most = segment.align;
    return most;
}

/* ---- the interpreter (dynamic loader) ---- */

static int interpreter_place(struct exec_image *image, struct program *program) {
    uint64_t alignment = segments_alignment(program), length = program->elf.high - program->elf.low;
    if (program->elf.type == ELF_EXEC) {
        program->bias = 0;
        return 0;
    }
    int64_t room = mm_find_room(image->mm, length + alignment - PAGE_SIZE);
    if (room < 0)
        return (int)room;
    program->bias = (((uint64_t)room + alignment - 1) & -alignment) - program->elf.low;
    return 0;
}

static int interpreter_load(struct exec_image *image, struct file *file) {
    struct program program = {0};
    uint8_t head[EXEC_HEAD];
    int64_t count = file_read_at(file, head, sizeof(head), 0);
    if (count < 0)
        return (int)count;
    int error = program_read(&program, file, head, (size_t)count);
    if (error == -ENOEXEC)
        error = -ELIBBAD;
    if (!error)
        error = interpreter_place(image, &program);
    if (!error)
        error = program_map(image, &program);
    image->interpreter_base = program.bias;
    image->start = program.elf.entry + program.bias;
    heap_free(program.segments);
    return error;
}

/* The path in PT_INTERP, opened. 0 with *file NULL: there is none. */
static int interpreter_open(const struct program *program, struct file **file) {
    struct elf_segment segment;
    uint32_t index = 0;
    *file = NULL;
    if (!elf_next_segment(&program->elf, program->segments, ELF_INTERP, &index, &segment))
        return 0;
    if (segment.file_size < 2 || segment.file_size > ELF_PATH_MAX)
        return -ENOEXEC;
    char *path = heap_alloc(segment.file_size);
    if (!path)
        return -ENOMEM;
    int64_t count = file_read_at(program->file, path, segment.file_size, segment.offset);
    int error = count < 0 ? (int)count : 0;
    if (!error && ((uint64_t)count != segment.file_size || path[count - 1]))
        error = -ENOEXEC;
    if (!error)
        error = file_open_program(AT_FDCWD, path, 0, file);
    heap_free(path);
    return error;
}

/* ---- the program ---- */

static int program_load(struct exec_image *image, struct program *program) {
    struct file *interpreter;
    int error = interpreter_open(program, &interpreter);
    if (error)
        return error;
    program->bias = 0;
    if (program->elf.type == ELF_DYN) {
        uint64_t alignment = segments_alignment(program);
        program->bias =
            ((PROGRAM_BASE + exec_random(image, PROGRAM_RANDOM_PAGES)) & -alignment) - program->elf.low;
    }
    image->stack_executable = program->elf.stack_executable;
    image->entry = image->start = program->elf.entry + program->bias;
    image->headers = program->elf.segments_address ? program->elf.segments_address + program->bias : 0;
    image->headers_count = program->elf.segments_count;
    mm_lock(image->mm);
    error = exec_layout(image);
    if (!error)
        error = program_map(image, program);
    if (!error) {
        program_describe(image->mm, program);
        heap_place(image, program);
    }
    if (!error && interpreter)
        error = interpreter_load(image, interpreter);
    mm_unlock(image->mm);
    if (interpreter)
        file_put(interpreter);
    return error;
}

int exec_map_elf(struct exec_image *image) {
    struct program program = {0};
    int error = program_read(&program, image->file, image->head, image->head_length);
    if (!error)
        error = program_load(image, &program);
    heap_free(program.segments);
    return error;
}
