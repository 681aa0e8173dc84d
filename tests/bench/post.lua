-- wrk's script: one prepared POST, and a count of the answers that are not what was asked for.
local file = io.open(os.getenv("BENCH_REQUEST"), "r")
local lines = {}
for line in file:lines() do lines[#lines + 1] = line end
file:close()
wrk.method = "POST"
-- The body holds @ID@: no two requests of a session may share an id.
local before, after = lines[#lines]:match("^(.*)@ID@(.*)$")
local id = math.random(1, 1000000) * 1000
for index = 1, #lines - 1 do
  local name, value = lines[index]:match("^([^:]+): (.*)$")
  wrk.headers[name] = value
end
local threads = {}
function setup(thread) threads[#threads + 1] = thread end
function init() wrong = 0 end
function request()
  id = id + 1
  return wrk.format(nil, nil, nil, before .. id .. after)
end
function response(status, headers, body)
  if status ~= 200 or not body:find('"result"', 1, true) then wrong = wrong + 1 end
end
function done(summary, latency)
  local wrong = 0
  for _, thread in ipairs(threads) do wrong = wrong + thread:get("wrong") end
  io.write(string.format("BENCH %d %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), wrong,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
