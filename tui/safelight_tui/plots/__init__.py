"""Plots in characters: pure functions from arrays to lines of text with tones."""

from safelight_tui.plots.canvas import Canvas, PlotLine
from safelight_tui.plots.charts import Series, plot, vector_field

__all__ = ["Canvas", "PlotLine", "Series", "plot", "vector_field"]
