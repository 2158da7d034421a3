/* See user_page.h. */
#include "kernel/user_page.h"

#include "kernel/job.h"

enum { CLEAR_STEP = 16 }; /* pages */

uint64_t table_page_alloc(struct job *job) {
    if (!job_charge(job, JOB_PAGES, 1))
        return 0;
    uint64_t physical = page_alloc_clear(0);
    if (!physical)
        job_uncharge(job, JOB_PAGES, 1);
    return physical;
}

struct page *user_page_alloc(struct job *job) {
    if (!job_charge(job, JOB_PAGES, 1))
        return NULL;
    uint64_t physical = page_alloc(0);
    if (!physical) {
        job_uncharge(job, JOB_PAGES, 1);
        return NULL;
    }
    struct page *page = page_from_phys(physical);
    atomic_store_explicit(&page->references, 1, memory_order_relaxed);
    page->job = job;
    object_get(&job->object);
    return page;
}

uint64_t user_block_take(struct job *job, unsigned order, uint64_t limit) {
    if (!job_charge(job, JOB_PAGES, 1ULL << order))
        return 0;
    uint64_t physical = page_alloc_below(order, limit);
    if (!physical)
        job_uncharge(job, JOB_PAGES, 1ULL << order);
    return physical;
}

uint64_t user_block_alloc(struct job *job, unsigned order) {
    uint64_t physical = user_block_take(job, order, 0);
    if (!physical)
        return 0;
    struct page *first = page_from_phys(physical), *page = first;
    for (; page < first + (1ULL << order); page++) {
        atomic_store_explicit(&page->references, 1, memory_order_relaxed);
        page->job = job;
        page->state = PAGE_USED;
        page->zone = first->zone;
        page_clear(page_virt(page));
        if (page_number(page) % CLEAR_STEP == CLEAR_STEP - 1)
            cpu_interrupts_window();
    }
    return physical;
}

void user_block_free(struct job *job, uint64_t physical, unsigned order) {
    page_free(physical, order);
    job_uncharge(job, JOB_PAGES, 1ULL << order);
}

/* Drops a slot or a pin; the last of both puts the page into the list. */
static void user_page_release(struct page *page, uint64_t count, struct page_list *list) {
    if (atomic_fetch_sub_explicit(&page->references, count, memory_order_acq_rel) != count)
        return;
    page->next = list->first;
    list->first = page_number(page);
}

void user_page_drop(struct page *page, struct page_list *list) {
    user_page_release(page, 1, list);
}

void user_page_put(struct page *page, uint64_t count) {
    struct page_list list = {0};
    user_page_release(page, count, &list);
    page_list_free(&list);
}

/* Gives back what count pages of a job held. */
static void job_release_pages(struct job *job, uint32_t count) {
    job_uncharge(job, JOB_PAGES, count);
    atomic_fetch_sub_explicit(&job->object.references, count - 1, memory_order_relaxed);
    object_put(&job->object);
}

void page_list_free(struct page_list *list) {
    struct job *job = NULL;
    uint32_t count = 0;

    for (uint32_t number = list->first; number;) {
        struct page *page = page_from_number(number);
        number = page->next;
        if (page->job != job) {
            if (count)
                job_release_pages(job, count);
            job = page->job;
            count = 0;
        }
        count++;
        page_free(page_phys(page), 0);
    }
    if (count)
        job_release_pages(job, count);
    list->first = 0;
}
