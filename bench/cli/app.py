"""The command line: a file per command. Whatever is heavy is imported inside the command that needs it."""

from __future__ import annotations

import typer

from bench.cli.data import app as data_app
from bench.cli.doctor import doctor
from bench.cli.export import export
from bench.cli.list import list_names
from bench.cli.plots import plots
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

app = typer.Typer(
    help="A benchmark of spatio-temporal forecasting: models x data sets under one protocol, with paired statistics.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (run, score, status, tune, report, export, tables, plots):
    app.command()(command)
app.command("list")(list_names)
for command in (show, sync, ui, doctor):
    app.command()(command)
app.add_typer(data_app, name="data", help="Look at, check, download and import data sets.")
app.add_typer(weights_app, name="weights", help="Look at, download and check pre-trained weights.")
