"""Building master bias, dark and flat frames from raw frames.

`safelight.calibs.master` combines files of one CCD into a `MasterFrame`, `safelight.calibs.build` does so for a whole
repository and ingests the masters.
"""
