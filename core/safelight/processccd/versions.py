"""The versions of what a run computes with."""

from __future__ import annotations

import platform
from importlib import metadata

__all__ = ["PACKAGES", "package_versions", "version_differences"]

#: Packages whose version can change a pixel or a position.
PACKAGES = ("safelight", "numpy", "numba", "llvmlite", "scipy", "astropy", "astropy-iers-data", "lsst-sphgeom", "isal")


def package_versions() -> dict[str, str]:
    """Versions by package name, Python's own included."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # run from a source tree without being installed
    return versions


def version_differences(stored: dict[str, str], present: dict[str, str]) -> list[str]:
    """Packages in both whose versions differ, as ``name: old vs new``."""
    return [
        f"{name}: {stored[name]} vs {present[name]}"
        for name in sorted(stored.keys() & present.keys())
        if stored[name] != present[name]
    ]
