"""How results are shown: a table of contenders, ratios, and one verdict for each target."""

from harness.load import Contender, ratio


def table(title: str, contenders: list[Contender]):
    connections = list(contenders[0].samples)
    groups = "".join(f"| {f'c={count}':<35}" for count in connections)
    columns = f"| {'rps':>7} {'p50 µs':>7} {'p99 µs':>7} {'CPU µs':>6} core " * len(connections)
    print(f"\n{title}\n")
    print(f"{'':<20} {'start':>7} {'RSS MB':>11} {groups.rstrip()}")
    print(f"{'':<20} {'ms':>7} {'idle>loaded':>11} {columns.rstrip()}")
    for contender in contenders:
        start = f"{contender.start * 1e3:.1f}" if contender.start else "-"
        memory = f"{contender.idle:.1f}>{contender.loaded:.1f}" if contender.loaded else "-"
        cells = "".join(f"| {_cell(contender, count)} " for count in connections)
        print(f"{contender.name:<20} {start:>7} {memory:>11} {cells.rstrip()}")
    for contender in contenders:
        for fault in contender.faults:
            print(f"   failed: {contender.name}, {fault}")


def _cell(contender: Contender, connections: int) -> str:
    sample = contender.cell(connections)
    if not sample:
        return f"{'failed':<34}"
    digits = 1 if sample.cpu < 1000 else 0
    cpu = f"{sample.cpu:6.{digits}f} {sample.share:4.0%}" if contender.server else f"{'-':>6} {'-':>4}"
    return f"{sample.rps:7.0f} {sample.p50:7.0f} {sample.p99:7.0f} {cpu}"


def ratios(what: str, one: Contender, other: Contender):
    """Throughput and CPU per call of one by those of the other."""
    for figure, name in (("rps", "rps"), ("cpu", "CPU")):
        values = {count: ratio(one, other, count, figure) for count in one.samples}
        shown = (f"c={count} {'failed' if value is None else f'{value:.3g}'}" for count, value in values.items())
        print(f"  {what}, {name}: {', '.join(shown)}")


def verdict(target: str, value: float | None, met, unit: str = ""):
    """Says whether a target is met; a missed one is news, not an error."""
    if value is None:
        print(f"  {target}: failed")
    else:
        print(f"  {target}: {value:.2f}{unit} {'met' if met(value) else 'missed'}")
