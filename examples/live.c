/* live.c - concurrent live sessions as leases: the fourth of three is refused until one of them ends. */
#include <llm_limiters.h>
#include <stdio.h>

int main(void)
{
    const char *models[] = {"gemini-2.0-flash-live-001"};
    llim_options options = {
        .size = sizeof options, .modality = LLIM_LIVE, .tier = "free", .overrides = "examples/live.lua"};
    llim_request session = {.size = sizeof session, .models = models, .n_models = 1, .charge.amount[LLIM_SESSIONS] = 1};
    llim_permit open[4];
    llim_limiter *limiter;
    llim_refusal refusal;
    llim_error err;
    char why[256];

    if (llim_open(&options, &limiter, &err)) return fprintf(stderr, "%s\n", err.message), 1;
    llim_zone *zone = llim_limiter_zone(limiter);
    for (int i = 0; i < 4; i++) {
        int code = llim_acquire(limiter, &session, &open[i], &refusal, &err);
        if (code == LLIM_OK)
            snprintf(why, sizeof why, "open");
        else if (code == LLIM_LATER || code == LLIM_NEVER)
            llim_refusal_text(&refusal, why, sizeof why);
        else
            return fprintf(stderr, "%s\n", err.message), 1;
        printf("session %d: %s\n", i + 1, why);
    }
    llim_model_info model;
    llim_charge turn = {.amount = {[LLIM_TOKENS] = 1500}};
    if (llim_model(limiter, models[0], &model, &err)) return 1;
    llim_record(zone, &model.row, 1, &turn); /* a turn's tokens, which nobody reserved */
    llim_renew(zone, &open[0]);              /* heartbeat: the lease lives on */
    llim_settle(zone, &open[1], NULL);       /* the session is closed: its lease is free at once */
    printf("after one has ended: %s\n",
           llim_available(limiter, &session, NULL, &refusal, &err) == LLIM_OK ? "the next may open" : "refused");
    llim_close(limiter);
    return 0;
}
