"""Command-line programs: thin, and quick to start. Modules here import heavy packages only after parsing."""
