"""Accuracy against the simulator's truth, beside the tools that astronomers trust, in one run on the same frames."""
