/* The host's programs have no vDSO, unless linux/vdso is linked in, whose functions take the place of these.
 */
#include "linux/vdso/vdso.h"

#include <stddef.h>

__attribute__((weak)) void vdso_start(void) {}
__attribute__((weak)) uint64_t vdso_length(void) {
    return 0;
}
__attribute__((weak)) struct vdso_data *vdso_data(void) {
    return NULL;
}

__attribute__((weak)) int vdso_map(struct mm *mm, uint64_t address) {
    (void)mm, (void)address;
    return 0;
}
