"""The application's actions with their keys."""

from __future__ import annotations

from collections.abc import Iterator

from safelight_tui.actions.registry import EVERYWHERE, Action, Registry

__all__ = ["ACTIONS"]

# A table is read along its rows.
# fmt: off


def _everywhere() -> Iterator[Action]:
    modes = ("browse", "plan", "run", "logs", "image", "triage")
    for digit, mode in enumerate(modes, start=1):
        yield Action(f"show_{mode}", EVERYWHERE, (str(digit),), mode.capitalize(), f"Go to the {mode} screen.")
    c = EVERYWHERE
    yield Action("next_pane", c, ("tab",), "Next pane", "Move the focus to the next pane.")
    yield Action("previous_pane", c, ("shift+tab",), "Previous pane", "Move the focus to the previous pane.")
    yield Action("give_up", c, ("ctrl+g",), "Give up", "Leave the input or the dialog and keep what was before.")
    yield Action("command_line", c, (":",), "Command", "Type the name of an action.")
    yield Action("palette", c, ("ctrl+p",), "Palette", "Search all actions; those not available say why.")
    yield Action("help", c, ("?", "f1"), "Help", "Show the keys and the purpose of the pane in focus.", shown=True)
    yield Action("suspend_to_shell", c, ("!",), "Shell", "Open a shell in the repository; leave it to return.",
                 ("suspendable",))
    yield Action("page_log", c, ("V",), "Log in pager",
                 "Read the log in view, or that of the CCD under the cursor, with $PAGER; leave it to return.",
                 ("suspendable",), command="safelight logs")
    yield Action("messages", c, ("W",), "What rang",
                 "Show what has rung, with the time: failures, ends of runs, alarms.")
    yield Action("redraw", c, ("ctrl+l",), "Redraw", "Paint the whole screen again.")
    yield Action("close", c, ("backspace",), "Close", "Go back to what was open before.")
    yield Action("back", c, ("q",), "Back",
                 "Go back; in Browse, quit. Runs go on without the application.")


def _moving() -> Iterator[Action]:
    c = "moving"
    yield Action("move_up", c, ("k", "up"), "Up", "Move up.")
    yield Action("move_down", c, ("j", "down"), "Down", "Move down.")
    yield Action("move_left", c, ("h", "left"), "Left", "Move or scroll left; in a tree, close.")
    yield Action("move_right", c, ("l", "right"), "Right", "Move or scroll right; in a tree, open.")
    yield Action("move_first", c, ("g", "home"), "First", "Go to the first line.")
    yield Action("move_last", c, ("G", "end"), "Last", "Go to the last line.")
    yield Action("half_page_down", c, ("ctrl+d",), "Half page down", "Move half a page down.")
    yield Action("half_page_up", c, ("ctrl+u",), "Half page up", "Move half a page up.")
    yield Action("page_down", c, ("pagedown",), "Page down", "Move a page down.")
    yield Action("page_up", c, ("pageup",), "Page up", "Move a page up.")
    yield Action("open", c, ("enter",), "Open", "Open what is under the cursor; on a failure, say why it failed.")


def _searching() -> Iterator[Action]:
    c = "searching"
    yield Action("filter", c, ("/",), "Filter", "Filter this pane; in Browse and Plan with the language of --id.",
                 shown=True)
    yield Action("next_match", c, ("n",), "Next match", "Go to the next match.", ("search",))
    yield Action("previous_match", c, ("N",), "Previous match", "Go to the previous match.", ("search",))
    yield Action("previous_problem", c, ("[",), "Previous problem", "Go to the previous failure or caveat.",
                 ("problems",))
    yield Action("next_problem", c, ("]",), "Next problem", "Go to the next failure or caveat.", ("problems",))


def _marking() -> Iterator[Action]:
    c = "table"
    yield Action("mark_row", c, ("space",), "Mark", "Mark the row under the cursor, or take its mark away.", ("rows",),
                 shown=True)
    yield Action("mark_range", c, ("v",), "Mark range", "Begin a range of rows; press again to mark it.", ("rows",))
    yield Action("mark_all", c, ("A",), "Mark all", "Mark all rows in view, or take all marks away.", ("rows",))
    yield Action("sort_previous", c, ("<",), "Sort column left", "Sort by the column to the left.", ("rows",))
    yield Action("sort_next", c, (">",), "Sort column right", "Sort by the column to the right.", ("rows",))
    yield Action("sort_reverse", c, ("s",), "Reverse", "Reverse the order.", ("rows",))


