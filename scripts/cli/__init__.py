"""The `zkmargin` command, a module per subcommand."""
