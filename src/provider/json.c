/*
 * json.c - owns the way this room asks cJSON: with a length, by exact names, and for numbers only within their range.
 *
 * A document that is not whole, or nested deeper than cJSON allows (1000), is none. The caller frees what is parsed.
 */
#include "provider/provider.h"

#include <cjson/cJSON.h>

cJSON *llim__json_parse(llim__text text)
{
    return text.len ? cJSON_ParseWithLength(text.at, text.len) : NULL;
}

const cJSON *llim__json_get(const cJSON *object, const char *name)
{
    return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, name) : NULL;
}

const char *llim__json_text(const cJSON *object, const char *name)
{
    const cJSON *item = llim__json_get(object, name);
    return cJSON_IsString(item) && item->valuestring ? item->valuestring : "";
}

int64_t llim__json_amount(const cJSON *object, const char *name)
{
    const cJSON *item = llim__json_get(object, name);
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= (double)LLIM_AMOUNT_MAX))
        return LLIM_UNKNOWN;
    int64_t whole = (int64_t)item->valuedouble;
    return (double)whole < item->valuedouble || (double)whole > item->valuedouble ? LLIM_UNKNOWN : whole;
}

int64_t llim__json_seconds(const cJSON *object, const char *name)
{
    const cJSON *item = llim__json_get(object, name);
    double most = (double)LLIM__DECIMAL_MAX / LLIM_SECOND;
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= most)) return LLIM_UNKNOWN;
    return (int64_t)(item->valuedouble * LLIM_SECOND + 0.5);
}
