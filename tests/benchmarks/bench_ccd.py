"""Milliseconds of each stage and peak memory of one simulated HSC CCD in steady state, beside reference figures.

    python tests/benchmarks/bench_ccd.py [REPOSITORY] [--repeat N]

Without a repository the night "tiny" is simulated into a temporary folder. The CCD is processed N + 1 times by one
process with one thread; the first time (compilation, page faults, masters) is told apart.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from safelight.processccd.runtime import limit_threads, peak_rss_mb

#: Stage -> (ms of a quiet 2.3 GHz core, what it was measured on). The reference chain did less: no crosstalk, no
#: linearity, one background and PSF pass, outputs uncompressed and not forced to the disk.
REFERENCE = {
    "read": (45, "raw frame 20-45; masters and checksums not counted"),
    "isr": (30, "one fused pass 22, defects 8"),
    "characterize": (755, "background 100, cosmic rays 39, detection and measurement 215, PSF 105-400"),
    "wcs": (60, "match and fit 20-60"),
    "zeropoint": (None, "not measured"),
    "write": (100, "uncompressed; GZIP_2 by common tools 2300-2600"),
    "all": (660, "570-660 quiet, up to 1050 busy; peers 19300 and more"),
}
BUDGET_S, BUDGET_MB = 4.0, 1.2 * 1024**3 / 1e6


class Stages:
    """A reporter that remembers when each stage began."""

    def __init__(self) -> None:
        self.began: list[tuple[str, float]] = []

    def stage(self, name: str) -> None:
        self.began.append((name, time.perf_counter()))

    def log(self, level: int, component: str, message: str) -> None:
        if level >= 40:
            print(f"{component}: {message}", file=sys.stderr)

    def milliseconds(self, end: float) -> dict[str, float]:
        """Duration of each stage; one that is entered twice is summed."""
        times = [moment for _, moment in self.began[1:]] + [end]
        spent: dict[str, float] = {}
        for (name, begin), finish in zip(self.began, times, strict=True):
            spent[name] = spent.get(name, 0.0) + 1e3 * (finish - begin)
        return spent


def plan_first(repository: Path, output: Path) -> tuple[Any, Any]:
    """The first CCD of a repository as a job, and the context to do it in."""
    from safelight.butler import Butler
    from safelight.processccd.cameraconfig import camera_layers
    from safelight.processccd.ccd import RunContext, job_of
    from safelight.processccd.planner import make_plan

    butler = Butler(repository, output=output)
    layers = camera_layers(butler.instrument)
    config = layers.build()
    plan = make_plan(butler, butler.query().rows[:1], config, layers)
    if plan.ccds[0].action != "run":
        raise SystemExit(f"the first CCD cannot run: {plan.ccds[0].reason}")
    return job_of(plan.ccds[0]), RunContext(config=config, instrument=butler.instrument)


def measure(repository: Path, output: Path, repeat: int) -> tuple[list[dict[str, float]], float, str]:
    """Milliseconds of each stage for each repetition, peak memory in MB, and the CCD's name."""
    from safelight.processccd.ccd import CcdProcessor

    job, context = plan_first(repository, output)
    process = CcdProcessor(context)
    runs = []
    for _ in range(repeat + 1):
        stages = Stages()
        outcome = process(job, stages)
        end = time.perf_counter()
        if outcome.failure is not None:
            raise SystemExit(f"{job.key}: {outcome.failure.message}\n{outcome.traceback}")
        runs.append(stages.milliseconds(end))
    return runs, peak_rss_mb(), job.key


def print_table(runs: list[dict[str, float]], peak_mb: float, key: str) -> bool:
    """Print the figures; whether they are within the budget."""
    first, steady = runs[0], runs[1:]
    print(f"{key}, {len(steady)} repetitions, milliseconds\n")
    print(f"{'stage':14}{'first':>8}{'median':>8}{'least':>8}{'reference':>11}  reference figures")
    totals = [sum(run.values()) for run in steady]
    for stage, (reference, note) in REFERENCE.items():
        times = totals if stage == "all" else [run.get(stage, 0.0) for run in steady]
        began = sum(first.values()) if stage == "all" else first.get(stage, 0.0)
        shown = "-" if reference is None else str(reference)
        print(f"{stage:14}{began:8.0f}{statistics.median(times):8.0f}{min(times):8.0f}{shown:>11}  {note}")
    print(f"{'peak memory':14}{peak_mb:8.0f} MB{'790 MB':>29}")
    good = statistics.median(totals) <= 1e3 * BUDGET_S and peak_mb <= BUDGET_MB
    print(f"\nbudget {BUDGET_S:g} s and {BUDGET_MB:.0f} MB: {'kept' if good else 'exceeded'}")
    return good


def main() -> int:
    """Measure; exit code 1 when the budget is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", nargs="?", type=Path)
    parser.add_argument("--repeat", type=int, default=5, metavar="N")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    limit_threads()
    with tempfile.TemporaryDirectory(prefix="safelight-bench-") as folder:
        repository = options.repository
        if repository is None:
            from safelight.simulate import simulate_night, spec_from_options

            repository = Path(folder) / "DATA"
            simulate_night(repository, spec_from_options(preset="tiny", ccds=(16,)))
        runs, peak_mb, key = measure(repository, Path(folder) / "out", options.repeat)
    if options.json:
        print(json.dumps({"ccd": key, "milliseconds": runs, "peak_rss_mb": peak_mb}))
        return 0
    return 0 if print_table(runs, peak_mb, key) else 1


if __name__ == "__main__":
    sys.exit(main())
