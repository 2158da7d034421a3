/* Lists are whole wherever they are changed: the debug kernel calls this as LIST_CHECK of lib/base/list.h. */
#include "lib/base/list.h"

#include "kernel/log.h"

void debug_list_check(const struct list *node);

void debug_list_check(const struct list *node) {
    if (node->next->prev != node || node->prev->next != node)
        panic("list: the neighbours of %p, %p and %p, do not point at it", (const void *)node,
              (const void *)node->prev, (const void *)node->next);
}
