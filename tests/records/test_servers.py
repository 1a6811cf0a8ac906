"""Tables and figures from a real tracking server are those from the store, whatever data base is behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from records import record, suite
from servers import tracking_server
from studies import leave, study
from tracked import CONTROLS, follow
from typer.testing import CliRunner

from bench.cli.app import app
from bench.records.store import ResultStore
from bench.records.tracking import Tracker, sync
from bench.tuning.tracking import sync_studies

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
COMMANDS = {"tables": "tables/*", "plots": "figures/*", "report": "report.html"}
"""Every command that knows ``--from``, and the files that it makes."""


@pytest.fixture(scope="module", params=["sqlite", "PostgreSQL"])
def fed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server with runs that were fed live and others that were synced, and the results folder that has them all."""
    folder = tmp_path_factory.mktemp("fed")
    store = "" if request.param == "sqlite" else request.getfixturevalue("postgres").new()
    made = [*suite(seeds=3, models=2), record(model="stvfm", weights="pretrained")]
    made += [record(model="stvfm", mae=mae, overrides={"model.control": name}) for name, mae in CONTROLS]
    with tracking_server(folder / "server", store) as uri:
        with Tracker(uri, folder, warn=pytest.fail) as tracker:
            for one in made[:5]:
                follow(tracker, one)
        assert sync(made, uri, folder) == (len(made) - 5, 5)
        for one in made:
            ResultStore(folder / "results").write(one)
        leave(folder / "results", study())
        assert sync_studies(folder / "results", uri) == (1, 0)
        yield uri, folder / "results"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_server_gives_the_same_bytes_as_the_store(command: str, fed: tuple[str, Path], tmp_path: Path) -> None:
    uri, results = fed
    from_store, from_server = (
        CliRunner().invoke(app, [command, "--results", str(folder), *more])
        for folder, more in ((results, []), (tmp_path, ["--from", f"mlflow:{uri}"]))
    )
    assert (from_store.exit_code, from_server.exit_code) == (0, 0), from_server.output
    ours, theirs = (
        {path.name: path.read_bytes() for path in folder.glob(COMMANDS[command])} for folder in (results, tmp_path)
    )
    assert len(ours) > (0 if command == "report" else 3)
    assert command == "report" or any(name.startswith("tuning") for name in ours)
    assert ours.keys() == theirs.keys()
    assert [name for name, data in ours.items() if theirs[name] != data] == []
