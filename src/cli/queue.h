/*
 * queue.h - things that wait, searchable for the first of them that may go.
 *
 * When thousands wait for one limit, asking each of them after every admission would be quadratic. A queue is a binary tree
 * over the waiting whose nodes know the least amounts below them: what refuses the least refuses all, until at least the
 * same instant. Such instants are kept in the nodes, and stay true while time passes and others are admitted, since both
 * only ever put a request off. So most of the waiting are never asked.
 *
 * An item is a small number that the owner chose; it is in one queue at a time. The owner makes place[] with an entry per
 * item, CLI_NONE at first, and may share it between queues; the queue knows by it where an item is. An empty queue holds no
 * memory.
 */
#ifndef LLIM_CLI_QUEUE_H
#define LLIM_CLI_QUEUE_H

#include <stdint.h>

typedef struct cli_node {
    int64_t tokens, input, output; /* the least below */
    int64_t not_before_ns;         /* nothing below fits earlier */
    uint32_t first;                /* the lowest order of arrival below; CLI_NONE: empty */
} cli_node;

typedef struct cli_queue {
    cli_node *node;  /* node[1] is the root, node[cap + i] the leaf of place i */
    uint32_t *item;  /* by place */
    uint32_t *place; /* by item; borrowed */
    uint32_t cap;    /* a power of two, or 0 */
    uint32_t used;   /* places given out */
    uint32_t live;
} cli_queue;

/* The instant before which nothing at or below the node fits, or now if something may. item is CLI_NONE unless the node is
   a leaf; then *first may be raised to the order of arrival of what fits. */
typedef int64_t (*cli_ask_fn)(void *ctx, const cli_node *node, uint32_t item, uint32_t *first);

/* The root, which speaks for all that the queue holds. */
cli_node cli_queue_root(const cli_queue *queue);

/* Adds the item, or changes it. Items are searched in the order of first. */
void cli_queue_put(cli_queue *queue, uint32_t item, const cli_node *leaf);

/* Something was given back: what was known of instants may be later than the truth now, so it is forgotten. */
void cli_queue_forget(cli_queue *queue);

/* The item must be in the queue. */
void cli_queue_remove(cli_queue *queue, uint32_t item);

/* Of the items that fit now the one with the lowest order of arrival, into *first; CLI_NONE if there is none, and the
   root's instant is then later than now. */
uint32_t cli_queue_find(cli_queue *queue, int64_t now_ns, cli_ask_fn ask, void *ctx, uint32_t *first);

void cli_queue_free(cli_queue *queue);

#endif
