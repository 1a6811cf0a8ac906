"""A study's journal is one that Optuna's own tools read."""

from __future__ import annotations

import json

import pytest
from studies import tune

from bench.tuning.search import Workplace


def test_the_dashboard_of_optuna_shows_a_study_from_its_journal(make_job, tiny, tmp_path):
    dashboard = pytest.importorskip("optuna_dashboard", reason="pip install optuna-dashboard")
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    job = make_job()
    tune(Workplace(results=tmp_path, data_dir=tiny, storage=None, device="cpu"), job, trials=2)
    (journal,) = (tmp_path / "tuning").rglob("*.journal")
    before = journal.read_bytes()
    page = dashboard.wsgi(JournalStorage(JournalFileBackend(str(journal))))
    (study,) = asked(page, "/api/studies")["study_summaries"]
    assert study["study_name"] == job.study
    trials = asked(page, f"/api/studies/{study['study_id']}", "after=0")["trials"]
    assert [trial["state"] for trial in trials] == ["Complete", "Complete"]
    assert journal.read_bytes() == before


def asked(page, path, query=""):
    """What a page answers."""
    from wsgiref.util import setup_testing_defaults

    request = {"PATH_INFO": path, "QUERY_STRING": query}
    setup_testing_defaults(request)
    return json.loads(b"".join(page(request, lambda *_: None)))
