"""The `firth` program: `python -m firth` is the same."""

import io
import os
import sys

from firth import cli


def main() -> int:
    """Runs the command line of this process and gives its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Words are Unicode whatever the locale is; what a terminal cannot show must not end the program.
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")
    try:
        return cli.main()
    except BrokenPipeError:
        # The reader (`| head`) has seen enough. Python flushes again at exit, which must not fail a second time.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
