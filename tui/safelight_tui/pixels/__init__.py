"""Images as characters, and as the graphics of terminals that have them: pure functions of arrays."""
