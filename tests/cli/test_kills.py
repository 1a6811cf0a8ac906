"""Workers and drivers killed now and then; many more of them by ``python tests/support/kills.py``."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from commands import ROOT, environment
from kills import Campaign, plan, tables


@pytest.mark.slow
def test_whatever_is_killed_the_tables_are_the_same_and_nothing_is_left(tiny: Path, tmp_path: Path) -> None:
    def command(name: str, jobs: int) -> list[str]:
        return plan(tiny, tmp_path / name, "--jobs", str(jobs), models=("last_value", "dlinear", "stid"), seeds=1)

    subprocess.run(command("alone", 1), cwd=ROOT, env=environment(), check=True, capture_output=True)
    campaign = Campaign(command("killed", 2), tmp_path / "killed")
    campaign.run(4)
    campaign.check()
    assert campaign.broken == []
    assert campaign.kills.total() == 4
    assert tables(tmp_path / "killed") == tables(tmp_path / "alone")
