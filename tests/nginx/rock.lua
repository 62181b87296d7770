-- Runs the rock's specs within a worker of nginx, and prints TAP. From the top of the checkout.
local support = dofile "tests/nginx/support.lua"

local SPECS = [[
  server {
    listen unix:$DIR/gate.sock;
    location = /up { return 200 "up"; }
    location = /specs {
      default_type text/plain;
      content_by_lua_block {
        require "inside" { "tests/rock" }
      }
    }
  }
]]

local server = support.start(SPECS, {}, true)
io.write(server:get("/specs", "--max-time 110"))
server:remove()
