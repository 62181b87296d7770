/*
 * queue.c - see queue.h.
 *
 * Invariant of every inner node: its amounts and first are the least of its children's; its instant is not later than the
 * truth, and may be later than its children's, for it was learned by asking for all of them at once.
 */
#include "cli/queue.h"

#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

static const cli_node empty = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, CLI_NONE};

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Takes the children's least into the node; what it knows of the instant it keeps. */
static void gather(cli_queue *queue, uint32_t at)
{
    const cli_node *a = &queue->node[2 * at], *b = a + 1;
    cli_node *n = &queue->node[at];
    int64_t below = lesser(a->not_before_ns, b->not_before_ns);
    n->tokens = lesser(a->tokens, b->tokens);
    n->input = lesser(a->input, b->input);
    n->output = lesser(a->output, b->output);
    n->first = a->first < b->first ? a->first : b->first;
    if (n->not_before_ns < below) n->not_before_ns = below;
}

static void set(cli_queue *queue, uint32_t place, const cli_node *leaf)
{
    uint32_t at = queue->cap + place;
    queue->node[at] = *leaf;
    while (at /= 2) {
        cli_node *n = &queue->node[at];
        n->not_before_ns = lesser(n->not_before_ns, leaf->not_before_ns);
        gather(queue, at);
    }
}

cli_node cli_queue_root(const cli_queue *queue)
{
    return queue->cap ? queue->node[1] : empty;
}

/* Closes the gaps and leaves at least as many free places as there are items. */
static void rebuild(cli_queue *queue)
{
    uint32_t cap = 2;
    while (cap < 2 * queue->live) cap *= 2;
    int64_t known_ns = cli_queue_root(queue).not_before_ns; /* the new nodes must not forget it */
    cli_queue fresh = {.cap = cap, .place = queue->place, .live = queue->live};
    fresh.node = cli_resize(NULL, 2 * (size_t)cap, sizeof *fresh.node);
    fresh.item = cli_resize(NULL, cap, sizeof *fresh.item);
    for (uint32_t i = 0; i < 2 * cap; i++) fresh.node[i] = empty;
    for (uint32_t i = 0; i < queue->used; i++) {
        const cli_node *leaf = &queue->node[queue->cap + i];
        if (leaf->first == CLI_NONE) continue;
        cli_node *moved = &fresh.node[cap + fresh.used];
        *moved = *leaf;
        if (moved->not_before_ns < known_ns) moved->not_before_ns = known_ns;
        fresh.item[fresh.used] = queue->item[i];
        fresh.place[queue->item[i]] = fresh.used++;
    }
    for (uint32_t at = cap - 1; at; at--) {
        fresh.node[at].not_before_ns = 0;
        gather(&fresh, at);
    }
    free(queue->node);
    free(queue->item);
    *queue = fresh;
}

void cli_queue_put(cli_queue *queue, uint32_t item, const cli_node *leaf)
{
    if (queue->place[item] == CLI_NONE) {
        if (queue->used == queue->cap) rebuild(queue);
        queue->item[queue->used] = item;
        queue->place[item] = queue->used++;
        queue->live++;
    }
    set(queue, queue->place[item], leaf);
}

void cli_queue_forget(cli_queue *queue)
{
    for (uint32_t i = 1; i < 2 * queue->cap; i++)
        if (queue->node[i].first != CLI_NONE) queue->node[i].not_before_ns = 0;
}

void cli_queue_remove(cli_queue *queue, uint32_t item)
{
    set(queue, queue->place[item], &empty);
    queue->place[item] = CLI_NONE;
    if (--queue->live == 0) cli_queue_free(queue);
}

struct search {
    cli_queue *queue;
    int64_t now_ns;
    cli_ask_fn ask;
    void *ctx;
    uint32_t first; /* the best so far */
    uint32_t item;
};

static void search(struct search *s, uint32_t at)
{
    cli_queue *queue = s->queue;
    cli_node *n = &queue->node[at];
    if (n->not_before_ns > s->now_ns || n->first >= s->first) return;
    bool leaf = at >= queue->cap;
    uint32_t a = 2 * at, b = a + 1;
    bool lone = !leaf && (queue->node[a].first == CLI_NONE || queue->node[b].first == CLI_NONE);
    if (!lone) { /* a lone child would be asked the same again */
        uint32_t first = n->first, item = leaf ? queue->item[at - queue->cap] : CLI_NONE;
        int64_t at_ns = s->ask(s->ctx, n, item, &first);
        if (at_ns > s->now_ns) {
            n->not_before_ns = at_ns;
            return;
        }
        if (leaf) {
            if (first < s->first) s->first = first, s->item = item;
            return;
        }
    }
    bool swap = queue->node[b].first < queue->node[a].first;
    search(s, swap ? b : a);
    search(s, swap ? a : b);
    gather(queue, at);
}

uint32_t cli_queue_find(cli_queue *queue, int64_t now_ns, cli_ask_fn ask, void *ctx, uint32_t *first)
{
    struct search s = {queue, now_ns, ask, ctx, CLI_NONE, CLI_NONE};
    if (queue->cap) search(&s, 1);
    *first = s.first;
    return s.item;
}

void cli_queue_free(cli_queue *queue)
{
    free(queue->node);
    free(queue->item);
    *queue = (cli_queue){.place = queue->place};
}
