/* journal.c - see journal.h. */
#include "engine/journal.h"

#include "engine/check.h"
#include "engine/laws.h"

void llim__journal_begin(llim_zone *zone, uint32_t row, int64_t cool)
{
    llim__journal *j = &zone->header->journal;
    at_store_rel(&j->row, row);
    at_store_rel(&j->cool, cool);
    at_store_rel(&j->phase, LLIM__SEALING);
}

void llim__journal_note(llim_zone *zone, uint32_t i, int which, uint64_t word)
{
    at_store_rel(&zone->header->journal.was[i][which], word);
}

void llim__journal_end(llim_zone *zone)
{
    at_store_rel(&zone->header->journal.phase, LLIM__IDLE);
}

/* Whoever dies in between leaves no cell whose config is of a sliding law and whose aux names no ring: see repair.c. */
static void write_row(llim_zone *zone, llim__row *row)
{
    llim__journal *j = &zone->header->journal;
    for (uint32_t i = 0, n = at_load_rlx(&j->n); i < n; i++) {
        struct llim__journal_cell *to = &j->cell[i];
        llim__cell *cell = llim__row_cell(zone, row, i);
        const uint64_t config = at_load_rlx(&to->config);
        const bool sliding = llim__cell_shape(zone, config)->law == LLIM_SLIDING;
        at_store_rel(&cell->word, LLIM__SEALED);
        if (!sliding) at_store_rel(&cell->config, config);
        if (!at_load_rlx(&to->keeps_aux)) at_store_rel(&cell->aux, at_load_rlx(&to->words[1]));
        at_store_rel(llim__row_born(zone, row, i), at_load_rlx(&to->born));
        if (sliding) at_store_rel(&cell->config, config);
    }
    at_store_rel(&row->identity, at_load_rlx(&j->identity));
    at_store_rel(&row->state, at_load_rlx(&j->state));
}

static void open_row(llim_zone *zone, llim__row *row)
{
    llim__journal *j = &zone->header->journal;
    for (uint32_t i = 0, n = at_load_rlx(&j->n); i < n; i++) {
        at_u64 *word = &llim__row_cell(zone, row, i)->word;
        if (at_load_acq(word) == LLIM__SEALED) at_store_rel(word, at_load_rlx(&j->cell[i].words[0]));
    }
}

/* From its phase on. */
static void carry_out(llim_zone *zone)
{
    llim__journal *j = &zone->header->journal;
    llim__row *row = &zone->row[at_load_rlx(&j->row)];
    if (at_load_rlx(&j->phase) == LLIM__WRITING) {
        write_row(zone, row);
        at_store_rel(&j->phase, LLIM__OPENING);
    }
    open_row(zone, row);
    llim__journal_end(zone);
}

void llim__journal_write(llim_zone *zone, uint32_t row, const llim__draft *draft)
{
    llim__journal *j = &zone->header->journal;
    at_store_rel(&j->row, row);
    at_store_rel(&j->n, draft->n);
    at_store_rel(&j->state, draft->state);
    at_store_rel(&j->identity, draft->identity);
    for (uint32_t i = 0; i < draft->n; i++) {
        const struct llim__draft_cell *from = &draft->cell[i];
        struct llim__journal_cell *to = &j->cell[i];
        at_store_rel(&to->config, from->config);
        at_store_rel(&to->words[0], from->words[0]);
        at_store_rel(&to->words[1], from->words[1]);
        at_store_rel(&to->born, from->born);
        at_store_rel(&to->keeps_aux, from->keeps_aux);
    }
    at_store_rel(&j->phase, LLIM__WRITING);
    carry_out(zone);
}

/* A row whose writer has changed nothing but to seal it decides again as it did. */
static void take_back(llim_zone *zone, llim__row *row)
{
    llim__journal *j = &zone->header->journal;
    const uint64_t state = at_load_acq(&row->state);
    if (!(LLIM__STATE_FLAGS(state) & LLIM__LIVE)) return; /* it was recycled */
    for (uint32_t i = 0, n = LLIM__STATE_LIMITS(state); i < n; i++) {
        llim__cell *cell = llim__row_cell(zone, row, i);
        if (llim__cell_shape(zone, at_load_rlx(&cell->config))->law == LLIM_CALENDAR &&
            at_load_acq(&cell->aux) == LLIM__SEALED)
            at_store_rel(&cell->aux, at_load_rlx(&j->was[i][1]));
        if (at_load_acq(&cell->word) == LLIM__SEALED) at_store_rel(&cell->word, at_load_rlx(&j->was[i][0]));
    }
    if (at_load_acq(&row->cool_until) == LLIM__RECYCLED) at_store_rel(&row->cool_until, at_load_rlx(&j->cool));
}

void llim__journal_recover(llim_zone *zone)
{
    llim__journal *j = &zone->header->journal;
    if (at_load_rlx(&j->phase) == LLIM__IDLE) return;
    const bool sound = llim__journal_is_sound(zone);
    if (sound && at_load_rlx(&j->phase) == LLIM__SEALING)
        take_back(zone, &zone->row[at_load_rlx(&j->row)]);
    else if (sound)
        carry_out(zone);
    llim__journal_end(zone);
}
