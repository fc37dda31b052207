"""The task: configuration, the steps of one CCD in order, plan (dry run), runner, journal, provenance, report.

Import what you need from its modules; this package itself imports nothing, so that a command's ``--help`` stays fast.
"""
