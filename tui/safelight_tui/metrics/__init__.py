"""Quality of CCDs as tables and plots: pure functions and models from the report's rows and the match catalogues."""
