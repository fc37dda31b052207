"""The command that measures accuracy: what it refuses before it begins, and what it gives its peers."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from tests.benchmarks import accuracy
from tests.benchmarks.accuracy import __main__ as command
from tests.benchmarks.accuracy import scamp, sextractor
from tests.benchmarks.accuracy.sections import SECTIONS

from safelight.calibrate.config import AstrometryConfig
from safelight.calibrate.first_wcs import first_wcs
from safelight.exposure import VisitInfo
from safelight.exposure.wcs import angular_separation
from safelight.instruments import initial_wcs, load_instrument


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cases", "0"], "0 is not at least 1"),
        (["--only", "nothing"], "invalid choice: 'nothing'"),
        (["--only", "wcs", "--sky", "{tmp}/absent"], "by --sky"),
        (["--only", "wcs", "--sky", "{tmp}", "--cache", "{tmp}/file"], "--cache {tmp}/file: File exists"),
        (["--only", "stress", "-o", "{tmp}/absent/table.csv"], "there is no folder {tmp}/absent"),
    ],
)
def test_what_cannot_be_measured_is_said_before_it_begins(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as stopped:
        command.main([argument.format(tmp=tmp_path) for argument in arguments])
    assert stopped.value.code == 2
    assert said.format(tmp=tmp_path) in capsys.readouterr().err


def test_every_section_finds_what_it_imports() -> None:
    """Sections are imported when they are measured, which may be hours after the command began."""
    names = [module.name for module in pkgutil.walk_packages(accuracy.__path__, f"{accuracy.__name__}.")]
    assert len(names) > len(SECTIONS)
    for name in names:
        importlib.import_module(name)


@pytest.mark.parametrize("ccd", [49, 29, 103])
def test_scamp_is_told_the_camera_model_as_astropy_reads_it(ccd: int, tmp_path: Path) -> None:
    camera = load_instrument("hsc")
    detector, visit = camera.detector(ccd), VisitInfo(30.0, 30.0, 56450.0, 320.9, -0.4, 211.0)
    shape = (detector.height, detector.width)
    wcs, origin = initial_wcs(camera, detector, visit)
    first = first_wcs(wcs, origin, shape[1], shape[0], AstrometryConfig(), camera, ccd, visit)
    scamp.write_camera_model(first, sextractor.starting_header(first, shape), shape, tmp_path)
    text = (tmp_path / "catalog.ahead").read_text()
    told = WCS(fits.Header.fromstring(text, sep="\n"))
    x, y = np.meshgrid(np.linspace(0, shape[1] - 1, 7), np.linspace(0, shape[0] - 1, 11))
    distance = angular_separation(*told.all_pix2world(x, y, 0), *first.wcs.pixel_to_sky(x, y)) * 3.6e6
    assert distance.max() < 0.2  # mas
