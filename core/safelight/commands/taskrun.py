"""What processCcd.py and `safelight run` do once their options are parsed."""

from __future__ import annotations

import cProfile
import logging
import shutil
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.commands.taskoptions import TaskOptions
from safelight.errors import EmptySelection, RepositoryError, UsageError
from safelight.processccd.runtime import limit_threads, stay_offline

if TYPE_CHECKING:
    from safelight.butler.butler import Butler
    from safelight.processccd.config import ProcessCcdConfig
    from safelight.processccd.events import Event
    from safelight.processccd.overrides import ConfigLayers
    from safelight.processccd.plan import Plan
    from safelight.processccd.planner import PlanWatch
    from safelight.processccd.runner import RunSummary

__all__ = ["PreparedTask", "nothing_to_retry", "prepare", "run_task", "select"]


class PreparedTask:
    """An opened repository with the configuration that the options ask for."""

    def __init__(self, options: TaskOptions, butler: Butler, layers: ConfigLayers) -> None:
        self.options = options
        self.butler = butler
        self.layers = layers
        self.config: ProcessCcdConfig = layers.build()

    def plan(self, rows: list[dict[str, Any]], watch: PlanWatch = lambda ccds: None) -> Plan:
        """The plan for the selected rows; `watch` is given the CCDs of each chunk as they are planned."""
        from safelight.processccd.planner import PlanOptions, make_plan

        options = PlanOptions(
            redo=self.options.redo,
            only_failed=self.options.failed,
            reuse_outputs=bool(self.options.reuse_outputs_from),
            clobber_config=self.options.clobber_config,
        )
        return make_plan(self.butler, rows, self.config, self.layers, options, watch)


def prepare(options: TaskOptions) -> PreparedTask:
    """Open the repository and build the configuration: defaults, the camera's, then -c and -C in their order."""
    limit_threads()
    from safelight.commands.opening import open_butler
    from safelight.processccd.cameraconfig import camera_layers

    stay_offline()
    check_calib(options)
    butler = open_butler(options.input, rerun=options.rerun, output=options.output, calib=options.calib)
    layers = camera_layers(butler.instrument)
    for option, text in options.overrides:
        if option == "-c":
            layers.set_text(text, "-c")
        else:
            layers.load_file(Path(text))
    return PreparedTask(options, butler, layers)


def check_calib(options: TaskOptions) -> None:
    """Refuse a calibration repository that is named but not there: every CCD would fail for want of masters."""
    from safelight.butler.roots import resolve_roots

    calib = resolve_roots(options.input, calib=options.calib).calib
    if calib is not None and not calib.is_dir():
        raise RepositoryError(
            "NO_SUCH_DIRECTORY", f"There is no calibration repository {calib}.", "Check --calib or PIPE_CALIB_ROOT."
        )


def run_task(
    options: TaskOptions, command_line: list[str], listener: Callable[[Event], None] = lambda event: None
) -> int:
    """Show, plan and run as the options say; returns the exit code. `listener` is told of a run's events."""
    task = prepare(options)
    if options.clobber_output:
        check_clobbering(task.butler)
    shown = show_configuration(task)
    wants_data = "data" in options.show
    if shown and not wants_data and "run" not in options.show:
        return 0
    if task.butler.output is None:
        raise UsageError("NO_OUTPUT", "There is nowhere to write.", "Give --rerun NAME or --output PATH.")
    rows = select(task)
    if wants_data:
        for row in rows:
            print(f"id dataRef.dataId = {row!r}")
    if options.show and "run" not in options.show:
        return 0
    if options.clobber_output:
        # Not before everything else on the command line has been found right.
        clobber_output(task.butler)
        task = prepare(options)
    idle = nothing_to_retry(task, rows)
    if idle:
        print(f"processCcd INFO: {idle}", file=sys.stderr)
        return 0
    with profiled(options.profile):
        return execute(task, rows, command_line, listener)


def check_clobbering(butler: Butler) -> None:
    """Refuse to delete the input, and a directory that no run has written."""
    output = butler.output
    if output is None:
        raise UsageError("NO_OUTPUT", "--clobber-output needs an output.", "Give --rerun NAME or --output PATH.")
    inputs = [path for path in butler.search_path if path != output]
    if not inputs or any(path.resolve().is_relative_to(output.resolve()) for path in inputs):
        raise UsageError(
            "CLOBBERS_INPUT", f"--clobber-output would delete the input: {output} is or holds it.", "Name a rerun."
        )
    marked = any((output / name).exists() for name in ("repositoryCfg.yaml", "_parent"))
    made_by_run = marked and not (output / "registry.sqlite3").exists()
    if output.is_dir() and any(output.iterdir()) and not made_by_run:
        raise UsageError(
            "CLOBBERS_OTHER_FILES",
            f"--clobber-output does not delete {output}: it holds files but is no output of a run.",
            "Name a rerun, or delete the directory yourself.",
        )


def clobber_output(butler: Butler) -> None:
    """Delete the output repository, unless another run is at work in it."""
    from safelight.processccd.consistency import rerun_lock

    check_clobbering(butler)
    output = butler.require_output()
    if output.is_dir():
        with rerun_lock(output):
            print(f"processCcd INFO: deleting {output}", file=sys.stderr)
            shutil.rmtree(output)


