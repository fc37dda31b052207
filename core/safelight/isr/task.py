"""Instrument signature removal in LSST Gen2's order.

1. saturation and suspect levels, overscan, conversion to float and assembly, amplifier by amplifier;
2. bias, variance, linearity, crosstalk;
3. defects, saturation trails, brighter-fatter effect;
4. dark, flat, fringes (or fringes, flat), the polygon of the unvignetted field;
5. pixels that are not finite, bad regions, growth of saturation, filling;
6. level and flatness of the sky.

A dark that still contains the bias takes the bias's place in step 2, for photon noise is that of the signal above it.
Pixels that are not finite are looked for after the flat, so that those of dark and flat are found too. A frame whose
stray light would need a model is refused. Not made: crosstalk before assembly, tables of linearity, transmission
curves, illumination corrections, and a rough zeropoint, which the photometric calibration makes needless.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.caveats import Caveat
from safelight.errors import ProcessingError
from safelight.exposure import Exposure, MasterFrame, Workspace
from safelight.exposure.fits_headers import foreign_cards
from safelight.exposure.wcs import angular_separation
from safelight.instruments.model import Instrument
from safelight.instruments.raw import RawFrame
from safelight.isr.amplifiers import process_amplifier
from safelight.isr.bias import subtract_bias
from safelight.isr.brighter_fatter import correct_brighter_fatter
from safelight.isr.config import IsrConfig
from safelight.isr.crosstalk import subtract_crosstalk
from safelight.isr.dark import dark_scale, subtract_dark
from safelight.isr.defects import mask_defects, mask_edges, merge_master_mask, set_bad_regions
from safelight.isr.flat import divide_flat, flat_level
from safelight.isr.fringes import fit_fringes, subtract_fringes
from safelight.isr.interpolation import interpolate
from safelight.isr.linearity import linearize
from safelight.isr.masters import filter_of_master
from safelight.isr.nans import mask_not_finite
from safelight.isr.result import IsrResult, Masters
from safelight.isr.saturation import grow_saturation
from safelight.isr.sky import clipped_level, flatness, median_level
from safelight.isr.trails import widen_trails
from safelight.isr.variance import add_variance, set_variance
from safelight.isr.vignetting import polygon_area, valid_polygon
from safelight.isr.work import Work, begin

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
        MISSING_FRINGE, MISSING_BRIGHTER_FATTER_KERNEL, BAD_BRIGHTER_FATTER_KERNEL, DARK_EXPOSURE_MISMATCH,
        NO_DARK_TIME, STRAY_LIGHT, VIGNETTED.
    """
    work = begin(raw, masters, config, instrument, workspace or Workspace())
    _assemble(work)
    _subtract_pedestal(work)
    _set_variance(work)
    _linearize(work)
    _crosstalk(work)
    _defects_and_trails(work)
    _brighter_fatter(work)
    _dark(work)
    if not config.fringeAfterFlat:
        _fringes(work)
    _flat(work)
    if config.fringeAfterFlat:
        _fringes(work)
    polygon = _vignette(work)
    _fill_bad_pixels(work)
    _measure_background(work)
    return IsrResult(_exposure(work, polygon), work.metadata, work.caveats)


def _assemble(work: Work) -> None:
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


def _subtract_pedestal(work: Work) -> None:
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


def _set_variance(work: Work) -> None:
    """Photon and read noise, and the noise of the master that took the bias away."""
    if work.config.doVariance:
        for amplifier, report in zip(work.amplifiers, work.reports, strict=True):
            region, noise = amplifier.box.slices, amplifier.read_noise_adu
            if math.isfinite(report.read_noise_adu):
                noise = work.metadata[f"readNoise{amplifier.name}"] = report.read_noise_adu
            set_variance(work.variance[region], work.image[region], amplifier.gain, noise)
    pedestal = work.dark if work.dark is not None and work.dark.contains_bias else work.bias
    if pedestal is not None and pedestal.variance is not None:
        add_variance(work.variance, pedestal.variance)


def _linearize(work: Work) -> None:
    if work.config.doLinearize:
        for amplifier in work.amplifiers:
            linearize(work.image[amplifier.box.slices], amplifier.linearity_coefficient)


