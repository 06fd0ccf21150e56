"""The load: wrk, and rounds in which contenders take turns, so that what disturbs one disturbs all."""

import json
import operator
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, fields
from pathlib import Path
from statistics import median

from harness.process import DidNotRun, Process, free_port, program
from harness.request import Request

CONNECTIONS = (1, 16, 64)


@dataclass(frozen=True)
class Plan:
    """How long to measure."""

    rounds: int
    seconds: int
    starts: int


@dataclass
class Sample:
    """One run of wrk, or the medians of several."""

    rps: float
    p50: float
    p99: float
    cpu: float
    """CPU of the server per call, in µs."""
    share: float
    """How much of its core the server used."""


@dataclass
class Contender:
    name: str
    request: Request
    port: int
    server: Process | None
    """None where only the upstream answers."""
    start: float | None = None
    """Seconds from the start of the program to its first answer."""
    idle: float | None = None
    loaded: float | None = None
    samples: dict[int, list[Sample | None]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def run(self, connections: int, seconds: int) -> Sample | None:
        """One run; nothing when an answer was wrong, which is remembered."""
        cpu = self.server.cpu() if self.server else 0
        began = time.perf_counter()
        told = wrk(self.port, self.request, connections, seconds)
        took = time.perf_counter() - began
        cpu = self.server.cpu() - cpu if self.server else 0
        if self.server:
            self.server.settle()
        requests = told["requests"]
        bad = ", ".join(f"{told[kind]} {kind}" for kind in ("status", "socket", "wrong") if told[kind])
        if bad or not requests:
            self.faults.append(f"c={connections}: {requests} answers{bad and f', {bad}'}")
            return None
        rps = requests / told["micros"] * 1e6
        return Sample(rps, told["p50"], told["p99"], cpu * 1e6 / requests, cpu / took)

    def cell(self, connections: int) -> Sample | None:
        """The medians of all rounds; nothing when one of them failed."""
        samples = self.samples[connections]
        if None in samples:
            return None
        names = [figure.name for figure in fields(Sample)]
        return Sample(*(median(getattr(sample, name) for sample in samples) for name in names))


def enter(
    running: ExitStack,
    name: str,
    command: Callable[[int], list],
    request: Request,
    folder: Path,
    starts: int,
    env: dict | None = None,
) -> Contender:
    """A contender that keeps running, and the median time from its start to its first answer."""
    say(f"   starting {name} {starts} times")
    log, took = folder / f"{name}.log", []
    for _ in range(starts):
        port = free_port()
        with Process(command(port), log, env) as server:
            took.append(server.until_answers(port, request)[0])
    port = free_port()
    server = running.enter_context(Process(command(port), log, env))
    server.until_answers(port, request)
    return Contender(name, request, port, server, median(took))


def take_turns(contenders: list[Contender], plan: Plan, connections=CONNECTIONS):
    """Fills in every contender's samples, and what memory it holds before and after."""
    for contender in contenders:
        contender.idle = contender.server and contender.server.rss()
        contender.samples = {count: [] for count in connections}
    for number in range(plan.rounds):
        # A different one goes first each time.
        first = number % len(contenders)
        for count in connections:
            say(f"   round {number + 1} of {plan.rounds}, c={count}")
            for contender in contenders[first:] + contenders[:first]:
                contender.samples[count].append(contender.run(count, plan.seconds))
    for contender in contenders:
        contender.loaded = contender.server and contender.server.rss()


def metric(contender: Contender, name: str) -> int:
    """A figure of the server's own, 0 where it has none; asked with the credential of its request."""
    headers = dict(header.split(": ", 1) for header in contender.request.headers if header.startswith("Auth"))
    asked = urllib.request.Request(f"http://127.0.0.1:{contender.port}/metrics", headers=headers)
    with urllib.request.urlopen(asked, timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    return sum(int(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def wrk(port: int, request: Request, connections: int, seconds: int) -> dict:
    script = Path(__file__).with_name("call.lua")
    words = [program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", str(script)]
    words += [f"http://127.0.0.1:{port}{request.path}", "--", request.needle, request.body, *request.headers]
    done = subprocess.run(words, capture_output=True, text=True, timeout=seconds + 60)
    line = done.stdout.strip().rpartition("\n")[2]
    if done.returncode or not line.startswith("{"):
        raise DidNotRun(f"wrk: {done.stderr.strip() or done.stdout.strip()}")
    return json.loads(line)


def paired(combine, one: Contender, other: Contender, connections: int, figure: str) -> float | None:
    """The median over the rounds of both figures combined: rounds drift, pairs in one round hardly do."""
    pairs = list(zip(one.samples[connections], other.samples[connections]))
    if any(sample is None for pair in pairs for sample in pair):
        return None
    return median(combine(getattr(a, figure), getattr(b, figure)) for a, b in pairs)


def ratio(one: Contender, other: Contender, connections: int, figure: str = "rps") -> float | None:
    return paired(operator.truediv, one, other, connections, figure)


def gap(one: Contender, other: Contender, connections: int, figure: str) -> float | None:
    return paired(operator.sub, one, other, connections, figure)


def say(progress: str):
    """Progress goes beside the report."""
    print(progress, file=sys.stderr, flush=True)
