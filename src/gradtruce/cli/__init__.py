"""The command line: `gradtruce`. One module a command; each parses, calls, prints."""

import signal
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 something the user can mend, 130 interrupted."""
    try:
        from gradtruce.cli.app import run
    except ModuleNotFoundError as missing:
        print(
            f"gradtruce: error: the command line needs {missing.name}, which is not installed; "
            'run: pip install "gradtruce[rrg]"',
            file=sys.stderr,
        )
        sys.exit(2)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that it too leaves no half
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))