def _crosstalk(work: Work) -> None:
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


def _defects_and_trails(work: Work) -> None:
    if work.config.doDefect:
        work.metadata["nDefectPixels"] = mask_defects(work.mask, work.defects, work.planes.bits("BAD"))
        mask_edges(work.mask, work.config.numEdgeSuspect, work.planes.bits("SUSPECT"))
    if work.config.doWidenSaturationTrails:
        widen_trails(work.mask, work.planes.bits("SAT"))


def _brighter_fatter(work: Work) -> None:
    """The electrons of a copy with its bad pixels filled tell what was pushed out of every pixel."""
    if work.brighter_fatter is None:
        return
    config, bits, shape = work.config, work.planes.bits, work.image.shape
    filled = work.workspace.take("isr.filled", shape, np.float32)
    variance = work.workspace.take("isr.filledVariance", shape, np.float32)
    mask = work.workspace.take("isr.filledMask", shape, np.int32)
    filled[:], variance[:], mask[:] = work.image, work.variance, work.mask
    unusable = bits("BAD", "SAT", "UNMASKEDNAN")
    mask_not_finite(filled, variance, mask, bits("UNMASKEDNAN"))
    interpolate(
        filled,
        variance,
        mask,
        unusable,
        bits("INTRP"),
        fwhm_pixels=_fwhm_pixels(work),
        fallback=median_level(work.image, work.mask, unusable),
        fallback_variance=1.0,
    )
    report = correct_brighter_fatter(
        work.image,
        filled,
        work.brighter_fatter,
        work.amplifiers,
        max_iterations=config.brighterFatterMaxIter,
        threshold=config.brighterFatterThreshold,
    )
    mask_edges(work.mask, report.border, bits("EDGE"))
    work.metadata["brighterFatterIterations"] = report.iterations
    work.metadata["brighterFatterLastChange"] = report.last_change
    if not report.converged:
        work.caveats.append(
            Caveat(
                "BRIGHTER_FATTER_NOT_CONVERGED",
                f"The brighter-fatter correction still changed by {report.last_change:.0f} electrons in all after "
                f"{report.iterations} iterations (isr.brighterFatterThreshold is {config.brighterFatterThreshold:g}).",
            )
        )


def _dark(work: Work) -> None:
    dark = work.dark
    if dark is None or dark.contains_bias:
        return
    scale = _dark_scale(work, dark)
    subtract_dark(work.image, dark.image, scale)
    if dark.variance is not None:
        add_variance(work.variance, dark.variance, scale * scale)
    merge_master_mask(work.mask, dark)


def _dark_scale(work: Work, dark: MasterFrame) -> float:
    scale = dark_scale(dark, work.raw.visit_info.dark_time_s)
    work.metadata["darkScale"] = scale
    return scale


def _flat(work: Work) -> None:
    if work.flat is not None:
        _compare_filter(work, "flat", work.flat)
        divide_flat(work.image, work.variance, work.flat.image, work.flat.variance)
        level = flat_level(work.flat.image, work.config.flatScalingType, work.config.flatUserScale)
        if level != 1.0:
            work.image *= np.float32(level)
            work.variance *= np.float32(level**2)
            work.metadata["flatLevel"] = level
        merge_master_mask(work.mask, work.flat)


def _compare_filter(work: Work, kind: str, master: MasterFrame) -> None:
    """A caveat for a master that says that it was made in another filter."""
    of_master = filter_of_master(master)
    if of_master and work.raw.filter_name and of_master.casefold() != work.raw.filter_name.casefold():
        sentence = f"The {kind} was made in {of_master}, the frame was taken in {work.raw.filter_name}."
        work.caveats.append(Caveat("OTHER_FILTER", sentence))


