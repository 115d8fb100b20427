"""The entry of the sf-sync command; imports nothing heavy before Ctrl-C is heeded."""

import sys


def main() -> None:
    """Run the command."""
    try:
        from sf_sync.cli import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
