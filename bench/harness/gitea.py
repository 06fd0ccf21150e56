"""What the Gitea server adds to Gitea, beside the server of that name on PyPI, on one real Gitea."""

import json
import os
import subprocess
import time
import urllib.request
from base64 import b64encode
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from harness.install import RELEASE, gitea, venv, versions
from harness.load import Contender, Plan, enter, gap, ratio, say, take_turns
from harness.process import DidNotRun, Process, free_port
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


class Forge:
    """A Gitea with one repository and its issues."""

    def __init__(self, url: str):
        self.url = url
        self.token = ""

    def ask(self, method: str, path: str, body: dict | None = None):
        request = urllib.request.Request(f"{self.url}/api/v1{path}", method=method)
        request.add_header("Content-Type", "application/json")
        basic = "Basic " + b64encode(f"{OWNER}:{PASSWORD}".encode()).decode()
        request.add_header("Authorization", f"token {self.token}" if self.token else basic)
        data = json.dumps(body).encode() if body else None
        with urllib.request.urlopen(request, data, timeout=60) as answer:
            return json.load(answer)

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

    def gantry(port):
        return [RELEASE / "gantry-gitea", "--listen", f"127.0.0.1:{port}", *options]

    def pypi(port):
        return [peer / "bin/gitea-mcp", "serve", "--transport", "http", "--port", port]

    # Gitea needs milliseconds where the servers need microseconds: less load tells as much.
    plan = replace(plan, rounds=max(2, plan.rounds - 1))
    with ExitStack() as running:
        there, upstream = running.enter_context(forge(folder))
        ours = {"GITEA_HOST": there.url, "GITEA_ACCESS_TOKEN": there.token}
        theirs = {"GITEA_URL": there.url, "GITEA_TOKEN": there.token, "FASTMCP_STATELESS_HTTP": "true"}
        theirs |= {"FASTMCP_JSON_RESPONSE": "true", "FASTMCP_LOG_LEVEL": "ERROR"}
        # Ready is who lists its tools: an answer of Gitea's would be measured with it otherwise.
        server = enter(running, "gantry-gitea", gantry, modern("tools/list", {}, '"list_issues"', bearer), folder, plan.starts, ours)
        slow = enter(running, "gitea-mcp", pypi, rpc("tools/list", {}, '"list_issues"'), folder, plan.starts, theirs)

        def tool(of: Contender, name: str, request: Request) -> Contender:
            return Contender(f"{of.name}, {name}", request, of.port, of.server, of.start)

        def direct(name: str, path: str, needle: str) -> Contender:
            token = f"Authorization: token {there.token}"
            return Contender(f"Gitea itself, {name}", Request(f"/api/v1/repos/{OWNER}/{REPO}{path}", needle, "", (token,)), upstream, None)

        lists = [
            tool(server, "list", tool_call("list_issues", {**here, "state": "open"}, last, bearer)),
            tool(slow, "list", rpc("tools/call", {"name": "list_issues", "arguments": here}, last)),
            direct("list", "/issues?state=open&type=issues&page=1&limit=30", last),
        ]
        gets = [
            tool(server, "get", tool_call("issue_read", {**here, "method": "get", "issue_number": 7}, one, bearer)),
            tool(slow, "get", rpc("tools/call", {"name": "get_issue", "arguments": {**here, "issue_number": 7}}, one)),
            direct("get", "/issues/7", one),
        ]
        contenders = lists + gets
        take_turns(contenders, plan, CONNECTIONS)

    table(f"gitea: issues of one repository; rounds: {plan.rounds} of {plan.seconds} s; Gitea shares the second core with the load", contenders)
    print(f"\n  the peer is {versions('gitea-mcp', 'fastmcp', 'mcp', 'uvicorn', interpreter=peer / 'bin/python')}")
    print("  its get_issue also asks for the comments: two requests where the others make one")
    for name, (own, other, itself) in (("list", lists), ("get", gets)):
        ratios(f"{name} by the peer", own, other)
        added = gap(own, itself, 1, "p50")
        verdict(f"{name}: added to Gitea's own p50 at c=1 < 200 µs", added, lambda it: it < 200, " µs")
        cheaper = ratio(other, own, 16, "cpu")
        verdict(f"{name}: ≥ 10 times the peer's calls per CPU second at c=16", cheaper, lambda it: it >= 10)
    verdict("idle RSS < 10 MB", lists[0].idle, lambda it: it < 10, " MB")
    verdict("ready in < 7 ms", server.start * 1e3, lambda it: it < 7, " ms")
    return contenders
