"""What Plan says below its table: the command, the configuration, and all about the CCD under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safelight_tui.runs.figures import duration, gigabytes
from safelight_tui.widgets.text_pane import TextLine

if TYPE_CHECKING:
    from safelight.processccd.plan import PlannedCcd
    from safelight_tui.runs.planning import ConfigValue, PlanPicture
    from safelight_tui.runs.request import RunRequest

__all__ = ["plan_lines", "plan_summary"]

_VERDICTS = {"good": "good", "bad": "BAD", "look": "to be looked at again"}


def plan_summary(picture: PlanPicture, left_out: int = 0) -> str:
    """Rerun, counts, time, disk in one line."""
    request, plan = picture.request, picture.plan
    counts = plan.counts()
    out = f" OUT {left_out}" if left_out else ""
    seconds = plan.estimated_seconds
    about = "time unknown" if seconds is None else f"~{duration(seconds / max(1, request.processes))}"
    parts = [
        head(request) + ("" if picture.exists else " (new)"),
        f"RUN {counts['run']} SKIP {counts['skip']} BLOCKED {counts['blocked']}{out}",
        f"{about} -j{request.processes}",
        f"{'DISK FULL' if picture.disk_warning else 'disk'} "
        f"{gigabytes(plan.disk_needed_bytes)}/{gigabytes(plan.disk_free_bytes)}GB",
    ]
    return "   ".join([*parts, *(["REDO"] if request.redo else [])])


def head(request: RunRequest) -> str:
    """``rerun parent:name``."""
    return f"rerun {f'{request.parent}:' if request.parent else ''}{request.rerun}"


def plan_lines(picture: PlanPicture, ccd: PlannedCcd | None, left_out: int = 0) -> list[TextLine]:
    """The lines of the detail pane."""
    lines = [TextLine(picture.disk_warning, "bad")] if picture.disk_warning else []
    if picture.plan.ccds:
        lines.append(TextLine(f"$ {picture.request.command()}", "new"))
    if left_out:
        lines.append(TextLine(f"{left_out} left out; Space takes the one under the cursor in again", "caveat"))
    lines += _configuration(picture)
    if ccd is not None:
        lines += _ccd(ccd, picture.verdicts.get(ccd.key, ""))
    return [*lines, *(TextLine(note, "caveat") for note in picture.notes)]


def _configuration(picture: PlanPicture) -> list[TextLine]:
    request, differing = picture.request, picture.differing
    files = [TextLine(str(path), label="  -C ") for path in request.config_files]
    if differing:
        heading = TextLine(f"config: {len(differing)} differ from the rerun's; a run would be refused", "bad")
        return [heading, *files, *map(_difference, differing)]
    as_the_rerun = ", as the rerun has it" if picture.exists else ""
    given = [f"{len(request.config)} set with -c"] if request.config else []
    given += [f"{len(files)} file{'s' * (len(files) > 1)} with -C"] if files else []
    what = " and ".join(given) or "the camera's"
    return [TextLine(f"config: {what}{as_the_rerun}", "" if given else "dim"), *files]


def _difference(value: ConfigValue) -> TextLine:
    text = f"{value.value} | the rerun has {value.frozen} | set by {value.source}"
    return TextLine(text, "caveat", f"  {value.path} ")


def _ccd(ccd: PlannedCcd, verdict: str) -> list[TextLine]:
    stopped = ccd.action == "blocked" or ccd.state == "failed"
    judged = f" (marked {_VERDICTS[verdict]} in Triage)" if verdict else ""
    lines = [TextLine(f"{ccd.key}{judged}: {ccd.reason}", "bad" if stopped or verdict == "bad" else "title")]
    if ccd.hint:
        lines.append(TextLine(ccd.hint, "dim"))
    if ccd.raw is not None:
        lines.append(TextLine(str(ccd.raw), label="  raw   "))
    for master in ccd.masters:
        valid = f"{master.calib_date}, valid {master.valid_start}..{master.valid_end}"
        lines.append(TextLine(valid, label=f"  {master.kind:<5} "))
    for catalog in ccd.catalogs:
        missing = f", {len(catalog.missing)} missing" if catalog.missing else ""
        lines.append(TextLine(f"{catalog.name}, {len(catalog.shards)} shards{missing}", label=f"  {catalog.role} "))
    if ccd.outputs and ccd.state != "absent":
        lines.append(TextLine(str(next(iter(ccd.outputs.values())).parent), label="  outputs "))
    return lines
