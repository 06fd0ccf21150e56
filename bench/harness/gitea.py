"""What the Gitea server adds to Gitea, beside the server of that name on PyPI, on one real Gitea."""

import json
import os
import subprocess
import time
import urllib.request
from base64 import b64encode
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from getpass import getuser
from pathlib import Path

from harness.install import RELEASE, gitea, venv, versions
from harness.load import Contender, Plan, enter, gap, ratio, say, take_turns
from harness.process import DidNotRun, Process, free_port, installed
from harness.report import ratios, table, verdict
from harness.request import Request, modern, new_key, rpc, tool_call

PACKAGES = ("gantry-gitea",)
CONNECTIONS = (1, 16)
ISSUES = 30
OWNER, PASSWORD, REPO = "operator", "correct horse", "bench"
SETTINGS = """\
WORK_PATH = {folder}
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
STATIC_ROOT_PATH = {programs}
OFFLINE_MODE = true
DISABLE_SSH = true
[database]
DB_TYPE = sqlite3
SQLITE_JOURNAL_MODE = WAL
[security]
INSTALL_LOCK = true
[indexer]
ISSUE_INDEXER_TYPE = db
[cron]
ENABLED = false
[log]
LEVEL = Warn
"""

# Gitea's own answers again, from a server that needs the same few microseconds for each.
REPLAY = """
user {user}; worker_processes 1; daemon off; pid {folder}/replay.pid; error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; default_type application/json; root {folder}/replay;
  server {{ listen 127.0.0.1:{port} backlog=1024; {locations} }}
}}
"""


class Forge:
    """A Gitea with one repository and its issues."""

    def __init__(self, url: str):
        self.url = url
        self.token = ""

    def ask(self, method: str, path: str, body: dict | None = None):
        with self.open(method, path, body) as answer:
            return json.load(answer)

    def open(self, method: str, path: str, body: dict | None = None):
        request = urllib.request.Request(f"{self.url}/api/v1{path}", method=method)
        request.add_header("Content-Type", "application/json")
        basic = "Basic " + b64encode(f"{OWNER}:{PASSWORD}".encode()).decode()
        request.add_header("Authorization", f"token {self.token}" if self.token else basic)
        data = json.dumps(body).encode() if body else None
        return urllib.request.urlopen(request, data, timeout=60)

    def furnish(self):
        say(f"   {ISSUES} issues in a repository")
        self.token = self.ask("POST", f"/users/{OWNER}/tokens", {"name": "bench", "scopes": ["all"]})["sha1"]
        self.ask("POST", "/user/repos", {"name": REPO})
        for number in range(1, ISSUES + 1):
            issue = {"title": f"issue {number:02}", "body": "What went wrong, in some words. " * 10}
            self.ask("POST", f"/repos/{OWNER}/{REPO}/issues", issue)


@contextmanager
def forge(folder: Path):
    programs, port = gitea(), free_port()
    home = folder / "gitea"
    home.mkdir()
    (home / "app.ini").write_text(SETTINGS.format(folder=home, port=port, programs=programs))
    program = [programs / "gitea", "-c", home / "app.ini"]
    with Process([*program, "web"], folder / "gitea.log", beside_load=True) as process:
        end = time.monotonic() + 60
        while not is_healthy(port):
            if process.child.poll() is not None or time.monotonic() > end:
                raise DidNotRun(f"gitea did not start; the end of its log: {process.tail()}")
            time.sleep(0.1)
        admin = ["admin", "user", "create", "--admin", "--must-change-password=false", "--username", OWNER]
        words = [*program, *admin, "--password", PASSWORD, "--email", "operator@example.com"]
        made = subprocess.run(list(map(str, words)), capture_output=True, text=True)
        if made.returncode:
            raise DidNotRun(f"gitea made no user: {made.stderr.strip() or made.stdout.strip()}")
        there = Forge(f"http://127.0.0.1:{port}")
        there.furnish()
        yield there, port


def replay(folder: Path, there: Forge, paths: list[str]) -> tuple[int, Process]:
    """A server that gives what Gitea answers at these paths, whatever their query, and the port of it."""
    nginx, port = installed("nginx"), free_port()
    (folder / "replay").mkdir()
    locations = ""
    for number, path in enumerate(paths):
        with there.open("GET", path) as answer:
            (folder / "replay" / str(number)).write_bytes(answer.read())
            kept = [(name, value) for name, value in answer.headers.items() if name in ("X-Total-Count", "Link")]
        headers = "".join(f"add_header {name} {json.dumps(value)}; " for name, value in kept)
        locations += f"location = /api/v1{path.partition('?')[0]} {{ {headers}try_files /{number} =404; }} "
    config = folder / "replay.conf"
    config.write_text(REPLAY.format(user=getuser(), folder=folder, port=port, locations=locations))
    return port, Process([nginx, "-c", config], folder / "replay.log", beside_load=True)


