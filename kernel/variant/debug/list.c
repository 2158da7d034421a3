/* Lists are whole wherever they are changed: the debug kernel calls this as LIST_CHECK of lib/base/list.h. */
#include "lib/base/list.h"

#include "kernel/log.h"

void debug_list_check(const struct list *node);

void debug_list_check(const struct list *node) {
    if (node->next->prev != node || node->prev->next != node)
        panic("list: the neighbours of %lx, %lx and %lx, do not point at it", (uintptr_t)node,
              (uintptr_t)node->prev, (uintptr_t)node->next);
}
