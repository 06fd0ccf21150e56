"""What the chassis costs: `echo` of `everything`, with keys and metrics, beside bare rmcp and FastMCP."""

from contextlib import ExitStack
from pathlib import Path

from harness.install import PEERS, RELEASE, collector, python, versions
from harness.load import Contender, Plan, enter, metric, ratio, take_turns
from harness.process import Process, free_port
from harness.report import ratios, table, verdict
from harness.request import new_key, tool_call

PACKAGES = ("gantry-kit", "bench-bare-rmcp")
TEXT = "the quick brown fox jumps over the lazy dog"
TRACES_DROPPED = 'telemetry_dropped_total{signal="traces"}'
KEYS = 10_000
RATE = "echo=1000000/s"
ANSWER = f'"structuredContent":{{"text":"{TEXT}"}}'


def run(folder: Path, plan: Plan) -> list[Contender]:
    options, bearer = new_key(folder)
    interpreter = python()
    many, one_of_many = new_key(folder, KEYS)
    keyed, plain, laden = (tool_call("echo", {"text": TEXT}, ANSWER, *it) for it in ([bearer], [], [one_of_many]))
    otlp, grpc = free_port(), free_port()

    def everything(port):
        return [RELEASE / "examples" / "everything", "--listen", f"127.0.0.1:{port}", *options]

    def all_on(port):
        program = [RELEASE / "examples" / "everything", "--listen", f"127.0.0.1:{port}", *many]
        return [*program, "--rate-limit", RATE, "--otlp-endpoint", f"http://127.0.0.1:{otlp}"]

    def bare(port):
        return [RELEASE / "bench-bare-rmcp", "--listen", f"127.0.0.1:{port}"]

    def fastmcp(*inside):
        return lambda port: [interpreter, PEERS / "echo_fastmcp.py", "127.0.0.1", port, *inside]

    with ExitStack() as running:
        echo = enter(running, "everything echo", everything, keyed, folder, plan.starts)
        # The same process: what differs is the audit line, which goes to a file.
        noted = tool_call("note", {"text": TEXT}, ANSWER, bearer)
        note = Contender("everything note", noted, echo.port, echo.server)
        running.enter_context(Process(collector(otlp, grpc), folder / "collector.log", beside_load=True))
        full = enter(running, "everything, all on", all_on, laden, folder, plan.starts)
        rmcp = enter(running, "bare rmcp", bare, plain, folder, plan.starts)
        fast = enter(running, "FastMCP, uvloop", fastmcp("uvloop", "httptools"), plain, folder, plan.starts)
        slow = enter(running, "FastMCP, asyncio", fastmcp("asyncio", "h11"), plain, folder, plan.starts)
        contenders = [echo, note, full, rmcp, fast, slow]
        take_turns(contenders, plan)
        calls, lost = (metric(full, f"gantry_{it}") for it in ('tool_calls_total{tool="echo"}', TRACES_DROPPED))

    table("echo: tools/call of 2026-07-28, stateless JSON; everything with keys and metrics", contenders)
    print(f"\n  FastMCP is {versions('fastmcp', 'mcp', 'uvicorn', 'uvloop', 'httptools')}")
    ratios("echo by bare rmcp", echo, rmcp)
    ratios("echo by FastMCP, uvloop", echo, fast)
    ratios("echo by FastMCP, asyncio (its plain install)", echo, slow)
    ratios("note by echo (the audit line)", note, echo)
    ratios("all on (OTLP, rate limit, 10,000 keys) by bare rmcp", full, rmcp)
    ratios("all on by echo", full, echo)
    print(f"  all on: {calls} calls, the spans of {lost} dropped and counted; the collector has no core of its own")
    print()
    verdict("echo ≥ 0.85 of bare rmcp, rps at c=64", ratio(echo, rmcp, 64), lambda it: it >= 0.85)
    verdict("echo ≥ 35 times FastMCP, uvloop, rps at c=64", ratio(echo, fast, 64), lambda it: it >= 35)
    verdict("all on ≥ 0.85 of bare rmcp, rps at c=64", ratio(full, rmcp, 64), lambda it: it >= 0.85)
    verdict("idle RSS < 10 MB", echo.idle, lambda it: it < 10, " MB")
    verdict("all on: idle RSS < 10 MB", full.idle, lambda it: it < 10, " MB")
    verdict("ready in < 10 ms", echo.start * 1e3, lambda it: it < 10, " ms")
    verdict("all on: ready in < 10 ms", full.start * 1e3, lambda it: it < 10, " ms")
    return contenders
