"""Log files of any size: where their lines are, which of them match, read in a thread of their own."""

from safelight_tui.logs.filter import LineFilter
from safelight_tui.logs.lines import LogFile, LogLine
from safelight_tui.logs.reader import LogReader, LogState

__all__ = ["LineFilter", "LogFile", "LogLine", "LogReader", "LogState"]
