"""Zero-knowledge portfolio margin."""
