"""Images leave the application: PNG files, DS9 region files, SAMP, the terminal's own graphics."""
