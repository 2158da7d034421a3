/* See user_page.h. */
#include "kernel/user_page.h"

#include "kernel/job.h"

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
