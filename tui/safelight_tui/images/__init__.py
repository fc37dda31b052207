"""Images of CCDs for the image screen: reading them in threads, and what is said about a pixel."""
