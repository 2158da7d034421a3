/* Called once, first of all: 0 or a negative error. */
#pragma once

int heap_start(void);
