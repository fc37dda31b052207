"""Making a plan: the inputs of each CCD, the state of its outputs, and what a run would do. Writes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.errors import DatasetNotFound, SafelightError
from safelight.isr import SWITCHES, wanted_masters
from safelight.isr.stray_light import mjd_of_date, refuse_stray_light
from safelight.processccd.cameraconfig import camera_fingerprint, defects_fingerprint
from safelight.processccd.checksums import Checksums, unchanged
from safelight.processccd.consistency import compare_config
from safelight.processccd.experience import experience
from safelight.processccd.isrmasters import find_master
from safelight.processccd.ledger import OutcomeLedger, RecordedCcd
from safelight.processccd.obstacles import Obstacle, all_hints, all_reasons, obstacle
from safelight.processccd.outcome import InputFile, ccd_key
from safelight.processccd.outputs import CALIBRATED_TYPES, CHARACTERIZED_TYPES
from safelight.processccd.plan import Action, CatalogChoice, MasterChoice, Plan, PlannedCcd, State, total_seconds
from safelight.processccd.references import ReferencePlanner
from safelight.processccd.savedconfig import config_hash

if TYPE_CHECKING:
    from safelight.butler.butler import Butler
    from safelight.instruments import Box, Pointing
    from safelight.processccd.config import ProcessCcdConfig
    from safelight.processccd.overrides import ConfigLayers

__all__ = ["PlanOptions", "PlanWatch", "make_plan"]

#: Bytes of output per pixel before any is known: image and variance hardly compress, the mask does.
_BYTES_PER_PIXEL = 7.0

#: CCDs planned between two looks of a watcher: about a tenth of a second.
_CHUNK = 100

PlanWatch = Callable[[Sequence[PlannedCcd]], None]

#: Parts of a frame type that mean a calibration frame.
_CALIBRATION_WORDS = ("bias", "zero", "dark", "flat")


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What a person may say about which CCDs to do."""

    redo: bool = False  # also what is finished and unchanged
    only_failed: bool = False  # nothing but failures of this rerun
    reuse_outputs: bool = False  # keep outputs that exist, whatever they were made from
    clobber_config: bool = False  # the rerun's configuration is going to be replaced


@dataclass(frozen=True, slots=True)
class _Verdict:
    state: State
    action: Action
    code: str
    reason: str


@dataclass(slots=True)
class _Inputs:
    """What was found of a CCD's inputs, and what was not: with any obstacle it cannot be run."""

    raw: Path | None
    masters: tuple[MasterChoice, ...]
    defects: tuple[Box, ...]
    defects_origin: str
    catalogs: tuple[CatalogChoice, ...]
    pointing: Pointing | None
    obstacles: tuple[Obstacle, ...] = ()

    def paths(self) -> dict[str, str]:
        """Role -> path of the files that decide whether a result is still of these inputs."""
        return {"raw": str(self.raw)} | {master.kind: str(master.path) for master in self.masters}


def make_plan(
    butler: Butler,
    rows: Sequence[dict[str, Any]],
    config: ProcessCcdConfig,
    layers: ConfigLayers,
    options: PlanOptions = PlanOptions(),
    watch: PlanWatch = lambda ccds: None,
) -> Plan:
    """Plan the CCDs of `rows` (data IDs as `Butler.query` gives them) for the butler's output.

    Parameters
    ----------
    watch : callable
        Given the CCDs of each chunk as soon as they are planned; an exception that it raises gives up the plan.
    """
    output = butler.require_output()
    with OutcomeLedger(output) as ledger:
        planner = _Planner(butler, config, ledger, options)
        ccds: list[PlannedCcd] = []
        for start in range(0, len(rows), _CHUNK):
            chunk = [planner.plan(row) for row in rows[start : start + _CHUNK]]
            if options.only_failed:
                chunk = [ccd for ccd in chunk if ccd.state == "failed"]
            ccds += chunk
            watch(chunk)
        estimate = total_seconds(ccds)
        needed = planner.disk_needed(ccds)
    differences = () if options.clobber_config else tuple(str(d) for d in compare_config(output, config, layers))
    return Plan(
        repository=butler.root,
        output=output,
        instrument=butler.instrument.name,
        ccds=tuple(ccds),
        config_hash=planner.config_hash,
        config_differences=differences,
        estimated_seconds=estimate,
        disk_needed_bytes=needed,
        disk_free_bytes=_free_bytes(output),
    )


