"""Safelight: raw CCD frames to calibrated exposures with an honest WCS and zeropoint.

The library has no terminal code and prints nothing. Heavy packages are imported where they are used, so that
importing `safelight` costs milliseconds.
"""

__version__ = "0.1.0"
