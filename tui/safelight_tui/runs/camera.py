"""The CCDs of a camera as cells of a focal plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safelight_tui.widgets.focal_layout import PlaneCell, grid_positions, place_cells

if TYPE_CHECKING:
    from safelight.instruments import Instrument

__all__ = ["camera_cells"]


def camera_cells(instrument: Instrument) -> list[PlaneCell]:
    """Every CCD of the camera in its place; those not of type SCIENCE are never planned. Reads no file."""
    detectors = instrument.detectors
    rotated = [round(detector.yaw_deg / 90) % 2 == 1 for detector in detectors]
    distortion = instrument.distortion
    size = distortion.pixel_size_mm if distortion is not None else instrument.pixel_size_mm or 0.015
    upright = next((d for d, turned in zip(detectors, rotated) if not turned), detectors[0])
    places = grid_positions(
        [detector.offset_x_mm for detector in detectors],
        [detector.offset_y_mm for detector in detectors],
        rotated,
        max(1, upright.width) * size,
        max(1, upright.height) * size,
    )
    focus = [detector.id for detector in detectors if detector.type != "SCIENCE"]
    return place_cells([detector.id for detector in detectors], places, focus)
