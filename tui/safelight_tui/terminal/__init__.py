"""The terminal itself: what it can show, the driver that writes to it, the clipboard behind it."""
