"""Themes: dark, light, the terminal's own colours, and ``safelight``, red only, for dark-adapted eyes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from textual.app import App
from textual.filter import LineFilter, Monochrome, NoColor
from textual.theme import Theme

from safelight_tui.red_filter import RedOnly

__all__ = ["THEMES", "ThemedApp", "choose_theme", "is_red_only", "uses_red_only"]

Result = TypeVar("Result")

DARK = Theme(
    name="dark",
    primary="#5c9fd6",
    secondary="#4a7fa8",
    accent="#d8b45a",
    warning="#d9a441",
    error="#e0656e",
    success="#6fbf73",
    foreground="#d8dade",
    background="#14161a",
    surface="#1a1d22",
    panel="#262a31",
    dark=True,
)

LIGHT = Theme(
    name="light",
    primary="#1f5f99",
    secondary="#3a7ca5",
    accent="#8a5a00",
    warning="#8f5b00",
    error="#b3202c",
    success="#1d6f3a",
    foreground="#1d1f23",
    background="#f4f4f1",
    surface="#fbfbf9",
    panel="#e3e4e0",
    dark=False,
)

TERMINAL = Theme(
    name="terminal",
    primary="ansi_blue",
    secondary="ansi_cyan",
    accent="ansi_magenta",
    warning="ansi_yellow",
    error="ansi_red",
    success="ansi_green",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    dark=True,
    ansi=True,
    variables={
        "ansi-background": "ansi_default",
        "ansi-foreground": "ansi_default",
        "block-cursor-foreground": "ansi_default",
        "block-cursor-background": "ansi_default",
        "block-cursor-text-style": "reverse",
        "block-cursor-blurred-foreground": "ansi_default",
        "block-cursor-blurred-background": "ansi_default",
        "block-cursor-blurred-text-style": "underline",
        "block-hover-background": "ansi_default",
        "border": "ansi_blue",
        "border-blurred": "ansi_default",
        "input-cursor-text-style": "reverse",
        "input-selection-background": "ansi_blue",
        "footer-background": "ansi_default",
        "footer-key-foreground": "ansi_blue",
        "scrollbar": "ansi_blue",
        "scrollbar-background": "ansi_default",
        "success-muted": "ansi_default",
        "warning-muted": "ansi_default",
        "error-muted": "ansi_default",
        "primary-muted": "ansi_default",
        "text-success": "ansi_green",
        "text-warning": "ansi_yellow",
        "text-error": "ansi_red",
        "text-accent": "ansi_magenta",
        "text-primary": "ansi_blue",
        "text-muted": "ansi_bright_black",
        "text-disabled": "ansi_bright_black",
    },
)


def _red(level: int) -> str:
    return f"#{level:02x}0000"


SAFELIGHT = Theme(
    name="safelight",
    primary=_red(0x90),
    secondary=_red(0x70),
    accent=_red(0xFF),
    warning=_red(0xD8),
    error=_red(0xFF),
    success=_red(0xA8),
    foreground=_red(0xC0),
    background=_red(0x00),
    surface=_red(0x08),
    panel=_red(0x20),
    boost=_red(0x18),
    dark=True,
    # Textual mixes text colours with white, which would bring in other hues: each is given outright.
    variables={
        "text": _red(0xD0),
        "text-muted": _red(0x98),
        "text-disabled": _red(0x88),
        "text-primary": _red(0xC0),
        "text-secondary": _red(0xA0),
        "text-success": _red(0xB0),
        "text-warning": _red(0xE0),
        "text-error": _red(0xFF),
        "text-accent": _red(0xFF),
        "primary-muted": _red(0x38),
        "secondary-muted": _red(0x30),
        "accent-muted": _red(0x50),
        "success-muted": _red(0x18),
        "warning-muted": _red(0x38),
        "error-muted": _red(0x58),
        "foreground-muted": _red(0x90),
        "foreground-disabled": _red(0x60),
        "block-cursor-foreground": _red(0x00),
        "block-cursor-background": _red(0xC0),
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-foreground": _red(0xD0),
        "block-cursor-blurred-background": _red(0x40),
        "block-hover-background": _red(0x28),
        "border": _red(0xA0),
        "border-blurred": _red(0x40),
        "surface-active": _red(0x20),
        "scrollbar": _red(0x58),
        "scrollbar-hover": _red(0x80),
        "scrollbar-active": _red(0xA0),
        "scrollbar-background": _red(0x10),
        "scrollbar-background-hover": _red(0x10),
        "scrollbar-background-active": _red(0x10),
        "scrollbar-corner-color": _red(0x10),
        "input-cursor-background": _red(0xC0),
        "input-cursor-foreground": _red(0x00),
        "input-selection-background": _red(0x50),
        "footer-foreground": _red(0xA0),
        "footer-background": _red(0x18),
        "footer-key-foreground": _red(0xFF),
        "footer-key-background": _red(0x18),
        "footer-description-foreground": _red(0xA0),
        "footer-description-background": _red(0x18),
        "footer-item-background": _red(0x18),
        "link-color": _red(0xFF),
        "link-background": _red(0x00),
        "link-color-hover": _red(0x00),
        "link-background-hover": _red(0xC0),
        "button-foreground": _red(0xD0),
        "button-color-foreground": _red(0x00),
        "button-focus-text-style": "bold reverse",
        "markdown-h1-color": _red(0xFF),
        "markdown-h2-color": _red(0xE0),
        "markdown-h3-color": _red(0xD0),
        "markdown-h4-color": _red(0xC0),
        "markdown-h5-color": _red(0xB0),
        "markdown-h6-color": _red(0xA0),
    },
)

THEMES: Mapping[str, Theme] = {theme.name: theme for theme in (DARK, LIGHT, TERMINAL, SAFELIGHT)}
"""By name, in the order in which the palette offers them."""


class ThemedApp(App[Result]):
    """An application with these themes and no others, which are not tested for contrast and hue."""

    DEFAULT_CSS = """
    CommandPalette SearchIcon { display: none !important; }
    """  # an emoji: few fonts have it, and its width differs from terminal to terminal

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._red_only = RedOnly()
        self._no_color = NoColor()
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = DARK.name
        for name in set(self.available_themes) - set(THEMES):
            self.unregister_theme(name)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Filters over all that is painted: red only in the red theme, no colour at all where NO_COLOR is set.

        Textual makes NO_COLOR grey unless a theme of the terminal's colours is chosen before the application is built.
        """
        filters = super().get_line_filters()
        if self.no_color:
            return [*(one for one in filters if not isinstance(one, Monochrome)), self._no_color]
        return [*filters, self._red_only] if uses_red_only(self) else filters


def choose_theme(setting: str, environment: Mapping[str, str]) -> str:
    """The theme to start with: the user's; the terminal's own where NO_COLOR is set or it has 16 colours; else dark.

    Parameters
    ----------
    setting : str
        Of the settings file: a name, or "auto".
    """
    if environment.get("NO_COLOR"):
        return "terminal"
    if setting in THEMES:
        return setting
    kind = environment.get("TERM", "")
    many = environment.get("COLORTERM", "") in ("truecolor", "24bit") or "256" in kind or "direct" in kind
    return "dark" if many or kind in ("xterm-kitty", "alacritty", "foot", "wezterm", "xterm-ghostty") else "terminal"


def uses_red_only(app: App[Any]) -> bool:
    """Whether images and plots must keep to red."""
    return app.theme == SAFELIGHT.name


def is_red_only(red: int, green: int, blue: int) -> bool:
    """Whether a colour leaves dark-adapted eyes alone: no green and no blue."""
    return green == 0 and blue == 0 and 0 <= red <= 255
