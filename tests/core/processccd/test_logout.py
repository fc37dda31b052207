"""What becomes of detached runs at logout, asked of stand-ins for systemd's programs and of files like its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from safelight.processccd.logout import logout_safety

SESSION = "0::/user.slice/user-1000.slice/session-3.scope\n"
MANAGER = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/vte-spawn-1.scope\n"
SCOPE = ("systemd-run", "--user", "--scope", "--quiet", "--collect", "--")


class System:
    """A system's files below a directory, and its programs in front of all others."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.programs = root / "bin"
        self.programs.mkdir()
        self.file("proc/self/cgroup", SESSION)

    def file(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def program(self, name: str, text: str) -> None:
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> System:
    """Of the user ann; logind does not answer, there are no files of it."""
    monkeypatch.setenv("LOGNAME", "ann")
    made = System(tmp_path)
    monkeypatch.setenv("PATH", str(made.programs))
    for name in ("loginctl", "busctl"):
        made.program(name, "exit 1")
    made.program("systemd-run", "exit 0")
    return made


#: As busctl of systemd 252 prints them.
ANSWERS = {
    "b false\nas 0\nas 0": False,
    "b true\nas 0\nas 0": True,
    'b true\nas 0\nas 1 "root"': True,
    'b true\nas 0\nas 2 "root" "ann"': False,
    'b true\nas 1 "ben"\nas 0': False,
    'b false\nas 2 "ben" "ann"\nas 0': True,
}


@pytest.mark.parametrize(("answer", "killed"), ANSWERS.items())
def test_whom_logind_kills_is_told_by_three_settings_together(system: System, answer: str, killed: bool) -> None:
    system.program("busctl", f"echo '{answer}'")
    system.program("loginctl", "echo no")
    safety = logout_safety(system.root)
    assert ("KillUserProcesses=yes" in safety.warning) is killed
    assert ("loginctl enable-linger" in safety.warning) is killed
    assert safety.prefix == ()


def test_a_lingering_user_is_given_a_scope_and_a_manager_that_does_not_answer_is_told(system: System) -> None:
    system.program("busctl", "printf 'b true\\nas 0\\nas 0\\n'")
    system.program("loginctl", '[ "$1 $2 $3 $4" = "show-user ann --property=Linger --value" ] && echo yes')
    safety = logout_safety(system.root)
    assert (safety.prefix, safety.warning) == (SCOPE, "")
    system.program("systemd-run", "exit 1")
    safety = logout_safety(system.root)
    assert safety.prefix == ()
    assert "does not answer (is XDG_RUNTIME_DIR set?)" in safety.warning


def test_without_logind_its_files_are_read_and_later_ones_count_more(system: System) -> None:
    def warned() -> bool:
        return bool(logout_safety(system.root).warning)

    assert not warned()
    system.file("etc/systemd/logind.conf", "# KillUserProcesses=no\n[Login]\n  KillUserProcesses = yes \n")
    assert warned()
    system.file("usr/lib/systemd/logind.conf.d/50-site.conf", "[Login]\nKillUserProcesses=no\n")
    assert not warned()
    system.file(
        "run/systemd/logind.conf.d/60-more.conf", "[Other]\nKillUserProcesses=yes\n[Login]\nKillOnlyUsers=ann\n"
    )
    assert warned()
    system.file("etc/systemd/logind.conf.d/60-more.conf", "")  # masks the one of the same name
    assert not warned()
    system.file("etc/systemd/logind.conf.d/70-last.conf", "[Login]\nKillUserProcesses=1\nKillExcludeUsers=root ben\n")
    assert warned()
    system.file("var/lib/systemd/linger/ann", "")
    assert logout_safety(system.root).prefix == SCOPE


def test_a_terminal_below_the_users_manager_ends_with_it_unless_it_lingers(system: System) -> None:
    system.file("proc/self/cgroup", MANAGER)
    system.program("busctl", "printf 'b false\\nas 0\\nas 0\\n'")
    assert "belongs to your systemd manager" in logout_safety(system.root).warning
    system.program("loginctl", "echo yes")
    assert logout_safety(system.root) == type(logout_safety(system.root))()


@pytest.mark.parametrize("group", ["9:name=systemd:/\n0::/\n", "0::/system.slice/cron.service\n"])
def test_what_is_in_no_login_is_nobodys_to_end(system: System, group: str) -> None:
    system.file("proc/self/cgroup", group)
    system.program("busctl", "printf 'b true\\nas 0\\nas 0\\n'")
    assert not logout_safety(system.root).warning


def test_a_system_without_systemd_is_asked_nothing(system: System) -> None:
    (system.programs / "loginctl").unlink()
    system.program("busctl", "printf 'b true\\nas 0\\nas 0\\n'")
    assert not logout_safety(system.root).warning


def test_systemd_run_knows_every_option_that_it_is_given() -> None:
    program = shutil.which("systemd-run")
    if program is None:
        pytest.skip("systemd-run is not installed")
    said = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    assert all(option in said for option in SCOPE[1:-1])
