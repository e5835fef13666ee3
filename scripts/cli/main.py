"""Where the `zkmargin` command begins: imports nothing, so that Ctrl-C is one line from the first moment on."""

import sys

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended: 128 and the signal's number."""


def main() -> None:
    """Run the command; Ctrl-C at any moment, also while modules are loaded, is one line and exit code 130."""
    try:
        from zkmargin.scripts.cli.app import run

        run()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
