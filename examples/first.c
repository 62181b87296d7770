/* first.c - ask before a call, settle after it. Build: cc first.c $(pkg-config --cflags --libs llm_limiters) */
#include <llm_limiters.h>
#include <stdio.h>

int main(void)
{
    const char *models[] = {"gemini-2.5-flash", "gpt-4o-mini"};
    llim_options options = {.size = sizeof options, .tier = "free"};
    llim_request request = {
        .size = sizeof request, .models = models, .n_models = 2, .charge.amount[LLIM_TOKENS] = 1200};
    llim_limiter *limiter;
    llim_permit permit;
    llim_refusal refusal;
    llim_error err;
    char why[256];

    if (llim_open(&options, &limiter, &err)) return fprintf(stderr, "%s\n", err.message), 1;
    for (int call = 0; call < 70; call++) {
        int code = llim_acquire(limiter, &request, &permit, &refusal, &err);
        if (code == LLIM_OK) {
            printf("call %d goes to %s\n", call, models[permit.candidate]);
            llim_charge used = permit.charge; /* what the answer does not tell stays as it was reserved */
            used.amount[LLIM_INPUT_TOKENS] = 700;
            used.amount[LLIM_TOKENS] = 987;
            llim_settle(llim_limiter_zone(limiter), &permit, &used);
        } else if (code == LLIM_LATER || code == LLIM_NEVER) {
            llim_refusal_text(&refusal, why, sizeof why);
            printf("call %d is refused: %s\n", call, why);
        } else {
            return fprintf(stderr, "%s\n", err.message), 1;
        }
    }
    llim_close(limiter);
    return 0;
}
