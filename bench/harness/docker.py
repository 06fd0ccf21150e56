"""What a real tool costs: `docker_container_list` beside Docker SDK for Python on FastMCP, on one engine."""

import json
import os
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from harness.install import PEERS, RELEASE, python, versions
from harness.load import Contender, Plan, enter, say, take_turns
from harness.process import DidNotRun, Process, program
from harness.report import ratios, table
from harness.request import new_key, tool_call

PACKAGES = ("gantry-docker-locust",)
CONTAINERS = 50
CONNECTIONS = (1, 16)
TOOL = "docker_container_list"


class Skipped(Exception):
    """This machine cannot measure it."""


@contextmanager
def engine(folder: Path):
    """The address of a Docker engine: the one that is named, or one started for this run."""
    named = os.environ.get("GANTRY_TEST_DOCKER_HOST") or os.environ.get("DOCKER_HOST")
    if not program("docker"):
        raise Skipped("no docker client is installed")
    if named:
        yield named
        return
    if os.geteuid() != 0 or not program("dockerd"):
        raise Skipped("no DOCKER_HOST is set, and starting an engine needs root and dockerd")
    host, home = f"unix://{folder}/docker.sock", folder / "docker"
    # Without a network of its own it touches no firewall; nothing here is ever started in it.
    command = [program("dockerd"), "-H", host, "--bridge=none", "--iptables=false", "--ip-forward=false"]
    command += ["--data-root", home, "--exec-root", folder / "exec", "--pidfile", folder / "docker.pid"]
    with Process(command, folder / "dockerd.log", beside_load=True) as process:
        end = time.monotonic() + 60
        while docker(host, "info", check=False).returncode:
            if process.child.poll() is not None or time.monotonic() > end:
                raise Skipped(f"dockerd did not start; the end of its log: {process.tail()}")
            time.sleep(0.2)
        yield host


def docker(host: str, *words, check=True) -> subprocess.CompletedProcess:
    done = subprocess.run(["docker", "-H", host, *map(str, words)], capture_output=True, text=True)
    if check and done.returncode:
        raise DidNotRun(f"docker {words[0]}: {done.stderr.strip()}")
    return done


@contextmanager
def containers(host: str, folder: Path):
    """So many containers that never run, from an image that is one static program; removed in the end."""
    label, image = f"gantry-bench={os.getpid()}", f"gantry-bench:{os.getpid()}"
    root = folder / "root"
    (root / "bin").mkdir(parents=True)
    busybox = program("busybox")
    if not busybox:
        raise Skipped("no busybox to make an image of (apt-get install busybox-static)")
    (root / "bin/busybox").write_bytes(Path(busybox).read_bytes())
    try:
        archive = folder / "root.tar"
        subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
        docker(host, "import", archive, image)
        names = [f"gantry-bench-{os.getpid()}-{number:02}" for number in range(CONTAINERS)]
        say(f"   creating {CONTAINERS} containers in {host}")
        create = ["create", "--label", label, "--network", "none", "--name"]
        for name in names:
            docker(host, *create, name, image, "/bin/busybox", "true")
        yield names
    finally:
        ids = docker(host, "ps", "-aq", "--filter", f"label={label}", check=False).stdout.split()
        if ids:
            docker(host, "rm", *ids, check=False)
        docker(host, "rmi", image, check=False)


def run(folder: Path, plan: Plan) -> list[Contender]:
    options, bearer = new_key(folder)
    interpreter = python()

    def docker_locust(port):
        return [RELEASE / "gantry-docker-locust", "--listen", f"127.0.0.1:{port}", *options]

    def sdk(port):
        return [interpreter, PEERS / "docker_fastmcp.py", "127.0.0.1", port]

    # The peer needs seconds for one answer to each of 16 connections.
    plan = replace(plan, rounds=(plan.rounds + 1) // 2, seconds=plan.seconds + 2)
    with ExitStack() as running:
        host = running.enter_context(engine(folder))
        names = running.enter_context(containers(host, folder))
        contenders = []
        for name, command, headers in (
            ("docker-locust", docker_locust, [bearer]),
            ("Docker SDK, FastMCP", sdk, []),
        ):
            request = tool_call(TOOL, {}, names[-1], *headers)
            contender = enter(running, name, command, request, folder, plan.starts, {"DOCKER_HOST": host})
            check(contender, names)
            contenders.append(contender)
        take_turns(contenders, plan, CONNECTIONS)

    rounds = f"rounds: {plan.rounds} of {plan.seconds} s"
    table(f"docker: {TOOL} with {CONTAINERS} containers; {rounds}", contenders)
    print(f"\n  the peer is {versions('docker', 'fastmcp', 'uvicorn', 'uvloop', 'httptools')}")
    ratios("docker-locust by the peer", *contenders)
    return contenders


def check(contender: Contender, names: list[str]):
    """Every container is in the answer, with the fields the original had."""
    _, answer = contender.server.until_answers(contender.port, contender.request)
    result = json.loads(answer)["result"]["structuredContent"]
    listed = next(value for value in result.values() if isinstance(value, list))
    found = {container["name"]: container for container in listed}
    for name in names:
        lacking = {"id", "status", "image", "ports"} - found.get(name, {}).keys()
        if lacking:
            raise DidNotRun(f"{contender.name} lists {name} without {', '.join(sorted(lacking))}")
