"""Hundreds of drawn cases for the match: wrong pointings, mirrored frames, junk, gaps, motions, and frames that lie."""
