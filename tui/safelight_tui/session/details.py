"""What the detail pane says of a raw frame: header, inputs, calibrations that apply and why, history over reruns.

The first three are read by jobs; history is in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.errors import SafelightError
from safelight_tui.session.reruns import RerunView
from safelight_tui.widgets.text_pane import TextLine

if TYPE_CHECKING:
    from safelight.butler.butler import Butler

__all__ = ["TABS", "calibration_lines", "header_lines", "history_lines", "input_lines"]

TABS = ("header", "inputs", "calibrations", "history")

_METRICS = ("fwhm_arcsec", "zeropoint_mag", "wcs_reserved_median_mas", "depth_5sigma_mag", "wcs_matches")


def header_lines(butler: Butler, data_id: Mapping[str, Any]) -> list[TextLine]:
    """The cards of the raw file's header."""
    try:
        header = butler.get("raw_md", data_id)
    except SafelightError as error:
        return _error(error)
    lines = []
    for key, value in header.items():
        if key in ("COMMENT", "HISTORY", ""):
            continue
        text = {True: "T", False: "F"}.get(value, value) if isinstance(value, bool) else value
        lines.append(TextLine(str(text), "", f"{key:<8} "))
    return lines


def input_lines(butler: Butler, data_id: Mapping[str, Any]) -> list[TextLine]:
    """The raw file, what it links to, the defect list, the reference catalogues."""
    lines: list[TextLine] = []
    try:
        path = butler.uri("raw", data_id)
        status = path.stat()
        when = datetime.fromtimestamp(status.st_mtime, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        lines.append(TextLine(f"{_short(path, butler)}  {status.st_size / 1e6:.1f} MB  {when}", "", "raw       "))
        if path.is_symlink():
            lines.append(TextLine(str(path.resolve()), "", "  link to "))
    except SafelightError as error:
        lines += _error(error, "raw       ")
    except OSError as error:
        lines.append(TextLine(f"{error}.", "bad", "raw       "))
    try:
        boxes, origin = butler.defects(data_id)
        lines.append(TextLine(f"{len(boxes)} rectangles, {origin}", "", "defects   "))
    except SafelightError as error:
        lines += _error(error, "defects   ")
    catalogues = butler.reference_catalogs()
    lines += [TextLine(_short(path, butler), "", "reference ") for path in catalogues.values()]
    if not catalogues:
        lines.append(TextLine("no reference catalogue: neither WCS nor zeropoint can be fitted", "bad", "reference "))
    pointing = butler.pointing(data_id)
    if pointing is not None:
        lines.append(TextLine(f"told at the ingest: {pointing}", "", "pointing  "))
    return lines


def calibration_lines(butler: Butler, data_id: Mapping[str, Any]) -> list[TextLine]:
    """The masters that apply with their validity and the reason, or why there is none."""
    lines: list[TextLine] = []
    for kind in ("bias", "dark", "flat", "defects"):
        label = f"{kind:<8} "
        try:
            choice = butler.find_calibration(kind, data_id)
        except SafelightError as error:
            lines += _error(error, label, tone="dim" if kind == "defects" else "bad")
            continue
        validity = f"{choice.calib_date}, valid {choice.valid_start}..{choice.valid_end}"
        lines.append(TextLine(validity, "", label))
        lines.append(TextLine(f"{choice.reason}; {_short(choice.path, butler)}", "dim", " " * len(label)))
    return lines


def history_lines(reruns: Sequence[RerunView], name: str) -> list[TextLine]:
    """What has become of a CCD in each rerun."""
    lines: list[TextLine] = []
    for rerun in reruns:
        state = rerun.states.get(name)
        if state is None:
            continue
        when = datetime.fromtimestamp(state.finished, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if state.finished else ""
        took = f"  {state.seconds:.1f} s" if state.seconds else ""
        lines.append(TextLine(f"{state.words}  {when}{took}", state.tone, f"rerun/{rerun.name}  "))
        if state.message:
            step = f"in {state.step}: " if state.step else ""
            lines.append(TextLine(f"{step}{state.message} {state.hint}".strip(), "", "    "))
        lines += [TextLine(f"{code}: {message}", "caveat", "    ") for code, message in state.caveats]
        metrics = [f"{metric} {value:.4g}" for metric in _METRICS if (value := state.metrics.get(metric)) is not None]
        if metrics:
            lines.append(TextLine("  ".join(metrics), "dim", "    "))
    return lines or [TextLine("No rerun has it yet; p makes a plan, x runs.", "dim")]


def _error(error: SafelightError, label: str = "", tone: str = "bad") -> list[TextLine]:
    return [TextLine(f"{error.message} {error.hint}".strip(), tone, label)]


def _short(path: Path, butler: Butler) -> str:
    """A path as seen from the repository."""
    return str(path.relative_to(butler.root)) if path.is_relative_to(butler.root) else str(path)