def is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/healthz", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def run(folder: Path, plan: Plan) -> list[Contender]:
    options, bearer = new_key(folder)
    peer = venv("bench-gitea-mcp", "gitea-mcp.txt")
    here = {"owner": OWNER, "repo": REPO}
    last, one = f"issue {ISSUES:02}", "issue 07"
    paths = [f"/repos/{OWNER}/{REPO}/issues?state=open&type=issues&page=1&limit={ISSUES}", f"/repos/{OWNER}/{REPO}/issues/7"]

    def gantry(port):
        return [RELEASE / "gantry-gitea", "--listen", f"127.0.0.1:{port}", *options]

    def pypi(port):
        return [peer / "bin/gitea-mcp", "serve", "--transport", "http", "--port", port]

    with ExitStack() as running:
        there, upstream = running.enter_context(forge(folder))
        again, process = replay(folder, there, paths)
        running.enter_context(process)
        theirs = {"GITEA_URL": there.url, "GITEA_TOKEN": there.token, "FASTMCP_STATELESS_HTTP": "true"}
        theirs |= {"FASTMCP_JSON_RESPONSE": "true", "FASTMCP_LOG_LEVEL": "ERROR"}
        # Ready is who lists its tools: an answer of Gitea's would be measured with it otherwise.
        listing = modern("tools/list", {}, '"list_issues"', bearer)

        def ours(name: str, port: int) -> Contender:
            env = {"GITEA_HOST": f"http://127.0.0.1:{port}", "GITEA_ACCESS_TOKEN": there.token}
            return enter(running, name, gantry, listing, folder, plan.starts, env)

        server, replayed = ours("gantry-gitea", upstream), ours("replayed", again)
        slow = enter(running, "gitea-mcp", pypi, rpc("tools/list", {}, '"list_issues"'), folder, plan.starts, theirs)

        def tool(of: Contender, name: str, request: Request) -> Contender:
            return Contender(f"{of.name}, {name}", request, of.port, of.server, of.start)

        def direct(of: str, port: int, name: str, path: str, needle: str) -> Contender:
            token = f"Authorization: token {there.token}"
            return Contender(f"{of}, {name}", Request(f"/api/v1{path}", needle, "", (token,)), port, None)

        calls = {
            "list": tool_call("list_issues", {**here, "state": "open"}, last, bearer),
            "get": tool_call("issue_read", {**here, "method": "get", "issue_number": 7}, one, bearer),
        }
        peers = {
            "list": rpc("tools/call", {"name": "list_issues", "arguments": here}, last),
            "get": rpc("tools/call", {"name": "get_issue", "arguments": {**here, "issue_number": 7}}, one),
        }
        needles = {"list": last, "get": one}
        real, still = {}, {}
        for (name, call), path in zip(calls.items(), paths):
            itself = direct("Gitea itself", upstream, name, path, needles[name])
            real[name] = tool(server, name, call), tool(slow, name, peers[name]), itself
            still[name] = tool(replayed, name, call), direct("replay itself", again, name, path, needles[name])
        # Gitea needs milliseconds where the servers need microseconds: less load tells as much.
        plan = replace(plan, rounds=max(2, plan.rounds - 1))
        take_turns(each(real), plan, CONNECTIONS)
        take_turns(each(still), plan, CONNECTIONS)

    report(plan, server, real, still)
    print(f"\n  the peer is {versions('gitea-mcp', 'fastmcp', 'mcp', 'uvicorn', interpreter=peer / 'bin/python')}")
    print("  its get_issue also asks for the comments: two requests where the others make one")
    return each(real) + each(still)


def each(groups: dict[str, tuple[Contender, ...]]) -> list[Contender]:
    return [contender for group in groups.values() for contender in group]


def report(plan: Plan, server: Contender, real: dict, still: dict):
    """What Gitea's own spread of milliseconds hides of what a call adds, the replay tells."""
    rounds = f"rounds: {plan.rounds} of {plan.seconds} s"
    table(f"gitea: issues of one repository; {rounds}; Gitea shares the second core with the load", each(real))
    table("the same answers of Gitea's, replayed by an nginx", each(still))
    print()
    for name, (own, other, itself) in real.items():
        ratios(f"{name} by the peer", own, other)
        cheaper = ratio(other, own, 16, "cpu")
        verdict(f"{name}: ≥ 10 times the peer's calls per CPU second at c=16", cheaper, lambda it: it >= 10)
        for what, added in (("Gitea's", gap(own, itself, 1, "p50")), ("the replay's", gap(*still[name], 1, "p50"))):
            verdict(f"{name}: added to {what} own p50 at c=1 < 200 µs", added, lambda it: it < 200, " µs")
    verdict("idle RSS < 10 MB", each(real)[0].idle, lambda it: it < 10, " MB")
    verdict("ready in < 7 ms", server.start * 1e3, lambda it: it < 7, " ms")
