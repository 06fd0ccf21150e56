-- One request over and over, and a look at every answer: wrk -s call.lua URL -- NEEDLE BODY HEADER…
-- An answer is wrong when it lacks NEEDLE or is a failed tool call; wrk itself counts statuses.
local threads = {}
wrong = 0

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  local needle = args[1]
  if args[2] ~= "" then
    wrk.method, wrk.body = "POST", args[2]
  end
  for at = 3, #args do
    local name, value = args[at]:match("^([^:]+): (.*)$")
    wrk.headers[name] = value
  end
  response = function(_, _, body)
    if not body:find(needle, 1, true) or body:find('"isError":true', 1, true) then
      wrong = wrong + 1
    end
  end
end

function done(summary, latency)
  for _, thread in ipairs(threads) do
    wrong = wrong + thread:get("wrong")
  end
  local errors = summary.errors
  print(string.format(
    '{"requests": %d, "micros": %d, "p50": %d, "p99": %d, "status": %d, "socket": %d, "wrong": %d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, wrong
  ))
end
