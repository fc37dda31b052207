"""Master bias, dark and flat frames from raw frames of one CCD.

Each raw frame goes through the same signature removal as a science frame, as far as it makes sense for its kind, and
is kept on disk; then the frames are combined band by band with clipping. A flat is divided by its own median first, so
that a master flat has a median near 1 on every CCD; `calibs.mosaic` puts the ratios of the CCDs back.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight import isr
from safelight.calibs.combine import clipped_mean
from safelight.calibs.config import BuildConfig, Kind
from safelight.calibs.headers import master_header
from safelight.calibs.scratch import ScratchFrames
from safelight.errors import ProcessingError, SafelightError, UsageError
from safelight.exposure import FloatImage, MaskPlanes, MasterFrame, Workspace
from safelight.instruments import Detector, Instrument, RawFrame, read_raw

__all__ = ["build_bias", "build_dark", "build_flat", "build_master"]

Progress = Callable[[str], None]
#: Relative spread of exposure times that darks which keep their bias may have.
_TIME_TOLERANCE = 0.01


def build_bias(paths: Sequence[Path], instrument: Instrument, **options: Any) -> MasterFrame:
    """A master bias in ADU, from raw bias frames; options as `build_master`."""
    return build_master("bias", paths, instrument, isr.Masters(), **options)


def build_dark(
    paths: Sequence[Path], instrument: Instrument, bias: MasterFrame | None = None, **options: Any
) -> MasterFrame:
    """A master dark from raw dark frames: in ADU/s with a master `bias`, otherwise with bias and exposure time kept."""
    return build_master("dark", paths, instrument, isr.Masters(bias=bias), **options)


def build_flat(
    paths: Sequence[Path],
    instrument: Instrument,
    bias: MasterFrame | None = None,
    dark: MasterFrame | None = None,
    **options: Any,
) -> MasterFrame:
    """A master flat of median 1, from raw flat frames; options as `build_master`."""
    return build_master("flat", paths, instrument, isr.Masters(bias=bias, dark=dark), **options)


def build_master(
    kind: Kind,
    paths: Sequence[Path],
    instrument: Instrument,
    masters: isr.Masters,
    config: BuildConfig | None = None,
    *,
    ccd: int | None = None,
    filter_name: str | None = None,
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> MasterFrame:
    """Combine the raw frames at `paths`, all of one CCD (and filter), into a master frame of the assembled CCD.

    Parameters
    ----------
    masters : what is subtracted from the raw frames, as far as given: bias from darks, bias and dark from flats
    ccd, filter_name : override what the headers say
    scratch : folder for one float32 frame per input (default: the system's temporary folder); emptied afterwards
    progress : called with a line of text for each frame, and for the combination

    Returns
    -------
    MasterFrame
        With variance (of the mean), mask (NO_DATA where no frame had a usable value; there the image is NaN), and the
        header cards that `ingestCalibs.py` reads. A dark built without a bias has `contains_bias` set.

    Raises
    ------
    UsageError
        NO_FRAMES for an empty list.
    ProcessingError
        What `read_raw` and `isr.run` raise, with the file's name; DARK_EXPOSURE_MISMATCH for darks of different
        exposure times that keep their bias; BAD_FLAT for a flat without light.
    """
    config = config or BuildConfig()
    if not paths:
        raise UsageError("NO_FRAMES", f"There are no {kind} frames to combine.")
    with tempfile.TemporaryDirectory(prefix="safelight-calibs-", dir=scratch) as folder:
        inputs = _Inputs(kind, instrument, masters, config, ccd, filter_name)
        for number, path in enumerate(paths, start=1):
            if progress is not None:
                progress(f"{kind} {number}/{len(paths)}: {Path(path).name}")
            inputs.add(Path(path), Path(folder))
        inputs.check_times()
        if progress is not None:
            progress(f"{kind}: combining {len(paths)} frames")
        return inputs.combine()


@dataclass(slots=True)
class _Frame:
    """What is kept of one input beside its pixels."""

    path: Path
    header: dict[str, Any]
    data_id: dict[str, Any]
    scale: float  # divisor that was applied: seconds of a dark, median of a flat
    seconds: float


class _Inputs:
    """The frames of one build."""

    def __init__(
        self,
        kind: Kind,
        instrument: Instrument,
        masters: isr.Masters,
        config: BuildConfig,
        ccd: int | None,
        filter_name: str | None,
    ) -> None:
        self.kind, self.instrument, self.config = kind, instrument, config
        self.masters = masters
        self.ccd, self.filter_name = ccd, filter_name
        self.keeps_bias = kind == "dark" and (masters.bias is None or not config.isr.doBias)
        self.isr_config = config.isr.model_copy(
            update={
                "doBias": config.isr.doBias and kind != "bias" and masters.bias is not None,
                "doDark": config.isr.doDark and kind == "flat" and masters.dark is not None,
                "doFlat": False,
            }
        )
        self.frames: list[_Frame] = []
        self.detector: Detector | None = None
        self.filter = filter_name or ""
        self._workspace = Workspace()
        self._scratch: ScratchFrames | None = None

    def add(self, path: Path, folder: Path) -> None:
        """Remove the signature of one raw frame, scale it and keep it."""
        try:
            raw = read_raw(path, self.instrument, ccd=self.ccd, filter_name=self.filter_name)
            exposure = isr.run(raw, self.masters, self.isr_config, self.instrument, self._workspace).exposure
            self._check_detector(raw)
        except SafelightError as error:
            named = error.message if str(path) in error.message else f"{path}: {error.message}"
            raise ProcessingError(error.code, named, error.hint) from error
        image = exposure.image
        image[exposure.masked("SAT", "UNMASKEDNAN")] = np.nan
        seconds = raw.visit_info.dark_time_s
        scale = self._scale(image, seconds, path)
        if scale != 1.0:
            image *= np.float32(1.0 / scale)
        if self._scratch is None:
            self._scratch = ScratchFrames(folder, exposure.shape)
        self._scratch.append(image)
        self.frames.append(_Frame(path, raw.header, raw.data_id, scale, seconds))
        self.filter = self.filter or raw.filter_name

    def _check_detector(self, raw: RawFrame) -> None:
        if self.detector is None:
            self.detector = raw.detector
        elif (raw.detector.id, raw.detector.width, raw.detector.height) != (
            self.detector.id,
            self.detector.width,
            self.detector.height,
        ):
            raise ProcessingError(
                "MIXED_DETECTORS",
                f"The frame is of CCD {raw.detector.id} ({raw.detector.width} x {raw.detector.height}), the ones "
                f"before it of CCD {self.detector.id} ({self.detector.width} x {self.detector.height}).",
            )

    def _scale(self, image: FloatImage, seconds: float, path: Path) -> float:
        if self.kind == "dark" and not self.keeps_bias:
            if not seconds > 0:
                raise ProcessingError("NO_DARK_TIME", f"{path}: the exposure time of the dark is {seconds} s.")
            return seconds
        if self.kind == "flat":
            level = float(np.nanmedian(image))
            if not level > 0:
                raise ProcessingError(
                    "BAD_FLAT", f"{path}: the median of the flat is {level:.1f} ADU: it has no light."
                )
            return level
        return 1.0

    def check_times(self) -> None:
        """Darks that keep their bias must be of one exposure time."""
        times = [frame.seconds for frame in self.frames]
        if self.keeps_bias and max(times) - min(times) > _TIME_TOLERANCE * max(times):
            raise ProcessingError(
                "DARK_EXPOSURE_MISMATCH",
                f"Without a master bias, darks of one exposure time are needed; these have {min(times):g} to "
                f"{max(times):g} s.",
                "Build a master bias first.",
            )

    def combine(self) -> MasterFrame:
        """The master of all frames added."""
        assert self._scratch is not None
        assert self.detector is not None
        shape = self._scratch.shape
        image, variance = np.empty(shape, np.float32), np.empty(shape, np.float32)
        count = np.empty(shape, np.int16)
        for rows, stack in self._scratch.bands(self.config.memory):
            self._combine_band(rows, stack, image, variance, count)
        planes = MaskPlanes()
        mask = np.where(count > 0, np.int32(0), np.int32(planes.bits("NO_DATA")))
        rejected = len(self.frames) * count.size - int(count.sum(dtype=np.int64))
        seconds = float(np.mean([frame.seconds for frame in self.frames])) if self.keeps_bias else 1.0
        return MasterFrame(
            image=image,
            mask=mask,
            variance=variance,
            planes=planes,
            exposure_time_s=seconds,
            contains_bias=self.keeps_bias,
            header=master_header(
                self.kind,
                self.instrument,
                self.detector,
                self.filter if self.kind == "flat" else "NONE",
                [(frame.path, frame.header, frame.scale) for frame in self.frames],
                self.config,
                rejected / (len(self.frames) * count.size),
                keeps_bias=self.keeps_bias,
            ),
        )

    def _combine_band(
        self,
        rows: slice,
        stack: NDArray[np.float32],
        image: FloatImage,
        variance: FloatImage,
        count: NDArray[np.int16],
    ) -> None:
        assert self.detector is not None
        scale = float(np.median([frame.scale for frame in self.frames]))
        for amplifier in self.detector.amplifiers:
            box = amplifier.box
            first, last = max(rows.start, box.y0), min(rows.stop, box.y0 + box.height)
            if first >= last:
                continue
            columns = slice(box.x0, box.x0 + box.width)
            # Noise of one frame in its scaled units; a bias has no photons.
            constant = max(amplifier.read_noise_adu**2, 1.0 / 12.0) / scale**2
            slope = 0.0 if self.kind == "bias" else 1.0 / (amplifier.gain * scale)
            target = (slice(first, last), columns)
            image[target], variance[target], count[target] = clipped_mean(
                stack[:, first - rows.start : last - rows.start, columns],
                constant,
                slope,
                n_sigma=self.config.nSigmaClip,
                rounds=self.config.nIter,
            )
