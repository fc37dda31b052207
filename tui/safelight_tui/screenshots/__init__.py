"""Pictures of the application: the real program on a real repository, its cells drawn into PNG files."""
