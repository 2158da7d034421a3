/*
 * Pages of user memory: single pages charged to a job (JOB_PAGES) for as long as they exist. The job is kept
 * alive by a reference per page, so a page may outlive the Vmo and every other object of the job that paid
 * for it (it lives on in a snapshot owned by another job) and still be uncharged exactly.
 *
 * struct page.references counts in its low half the tree slots (vmo_tree.h) that hold the page, in its high
 * half the pins of copies under way. A page with one slot is exclusive: its Vmo may write it. Pins keep it
 * from being freed but do not make it shared. Page-table entries count nothing; a Vmo removes them before it
 * lets go of a page.
 *
 * Freeing drops job references, which no lock of rank ≥ VMO may see; so pages are gathered in a list and
 * freed when the locks are released.
 */
#pragma once

#include "kernel/page.h"

#define PAGE_PIN (1ULL << 32)

/* Pages whose last reference is gone, linked by struct page.next. */
struct page_list {
    uint32_t first; /* page number; 0: empty */
};

/* A cleared page for a table of the kernel's, charged to the job. 0: quota or memory exhausted. */
uint64_t table_page_alloc(struct job *job);

/* A page with one slot reference, charged to the job; contents undefined. NULL: quota or memory exhausted. */
struct page *user_page_alloc(struct job *job);

/* A block of 2^order pages below a limit (page_alloc_below), charged to the job; contents undefined. 0: quota
 * or memory exhausted. */
uint64_t user_block_take(struct job *job, unsigned order, uint64_t limit);
/* The same anywhere, zeroed. Each page may become one as user_page_alloc makes them, but for the references
 * to the job. No lock may be held: interrupts get through. */
uint64_t user_block_alloc(struct job *job, unsigned order);
void user_block_free(struct job *job, uint64_t physical, unsigned order);

static inline void user_page_share(struct page *page) {
    atomic_fetch_add_explicit(&page->references, 1, memory_order_relaxed);
}
static inline bool user_page_exclusive(struct page *page) {
    return (uint32_t)atomic_load_explicit(&page->references, memory_order_acquire) == 1;
}

/* Drops a slot's reference; the last reference puts the page into the list. */
void user_page_drop(struct page *page, struct page_list *list);

/* Keeps a page from being freed; the caller holds the lock of a Vmo that holds the page. */
static inline void user_page_pin(struct page *page) {
    atomic_fetch_add_explicit(&page->references, PAGE_PIN, memory_order_relaxed);
}
/* Gives back count references: 1 for a slot, PAGE_PIN for a pin. No lock of rank ≥ VMO may be held. */
void user_page_put(struct page *page, uint64_t count);

/* Frees and uncharges the pages of the list, which is empty afterwards. No lock of rank ≥ VMO may be held. */
void page_list_free(struct page_list *list);
