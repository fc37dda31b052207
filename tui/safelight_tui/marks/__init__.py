"""Marks and metrics of a rerun, read and written in threads."""

from safelight_tui.marks.reading import Judged, read_judged, read_signature, write_verdict

__all__ = ["Judged", "read_judged", "read_signature", "write_verdict"]