def _fringes(work: Work) -> None:
    if not work.fringes:
        return
    _compare_filter(work, "fringe frame", work.fringes[0])
    bits = work.planes.bits("SAT", "NO_DATA", "SUSPECT", "BAD")
    seed = work.raw.visit_info.exposure_id % 2**32
    fit = fit_fringes(work.image, work.mask, bits, work.fringes, work.config.fringe, seed=seed)
    work.metadata["nFringe"] = fit.n_used
    for number, (amplitude, error) in enumerate(zip(fit.amplitudes, fit.errors, strict=True), start=1):
        work.metadata[f"fringeAmplitude{number}"], work.metadata[f"fringeAmplitudeErr{number}"] = amplitude, error
    if fit.fitted:
        subtract_fringes(work.image, work.fringes, fit, pedestal=work.config.fringe.pedestal)
    else:
        work.caveats.append(
            Caveat("FRINGES_NOT_FITTED", f"None of {fit.n_tried} places was good enough to fit the fringes; they stay.")
        )


def _vignette(work: Work) -> NDArray[np.float64] | None:
    vignetting, detector, distortion = work.instrument.vignetting, work.raw.detector, work.instrument.distortion
    size = distortion.pixel_size_mm if distortion is not None else work.instrument.pixel_size_mm
    if not work.config.doVignette or vignetting is None or size is None:
        return None
    polygon = valid_polygon(detector, vignetting, size)
    work.metadata["unvignettedFraction"] = polygon_area(polygon) / work.image.size
    return polygon


def _fill_bad_pixels(work: Work) -> None:
    """NaN masking, bad regions, growth of saturation, filling."""
    bits, config = work.planes.bits, work.config
    if config.doNanMasking:
        work.metadata["NUMNANS"] = mask_not_finite(work.image, work.variance, work.mask, bits("UNMASKEDNAN"))
    unusable = bits("BAD", "SAT", "UNMASKEDNAN")
    level = median_level(work.image, work.mask, unusable)
    if config.doSetBadRegions:
        set_bad_regions(work.image, work.mask, bits("BAD"), level)
    if config.doInterpolate:
        grow_saturation(work.mask, bits("SAT"), config.growSaturationFootprintSize)
        work.metadata["nInterpolated"] = interpolate(
            work.image,
            work.variance,
            work.mask,
            unusable,
            bits("INTRP"),
            fwhm_pixels=_fwhm_pixels(work),
            fallback=level,
            fallback_variance=median_level(work.variance, work.mask, unusable),
        )


def _measure_background(work: Work) -> None:
    """Gen2's names of the header cards."""
    unusable = work.planes.bits("BAD", "SAT", "UNMASKEDNAN", "DETECTED")
    metadata = work.metadata
    metadata["SKYLEVEL"], metadata["SKYSIGMA"] = clipped_level(work.image, work.mask, unusable)
    if work.config.doMeasureBackground:
        flat = flatness(work.image, work.mask, unusable)
        metadata["FLATNESS_PP"], metadata["FLATNESS_RMS"] = flat.peak_to_peak, flat.rms
        metadata["FLATNESS_NGRIDS"] = f"{flat.columns}x{flat.rows}"
        metadata["FLATNESS_MESHX"] = metadata["FLATNESS_MESHY"] = flat.mesh


def _fwhm_pixels(work: Work) -> float:
    """The configured width of the PSF in pixels; the first WCS tells the scale where the camera does not."""
    scale = work.instrument.pixel_scale_arcsec
    if not scale > 0 and work.raw.wcs is not None:
        height, width = work.image.shape
        x, y = np.array([0.0, 1.0]) + width / 2, np.array([0.0, 0.0]) + height / 2
        ra, dec = work.raw.wcs.pixel_to_sky(x, y)
        scale = 3600.0 * float(angular_separation(ra[0], dec[0], ra[1], dec[1]))
    return work.config.fwhm / scale if scale > 0 else _UNKNOWN_FWHM_PIXELS


def _exposure(work: Work, polygon: NDArray[np.float64] | None) -> Exposure:
    detector = work.raw.detector
    header = foreign_cards(work.raw.header)
    cards = {
        key: value
        for key, value in work.metadata.items()
        if key.isupper() and (isinstance(value, str) or math.isfinite(value))
    }
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
        valid_polygon=polygon,
        header={**header, **cards},
    )


def _native(pixels: NDArray[Any]) -> NDArray[Any]:
    """Kernels know the machine's own byte order only."""
    return pixels if pixels.dtype.isnative else pixels.astype(pixels.dtype.newbyteorder("="))