def select(task: PreparedTask, warn: Callable[[str], None] | None = None) -> list[dict[str, Any]]:
    """The rows that all --id groups together select, each once; raises `EmptySelection` if there are none.

    `warn` takes the sentences about groups that select nothing or less than was typed; default: to stderr.
    """
    warn = warn or _warn
    groups = task.options.ids
    if groups is None:
        raise EmptySelection(
            "NOTHING_SELECTED", "No data IDs were given.", "Give --id KEY=VALUE …, or --id alone for everything."
        )
    rows: dict[frozenset[Any], dict[str, Any]] = {}
    empty: EmptySelection | None = None
    for group in groups:
        try:
            selection = task.butler.query(group)
        except EmptySelection as error:
            empty = error
            if len(groups) > 1:  # otherwise it is the command's own error, below
                warn(error.message)
            continue
        for note in selection.notes:
            warn(note)
        for row in selection.rows:
            rows.setdefault(frozenset(row.items()), row)
    if not rows and empty is not None:
        raise empty
    return list(rows.values())


def nothing_to_retry(task: PreparedTask, rows: Iterable[dict[str, Any]]) -> str:
    """The sentence to be said, instead of beginning a run, where --failed finds no failure; empty where it does."""
    if not task.options.failed:
        return ""
    from safelight.processccd.ledger import OutcomeLedger
    from safelight.processccd.outcome import ccd_key

    output = task.butler.require_output()
    wanted = {ccd_key(row) for row in rows}
    with OutcomeLedger(output) as ledger:
        if any(ccd.failure is not None and ccd_key(ccd.data_id) in wanted for ccd in ledger.ccds()):
            return ""
    where = f"rerun {task.options.rerun.rpartition(':')[2]}" if task.options.rerun else str(output)
    return f"Nothing that is selected ({len(wanted)} CCDs) has failed in {where}: no run was started."


def _warn(sentence: str) -> None:
    print(f"processCcd WARN: {sentence}", file=sys.stderr)


def show_configuration(task: PreparedTask) -> bool:
    """Do what --show says about the configuration; whether anything was asked."""
    from safelight.processccd.savedconfig import render_config, split_glob

    asked = False
    for word in task.options.show:
        name, _, glob = word.partition("=")
        if name == "config":
            pattern, ignore_case = split_glob(glob) if glob else ("", True)
            if glob and ignore_case and pattern != pattern.lower():
                print(f"Matching {glob!r} without regard to case (append :NOIGNORECASE to prevent this)")
            print(render_config(task.config, task.layers.source, glob=pattern, ignore_case=ignore_case), end="")
        elif name == "history":
            show_history(task, split_glob(glob)[0])
        elif name == "tasks":
            show_tasks()
        asked = asked or name in ("config", "history", "tasks")
    return asked


def show_history(task: PreparedTask, glob: str) -> None:
    """Print the values that each matching field was given, and by whom."""
    import fnmatch

    from safelight.processccd.overrides import config_fields

    for path in config_fields():
        if fnmatch.fnmatchcase(path.casefold(), glob.casefold()):
            print(path)
            for assignment in task.layers.history(path):
                print(f"  {assignment.value!r}  {assignment.source}")


def show_tasks() -> None:
    """Print the steps that have a configuration of their own."""
    from safelight.processccd.overrides import config_groups

    print("Subtasks:")
    for path, model in sorted(config_groups().items()):
        print(f"{path}: {model.__module__}.{model.__qualname__}")


class profiled:
    """Profile the block with cProfile and write the statistics to a file; without a file do nothing."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._profile = cProfile.Profile() if path else None

    def __enter__(self) -> None:
        if self._profile is not None:
            self._profile.enable()

    def __exit__(self, *error: object) -> None:
        if self._profile is not None and self._path is not None:
            self._profile.disable()
            self._profile.dump_stats(self._path)


def execute(
    task: PreparedTask, rows: list[dict[str, Any]], command_line: list[str], listener: Callable[[Event], None]
) -> int:
    """Run the plan for the rows; the exit code."""
    from safelight.commands.display import LogStyle, make_display
    from safelight.processccd.session import RunSettings, run_plan

    options = task.options
    levels = {item.component: item.level for item in options.log_levels}
    settings = RunSettings(
        command_line=command_line,
        processes=options.processes,
        timeout_s=options.timeout,
        executor=options.executor,
        log_levels=levels or {"": logging.INFO},
        clobber_config=options.clobber_config,
        backup_config=options.backup_config,
        check_versions=options.versions,
        clobber_versions=options.clobber_versions,
        raise_errors=options.doraise,
        debug=options.debug,
    )
    display = make_display(LogStyle(levels, long=options.longlog))

    def tell(event: Event) -> None:
        listener(event)
        display.show(event)

    try:
        with display:
            summary = run_plan(task.butler, lambda: task.plan(rows), task.config, task.layers, settings, tell)
    except Exception:
        if not options.doraise:
            raise
        traceback.print_exc()
        return 1
    if levels.get("processCcd", levels.get("", logging.INFO)) <= logging.INFO:
        print(f"processCcd INFO: {describe(summary)}", file=sys.stderr)
    if options.no_exit and summary.exit_code == 1:
        print("processCcd ERROR: some CCDs failed; --noExit makes this exit 0", file=sys.stderr)
        return 0
    return summary.exit_code


def describe(summary: RunSummary) -> str:
    """The end of a run in one line."""
    counts = ", ".join(f"{number} {status}" for status, number in summary.counts.items())
    return f"run {summary.run}: {counts or 'nothing to do'}"
