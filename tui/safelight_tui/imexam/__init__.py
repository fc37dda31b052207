"""What IRAF's imexamine tells of the place under the cursor: pure functions from pixels to text and plots."""

from safelight_tui.imexam.examine import EXAMINATIONS, examine
from safelight_tui.imexam.target import Examination, Target

__all__ = ["EXAMINATIONS", "Examination", "Target", "examine"]
