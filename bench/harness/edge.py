"""What the edge costs: the same answers directly, through the edge, nginx and HAProxy, one core each."""

from contextlib import ExitStack
from pathlib import Path

from harness.install import RELEASE, collector
from harness.load import Contender, Plan, enter, gap, metric, ratio, take_turns
from harness.process import Process, free_port, installed
from harness.report import ratios, table, verdict
from harness.request import Request

PACKAGES = ("gantry-edge",)
ANSWER = "hello world"
SLUG = "bench"

UPSTREAM = """
worker_processes 1; daemon off; pid {folder}/upstream.pid; error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000;
  server {{ listen 127.0.0.1:{port} backlog=1024; location / {{ return 200 "{answer}"; }} }}
}}
"""

# What the edge does, no more: slug off, forwarding headers, a pool of upstream connections, streaming.
NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000;
  upstream up {{ server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location /{slug}/ {{
      proxy_pass http://up/; proxy_http_version 1.1; proxy_buffering off;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Host $host;
      proxy_set_header X-Forwarded-Proto http;
    }}
  }}
}}
"""

HAPROXY = """
global
  maxconn 4096
  nbthread 1
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  http-reuse always
  option forwardfor
frontend front
  bind 127.0.0.1:{port}
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Proto http
  http-request replace-path /{slug}/(.*) /\\1
  default_backend up
backend up
  server one 127.0.0.1:{upstream}
"""

FLEET = """
[[server]]
slug = "{slug}"
url = "http://127.0.0.1:{upstream}"
"""


def run(folder: Path, plan: Plan) -> list[Contender]:
    nginx, haproxy = installed("nginx"), installed("haproxy")
    request, upstream = Request(f"/{SLUG}/x", ANSWER), free_port()

    def write(name: str, text: str, port: int) -> Path:
        path = folder / name
        path.write_text(text.format(folder=folder, slug=SLUG, answer=ANSWER, upstream=upstream, port=port))
        return path

    def gantry_edge(port):
        options = ["--listen", f"127.0.0.1:{port}", "--threads", "1"]
        return [RELEASE / "gantry-edge", "--config", write("fleet.toml", FLEET, port), *options]

    otlp, grpc = free_port(), free_port()

    def traced(port):
        return [*gantry_edge(port), "--otlp-endpoint", f"http://127.0.0.1:{otlp}"]

    with ExitStack() as running:
        command = [nginx, "-c", write("upstream.conf", UPSTREAM, upstream)]
        beside = running.enter_context(Process(command, folder / "upstream.log", beside_load=True))
        beside.until_answers(upstream, request)
        running.enter_context(Process(collector(otlp, grpc), folder / "collector.log", beside_load=True))
        direct = Contender("direct", request, upstream, None)
        proxies = [
            enter(running, name, command, request, folder, plan.starts)
            for name, command in (
                ("edge", gantry_edge),
                ("edge, traced", traced),
                ("nginx", lambda port: [nginx, "-c", write("nginx.conf", NGINX, port)]),
                ("HAProxy", lambda port: [haproxy, "-f", write("haproxy.cfg", HAPROXY, port)]),
            )
        ]
        take_turns([direct, *proxies], plan)
        lost = metric(proxies[1], "gantry_telemetry_dropped_total")

    table("edge: GET of 11 bytes; the upstream shares the second core with the load", [direct, *proxies])
    print()
    ours, spans, *peers = proxies
    for peer in peers:
        ratios(f"edge by {peer.name}", ours, peer)
    ratios("edge, traced, by edge", spans, ours)
    print(f"  edge, traced: {lost} spans dropped and counted; the collector has no core of its own")
    print()
    verdict("edge ≥ 0.9 of HAProxy, rps at c=64", ratio(ours, peers[-1], 64), lambda it: it >= 0.9)
    verdict("edge ≤ 15 µs above HAProxy, p50 at c=1", gap(ours, peers[-1], 1, "p50"), lambda it: it <= 15, " µs")
    return [direct, *proxies]
