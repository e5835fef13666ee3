"""Pictures of a command's result."""
