"""``safelight plan``: what a run would do with each CCD, and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from safelight.commands.shell import arguments_of
from safelight.commands.taskoptions import TaskParser, parse_task_options

if TYPE_CHECKING:
    from safelight.processccd.plan import Plan

__all__ = ["main"]

_DESCRIPTION = """\
Show, for each selected CCD, whether it would run, be skipped or is blocked, and why; the
master calibrations with their validity, the reference shards, time and disk needed.
Nothing is written. Without --rerun the rerun is "default", without --id everything."""

_EXAMPLE = """\
safelight plan DATA --rerun first --id filter=HSC-I
  safelight plan DATA --rerun first --format json"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, or 3 where a run would be refused for its configuration."""
    from safelight.commands.run import with_defaults

    parser = TaskParser("safelight plan", _DESCRIPTION, _EXAMPLE, for_plan=True)
    options = with_defaults(parse_task_options(parser, arguments_of(argv)))
    from safelight.commands.taskrun import prepare, select

    task = prepare(options)
    plan = task.plan(select(task))
    if options.format == "json":
        print(json.dumps(plan.to_json(), indent=1, default=str))
    else:
        print(render_plan(plan), end="")
    return 3 if plan.config_differences else 0


def render_plan(plan: Plan) -> str:
    """The plan as aligned columns."""
    heads = ["visit", "ccd", "filter", "state", "action", "bias", "dark", "flat", "ref", "est", "why"]
    rows = []
    for ccd in plan.ccds:
        masters = {master.kind: master.calib_date for master in ccd.masters}
        shards = sum(len(catalog.shards) for catalog in ccd.catalogs)
        rows.append(
            [
                *(str(ccd.data_id.get(key, "-")) for key in ("visit", "ccd", "filter")),
                ccd.state,
                ccd.action.upper() if ccd.action == "blocked" else ccd.action,
                *(masters.get(kind, "-")[:10] for kind in ("bias", "dark", "flat")),
                str(shards) if shards else "-",
                f"{ccd.estimated_seconds:.1f}" if ccd.estimated_seconds is not None else "-",
                ccd.reason,
            ]
        )
    widths = [max(len(row[k]) for row in [heads, *rows]) for k in range(len(heads))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in [heads, *rows]]
    return "\n".join([*lines, "", *_summary(plan)]) + "\n"


def _summary(plan: Plan) -> list[str]:
    counts = plan.counts()
    time = f"about {plan.estimated_seconds:.0f} s on one core" if plan.estimated_seconds is not None else "time unknown"
    disk = f"{plan.disk_needed_bytes / 1e9:.2f} of {plan.disk_free_bytes / 1e9:.0f} GB free on disk"
    lines = [f"run {counts['run']}, skip {counts['skip']}, blocked {counts['blocked']}; {time}; {disk}"]
    if plan.config_differences:
        lines += ["a run would be refused, the rerun has another configuration:"]
        lines += [f"  {difference}" for difference in plan.config_differences]
    lines += [f"hint: {hint}" for hint in dict.fromkeys(ccd.hint for ccd in plan.ccds if ccd.hint)]
    return lines
