"""One simulated HSC CCD through Safelight's steps and through other packages, in turn, in one process and one thread.

    python tests/benchmarks/bench_peers.py [REPOSITORY] [--repeat N]

photutils is compared where scikit-image is installed, with which it deblends; sep, astroscrappy and ccdproc where they
are. What matters are the ratios, taken within each round; absolute times drift with the machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safelight.processccd.runtime import limit_threads

APERTURES = (3.0, 4.5, 6.0, 9.0, 12.0, 17.0, 25.0, 35.0, 50.0, 70.0)


@dataclass(frozen=True)
class Comparison:
    """Two callables that do the same job on the same pixels."""

    job: str
    ours: Callable[[], object]
    peer: str
    theirs: Callable[[], object]


def inputs(repository: Path, output: Path) -> tuple[Any, Any, Any, Any]:
    """Raw frame, masters, configuration and camera of the repository's first CCD."""
    from safelight.butler import Butler
    from safelight.isr import Masters
    from safelight.processccd.cameraconfig import camera_layers

    butler = Butler(repository, output=output)
    data_id = butler.query().rows[0]
    boxes, _ = butler.defects(data_id)
    masters = Masters(*(butler.get(kind, data_id) for kind in ("bias", "dark", "flat")), defects=boxes)
    return butler.get("raw", data_id), masters, camera_layers(butler.instrument).build(), butler.instrument


def comparisons(repository: Path, output: Path) -> list[Comparison]:
    """What is compared, with everything read beforehand."""
    import numpy as np

    from safelight import characterize, isr
    from safelight.characterize.cosmic_rays import find_cosmic_rays, unfill
    from safelight.exposure import Workspace

    raw, masters, config, camera = inputs(repository, output)
    workspace = Workspace()

    def remove_signature() -> Any:
        return isr.run(raw, masters, config.isr, camera, workspace).exposure

    def characterise() -> Any:
        return characterize.run(remove_signature(), config.charImage, exposure_id=1, workspace=workspace)

    exposure = remove_signature()
    image, variance = exposure.image.copy(), exposure.variance.copy()
    bad = exposure.masked("BAD", "SAT", "NO_DATA")
    found = []
    if importlib.util.find_spec("skimage"):
        found.append(
            Comparison(
                "ISR and characterisation",
                characterise,
                "photutils, detection to apertures",
                lambda: photutils(image, bad, np.sqrt(np.maximum(variance, 1e-6))),
            )
        )
    if importlib.util.find_spec("sep"):
        found.append(
            Comparison(
                "ISR and characterisation",
                characterise,
                "sep, detection to apertures",
                lambda: sep(image, bad, variance),
            )
        )
    if importlib.util.find_spec("ccdproc"):
        found.append(Comparison("ISR", remove_signature, "ccdproc", lambda: ccdproc(raw, masters, camera)))
    if importlib.util.find_spec("astroscrappy"):
        sky_free = remove_signature()
        sky_free.image -= np.median(sky_free.image)
        sharpness = (0.85, 0.72)  # of a PSF of 4 pixels

        def rays() -> object:
            found = find_cosmic_rays(sky_free, sharpness, config.charImage.repair.cosmicray)
            unfill(sky_free, found)
            return found

        found.append(Comparison("cosmic rays", rays, "astroscrappy", lambda: astroscrappy(image, bad, variance)))
    return found


def photutils(image: Any, bad: Any, error: Any) -> object:
    """Background, detection, deblending, moments and the same ten apertures."""
    from photutils.aperture import CircularAperture, aperture_photometry
    from photutils.background import Background2D, MedianBackground
    from photutils.segmentation import SourceCatalog, deblend_sources, detect_sources

    background = Background2D(image, 128, mask=bad, bkg_estimator=MedianBackground())
    sky_free = image - background.background
    segments = detect_sources(sky_free, 2.0 * background.background_rms, 5, mask=bad)
    segments = deblend_sources(sky_free, segments, 5, progress_bar=False)
    sources = SourceCatalog(sky_free, segments, error=error, mask=bad)
    moments = sources.to_table()
    apertures = [CircularAperture(list(zip(sources.x_centroid, sources.y_centroid)), r) for r in APERTURES]
    return moments, aperture_photometry(sky_free, apertures, error=error)


