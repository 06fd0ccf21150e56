"""A program under measurement: alone on the first core; the harness, the load and upstreams have the second."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
START_TIMEOUT = 60
SETTLE_TIMEOUT = 20


class DidNotRun(Exception):
    """Something that should have been measured could not be."""


def pin():
    """Chooses both cores and moves this process, and so what it starts, to the one for the load."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise DidNotRun("two cores are needed: one for the server, one for the load")
    Process.core, Process.load_core = cores[:2]
    os.sched_setaffinity(0, {Process.load_core})


class Process:
    """Started when made; its output goes to a file, where audit lines belong in this comparison."""

    core = load_core = 0

    def __init__(self, command: list, log: Path, env: dict | None = None, beside_load: bool = False):
        self.name = Path(command[0]).name
        self.log = log
        # A child inherits the core it is born on: no wrapper's start is measured with it.
        os.sched_setaffinity(0, {self.load_core if beside_load else self.core})
        try:
            with log.open("ab") as out:
                self.started = time.perf_counter()
                self.child = subprocess.Popen(
                    [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                    env={**os.environ, **(env or {})}, close_fds=False,
                )
        finally:
            os.sched_setaffinity(0, {self.load_core})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        try:
            self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def until_answers(self, port: int, request) -> tuple[float, str]:
        """Asks without pause until there is an answer: seconds from start to answer, and its body, checked."""
        text = ""
        while time.perf_counter() < self.started + START_TIMEOUT and self.child.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=START_TIMEOUT) as connection:
                    connection.sendall(request.raw(port))
                    answer = connection.recv(1 << 16)
                    took = time.perf_counter() - self.started
                    while more := connection.recv(1 << 16):
                        answer += more
            except OSError:
                continue
            text = answer.decode(errors="replace")
            if request.is_answered_by(text):
                return took, text.partition("\r\n\r\n")[2]
            break
        raise DidNotRun(f"{self.name} gave no right first answer: {text or self.tail()}")

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])

    def cpu(self) -> float:
        """Seconds of CPU used so far, workers included."""
        total = 0
        for pid in self._family():
            # The name in field 2 may hold spaces; utime and stime are fields 14 and 15.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def settle(self):
        """Waits until what the load left behind is done: its next turn is another contender's."""
        used = None
        end = time.monotonic() + SETTLE_TIMEOUT
        while used != (used := self.cpu()) and time.monotonic() < end:
            time.sleep(0.1)

    def rss(self) -> float:
        """Resident memory in MB (10^6 bytes), workers included."""
        total = 0
        for pid in self._family():
            status = Path(f"/proc/{pid}/status").read_text()
            total += next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        return total * 1024 / 1e6

    def _family(self):
        pids = [self.child.pid]
        for pid in pids:
            pids.extend(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
        return pids


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def program(name: str) -> str | None:
    """Where a program is, looking also where daemons live."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin")


def installed(name: str) -> str:
    """The same of a program that the measurement cannot do without."""
    path = program(name)
    if not path:
        raise DidNotRun(f"{name} is not installed (apt-get install {name})")
    return path
