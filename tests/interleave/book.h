/*
 * book.h - the exact log of one limit, and what it proves.
 *
 * An entry is one charge at the time that its operation read. amount is the least that may count: it is written only once
 * the admission has returned, and lowered before a give-back begins. most is the most that may count: from before the call,
 * and it stays. The engine has to be between the two. A debt counts against an admission only if it was complete before
 * that one began.
 */
#ifndef LLIM_TESTS_BOOK_H
#define LLIM_TESTS_BOOK_H

#include "kit.h"

enum { BOOK_ENTRIES = 160 };

typedef struct entry {
    int64_t at, wall; /* what the operation read */
    int64_t done;     /* when it returned; INT64_MAX: never */
    int64_t amount, most;
    int64_t expires; /* gauge */
    uint64_t known;  /* when it returned, in the order of events */
    bool debt;
} entry;

typedef struct book {
    llim_limit limit; /* as it is in force */
    int64_t highest;  /* the largest amount that may be in force now */
    unsigned row, place;
    bool exact;  /* its safety is checked */
    bool closed; /* the row has no such limit now */
    entry entry[BOOK_ENTRIES];
    unsigned n;
} book;

/* A charge that may happen from now on. */
entry *book_open(book *b, int64_t most);
/* Calls sim_wrong() if the admission of this entry, which began at event began when at most limit was in force, should not
   have been. */
void book_check(const book *b, const entry *e, uint64_t began, int64_t limit);
/* The least and the most that the engine may say is used at this time. */
int64_t book_least(const book *b, int64_t now, int64_t wall);
int64_t book_most(const book *b);

#endif
