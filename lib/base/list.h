/* Intrusive circular doubly linked list. A head or an unlinked node points at itself. No locking. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Where size counts more than a call in what happens once per object. */
#ifndef LIST_INLINE
#define LIST_INLINE inline
#endif

struct list {
    struct list *next, *prev;
};

/* The debug kernel is built with a function that looks at a node whose neighbours change
 * (kernel/variant/debug/list.c). */
#ifdef LIST_CHECK
void LIST_CHECK(const struct list *node);
#else
#define LIST_CHECK(node) ((void)0)
#endif

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#define LIST_INIT(head)                                                                                      \
    { &(head), &(head) }

static LIST_INLINE void list_init(struct list *node) {
    node->next = node->prev = node;
}

static inline bool list_empty(const struct list *head) {
    return head->next == head;
}

static inline void list_insert_before(struct list *position, struct list *node) {
    LIST_CHECK(position);
    node->next = position;
    node->prev = position->prev;
    position->prev->next = node;
    position->prev = node;
}

static inline void list_push_back(struct list *head, struct list *node) {
    list_insert_before(head, node);
}

static inline void list_push_front(struct list *head, struct list *node) {
    list_insert_before(head->next, node);
}

/* Unlinks a node and leaves it pointing at itself, so that removing twice is harmless. */
static inline void list_remove(struct list *node) {
    LIST_CHECK(node);
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = node;
}

/* The first node, unlinked; there is one. For the few paths where a call counts. */
static inline __attribute__((always_inline)) struct list *list_take_first(struct list *head) {
    struct list *node = head->next;
    LIST_CHECK(node);
    head->next = node->next;
    node->next->prev = head;
    node->next = node->prev = node;
    return node;
}

static inline struct list *list_pop_front(struct list *head) {
    struct list *node = head->next;
    if (node == head)
        return NULL;
    list_remove(node);
    return node;
}

/* Moves every node of source to the end of head; source is empty afterwards. */
static inline void list_splice_back(struct list *head, struct list *source) {
    if (list_empty(source))
        return;
    LIST_CHECK(head);
    LIST_CHECK(source);
    source->next->prev = head->prev;
    head->prev->next = source->next;
    source->prev->next = head;
    head->prev = source->prev;
    list_init(source);
}

#define list_entry(node, type, member) container_of(node, type, member)

#define list_for_each(entry, head, member)                                                                   \
    for (entry = container_of((head)->next, __typeof__(*entry), member); &entry->member != (head);           \
         entry = container_of(entry->member.next, __typeof__(*entry), member))

/* As above; the current entry may be removed. */
#define list_for_each_safe(entry, after, head, member)                                                       \
    for (entry = container_of((head)->next, __typeof__(*entry), member),                                     \
        after = container_of(entry->member.next, __typeof__(*entry), member);                                \
         &entry->member != (head);                                                                           \
         entry = after, after = container_of(entry->member.next, __typeof__(*entry), member))
