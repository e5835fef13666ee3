"""One module per language; each has `render()`, which returns the text of every file it generates, by path."""