def sep(image: Any, bad: Any, variance: Any) -> object:
    """Background, detection with deblending, windowed positions and the same ten apertures."""
    import numpy as np
    import sep as package

    background = package.Background(image, mask=bad, bw=128, bh=128)
    sky_free = image - background.back()
    sources = package.extract(sky_free, 1.5, var=variance, mask=bad)
    positions = package.winpos(sky_free, sources["x"], sources["y"], np.full(len(sources), 1.7))
    return positions, [package.sum_circle(sky_free, sources["x"], sources["y"], r, var=variance) for r in APERTURES]


def ccdproc(raw: Any, masters: Any, camera: Any) -> object:
    """Overscan, trimming, bias, dark and flat of each amplifier."""
    import astropy.units as u
    import ccdproc as package
    import numpy as np
    from astropy.nddata import CCDData

    parts = []
    for amplifier in raw.detector.amplifiers:
        frame = CCDData(raw.pixels[amplifier.raw_box.slices].astype(np.float32), unit="adu")
        left = amplifier.raw_box.x0
        overscan, data = amplifier.serial_overscan, amplifier.raw_data_box
        frame = package.subtract_overscan(
            frame, frame[:, overscan.x0 - left : overscan.x0 - left + overscan.width], overscan_axis=1, median=True
        )
        x0 = data.x0 - left
        parts.append(package.trim_image(frame[data.y0 : data.y0 + data.height, x0 : x0 + data.width]).data)
    ccd = CCDData(np.hstack(parts), unit="adu")
    ccd = package.create_deviation(ccd, gain=3.3 * u.electron / u.adu, readnoise=5 * u.electron, disregard_nan=True)
    ccd = package.subtract_bias(ccd, CCDData(masters.bias.image, unit="adu"))
    dark = CCDData(masters.dark.image, unit="adu")
    ccd = package.subtract_dark(ccd, dark, dark_exposure=1 * u.s, data_exposure=30 * u.s, scale=True)
    return package.flat_correct(ccd, CCDData(masters.flat.image, unit=""), norm_value=1.0)


def astroscrappy(image: Any, bad: Any, variance: Any) -> object:
    """L.A.Cosmic with its defaults."""
    import astroscrappy as package

    return package.detect_cosmics(image, inmask=bad, invar=variance)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", nargs="?", type=Path)
    parser.add_argument("--repeat", type=int, default=3, metavar="N")
    options = parser.parse_args()
    limit_threads()
    warnings.simplefilter("ignore")  # of the peers, about NaN in their own tables
    with tempfile.TemporaryDirectory(prefix="safelight-bench-") as folder:
        repository = options.repository
        if repository is None:
            from safelight.simulate import simulate_night, spec_from_options

            repository = Path(folder) / "DATA"
            simulate_night(repository, spec_from_options(preset="tiny", ccds=(16,)))
        print(f"{'job':26}{'s':>7}  {'peer':36}{'s':>7}{'ratio':>8}")
        for comparison in comparisons(repository, Path(folder) / "out"):
            comparison.ours()  # compilation and page faults are not what is compared
            rounds = []
            for _ in range(options.repeat):
                began = time.perf_counter()
                comparison.ours()
                middle = time.perf_counter()
                comparison.theirs()
                rounds.append((middle - began, time.perf_counter() - middle))
            ours, theirs = (statistics.median(column) for column in zip(*rounds))
            ratio = statistics.median(b / a for a, b in rounds)
            print(f"{comparison.job:26}{ours:7.2f}  {comparison.peer:36}{theirs:7.2f}{ratio:8.1f}")


if __name__ == "__main__":
    main()
