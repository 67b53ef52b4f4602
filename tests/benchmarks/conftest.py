"""One thread everywhere, and tables at the end: times as ratios to a copy of the same array, or to the plain model."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import Any

os.environ["NUMBA_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    session = terminalreporter.config._benchmarksession
    groups: dict[str, list[Any]] = defaultdict(list)
    for benchmark in session.benchmarks:
        if benchmark.stats.rounds and benchmark.group:
            groups[benchmark.group].append(benchmark)
    for group, benchmarks in groups.items():
        steps = [b for b in benchmarks if "plain" in b.extra_info]
        if steps:
            terminalreporter.section(group)
        for b in steps:
            plain = b.extra_info["plain"]
            ratio = f"{b.stats.min / plain:5.2f} x plain ({plain * 1e3:.1f} ms)"
            terminalreporter.write_line(f"{b.extra_info['what']:44} {ratio}")
        copies = [b for b in benchmarks if b.extra_info.get("is_copy")]
        if not copies:
            continue
        copy = copies[0].stats
        size = copies[0].extra_info["size"]
        terminalreporter.section(f"{group}: a copy takes {copy.median * 1e6:.1f} us")
        for b in benchmarks:
            name = b.extra_info["what"]
            share = b.extra_info.get("share", 1)  # of the elements that a slow peer takes
            ratio, best = b.stats.median / copy.median / share, b.stats.min / copy.min / share
            terminalreporter.write_line(
                f"{name:44} {ratio:7.2f} x copy (best {best:6.2f})  {b.stats.min / size / share * 1e9:8.3f} ns/element"
            )
