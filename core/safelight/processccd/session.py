"""One run from beginning to end: lock, consistency, plan, executor, summary."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from safelight.butler.atomic import clean_temporaries
from safelight.butler.backups import back_up
from safelight.processccd.ccd import RunContext
from safelight.processccd.consistency import (
    compare_config,
    config_path,
    keep_config,
    keep_versions,
    rerun_lock,
    versions_path,
)
from safelight.processccd.executor import Control, Executor, InlineExecutor, TaskSpec
from safelight.processccd.ledger import OutcomeLedger
from safelight.processccd.overrides import flatten
from safelight.processccd.pool import ProcessPool
from safelight.processccd.provenance import Provenance
from safelight.processccd.runner import Runner, RunSummary, new_run_name
from safelight.processccd.versions import package_versions
from safelight.processccd.visitstage import VisitStage
from safelight.processccd.voice import Listener

if TYPE_CHECKING:
    from safelight.butler.butler import Butler
    from safelight.processccd.config import ProcessCcdConfig
    from safelight.processccd.overrides import ConfigLayers
    from safelight.processccd.plan import Plan

__all__ = ["PROCESSOR", "RunSettings", "run_plan"]

LOG = logging.getLogger("processCcd")

#: What a worker process builds its task from.
PROCESSOR = "safelight.processccd.ccd:CcdProcessor"


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How to run, as opposed to what to compute."""

    command_line: list[str]
    processes: int = 1
    timeout_s: float | None = None  # of the whole run
    executor: str = "pool"  # "pool" (inline for one process) or "parsl"
    log_levels: dict[str, int] = field(default_factory=lambda: {"": logging.INFO})
    clobber_config: bool = False
    backup_config: bool = True
    check_versions: bool = True
    clobber_versions: bool = False
    raise_errors: bool = False
    debug: bool = False
    processor: str = PROCESSOR


def run_plan(
    butler: Butler,
    make_plan: Callable[[], Plan],
    config: ProcessCcdConfig,
    layers: ConfigLayers,
    settings: RunSettings,
    listener: Listener = lambda event: None,
    control: Control | None = None,
) -> RunSummary:
    """Run what `make_plan` plans; it is called when the rerun is locked, so that it sees the last run's results.

    `control` lets another thread pause or end the run. A run in a thread that is not the main one sees no signals.

    Raises
    ------
    ConfigurationMismatch
        The rerun has another configuration or other package versions; nothing was run.
    RepositoryError
        The rerun cannot be written, or another run is at work in it.
    """
    output = butler.require_output()
    butler.create_output()
    versions = package_versions()
    with rerun_lock(output):
        if settings.clobber_config and compare_config(output, config, layers):
            _retire_schemas(butler, backup=settings.backup_config)
        keep_config(output, config, layers, clobber=settings.clobber_config, backup=settings.backup_config)
        if settings.check_versions:
            keep_versions(output, versions, clobber=settings.clobber_versions)
        _clean(output)
        plan = make_plan()
        run = new_run_name()
        provenance = Provenance(
            run=run,
            command_line=settings.command_line,
            directory=str(Path.cwd()),
            repository=str(butler.root),
            output=str(output),
            instrument=butler.instrument.name,
            processes=settings.processes,
            versions=versions,
            config=flatten(config),
            config_hash=plan.config_hash,
        )
        with OutcomeLedger(output) as ledger:
            ledger.record_files({"processCcd_config": config_path(output), "packages": versions_path(output)})
            visits = VisitStage(butler, config, ledger, plan)
            executor = _executor(butler, config, settings, run, versions)
            runner = Runner(
                plan, ledger, provenance, listener=listener, raise_failures=settings.raise_errors, visits=visits
            )
            summary = runner.execute(executor, control or Control())
            ledger.record_files({f"{name}_schema": path for name, path in _schema_paths(butler).items()})
        _clean(output)  # a worker of a killed run may still have been dying at the first look
        return summary


def _clean(output: Path) -> None:
    for path in clean_temporaries(output):
        LOG.info("removed the temporary file of a dead process: %s", path)


def _schema_paths(butler: Butler) -> dict[str, Path]:
    return {"src": butler.path_for("src_schema"), "icSrc": butler.path_for("icSrc_schema")}


def _retire_schemas(butler: Butler, *, backup: bool) -> None:
    """Make way for the schemas of a configuration that replaces the rerun's."""
    for path in _schema_paths(butler).values():
        if backup:
            back_up(path)
        path.unlink(missing_ok=True)


def _executor(
    butler: Butler, config: ProcessCcdConfig, settings: RunSettings, run: str, versions: dict[str, str]
) -> Executor:
    context = RunContext(
        config=config,
        instrument=butler.instrument,
        provenance={"SLRUN": run, "SLVERS": versions.get("safelight", "")},
        schemas=_schema_paths(butler),
        log_levels=settings.log_levels,
        raise_errors=settings.raise_errors and settings.processes == 1,
        debug=settings.debug,
    )
    spec = TaskSpec(settings.processor, context)
    if settings.executor == "parsl":
        from safelight.processccd.parsl import ParslExecutor

        return ParslExecutor(spec, settings.processes, timeout_s=settings.timeout_s)
    if settings.processes == 1 and not settings.timeout_s:
        return InlineExecutor(spec, raise_errors=settings.raise_errors)
    return ProcessPool(spec, settings.processes, timeout_s=settings.timeout_s)
