"""The commands put together, and errors turned into one line."""

import errno
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import gradtruce
from gradtruce.cli.analyse import analyse
from gradtruce.cli.build import build
from gradtruce.cli.convert import convert
from gradtruce.cli.demo import demo
from gradtruce.cli.doctor import doctor
from gradtruce.cli.evaluate import evaluate
from gradtruce.cli.generate import generate
from gradtruce.cli.label import label
from gradtruce.cli.listing import list_names
from gradtruce.cli.predict import predict
from gradtruce.cli.prepare import prepare
from gradtruce.cli.preparing import Stopped
from gradtruce.cli.report import report
from gradtruce.cli.study import study
from gradtruce.cli.study_search import search
from gradtruce.cli.study_tables import tables
from gradtruce.cli.train import train

CLICK_ERROR: type[Exception] = typer.BadParameter.__mro__[2]
"""`ClickException`, wherever this release of typer keeps it."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says when a disk, a quota or a limit is full."""

INTERRUPTED = 130
"""Exit status of a command that was interrupted."""

ORDER = (
    "demo",
    "prepare",
    "train",
    "predict",
    "generate",
    "evaluate",
    "label",
    "report",
    "study",
    "analyse",
    "build",
    "convert",
    "list",
    "doctor",
)


class Commands(TyperGroup):
    """The group of all commands."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order in which a user meets them."""
        return [name for name in ORDER if name in self.commands]


app = typer.Typer(
    name="gradtruce",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> bool:
    if asked:
        print(f"gradtruce {gradtruce.__version__}")
        raise typer.Exit
    return asked


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where an error came from, not only what it is.")
    ] = False,
) -> None:
    """From a chest X-ray study to a report, trained on several losses at once.

    Research software, not a medical device.
    """


app.command(short_help="Compare two optimizers on synthetic studies.")(demo)
app.add_typer(prepare, name="prepare", short_help="Make a prepared data set.")
app.command(short_help="Train a method; score its test reports.")(train)
app.command(short_help="Write reports for your own images.")(predict)
app.command(short_help="Write reports for a prepared data set.")(generate)
app.command(short_help="Score generated reports, with protocol.")(evaluate)
app.command(short_help="Label reports with the 14 observations.")(label)
app.command(short_help="Draw a run or a comparison as one page.")(report)
app.add_typer(study, name="study", short_help="Train and compare by a plan.")
study.command(short_help="Compare the arms: study.json and tables.")(tables)
study.command(short_help="Search settings for the best trade of scores.")(search)
app.command(short_help="Look at the gradient dynamics of a run.")(analyse)
app.add_typer(build, name="build", short_help="Make what some methods need.")
app.add_typer(convert, name="convert", short_help="Take over a published checkpoint.")
app.command(name="list", short_help="List names that options take.")(list_names)
app.command(short_help="Say what this machine has and lacks.")(doctor)


def run(arguments: Sequence[str]) -> int:
    """Run one command; return the exit status.

    What a user can mend (`ValueError`, `TypeError`, `OSError`, `ImportError`, wrong usage) becomes
    one line on standard error and status 2; with `--debug` the traceback comes first.
    """
    command = typer.main.get_command(app)
    try:
        status = command.main(args=list(arguments), prog_name="gradtruce", standalone_mode=False)
    except CLICK_ERROR as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # the message is the whole help
            print(_help_of(error), file=sys.stderr)
            return 2
        return _complain(_usage_message(error))
    except Stopped as stop:
        return _complain(str(stop), status=INTERRUPTED)
    except KeyboardInterrupt:
        status = INTERRUPTED
    except (ValueError, TypeError, OSError, ImportError, ArithmeticError) as error:
        if "--debug" in arguments:
            traceback.print_exc()
        return _complain(_message(error))
    if status == INTERRUPTED:  # typer itself turns the interrupt into this status, without a word
        left = "a run goes on from its last checkpoint, where it had come to one"
        return _complain(f"interrupted; {left}", status=INTERRUPTED)
    return status if isinstance(status, int) else 0


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in FULL:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}; free some space or write to another disk"
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def _usage_message(error: Any) -> str:
    context = getattr(error, "ctx", None)
    where = context.command_path if context is not None else "gradtruce"
    return f"{error.format_message()} (see {where} --help)"


def _help_of(error: Any) -> str:
    return str(error.format_message())


def _complain(message: str, status: int = 2) -> int:
    print(f"gradtruce: error: {' '.join(message.split())}", file=sys.stderr)
    return status
