/* The guest's vector state beyond what linux/task/process.h declares. */
#pragma once

/* Writes the image of the initial state (of guest_vector_size() bytes, 64-byte aligned). */
void guest_vector_initial(void *image);
