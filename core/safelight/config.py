"""The base of every step's configuration.

A step's config is a frozen, validated model whose fields carry a default, a unit where there is one, bounds and a
line of documentation (``Field(..., description=...)``). Field names are those of LSST's Gen2 configuration where the
quantity is the same, so that ``-c isr.doCrosstalk=False`` means what its users expect.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["StepConfig"]


class StepConfig(BaseModel):
    """A frozen configuration that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=True)
