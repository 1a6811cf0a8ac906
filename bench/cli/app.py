"""The command line: a file per command. Whatever is heavy is imported inside the command that needs it."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from bench.cli.console import print_line
from bench.cli.data import app as data_app
from bench.cli.doctor import doctor
from bench.cli.export import export
from bench.cli.list import list_names
from bench.cli.plots import plots
from bench.cli.reference import reference
from bench.cli.report import report
from bench.cli.run import run
from bench.cli.score import score
from bench.cli.show import show
from bench.cli.status import status
from bench.cli.sync import sync
from bench.cli.tables import tables
from bench.cli.tune import tune
from bench.cli.ui import ui
from bench.cli.weights import app as weights_app
from bench.errors import ConfigError
from bench.plain_text import counted

SETTINGS: Final = {  # what others call an option and is a setting here
    "--epochs": "train.epochs=10",
    "--lr": "train.lr=0.001",
    "--learning-rate": "train.lr=0.001",
    "--batch-size": "train.batch_size=32",
    "--patience": "train.patience=5",
    "--weight-decay": "train.weight_decay=0.01",
}


class Commands(TyperGroup):
    """The commands; an option that none of them has and that is a setting is answered with how to set it."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.TyperException as error:
            wrong = str(getattr(error, "option_name", "")).replace("_", "-")
            if wrong in SETTINGS and isinstance(getattr(error, "message", None), str):
                error.message += f"; it is a setting: --set {SETTINGS[wrong]}"
            raise


class Command(TyperCommand):
    """A command that refuses an option given twice which has room for one value: the first would count for nothing."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _, _, given = self.make_parser(ctx).parse_args(args=[*args])
        for param in given if not ctx.resilient_parsing else ():
            single = isinstance(param, TyperOption) and not (param.multiple or param.is_flag)
            if single and given.count(param) > 1:
                raise ConfigError(f"{param.opts[0]} is given {counted(given.count(param), 'time')}; it takes one value")
        return super().parse_args(ctx, args)


def _filled(text: str) -> str:
    """Each paragraph in one line: whoever shows it breaks lines by his own width, not by ours, too."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    from bench import __version__

    if asked:
        print_line(f"st-vfm-bench {__version__}")
        raise typer.Exit


@app.callback()
def every_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """A benchmark of spatio-temporal forecasting: models x data sets under one protocol, with paired statistics."""
    del version  # its callback has answered


for command in (run, score, status, tune, report, export, reference, tables, plots):
    app.command()(command)
app.command("list")(list_names)
for command in (show, sync, ui, doctor):
    app.command()(command)
app.add_typer(data_app, name="data", help="Look at, check, download and import data sets.")
app.add_typer(weights_app, name="weights", help="Look at, download and check pre-trained weights.")
for group in (app, data_app, weights_app):
    for registered in group.registered_commands:
        registered.cls = Command
        registered.help = _filled(inspect.getdoc(registered.callback) or "")
