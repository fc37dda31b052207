"""Instrument signature removal in LSST Gen2's order.

1. saturation and suspect levels, overscan, conversion to float and assembly, amplifier by amplifier;
2. bias; 3. variance; 4. linearity; 5. crosstalk; 6. defects; 7. saturation trails; 8. dark; 9. flat;
10. pixels that are not finite; 11. growth of saturation and filling of bad pixels.

A dark that still contains the bias takes the bias's place in step 2, for photon noise is that of the signal above it.
Pixels that are not finite are looked for after the flat, so that those of dark and flat are found too. Gen2's steps
for brighter-fatter, fringes, stray light and the vignetting polygon of Hyper Suprime-Cam are not applied, and no
transmission curves are attached.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.caveats import Caveat
from safelight.errors import ProcessingError
from safelight.exposure import Exposure, FloatImage, MaskImage, MaskPlanes, MasterFrame, Workspace
from safelight.exposure.fits_headers import foreign_cards
from safelight.exposure.wcs import angular_separation
from safelight.instruments.model import Amplifier, Box, Instrument
from safelight.instruments.raw import RawFrame
from safelight.isr.amplifiers import AmplifierReport, process_amplifier
from safelight.isr.bias import subtract_bias
from safelight.isr.config import IsrConfig
from safelight.isr.crosstalk import subtract_crosstalk
from safelight.isr.dark import dark_scale, subtract_dark
from safelight.isr.defects import mask_defects, merge_master_mask
from safelight.isr.flat import divide_flat
from safelight.isr.interpolation import interpolate
from safelight.isr.linearity import linearize
from safelight.isr.masters import required_master
from safelight.isr.nans import mask_not_finite
from safelight.isr.result import IsrResult, Masters
from safelight.isr.saturation import grow_saturation
from safelight.isr.sky import clipped_level, median_level
from safelight.isr.trails import widen_trails
from safelight.isr.variance import add_variance, set_variance

__all__ = ["remove_signature"]

#: Width of the PSF that the filling assumes where nothing tells the pixel scale.
_UNKNOWN_FWHM_PIXELS = 3.0


def remove_signature(
    raw: RawFrame, masters: Masters, config: IsrConfig, instrument: Instrument, workspace: Workspace | None = None
) -> IsrResult:
    """Turn `raw` into an exposure [y, x] of the assembled CCD: image in ADU, mask, variance in ADU².

    `raw.pixels` may have any stride and is not changed; the exposure's planes belong to `workspace` and last until it
    is used again.

    Raises
    ------
    ProcessingError
        RAW_WRONG_SIZE, ALL_SATURATED, MISSING_BIAS, MISSING_DARK, MISSING_FLAT, MASTER_WRONG_SIZE, BAD_MASTER,
        DARK_EXPOSURE_MISMATCH, NO_DARK_TIME.
    """
    work = _begin(raw, masters, config, instrument, workspace or Workspace())
    _assemble(work)
    _subtract_pedestal(work)
    _set_variance(work)
    _linearize(work)
    _crosstalk(work)
    _defects_and_trails(work)
    _dark(work)
    _flat(work)
    _fill_bad_pixels(work)
    return IsrResult(_exposure(work), work.metadata, work.caveats)


@dataclass(slots=True)
class _Work:
    """One CCD on its way through the steps."""

    raw: RawFrame
    config: IsrConfig
    instrument: Instrument
    workspace: Workspace
    image: FloatImage
    mask: MaskImage
    variance: FloatImage
    bias: MasterFrame | None
    dark: MasterFrame | None
    flat: MasterFrame | None
    defects: Sequence[Box]
    planes: MaskPlanes = field(default_factory=MaskPlanes)
    reports: list[AmplifierReport] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    caveats: list[Caveat] = field(default_factory=list)

    @property
    def amplifiers(self) -> tuple[Amplifier, ...]:
        return self.raw.detector.amplifiers


def _begin(raw: RawFrame, masters: Masters, config: IsrConfig, instrument: Instrument, workspace: Workspace) -> _Work:
    """Check sizes and masters before anything is computed."""
    detector = raw.detector
    expected = (detector.raw_height, detector.raw_width)
    if raw.pixels.shape != expected:
        raise ProcessingError(
            "RAW_WRONG_SIZE",
            f"The raw frame has {raw.pixels.shape[1]} x {raw.pixels.shape[0]} pixels; CCD {detector.id} of "
            f"{instrument.name} has {expected[1]} x {expected[0]}.",
        )
    shape = (detector.height, detector.width)
    dark = required_master("dark", masters.dark, shape) if config.doDark else None
    needs_bias = config.doBias and not (dark is not None and dark.contains_bias)
    return _Work(
        raw=raw,
        config=config,
        instrument=instrument,
        workspace=workspace,
        image=workspace.take("isr.image", shape, np.float32),
        mask=workspace.take("isr.mask", shape, np.int32),
        variance=workspace.take("isr.variance", shape, np.float32),
        bias=required_master("bias", masters.bias, shape) if needs_bias else None,
        dark=dark,
        flat=required_master("flat", masters.flat, shape) if config.doFlat else None,
        defects=masters.defects if config.doDefect else (),
    )


def _assemble(work: _Work) -> None:
    """Levels and overscan of every amplifier, and its pixels in the assembled frame."""
    work.mask[:] = 0
    work.variance[:] = 1.0
    pixels = _native(work.raw.pixels)
    for amplifier in work.amplifiers:
        report = process_amplifier(pixels, amplifier, work.config, work.planes, work.defects, work.image, work.mask)
        work.reports.append(report)
        if report.overscan is not None:
            work.metadata[f"ISR_OSCAN_LEVEL{amplifier.name}"] = report.overscan.level
            work.metadata[f"ISR_OSCAN_SIGMA{amplifier.name}"] = report.overscan.sigma
    saturated = sum(report.n_saturated for report in work.reports)
    work.metadata["nSaturated"] = saturated
    work.metadata["nSuspect"] = sum(report.n_suspect for report in work.reports)
    work.metadata["saturatedFraction"] = saturated / work.image.size
    bad = [a.name for a, report in zip(work.amplifiers, work.reports, strict=True) if report.is_bad]
    if saturated > work.config.maxSaturatedFraction * work.image.size:
        raise ProcessingError(
            "ALL_SATURATED",
            f"{100 * saturated / work.image.size:.1f} % of the pixels are saturated.",
            "Nothing can be measured on this frame; see isr.maxSaturatedFraction.",
        )
    if bad:
        work.metadata["badAmplifiers"] = bad
        noun = "Amplifier" if len(bad) == 1 else "Amplifiers"
        work.caveats.append(Caveat("BAD_AMPLIFIER", f"{noun} {', '.join(bad)} of {len(work.amplifiers)} not usable."))


def _subtract_pedestal(work: _Work) -> None:
    """The bias, or the dark that still contains it."""
    dark, bias = work.dark, work.bias
    if dark is not None and dark.contains_bias:
        subtract_dark(work.image, dark.image, _dark_scale(work, dark))
        merge_master_mask(work.mask, dark)
        work.metadata["biasFrom"] = "dark"
    elif bias is not None:
        subtract_bias(work.image, bias.image)
        merge_master_mask(work.mask, bias)
        work.metadata["biasFrom"] = "bias"


def _set_variance(work: _Work) -> None:
    """Photon and read noise, and the noise of the master that took the bias away."""
    if work.config.doVariance:
        for amplifier in work.amplifiers:
            region = amplifier.box.slices
            set_variance(work.variance[region], work.image[region], amplifier.gain, amplifier.read_noise_adu)
    pedestal = work.dark if work.dark is not None and work.dark.contains_bias else work.bias
    if pedestal is not None and pedestal.variance is not None:
        add_variance(work.variance, pedestal.variance)


def _linearize(work: _Work) -> None:
    if work.config.doLinearize:
        for amplifier in work.amplifiers:
            linearize(work.image[amplifier.box.slices], amplifier.linearity_coefficient)


def _crosstalk(work: _Work) -> None:
    coefficients = work.instrument.crosstalk
    if not work.config.doCrosstalk or coefficients is None or coefficients.shape[0] != len(work.amplifiers):
        return
    background = median_level(work.image, work.mask, work.planes.bits("BAD"))
    work.metadata["crosstalkBackground"] = background
    work.metadata["nCrosstalk"] = subtract_crosstalk(
        work.image,
        work.mask,
        work.amplifiers,
        coefficients,
        background=background,
        min_pixel_to_mask=work.config.minPixelToMask,
        crosstalk_bit=work.planes.bits("CROSSTALK"),
        source_copy=work.workspace.take("isr.crosstalk", work.image.shape, np.float32),
        usable=[not report.is_bad for report in work.reports],
    )


def _defects_and_trails(work: _Work) -> None:
    if work.config.doDefect:
        work.metadata["nDefectPixels"] = mask_defects(work.mask, work.defects, work.planes.bits("BAD"))
    if work.config.doWidenSaturationTrails:
        widen_trails(work.mask, work.planes.bits("SAT"))


def _dark(work: _Work) -> None:
    dark = work.dark
    if dark is None or dark.contains_bias:
        return
    scale = _dark_scale(work, dark)
    subtract_dark(work.image, dark.image, scale)
    if dark.variance is not None:
        add_variance(work.variance, dark.variance, scale * scale)
    merge_master_mask(work.mask, dark)


def _dark_scale(work: _Work, dark: MasterFrame) -> float:
    scale = dark_scale(dark, work.raw.visit_info.dark_time_s)
    work.metadata["darkScale"] = scale
    return scale


def _flat(work: _Work) -> None:
    if work.flat is not None:
        divide_flat(work.image, work.variance, work.flat.image, work.flat.variance)
        merge_master_mask(work.mask, work.flat)


def _fill_bad_pixels(work: _Work) -> None:
    """NaN masking, growth of saturation, filling; then the levels of what is left."""
    bits, config = work.planes.bits, work.config
    if config.doNanMasking:
        work.metadata["NUMNANS"] = mask_not_finite(work.image, work.variance, work.mask, bits("UNMASKEDNAN"))
    unusable = bits("BAD", "SAT", "UNMASKEDNAN")
    level, sigma = clipped_level(work.image, work.mask, unusable)
    work.metadata["SKYLEVEL"], work.metadata["SKYSIGMA"] = level, sigma
    if config.doInterpolate:
        grow_saturation(work.mask, bits("SAT"), config.growSaturationFootprintSize)
        work.metadata["nInterpolated"] = interpolate(
            work.image,
            work.variance,
            work.mask,
            unusable,
            bits("INTRP"),
            fwhm_pixels=_fwhm_pixels(work),
            fallback=level if math.isfinite(level) else 0.0,
            fallback_variance=median_level(work.variance, work.mask, unusable),
        )


def _fwhm_pixels(work: _Work) -> float:
    """The configured width of the PSF in pixels; the first WCS tells the scale where the camera does not."""
    scale = work.instrument.pixel_scale_arcsec
    if not scale > 0 and work.raw.wcs is not None:
        height, width = work.image.shape
        x, y = np.array([0.0, 1.0]) + width / 2, np.array([0.0, 0.0]) + height / 2
        ra, dec = work.raw.wcs.pixel_to_sky(x, y)
        scale = 3600.0 * float(angular_separation(ra[0], dec[0], ra[1], dec[1]))
    return work.config.fwhm / scale if scale > 0 else _UNKNOWN_FWHM_PIXELS


def _exposure(work: _Work) -> Exposure:
    detector = work.raw.detector
    header = foreign_cards(work.raw.header)
    cards = {key: value for key, value in work.metadata.items() if key.isupper() and math.isfinite(value)}
    return Exposure(
        image=work.image,
        mask=work.mask,
        variance=work.variance,
        planes=work.planes,
        detector_id=detector.id,
        detector_name=detector.name,
        detector_serial=detector.serial,
        filter_name=work.raw.filter_name,
        band=work.raw.band,
        gains=tuple(amplifier.gain for amplifier in work.amplifiers),
        visit_info=work.raw.visit_info,
        wcs=work.raw.wcs,
        header={**header, **cards},
    )


def _native(pixels: NDArray[Any]) -> NDArray[Any]:
    """Kernels know the machine's own byte order only."""
    return pixels if pixels.dtype.isnative else pixels.astype(pixels.dtype.newbyteorder("="))
