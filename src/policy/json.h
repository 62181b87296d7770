/* json.h - a JSON file of overrides, for the kernel. */
#ifndef LLIM_POLICY_JSON_H
#define LLIM_POLICY_JSON_H

#include <lua.h>

/* json(text) -> a table | nil, what is wrong, where: the line, the keys that lead there, or nil. Objects become tables with string keys; what JSON has and a
   table of overrides has not (null, a key twice, numbers beyond a double, deep nesting) is refused. */
int llim__json_read(lua_State *L);

#endif
