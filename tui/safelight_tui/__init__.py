"""The terminal application: screens and widgets over the library; no pipeline code, no SQL, no FITS."""
