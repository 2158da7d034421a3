/* The vDSO's memory objects and their place in programs; see vdso.h. The image is built from
 * linux/vdso/guest. */
#include "linux/vdso/vdso.h"

#include "lib/keel/call.h"
#include "linux/abi/mman.h"
#include "linux/platform.h"
#include "linux/task/mm_internal.h"
#include "linux/vdso/data.h"

extern const char vdso_image[] __attribute__((visibility("hidden"))),
    vdso_image_end[] __attribute__((visibility("hidden"))); /* linux/arch */

static handle_t image_vmo, data_vmo;
static uint64_t image_length;
static struct vdso_data *data;

struct vdso_data *vdso_data(void) {
    return data;
}

uint64_t vdso_length(void) {
    return image_length ? PAGE_SIZE + image_length : 0;
}

static bool image_fill(uint64_t size) {
    for (uint64_t done = 0; done < size;) {
        int64_t count = keel_vmo_write(image_vmo, done, keel_pointer(vdso_image + done), size - done);
        if (count <= 0)
            return false;
        done += (uint64_t)count;
    }
    return true;
}

void vdso_start(void) {
    uint64_t size = (uint64_t)(vdso_image_end - vdso_image);
    int64_t image = keel_vmo_create(page_up(size), 0), page = keel_vmo_create(PAGE_SIZE, 0);
    if (image < 0 || page < 0 || !(data = memory_map((handle_t)page, 0, PAGE_SIZE, MAP_READ | MAP_WRITE)))
        return;
    image_vmo = (handle_t)image;
    data_vmo = (handle_t)page;
    clock_describe(data);
    if (image_fill(size))
        image_length = page_up(size);
}

int vdso_map(struct mm *mm, uint64_t address) {
    int error = mm_map_vmo(mm, address, PAGE_SIZE, PROT_READ, VMA_DIRECT | VMA_SEALED, data_vmo, 0, "[vvar]");
    if (!error)
        error = mm_map_vmo(mm, address + PAGE_SIZE, image_length, PROT_READ | PROT_EXEC,
                           VMA_DIRECT | VMA_SEALED, image_vmo, 0, "[vdso]");
    if (!error)
        mm->vdso = address + PAGE_SIZE;
    return error;
}
