"""One module for each command of `zkmargin`."""
