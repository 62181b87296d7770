-- What LuaJIT's FFI knows of the C headers: made of them by bindings/lua/native/declare.lua.

return {
  version = 100,
  structs = { "llim_charge", "llim_row", "llim_lease", "llim_permit", "llim_tag", "llim_request" },
  text = [[
enum llim_meter {
  LLIM_REQUESTS,
  LLIM_TOKENS,
  LLIM_INPUT_TOKENS,
  LLIM_OUTPUT_TOKENS,
  LLIM_IMAGES,
  LLIM_AUDIO_MS,
  LLIM_CHARACTERS,
  LLIM_SESSIONS,
  LLIM_COST,
  LLIM_METERS
};
typedef struct llim_charge {
  int64_t amount[LLIM_METERS];
} llim_charge;
typedef struct llim_row {
  uint32_t index;
  uint32_t epoch;
} llim_row;
typedef struct llim_lease {
  uint32_t index;
  uint32_t nonce;
} llim_lease;
typedef struct llim_permit {
  uint32_t n_rows;
  uint32_t n_leases;
  uint32_t candidate;
  uint32_t generation;
  int64_t at_ns;
  int64_t wall_ns;
  uint64_t serial;
  uint64_t model;
  llim_charge charge;
  llim_row row[8];
  uint32_t identity[8];
  llim_lease lease[4];
  uint16_t done[8];
} llim_permit;
typedef struct llim_tag {
  const char * name;
  const char *value;
} llim_tag;
typedef struct llim_request {
  uint32_t size;
  uint32_t n_models;
  const char *const *models;
  llim_charge charge;
  int64_t max_output_tokens;
  const llim_row *scopes;
  uint32_t n_scopes;
  uint32_t n_tags;
  const llim_tag *tags;
} llim_request;
typedef struct llim__native_limiter llim__native_limiter;
int32_t llim_ffi_acquire(llim__native_limiter *limiter, const llim_request *request, const uint32_t *sizes,
  llim_permit *permit);
int32_t llim_ffi_settle(llim__native_limiter *limiter, llim_permit *permit, const llim_charge *facts);
int32_t llim_ffi_cancel(llim__native_limiter *limiter, llim_permit *permit);
]],
}
