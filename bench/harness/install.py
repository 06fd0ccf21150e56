"""What is measured must be there first: release builds of ours, and a venv with the peers in Python."""

import os
import subprocess
import zlib
from pathlib import Path

from harness.process import DidNotRun

ROOT = Path(__file__).absolute().parents[2]
PEERS = ROOT / "bench" / "peers"
HOST = subprocess.run(["rustc", "--print", "host-tuple"], capture_output=True, text=True).stdout.strip()
RELEASE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"), HOST, "release")


def build(packages: list[str]):
    """Builds programs and examples of these packages as they are shipped."""
    chosen = [word for package in packages for word in ("-p", package)]
    command = ["scripts/build-release", "--bins", "--examples", *chosen]
    if subprocess.run(command, cwd=ROOT).returncode:
        raise DidNotRun(f"{' '.join(command)} failed")


def fixtures() -> Path:
    """The folder that tests keep their programs in."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("GANTRY_FIXTURES") or Path(cache, "gantry", "fixtures"))


def venv(name: str, pinned: str) -> Path:
    """A venv with what a file in peers/ pins; a checksum of the pins says when to renew it."""
    folder, pins = fixtures() / name, PEERS / pinned
    stamp, checksum = folder / ".stamp", str(zlib.crc32(pins.read_bytes()))
    if not stamp.exists() or stamp.read_text() != checksum:
        print(f"installing the peers in Python into {folder}", flush=True)
        for command in (
            ["python3", "-m", "venv", "--clear", folder],
            [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", pins],
        ):
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
            if done.returncode:
                raise DidNotRun(f"the peers in Python could not be installed: {done.stderr.strip()[-500:]}")
        stamp.write_text(checksum)
    return folder


def python() -> Path:
    """The interpreter of the venv with most peers' libraries."""
    return venv("bench-py", "requirements.txt") / "bin/python"


def gitea() -> Path:
    """The folder with a real Gitea."""
    named = os.environ.get("GANTRY_TEST_GITEA")
    if named:
        return Path(named)
    done = subprocess.run([ROOT / "tests/fixtures/install", "gitea"], capture_output=True, text=True)
    if done.returncode:
        raise DidNotRun(f"gitea could not be installed: {done.stderr.strip()[-500:]}")
    return fixtures() / "gitea"


def collector(http: int, grpc: int) -> list:
    """The command of an OTLP collector that throws away what it takes, on these ports."""
    program = next(python().parents[1].glob("lib/python3*/site-packages/rotel/rotel-agent"))
    addresses = ["--otlp-http-endpoint", f"127.0.0.1:{http}", "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}"]
    return [program, "start", "--exporter", "blackhole", *addresses]


def versions(*packages: str, interpreter: Path | None = None) -> str:
    """What a venv holds of these: `fastmcp 4.1.2, uvloop 0.23.0`."""
    query = "import sys, importlib.metadata as m; print(', '.join(f'{p} {m.version(p)}' for p in sys.argv[1:]))"
    done = subprocess.run([interpreter or python(), "-c", query, *packages], capture_output=True, text=True, check=True)
    return done.stdout.strip()
