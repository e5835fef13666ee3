"""The index and the engine behind HTTP: typed answers with stable names, new rows as they come, metrics."""
