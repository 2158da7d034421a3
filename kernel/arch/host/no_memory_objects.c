/* For tests of the allocators alone: the machine's reaper has no spaces or Vmos to destroy. */
#include "kernel/space.h"
#include "kernel/vmo.h"

bool vmo_destroy_step(struct vmo *vmo) {
    return !vmo;
}
bool space_destroy_step(struct space *space) {
    return !space;
}
