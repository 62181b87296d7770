-- busted within a request: the specs that are named run in this worker, and TAP is what the client gets. Not those of
-- other event loops: a worker has its own.
return function(paths)
  rawset(_G, "arg", { [-1] = "luajit", [0] = "nginx", "-o", "TAP", "--exclude-pattern=schedulers", unpack(paths) })
  rawset(_G, "print", function(...) ngx.say(...) end)
  rawset(io, "write", function(...) ngx.print(...) return io.stdout end)
  rawset(os, "exit", function() end) -- busted's last call
  local done, why = pcall(require "busted.runner", { standalone = false })
  if not done then ngx.say("not ok - ", tostring(why)) end
end
