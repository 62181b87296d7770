-- Three sessions at a time, each forgotten an hour after its last heartbeat.
return { ["gemini-2.0-flash-live-001"] = { sessions = 3 } }
