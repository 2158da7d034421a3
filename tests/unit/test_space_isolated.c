// clang-format off
/* sources: kernel/page.c kernel/zone.c kernel/zone_init.c kernel/user_page.c kernel/kmem.c kernel/vmo.c kernel/vmo_tree.c kernel/vmo_copy.c kernel/mapping.c kernel/space.c kernel/space_map.c kernel/fault.c kernel/large.c kernel/arch/x86_64/page_table.c kernel/lock.c kernel/arch/host/machine.c lib/base/tree.c */
// clang-format on
/* flags: -Ikernel/arch/host -Ikernel/variant/release -pthread */
/* test_space.c on isolated page tables: each root is two pages. */
#define ISOLATED true
#include "tests/unit/test_space.c"
