"""The screens. `safelight_tui.screens.mode` says how to add one."""