def _on_data_ids() -> Iterator[Action]:
    c = "data_ids"
    yield Action("plan", c, ("p",), "Plan", "Show what a run of the selection would do; writes nothing.", ("data_ids",),
                 command="processCcd.py --show plan", shown=True)
    yield Action("run", c, ("x",), "Run", "Run the selection; the confirmation shows the command.",
                 ("data_ids", "writable"), command="processCcd.py", shown=True)
    yield Action("open_image", c, ("i",), "Image", "Show the pixels of the CCD under the cursor.",
                 ("data_ids",), command="safelight image", shown=True)
    yield Action("open_log", c, ("L",), "Log", "Show the log of the CCD under the cursor.",
                 ("data_ids",), command="safelight logs")
    yield Action("copy_ids", c, ("y",), "Copy IDs",
                 "Copy the marked data IDs, or the one under the cursor, as --id text.", ("data_ids",),
                 command="safelight export")
    yield Action("copy_command", c, ("Y",), "Copy command", "Copy the processCcd.py command that does the same.",
                 ("data_ids",))
    yield Action("write_file", c, ("w",), "Write file", "Write this list to a file: --id text, CSV or ECSV.", ("rows",),
                 command="safelight export")
    yield Action("compare", c, ("d",), "Compare", "Compare with another rerun, CCD by CCD.", ("two_reruns",))


def _screens() -> Iterator[Action]:
    yield Action("type_path", "start", ("o",), "Type path", "Type the path of a repository to open.", shown=True)
    yield Action("facets", "browse", ("t",), "Facets",
                 "Choose filters, fields, nights, CCDs and states; choices are put into the expression.", shown=True)
    yield Action("tree_kind", "browse", ("T",), "Kind of tree",
                 "Switch the tree between what the registry knows and the directories on disk.")
    yield Action("edit_config", "plan", ("e",), "Edit", "Edit a configuration value; shows its source and its default.",
                 ("plan", "writable"), shown=True)
    yield Action("config_files", "plan", ("C",), "Config files", "Give configuration files, as -C does.",
                 ("plan", "writable"))
    yield Action("leave_out_bad", "plan", ("b",), "Without bad",
                 "Leave out the CCDs that were marked bad in Triage; Space leaves out one, or takes it in again.",
                 ("plan",))
    yield Action("choose_rerun", "plan", ("r",), "Rerun", "Choose the rerun to write to, or name a new one.",
                 ("writable",), shown=True)
    yield Action("chain_rerun", "plan", ("c",), "Chain", "Read from the chosen rerun and write to a new one.",
                 ("rerun", "writable"))
    yield Action("try_ccd", "plan", ("t",), "Try CCD",
                 "Run the CCD under the cursor in this program, into a scratch rerun.", ("plan", "writable"))
    yield Action("toggle_redo", "plan", ("o",), "Redo", "Do finished CCDs again, or skip them as usual.", ("plan",))
    yield Action("previous_visit", "run", ("(",), "Previous visit", "Show the visit before on the focal plane.")
    yield Action("next_visit", "run", (")",), "Next visit", "Show the next visit on the focal plane.")
    yield Action("choose_run", "run", ("o",), "Other run", "Choose which run to watch, wherever it was started.",
                 command="safelight runs", shown=True)
    yield Action("pause_run", "run", ("P",), "Pause", "Start no further CCDs; press again to go on.",
                 ("run_live", "writable"), command="safelight pause", shown=True)
    yield Action("cancel_run", "run", ("X",), "Cancel", "End after the CCDs in work; press twice to end now.",
                 ("run_live", "writable"), command="safelight cancel", shown=True)
    yield Action("retry_failures", "run", ("R",), "Retry", "Run the failed CCDs again.", ("run_failed", "writable"),
                 command="safelight retry", shown=True)
    yield Action("choose_metric", "run", ("m",), "Metric", "Choose the metric that the focal plane shows.", shown=True)
    yield Action("follow", "following", ("f",), "Follow",
                 "Follow the newest line, or the newest visit; press again to stay.", shown=True)
    for name, key, what in (("good", "+", "good"), ("bad", "-", "bad"), ("look", "=", "to be looked at again")):
        yield Action(f"judge_{name}", "triage", (key,), f"{name.capitalize()}", f"Mark the marked CCDs as {what}.",
                     ("rows", "writable"), command=f"safelight mark {name}", shown=True)
    yield Action("comment", "triage", (";",), "Comment", "Write a comment on the marked CCDs.", ("rows", "writable"),
                 command="safelight mark --comment")
    yield Action("undo", "triage", ("u",), "Undo", "Take back your last mark or comment.",
                 ("marked_by_me", "writable"), command="safelight mark undo")
    yield Action("next_plot", "triage", ("m",), "Plot",
                 "Next plot: residuals of the WCS, of the zeropoint by magnitude and by colour, the night.",
                 shown=True)
    yield Action("every_star", "triage", ("e",), "Every star",
                 "In the plot of WCS residuals draw every star, local means, or what can be read.", ("rows",))
    yield Action("by_visit", "triage", ("t",), "Visits", "Show a row for each visit, or for each CCD.", ("rows",))
    yield Action("night_summary", "triage", ("M",), "Summary", "Write a summary of the night in Markdown.", ("rerun",),
                 command="safelight export --summary")
    yield Action("next_rerun", "compare", ("r",), "Other rerun", "Compare with the next of the other reruns.",
                 ("two_reruns",), shown=True)