def _free_bytes(path: Path) -> int:
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


class _Planner:
    """Plans one CCD after the other."""

    def __init__(self, butler: Butler, config: ProcessCcdConfig, ledger: OutcomeLedger, options: PlanOptions) -> None:
        self._butler = butler
        self._config = config
        self._ledger = ledger
        self._options = options
        self._recorded = {ccd_key(ccd.data_id): ccd for ccd in ledger.ccds()}
        self._checksums = Checksums(file for ccd in self._recorded.values() for file in ccd.inputs)
        self._references = ReferencePlanner(butler.instrument, butler.reference_catalogs(), config.calibrate)
        self._camera = camera_fingerprint(butler.instrument)
        self._bias_in_dark: dict[Path, bool] = {}
        self._knows_frame_type = "dataType" in butler.registry.raw_columns()
        self._types = CALIBRATED_TYPES if config.doCalibrate else CHARACTERIZED_TYPES
        if config.doWritePostIsr:
            self._types = (*self._types, "postISRCCD")
        self.config_hash = config_hash(config)
        self._known_costs = experience(butler.root, ledger, self._recorded.values())

    def plan(self, row: dict[str, Any]) -> PlannedCcd:
        """One CCD."""
        key = ccd_key(row)
        recorded = self._recorded.get(key)
        outputs = {kind: self._butler.path_for(kind, row) for kind in self._types}
        frame_type = self._frame_type(row)
        if any(word in frame_type.casefold() for word in _CALIBRATION_WORDS):
            return PlannedCcd(
                key=key,
                data_id=row,
                action="skip",
                code="NOT_OF_THE_SKY",
                reason=f"a raw calibration frame ({frame_type})",
                state=_state_of(recorded),
                outputs=outputs,
            )
        inputs = self._find_inputs(row)
        if inputs.obstacles:
            return PlannedCcd(
                key=key,
                data_id=row,
                action="blocked",
                code=inputs.obstacles[0].code,
                reason=all_reasons(inputs.obstacles),
                hint=all_hints(inputs.obstacles),
                state=_state_of(recorded),
                raw=inputs.raw,
                masters=inputs.masters,
                outputs=outputs,
                obstacles=inputs.obstacles,
            )
        verdict = self._judge(recorded, inputs, outputs)
        known = self._known_inputs(inputs)
        return PlannedCcd(
            key=key,
            data_id=row,
            action=verdict.action,
            code=verdict.code,
            reason=verdict.reason,
            state=verdict.state,
            raw=inputs.raw,
            masters=inputs.masters,
            defects_origin=inputs.defects_origin,
            catalogs=inputs.catalogs,
            outputs=outputs,
            estimated_seconds=(recorded.seconds if recorded and recorded.seconds else self._known_costs.seconds),
            pointing=inputs.pointing,
            defects=inputs.defects,
            known_inputs=known,
        )

    def _frame_type(self, row: dict[str, Any]) -> str:
        """What the registry says the frame is (OBJECT, BIAS, DOMEFLAT …); empty where it does not say."""
        if not self._knows_frame_type:
            return ""
        found = self._butler.registry.lookup({key: row[key] for key in ("visit", "ccd")}, ["dataType"])
        return str(found[0]["dataType"] or "") if len(found) == 1 else ""

    def _find_inputs(self, row: dict[str, Any]) -> _Inputs:
        """Everything that there is and, where something is not, everything that is missing."""
        obstacles: list[Obstacle] = []
        raw = None
        try:
            raw = self._butler.uri("raw", row)
        except SafelightError as error:
            obstacles.append(obstacle("raw", error))
        masters, missing = self._masters(row)
        obstacles += missing
        inputs = _Inputs(raw, masters, (), "", (), None)
        try:
            self._refuse_stray_light(row)
        except SafelightError as error:
            obstacles.append(obstacle("stray light", error))
        try:
            self._add_others(inputs, row)
        except DatasetNotFound as error:
            obstacles.append(obstacle("reference catalogue", error))
        except SafelightError as error:  # a header that cannot be read, or that does not say where the frame lies
            obstacles.append(obstacle("raw", error))
        inputs.obstacles = tuple(obstacles)
        return inputs

    def _refuse_stray_light(self, row: dict[str, Any]) -> None:
        camera = self._butler.instrument
        if not self._config.isr.doStrayLight or camera.stray_light is None:
            return
        known = camera.filter(str(row.get("filter", "")))
        day = mjd_of_date(str(row.get("taiObs") or row.get("dateObs") or ""))
        refuse_stray_light(camera.stray_light, known.band if known else "", int(row["ccd"]), day)

    def _add_others(self, inputs: _Inputs, row: dict[str, Any]) -> None:
        """Defects, pointing, and the reference catalogues, which are looked for where the raw frame points."""
        if self._config.isr.doDefect:
            defects, inputs.defects_origin = self._butler.defects(row)
            inputs.defects = tuple(defects)
        else:
            inputs.defects_origin = "not applied (isr.doDefect)"
        inputs.pointing = self._butler.pointing(row)
        if self._config.doCalibrate and inputs.raw is not None:
            inputs.catalogs = self._references.choose(inputs.raw, row, inputs.pointing)

    def _masters(self, row: dict[str, Any]) -> tuple[tuple[MasterChoice, ...], list[Obstacle]]:
        """The masters, chosen by validity, and those missing; a bias may be where the dark still contains it."""
        isr = self._config.isr
        found: dict[str, MasterChoice] = {}
        missing: dict[str, Obstacle] = {}
        for kind in wanted_masters(isr, self._butler.instrument, str(row.get("filter", ""))):
            try:
                choice = find_master(self._butler, kind, row, isr)
            except SafelightError as error:
                missing[kind] = obstacle(kind, error)
                continue
            dates = choice.calib_date, choice.valid_start, choice.valid_end
            found[kind] = MasterChoice(kind, choice.path, *dates, choice.reason)
        if "bias" in missing and "dark" in found:
            try:
                if self._contains_bias(found["dark"].path):
                    del missing["bias"]
            except SafelightError as error:
                missing["dark"] = obstacle("dark", error)
        return tuple(found.values()), list(missing.values())

    def _contains_bias(self, dark: Path) -> bool:
        if dark not in self._bias_in_dark:
            from safelight.exposure.fits import read_master

            self._bias_in_dark[dark] = read_master(dark).contains_bias
        return self._bias_in_dark[dark]

    def _known_inputs(self, inputs: _Inputs) -> tuple[InputFile, ...]:
        """Fingerprints whose checksums are known already, for the worker to take over."""
        found = []
        for role, path in inputs.paths().items():
            try:
                file = self._checksums.fingerprint(role, Path(path), compute=False)
            except OSError:
                continue  # the worker says what is wrong with it
            if file.sha256:
                found.append(file)
        return tuple(found)

    def _judge(self, recorded: RecordedCcd | None, inputs: _Inputs, outputs: dict[str, Path]) -> _Verdict:
        present = all(path.is_file() for path in outputs.values())
        if self._options.reuse_outputs and present:
            state = _state_of(recorded) if recorded else "done"
            return _Verdict(state, "skip", "REUSED", "outputs exist and are kept as they are")
        if recorded is None:
            reason = "outputs exist, but no record of how they were made" if present else "not done yet"
            return _Verdict("absent", "run", "NEW", reason)
        if recorded.failure is not None:
            return _Verdict("failed", "run", "RETRY", f"failed before: {recorded.failure.code}")
        stale = self._why_stale(recorded, inputs)
        if stale is not None:
            return _Verdict("stale", "run", *stale)
        state = _state_of(recorded)
        if self._options.redo:
            return _Verdict(state, "run", "REDO", "done, to be done again")
        return _Verdict(state, "skip", "UNCHANGED", "done; inputs and configuration are unchanged")

    def _why_stale(self, recorded: RecordedCcd, inputs: _Inputs) -> tuple[str, str] | None:
        damaged = self._ledger.damaged_outputs(recorded.data_id)
        if damaged:
            return "OUTPUTS_CHANGED", damaged[0].rstrip(".")
        if recorded.config_hash != self.config_hash:
            return "CONFIG_CHANGED", "the configuration has changed since"
        now = inputs.paths()
        before = {file.role for file in recorded.inputs} & {"raw", *SWITCHES}
        if now.keys() != before:
            return "INPUTS_CHANGED", f"another set of inputs is used now: {_other(before, now.keys())}"
        for file in recorded.inputs:
            if file.role in ("astrometry", "photometry"):
                continue
            if file.role == "camera":
                same = file.sha256 == self._camera.sha256
            elif file.role == "defects":
                same = file.sha256 == defects_fingerprint(inputs.defects_origin, inputs.defects).sha256
            else:
                same = unchanged(file, self._checksums, Path(now[file.role]))
                if not same and Path(now[file.role]).name != Path(file.path).name:
                    return "INPUTS_CHANGED", f"another {file.role} is used now: {now[file.role]}"
            if not same:
                return "INPUTS_CHANGED", f"the {file.role} input has changed: {file.path}"
        return self._changed_references(recorded, inputs)

    def _changed_references(self, recorded: RecordedCcd, inputs: _Inputs) -> tuple[str, str] | None:
        """Shards are known by the names of their catalogue and their own; the repository may have moved."""
        before = {
            (Path(file.path).parent.name, Path(file.path).name): file
            for file in recorded.inputs
            if file.role in ("astrometry", "photometry")
        }
        now = {
            (catalog.name, f"{shard}.fits"): catalog.path / f"{shard}.fits"
            for catalog in inputs.catalogs
            for shard in catalog.shards
        }
        if {name for name, _ in before} != {name for name, _ in now}:
            return "INPUTS_CHANGED", "other reference catalogues are used now"
        if before.keys() != now.keys():
            return "INPUTS_CHANGED", "other shards of the reference catalogues are there now"
        for key, file in before.items():
            if not unchanged(file, self._checksums, now[key]):
                return "INPUTS_CHANGED", f"the {file.role} input has changed: {now[key]}"
        return None

    def disk_needed(self, ccds: Iterable[PlannedCcd]) -> int:
        """Bytes that the run will write, from what its CCDs took so far, or from the size of the detectors."""
        count = sum(1 for ccd in ccds if ccd.action == "run")
        per_ccd = self._known_costs.bytes
        if per_ccd is None:
            detector = self._butler.instrument.detectors[0]
            per_ccd = detector.width * detector.height * _BYTES_PER_PIXEL
        return int(count * per_ccd)


def _other(before: Iterable[str], now: Iterable[str]) -> str:
    """Which kinds of input came or went."""
    came, went = sorted(set(now) - set(before)), sorted(set(before) - set(now))
    return ", ".join([f"with {kind}" for kind in came] + [f"without {kind}" for kind in went])


def _state_of(recorded: RecordedCcd | None) -> State:
    if recorded is None:
        return "absent"
    if recorded.status == "done":
        return "done"
    return "done-with-caveats" if recorded.status == "done-with-caveats" else "failed"
