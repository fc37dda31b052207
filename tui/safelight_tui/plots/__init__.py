"""Plots in characters: pure functions from arrays to lines of text with tones."""

from safelight_tui.plots.canvas import Canvas, PlotLine
from safelight_tui.plots.charts import Series, plot
from safelight_tui.plots.vectors import Arrows, local_means, vector_field

__all__ = ["Arrows", "Canvas", "PlotLine", "Series", "local_means", "plot", "vector_field"]
