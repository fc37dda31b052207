"""The configuration says what it is."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from safelight.isr import IsrConfig


def test_every_field_has_a_description() -> None:
    assert [name for name, field in IsrConfig.model_fields.items() if not field.description] == []


def test_equal_configurations_are_equal() -> None:
    assert IsrConfig() == IsrConfig.model_validate(IsrConfig().model_dump())


@pytest.mark.parametrize(
    "wrong",
    [
        {"saturation": -1.0},
        {"saturation": float("nan")},
        {"overscanFitType": "SPLINE"},
        {"overscanOrder": 0},
        {"doFlatt": True},
        {"fwhm": 0.0},
        {"growSaturationFootprintSize": -1},
        {"maxSaturatedFraction": 1.5},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        IsrConfig(**wrong)


def test_the_configuration_is_importable_without_the_kernels() -> None:
    code = "import sys, safelight.isr; sys.exit(any(m in sys.modules for m in ('numba', 'scipy', 'astropy')))"
    subprocess.run([sys.executable, "-c", code], check=True)
