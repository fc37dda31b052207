"""A run that the application does itself, one that it starts detached, and processCcd.py write the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from safelight.commands.processccd import main
from safelight_tui.runs.request import RunRequest
from safelight_tui.runs.worker import RunWorker


def run(request: RunRequest) -> list[Any]:
    said: list[Any] = []
    worker = RunWorker(request, said.append)
    worker.start()
    worker.join(300)
    return said


def pixels_and_rows(rerun: Path) -> dict[str, list[bytes]]:
    """The data of every FITS file, by its place; headers tell of the run and differ."""
    found = {}
    for path in sorted(rerun.rglob("*.fits*")):
        with fits.open(path) as hdus:
            found[str(path.relative_to(rerun))] = [hdu.data.tobytes() for hdu in hdus if hdu.data is not None]
    return found


@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning")
def test_a_run_in_the_application_detached_or_by_hand_gives_the_same_files(
    tiny_night: Path, tmp_path: Path, call: Callable[..., Any]
) -> None:
    root = tmp_path / "DATA"
    shutil.copytree(tiny_night, root)
    for rerun, here in (("here", True), ("detached", False)):
        said = run(RunRequest(root, rerun, id_text="ccd=16", in_process=here))
        assert [type(message).__name__ for message in said] == ["Began", "Ended"]
        assert said[-1].phase == "done"
    assert call(main, root, "--rerun", "hand", "--id", "ccd=16").code == 0
    results = [pixels_and_rows(root / "rerun" / name) for name in ("here", "detached", "hand")]
    assert len(results[0]) > 5
    assert results[0] == results[1] == results[2]
