"""Widgets that show many cells: each one line-API widget in its own module, with messages named for what happened."""
