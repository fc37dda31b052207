"""What a person chooses in Plan: the rerun, its parent, the configuration, and whether finished CCDs are done again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from safelight_tui.runs.request import RunRequest, free_rerun_name
from safelight_tui.screens.launching import default_processes
from safelight_tui.screens.planning import PlanningScreen

if TYPE_CHECKING:
    from safelight_tui.runs.planning import PlanPicture

__all__ = ["ChoosingScreen"]


class ChoosingScreen(PlanningScreen):
    """A planning screen whose request is changed by dialogs."""

    # --- the rerun --------------------------------------------------------------------------------------------------

    def action_choose_rerun(self) -> None:
        """Choose the rerun to write to, or name one."""
        from safelight_tui.widgets.run_rerun_picker import RerunPicker

        session = self.session
        if session is None:
            return

        def chosen(name: str | None) -> None:
            if name is not None and self.session is not None:
                self._write_to(name)

        self.app.push_screen(RerunPicker(session.feed.reruns, "Write to which rerun?"), chosen)

    def _write_to(self, name: str) -> None:
        """Write to a rerun: to one that exists with its own configuration, to a new one with the present one."""
        session = self.session
        if session is None:
            return
        exists = name in session.feed.reruns
        request = self.request or RunRequest(session.root, name, processes=default_processes())
        request = replace(request, rerun=name, parent="", id_text=session.chosen_id_text())
        self.request = request  # named here, before the session hears of it
        self.shell.controller.choose_rerun(name)
        self.plan(request, as_the_rerun=exists)

    def action_chain_rerun(self) -> None:
        """Read from the rerun and write to a new one."""
        session, request = self.session, self.request
        if session is None or request is None:
            return
        parent = request.rerun if request.rerun in session.feed.reruns else session.rerun and session.rerun.name
        if parent:
            self._ask_new_rerun(f"Read from rerun {parent} and write to which new one?", parent, parent)

    def rerun_refuses(self, picture: PlanPicture) -> None:
        """The edited configuration is not the rerun's: it needs a rerun of its own."""
        old = picture.request.rerun
        fields = ", ".join(value.path for value in picture.differing[:4])
        self._ask_new_rerun(
            f"Rerun {old} has another configuration ({fields}) and stays as it is. Write to which new rerun?", old, ""
        )

    def _ask_new_rerun(self, heading: str, old: str, parent: str) -> None:
        from safelight_tui.widgets.run_rerun_picker import RerunPicker

        session = self.session
        if session is None:
            return

        def named(name: str | None) -> None:
            if name is not None and self.request is not None:
                self.plan(replace(self.request, rerun=name, parent=parent))

        proposal = free_rerun_name(session.feed.reruns, f"{old}-2")
        self.app.push_screen(RerunPicker(session.feed.reruns, heading, proposal, only_new=True), named)

    # --- the configuration ------------------------------------------------------------------------------------------

    def action_edit_config(self) -> None:
        """Edit the configuration; a rerun that has another one is left alone, and a new name offered."""
        from safelight_tui.widgets.config_editor import ConfigEditor

        picture, request = self.picture, self.request
        if picture is None or request is None:
            return

        def edited(given: Mapping[str, str] | None) -> None:
            if given is not None and given != dict(request.config):
                self._edited(replace(request, config=given))

        self.app.push_screen(ConfigEditor(picture.config, request.config), edited)

    def action_config_files(self) -> None:
        """Give configuration files, as ``-C`` does, or take them away."""
        from safelight_tui.widgets.config_files import ConfigFiles

        request = self.request
        if request is None:
            return

        def chosen(files: tuple[Path, ...] | None) -> None:
            if files is not None and files != request.config_files:
                self._edited(replace(request, config_files=files))

        self.app.push_screen(ConfigFiles(request.config_files), chosen)

    def _edited(self, request: RunRequest) -> None:
        self._just_edited = True
        self.plan(request)

    def action_toggle_redo(self) -> None:
        """Do finished CCDs again, or skip them."""
        if self.request is not None:
            self.plan(replace(self.request, redo=not self.request.redo))
