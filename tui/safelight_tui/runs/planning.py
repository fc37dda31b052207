"""Making a plan with its configuration, explained value by value; to be called in a thread. Writes nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from safelight_tui.runs.figures import gigabytes
from safelight_tui.runs.request import RunRequest

if TYPE_CHECKING:
    from safelight.commands.taskrun import PreparedTask
    from safelight.processccd.logout import LogoutSafety
    from safelight.processccd.plan import Plan
    from safelight.processccd.planner import PlanWatch

__all__ = ["ConfigValue", "PlanPicture", "frozen_config", "make_picture"]


@dataclass(frozen=True, slots=True)
class ConfigValue:
    """One field of the configuration; values as they are written on a command line."""

    path: str
    value: str
    source: str
    default: str
    doc: str
    type: str
    beneath: str = ""  # what it would be without -c: the default, the camera's value or that of a file
    beneath_source: str = "default"
    frozen: str | None = None  # what the rerun has, where that is another value
    frozen_source: str = ""

    @property
    def changed(self) -> bool:
        """Whether it is not the default."""
        return self.value != self.default


@dataclass(frozen=True)
class PlanPicture:
    """A plan with what the screen shows beside it."""

    request: RunRequest
    plan: Plan
    config: Mapping[str, ConfigValue]
    notes: tuple[str, ...] = ()
    exists: bool = False  # whether the rerun does
    verdicts: Mapping[str, str] = field(default_factory=dict)  # good, bad, look: what observers marked, by key
    safety: LogoutSafety | None = field(default=None, compare=False)

    @property
    def differing(self) -> list[ConfigValue]:
        """Fields in which the rerun's own configuration is another."""
        return [value for value in self.config.values() if value.frozen is not None]

    @property
    def disk_warning(self) -> str:
        """A sentence where what is to be written does not fit on the disk; else empty."""
        needed, free = self.plan.disk_needed_bytes, self.plan.disk_free_bytes
        if needed <= free:
            return ""
        return f"The disk is too small: about {gigabytes(needed)} GB will be written, {gigabytes(free)} GB are free."

    @property
    def runnable(self) -> bool:
        """Whether anything can be run, and the rerun would take it."""
        return bool(self.plan.with_action("run")) and not self.differing

    def without(self, keys: Collection[str], id_text: str) -> PlanPicture:
        """The picture of the plan that leaves some CCDs out; `id_text` selects the others."""
        return replace(self, request=replace(self.request, id_text=id_text), plan=self.plan.without(keys))


def make_picture(request: RunRequest, watch: PlanWatch = lambda ccds: None) -> PlanPicture:
    """Plan what is requested.

    Parameters
    ----------
    watch : callable
        Given the CCDs of each chunk as soon as they are planned; an exception that it raises gives up the plan.

    Raises
    ------
    SafelightError
        The data IDs, the configuration or the repository cannot be used; the sentence is for the user.
    """
    from safelight.commands.taskrun import prepare, select
    from safelight.processccd.logout import logout_safety

    task = prepare(request.options())
    notes: list[str] = []
    plan = task.plan(select(task, notes.append), watch)
    return PlanPicture(
        request,
        plan,
        explain_config(task),
        tuple(notes),
        request.output.is_dir(),
        _verdicts(request, plan),
        safety=logout_safety(),
    )


def _verdicts(request: RunRequest, plan: Plan) -> dict[str, str]:
    """What observers think of the CCDs in the rerun that is written, or else in the one that is read."""
    from safelight.processccd.marks import MarkJournal

    book = MarkJournal(request.output if request.output.is_dir() or not request.parent else request.source).read()
    marks = {ccd.key: book.of(ccd.data_id) for ccd in plan.ccds} if book.ccds else {}
    return {key: found.verdict for key, found in marks.items() if found is not None and found.verdict}


def explain_config(task: PreparedTask) -> dict[str, ConfigValue]:
    """Every field with its value, who set it, its default, and what the rerun has instead."""
    from safelight.processccd.consistency import compare_config
    from safelight.processccd.overrides import config_fields, flatten

    output = task.butler.require_output()
    differences = {item.path: item for item in compare_config(output, task.config, task.layers)}
    values = flatten(task.config)
    explained = {}
    for path, about in config_fields().items():
        differing = differences.get(path)
        history = task.layers.history(path)
        beneath = next(item for item in reversed(history) if item.source != "-c")
        explained[path] = ConfigValue(
            path=path,
            value=as_text(values[path]),
            source=task.layers.source(path),
            default=as_text(history[0].value),
            doc=about.description or "",
            type=getattr(about.annotation, "__name__", str(about.annotation)).replace("typing.", ""),
            beneath=as_text(beneath.value),
            beneath_source=beneath.source,
            frozen=as_text(differing.stored) if differing else None,
            frozen_source=differing.stored_source if differing else "",
        )
    return explained


def as_text(value: Any) -> str:
    """A value as ``-c path=`` takes it."""
    from safelight.processccd.savedconfig import literal

    return value if isinstance(value, str) else literal(value)


def frozen_config(request: RunRequest) -> dict[str, str]:
    """The ``-c`` values with which a plan has the very configuration that the rerun already has; empty for a new one.

    Fields that this version does not know are left out.
    """
    from safelight.commands.taskrun import prepare
    from safelight.processccd.consistency import compare_config
    from safelight.processccd.overrides import config_fields

    if not (request.output / "config" / "processCcd.py").is_file():
        return {}
    task = prepare(replace(request, config={}, config_files=()).options())
    output = task.butler.require_output()
    found = compare_config(output, task.config, task.layers)
    known = config_fields()
    absent = "not in the saved file"  # an older version's file: its rerun cannot be met exactly
    return {item.path: as_text(item.stored) for item in found if item.path in known and item.stored_source != absent}
