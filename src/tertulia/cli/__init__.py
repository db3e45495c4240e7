"""The command line: one module a command, one line a command in `COMMANDS`.

Results go to standard output, messages and progress to standard error. The exit code is 0, that of the
error (see `tertulia.errors`), 5 when only a part of several recordings succeeded, or 130 when interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from tertulia._version import __version__
from tertulia.cli import (
    clips,
    cluster,
    compare,
    convert,
    corpus,
    crossshow,
    diarize,
    emotions,
    enroll,
    evaluate,
    formats,
    identify,
    link,
    plot,
    scenes,
    segment,
    separate,
    simulate,
    speakers,
    systems,
    train,
    vad,
    verify,
)
from tertulia.cli._terminal import discard_stdout, put, report, say, use_utf8
from tertulia.errors import UsageError, unknown

__all__ = ["COMMANDS", "main"]

COMMANDS: dict[str, Callable[..., int]] = {
    "diarize": diarize.diarize,
    "systems": systems.systems,
    "evaluate": evaluate.evaluate,
    "compare": compare.compare,
    "plot": plot.plot,
    "convert": convert.convert,
    "formats": formats.formats,
    "corpus": corpus.corpus,
    "simulate": simulate.simulate,
    "crossshow": crossshow.crossshow,
    "train": train.train,
    "vad": vad.vad,
    "segment": segment.segment,
    "cluster": cluster.cluster,
    "enroll": enroll.enroll,
    "identify": identify.identify,
    "verify": verify.verify,
    "link": link.link,
    "speakers": speakers.speakers,
    "clips": clips.clips,
    "separate": separate.separate,
    "scenes": scenes.scenes,
    "emotions": emotions.emotions,
}

INTERRUPTED = 130

# The base of what the parser raises. Typer has carried it in several places, none of them public; its
# subclass is public in all versions.
_ParserError: Any = typer.BadParameter.__mro__[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, by default that of this process; returns the exit code, never raises."""
    use_utf8()
    try:
        return _run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever was reading has had enough, as `head` has: not an error.
        discard_stdout()
        return 0
    except Exception as error:
        return report(error)


def _run(arguments: Sequence[str]) -> int:
    # Not typer's own way to run, which ends the process and frames its messages.
    group = typer.main.get_command(_app())
    try:
        with group.make_context("tertulia", list(arguments)) as context:
            return int(group.invoke(context))
    except typer.Exit as finished:  # --help and --version
        return finished.exit_code
    except _ParserError as error:
        raise UsageError(_explained(error)) from error


def _app() -> typer.Typer:
    app = typer.Typer(
        cls=_Commands,
        help="Tell who spoke when in recordings, and measure how well.",
        context_settings={"help_option_names": ["-h", "--help"]},
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_common)
    for name, command in COMMANDS.items():
        app.command(name)(command)
    return app


class _Commands(typer.core.TyperGroup):
    """The commands, whose error for a wrong name lists the right ones."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.commands:
            raise unknown("command", cmd_name, self.commands)
        return super().get_command(ctx, cmd_name)


def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=lambda value: _version(value), is_eager=True)
    ] = False,
) -> None: ...


def _version(wanted: bool) -> None:
    """Print the version and exit."""
    if wanted:
        put(f"tertulia {__version__}\n")
        raise typer.Exit


def _explained(error: Any) -> str:
    """Put an error of the parser on one line, with where to read on."""
    message = " ".join(error.format_message().split()).rstrip(".")
    context = error.ctx
    if context is None:
        return message
    if hasattr(error, "possibilities"):  # no such option
        names = [name for option in context.command.get_params(context) for name in option.opts]
        known = ", ".join(sorted(name for name in names if name.startswith("--")))
        message = f"unknown option {error.option_name!r}; there is: {known}"
    elif message == "Missing command":
        message = f"a command is needed; there is: {', '.join(sorted(COMMANDS))}"
    return f"{message}; see '{context.command_path} --help'"
