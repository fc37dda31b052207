"""The part of triage by which verdicts and lists leave it: marks in the rerun, text for the clipboard, files."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from safelight_tui.marks.reading import undo_last, write_verdict
from safelight_tui.metrics.rows import data_id_of
from safelight_tui.metrics.table import MetricsTable
from safelight_tui.screens.narrowing import NarrowingScreen
from safelight_tui.screens.triage_plotting import PlottingScreen
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.prompt_line import PromptLine

__all__ = ["JudgingScreen"]


class JudgingScreen(NarrowingScreen, PlottingScreen):
    """A screen with a table of judged rows (``#metrics``), a `NarrowBar` and a `PromptLine`."""

    def __init__(self) -> None:
        super().__init__()
        self._table = MetricsTable.of(())

    @property
    def table(self) -> LineTable:
        """The table of metrics."""
        return self.query_one("#metrics", LineTable)

    @property
    def current(self) -> Mapping[str, Any] | None:
        """The row under the cursor."""
        row_id = self.table.row_id
        return self._table.rows[row_id] if row_id is not None and row_id < len(self._table.rows) else None

    def chosen(self) -> list[dict[str, Any]]:
        """Data IDs that an action is about: of the marked rows, else of the row under the cursor."""
        rows = [self._table.rows[row_id] for row_id in self.table.marked_ids if row_id < len(self._table.rows)]
        return [data_id for row in rows for data_id in self._ccds_of(row)]

    def _ccds_of(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        if self._per_visit:
            return [data_id_of(one) for one in self.rows if one.get("visit") == row.get("visit")]
        return [data_id_of(row)]

    @abstractmethod
    def read(self) -> None:
        """Read the rerun again."""

    def rows_in_view(self) -> Sequence[Mapping[str, Any]]:
        """The CCDs, or visits, of the table."""
        return [self._table.rows[row] for row in self._table.order.tolist()]

    # --- marks ------------------------------------------------------------------------------------------------------

    def action_judge_good(self) -> None:
        """Mark as good."""
        self._judge("good")

    def action_judge_bad(self) -> None:
        """Mark as bad."""
        self._judge("bad")

    def action_judge_look(self) -> None:
        """Mark as to be looked at again."""
        self._judge("look")

    def _judge(self, verdict: Literal["good", "bad", "look"]) -> None:
        data_ids, path = self.chosen(), self._path()
        if data_ids and path is not None:
            self._write(lambda: write_verdict(path, data_ids, verdict))

    def action_comment(self) -> None:
        """Comment on the marked CCDs."""
        data_ids, path = self.chosen(), self._path()
        if not data_ids or path is None:
            return
        target = path

        def answered(text: str) -> None:
            self._write(lambda: write_verdict(target, data_ids, None, text))

        what = f"{len(data_ids)} CCDs" if len(data_ids) > 1 else " ".join(map(str, data_ids[0].values()))
        self.query_one(PromptLine).ask(f"comment on {what}:", answered)

    def action_undo(self) -> None:
        """Take back the last mark."""
        path = self._path()
        if path is not None:
            target = path
            self._write(lambda: undo_last(target))

    def _path(self) -> Path | None:
        return self._judged.path if self._judged is not None else None

    def _write(self, work: Any) -> None:
        def written(sentence_: str) -> None:
            self.notify(sentence_, markup=False, timeout=3)
            self.read()

        self.shell.controller.ask(lambda butler: work(), written)

    def action_copy_ids(self) -> None:
        """Copy the chosen CCDs as --id text."""
        from safelight.processccd.judged import id_text

        self.shell.controller.copy(id_text(self.chosen()).strip())

    def action_copy_command(self) -> None:
        """Copy the command that exports what is in view."""
        session = self.session
        if session is None or self._judged is None:
            return
        import shlex

        words = self.bar.input.value.strip()
        only = f" --only {shlex.quote(words)}" if words else ""
        root, rerun = shlex.quote(str(session.root)), shlex.quote(self._judged.rerun)
        self.shell.controller.copy(f"safelight export {root} --rerun {rerun}{only}")

    def action_write_file(self) -> None:
        """Write the rows in view to a file."""
        if self._judged is None:
            return
        self.query_one(PromptLine).ask(
            "write to (.txt --id, .csv, .ecsv, .md):", self._write_rows, f"{Path(self._judged.rerun).name}.csv"
        )

    def action_night_summary(self) -> None:
        """Write the summary of the night."""
        if self._judged is not None:
            name = f"{Path(self._judged.rerun).name}-night.md"
            self.query_one(PromptLine).ask("write the summary to:", self._write_rows, name)

    def _write_rows(self, name: str) -> None:
        judged, session = self._judged, self.session
        if judged is None or session is None or not name.strip():
            return
        from safelight_tui.marks.writing import write_rows

        path = Path(name.strip()).expanduser()
        every = judged.rows if path.suffix == ".md" or self._per_visit else self.rows_in_view()
        root = str(session.root)

        def work(butler: object) -> str:
            session.refuse_inside(path)
            return write_rows(path, every, rerun=judged.rerun, repository=root)

        self.shell.controller.ask(work, lambda sentence_: self.notify(sentence_, markup=False))
