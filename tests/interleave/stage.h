/*
 * stage.h - what the actors of one episode share: the scopes' handles, the books, and what is promised for later.
 *
 * actor.c has what deciders do, writer.c what places and changes rows; scene.c sets up, runs and checks. Everything here is
 * changed between two steps of the simulator only, so it needs no care of its own.
 */
#ifndef LLIM_TESTS_STAGE_H
#define LLIM_TESTS_STAGE_H

#include "scene.h"

enum { STAGE_HELD = 6, STAGE_TENANTS = 128 };

typedef struct held {
    llim_permit permit;
    entry *entry[SCENE_BOOKS]; /* NULL: not of this book */
} held;

typedef struct actor {
    struct scene *scene;
    held held[STAGE_HELD];
    unsigned n;
    /* Of the admission that fills held[n]: */
    bool deciding;
    uint64_t began;
    int64_t highest[SCENE_BOOKS]; /* the limit that may have been in force when it took effect */
    bool sure[SCENE_BOOKS];       /* the limit was there then */
    /* Of its last one: */
    llim_charge charge;
    llim_row row[SCENE_ROWS];
    uint32_t n_rows;
    bool refused;
    bool told; /* since it began: it may fit earlier than the refusal says */
} actor;

typedef struct scene {
    const play *play;
    kit_world world;
    kit_rng rng;
    llim_row row[SCENE_ROWS], older[SCENE_ROWS]; /* each scope's last handle, and the one before */
    int64_t cooled[SCENE_ROWS];                  /* until when each scope cools for sure */
    struct {
        llim_row row;
        unsigned scope;
    } tenant[STAGE_TENANTS];
    unsigned n_tenants;
    book book[SCENE_BOOKS];
    unsigned n_books;
    actor actor[SIM_THREADS];
    uint64_t events;
    int64_t ended; /* when the last thread did */
    llim_listener listener;
} scene;

bool stage_reloads(const play *play);
/* The limit of a book among those of its row, or NULL. */
const llim_usage *stage_usage(const book *b, const llim_usage *usage, uint32_t n);

/* actor.c: one act of a decider; an admission alone. */
void actor_act(actor *a);
void actor_admit(actor *a);

/* writer.c: gives a row other limits. */
void writer_reload(scene *s);
/* Places a scope that may have been recycled; LLIM_OK or LLIM_EFULL. */
int writer_place(scene *s, unsigned scope);
/* Looks for a scope without a lock. */
int writer_find(scene *s, unsigned scope);

#endif
