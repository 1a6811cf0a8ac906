"""The command ``score``: forecasts that were made elsewhere, scored as all others are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.complete import datasets, profiles, tasks
from bench.cli.console import finished_line, print_line, warn_on
from bench.cli.option_groups import with_options
from bench.cli.options import DataDir, ResultsDir, TrackingUri, known_names, open_catalog, tracking_store
from bench.cli.terminal import Console
from bench.errors import ConfigError

if TYPE_CHECKING:
    from bench.records.saved_forecasts import About
    from bench.runs.external import ScoredElsewhere
    from bench.runs.plan import Selection


@dataclass(frozen=True, kw_only=True)
class WindowOptions:
    """Which windows are meant."""

    dataset: Annotated[
        str | None,
        typer.Option("--dataset", help="The data set (default: as the file says).", autocompletion=datasets),
    ] = None
    task: Annotated[
        str | None,
        typer.Option(
            "--task", help="Forecasting task: short, long, or few1 to few50 (default: short).", autocompletion=tasks
        ),
    ] = None
    protocol: Annotated[
        str | None, typer.Option("--protocol", help="Protocol of split and scaling: strict or unist (default: strict).")
    ] = None
    profile: Annotated[
        str,
        typer.Option(
            "--profile",
            help="Which windows: all, as paper and laptop, or quick's few (default: all).",
            autocompletion=profiles,
        ),
    ] = ""
    override: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the task, such as task.horizon=12; may be repeated.")
    ] = None
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, max=2**32 - 1, help="Seed, where there are several forecasts (0).")
    ] = None

    @property
    def selection(self) -> Selection:
        from bench.runs.plan import Selection

        return Selection(
            datasets=known_names("dataset", [self.dataset] if self.dataset else ()),
            seeds=() if self.seed is None else (self.seed,),
            profile=self.profile,
            protocol=self.protocol,
            task=self.task,
            overrides=tuple(self.override or ()),
        )


@with_options(WindowOptions, name="windows")
def score(
    *,
    file: Annotated[
        Path | None,
        typer.Argument(help="An .npz or .npy of forecasts [N, F, C, H, W], physical units.", show_default=False),
    ] = None,
    windows: WindowOptions,
    name: Annotated[
        str | None, typer.Option("--name", help="What the forecasts are called in tables (default: as the file says).")
    ] = None,
    template: Annotated[
        Path | None, typer.Option("--template", help="Write which windows are wanted to this .npz, and score nothing.")
    ] = None,
    key: Annotated[str, typer.Option("--key", help="The array's name in an .npz (default: forecasts).")] = "",
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Score what looks scaled, turned or out of order, too, as it is.")
    ] = False,
    data_dir: DataDir = None,
    results: ResultsDir = Path("results"),
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:<number>.")] = "auto",
    tracking_uri: TrackingUri = None,
    track: Annotated[bool, typer.Option("--track/--no-track", help="Whether to log to MLflow.")] = True,
) -> None:
    """Score forecasts that were made elsewhere; they stand in tables with a mark, since nobody audited their model.

    Forecasts that 'run --save-forecasts' keeps say of which windows they are; any others can.
    """
    if (file is None) == (template is None):
        raise ConfigError("say which forecasts: stbench score FILE; or which windows: stbench score --template FILE")
    if template is not None:
        _write_template(template, windows.selection, data_dir, results)
        return
    from bench.runs.external import score_forecasts

    uri = tracking_store(tracking_uri, results, track=track)
    catalog = open_catalog(data_dir, results)
    scored = score_forecasts(file, windows.selection, catalog, results, name=name, device=device, key=key, as_is=as_is)
    _tell(scored, results, uri)


def _write_template(path: Path, selection: Selection, data_dir: Path | None, results: Path) -> None:
    from bench.records.saved_forecasts import write_template
    from bench.runs.external import windows_wanted

    if not selection.datasets:
        raise ConfigError("a template is of the windows of one data set; say --dataset NAME")
    if path.suffix != ".npz" or path.exists():
        why = "is there already" if path.exists() else "does not end in .npz"
        raise ConfigError(f"{path} {why}; give the template another name, such as windows.npz")
    wanted = windows_wanted(selection, open_catalog(data_dir, results))
    write_template(path, wanted)
    print_line(_wanted(wanted))
    print_line(
        f"{path}: origins, times and channels of these; numpy.savez(FILE, forecasts=array, **numpy.load({path.name!r}))"
    )


def _wanted(about: About) -> str:
    """What is wanted, in a sentence."""
    first, last = (about.origins if about.times is None else about.times)[[0, -1]]
    low, high = map(int, about.origins[[0, -1]])
    gaps = "" if len(about.origins) == high - low + 1 else ", not one in each"
    return (
        f"wanted: {len(about.origins)} windows, whose first steps are from {first} to {last} (slots {low} to "
        f"{high}{gaps}); shape [N, F, C, H, W] = {tuple(map(int, about.shape))}; channels "
        f"{', '.join(about.channels)}; in {', '.join(dict.fromkeys(map(str, about.units)))}"
    )


def _tell(scored: ScoredElsewhere, results: Path, uri: str | None) -> None:
    """What came of it: the scores, where they stand, and the tables."""
    from bench.cli.leaderboard import leaderboards_with
    from bench.cli.output import write_both

    console = Console()
    console.print(finished_line(scored.run, scored.record), highlight=False, soft_wrap=True)
    if scored.there:
        print_line("these very forecasts were scored before; their record stays as it is")
    if not scored.ordered:
        print_line(
            f"the file does not say of which windows they are: taken as the {scored.record.counts.test} from "
            f"{scored.first} to {scored.last}, in order; 'origins' in an .npz are checked"
        )
    _log(console, scored, results, uri)
    written = write_both(results, [])
    console.print(leaderboards_with(results, scored.record), highlight=False)
    print_line(f"tables (also as .tex and .csv): {', '.join(str(path) for path in written if path.suffix == '.md')}")


def _log(console: Console, scored: ScoredElsewhere, results: Path, uri: str | None) -> None:
    """Write it to MLflow, or say how what was there already comes there."""
    from bench.records.mlflow_address import left_to_sync
    from bench.records.tracking_process import TrackerBeside

    if uri is None:
        return
    if scored.there:
        if lacking := left_to_sync(uri, results, 1):
            print_line(lacking)
        return
    tracker: Any
    with TrackerBeside(uri, results, warn=partial(warn_on, console)) as tracker:
        tracker.run_started(scored.run)
        tracker.run_finished(scored.run, scored.record)