def _image() -> Iterator[Action]:
    c = "image"
    for name, key in (("up", "up"), ("down", "down"), ("left", "left"), ("right", "right")):
        yield Action(f"cursor_{name}", c, (key,), f"Cursor {name}", f"Move the cursor {name} by one pixel on screen.")
    for name, key in (("up", "pageup"), ("down", "pagedown"), ("left", "home"), ("right", "end")):
        yield Action(f"pan_{name}", c, (key,), f"Pan {name}", f"Move the view {name} by half a screen.")
    examine = (
        ("aperture", "a", "Aperture", "Aperture photometry and moments of the object under the cursor."),
        ("radial_profile", "r", "Radial profile", "Radial profile of the object under the cursor, with its FWHM."),
        ("column_cut", "c", "Column", "Values along the column under the cursor."),
        ("line_cut", "l", "Line", "Values along the line under the cursor."),
        ("histogram", "h", "Histogram", "Histogram of the pixels around the cursor."),
        ("statistics", "m", "Statistics", "Mean, median and scatter of the pixels around the cursor."),
        ("line_fit", "j", "Fit line", "Fit a Gaussian along the line through the object under the cursor."),
        ("column_fit", "k", "Fit column", "Fit a Gaussian along the column through the object under the cursor."),
        ("contours", "e", "Contours", "Contours around the cursor."),
        ("growth_curve", "g", "Growth", "Curve of growth of the object under the cursor."),
        ("vector_cut", "v", "Vector", "Values between two points: press at the one, then at the other."),
        ("pixel_grid", "z", "Pixels", "The pixel values around the cursor as numbers."),
    )
    for name, key, title, description in examine:
        yield Action(name, c, (key,), title, description, ("image",))
    yield Action("stretch", c, ("T",), "Stretch", "Next stretch: linear, log, sqrt, asinh, histogram.", ("image",),
                 shown=True)
    yield Action("colours", c, ("C",), "Colours", "Next colours: grey, inverted, heat.", ("image",), shown=True)
    yield Action("overlays", c, ("O",), "Overlays",
                 "Choose sources, matches, reference stars and mask planes.", ("image",), shown=True)
    yield Action("mask_planes", c, ("p",), "Mask planes",
                 "List the mask planes with letters and counts, and choose which are drawn.", ("image",))
    yield Action("limits", c, ("s",), "Limits", "Next limits: zscale, 99.5, 99 or 95 per cent, min and max.",
                 ("image",), command="safelight image --percent")
    yield Action("manual_limits", c, ("S",), "Set limits", "Type the values shown as darkest and brightest.",
                 ("image",), command="safelight image --limits")
    yield Action("blink_on", c, ("b",), "Blink on", "Let two images take turns by themselves; again: stop.",
                 ("image",))
    yield Action("compass", c, ("n",), "Compass", "Draw arms towards north and east, or not.", ("image",))
    yield Action("blink", c, ("B",), "Blink", "Blink with the other image.", ("second_image",), shown=True)
    yield Action("next_kind", c, ("i",), "Kind", "Next image of this CCD: raw, after ISR, calibrated.", shown=True)
    yield Action("previous_ccd", c, ("<",), "Previous CCD", "Show the CCD before this one in the selection.")
    yield Action("next_ccd", c, (">",), "Next CCD", "Show the next CCD of the selection.")
    yield Action("mosaic", c, ("M",), "Mosaic", "Show all CCDs of the visit in their places.", shown=True)
    yield Action("second_image", c, ("d",), "Second image",
                 "Choose the image to blink with: another kind, or another rerun's.", ("image",))
    yield Action("north_up", c, ("N",), "North up", "Turn the image so that north is nearly up; again: as read.",
                 ("image",))
    yield Action("close_result", c, ("x",), "Close result", "Close the plot and the numbers of what was examined.")
    yield Action("zoom_in", c, (")",), "Zoom in", "Zoom in around the cursor.", ("image",))
    yield Action("zoom_out", c, ("(",), "Zoom out", "Zoom out.", ("image",))
    yield Action("fit", c, ("0",), "Fit", "Show the whole image.", ("image",), shown=True)
    yield Action("save_image", c, ("w",), "Save", "Save a PNG picture or a DS9 region file.", ("image",),
                 command="safelight image --output")
    yield Action("full_screen", c, ("F",), "Full screen", "Draw with the terminal's graphics (kitty or sixel).",
                 ("image", "suspendable"))
    yield Action("send_samp", c, ("D",), "Send", "Send to a running DS9 or TOPCAT.", ("image",),
                 command="safelight image --send")


_LIST = ("moving", "searching")

ACTIONS = Registry(
    [*_everywhere(), *_moving(), *_searching(), *_marking(), *_on_data_ids(), *_screens(), *_image()],
    together={
        "browse table": (*_LIST, "table", "data_ids", "browse", "following"),
        "browse tree": (*_LIST, "data_ids", "browse", "following"),
        "browse detail": (*_LIST, "data_ids", "browse", "following"),
        "start": ("moving", "start"),
        "plan": (*_LIST, "table", "data_ids", "plan"),
        "run": (*_LIST, "table", "data_ids", "run", "following"),
        "logs": (*_LIST, "following"),
        "triage": (*_LIST, "table", "data_ids", "triage", "following"),
        "compare": (*_LIST, "table", "compare"),
        "image": ("image", "following"),
    },
)
"""The one registry: bindings, palette, help, the README's table and the user's key map are made from it."""
