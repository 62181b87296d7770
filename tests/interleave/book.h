/*
 * book.h - the exact log of one limit, and what it proves.
 *
 * An entry is one charge at the time that its operation read. amount is the least that may count: it is written only once
 * the operation has returned, and lowered before a give-back begins. most is the most that may count: from before the call,
 * and it stays. The engine has to be between the two. A debt counts against an admission only if it was complete before
 * that one began.
 *
 * Where the wall clock steps, what a calendar promises is that no period is spent twice: everything that is admitted while
 * the newest period that was ever opened stays the same fits the limit together.
 */
#ifndef LLIM_TESTS_BOOK_H
#define LLIM_TESTS_BOOK_H

#include "kit.h"

enum { BOOK_ENTRIES = 200 };

typedef struct entry {
    int64_t at, wall; /* what the operation read */
    int64_t done;     /* when it returned; INT64_MAX: never */
    int64_t amount, most;
    int64_t expires;            /* gauge */
    int64_t opened, may_opened; /* calendar: the newest period when it took effect, at the least and at the most */
    uint64_t known;             /* when it returned, in the order of events */
    bool debt;
} entry;

typedef struct book {
    llim_limit limit; /* as it is in force */
    int64_t highest;  /* the largest amount that may be in force now */
    unsigned row, place;
    bool exact;     /* its safety is checked */
    bool equal;     /* used is exactly what the log has, while time stands */
    bool closed;    /* the row has no such limit now, or may have none */
    bool steps;     /* its wall clock steps */
    int64_t opened; /* calendar: the newest period that is open for sure */
    entry entry[BOOK_ENTRIES];
    unsigned n;
} book;

/* A charge that may happen from now on. */
entry *book_open(book *b, int64_t most);
/* The operation of this entry has returned, and has charged amount. */
void book_done(book *b, entry *e, int64_t at, int64_t wall, int64_t amount, uint64_t known);
/* Calls sim_wrong() if the admission of this entry, which began at event began when at most limit was in force, should not
   have been. */
void book_check(const book *b, const entry *e, uint64_t began, int64_t limit);
/* The least that the engine may say is used now, by what had returned before event began. */
int64_t book_least(const book *b, uint64_t began);
/* The most. */
int64_t book_most(const book *b);

#endif
