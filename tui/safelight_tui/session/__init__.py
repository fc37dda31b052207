"""What the application knows of one repository, in memory, for the event loop to read."""
