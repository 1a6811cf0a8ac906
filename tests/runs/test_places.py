"""Where runs are made: as many places as cores and GPUs carry, and a sentence for what is asked and is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.errors import ConfigError, UnknownNameError
from bench.runs.executors import Asked, Places, make_executor, number_of_jobs, places


def test_jobs_are_a_number_or_auto() -> None:
    assert [number_of_jobs(text) for text in ("auto", "3", 2)] == [None, 3, 2]
    for text in ("0", "-1", "many", 2.5):
        with pytest.raises(ConfigError, match="neither auto nor a whole number"):
            number_of_jobs(text)
    with pytest.raises(UnknownNameError, match="did you mean 'processes'"):
        make_executor("process", Places())


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (Places(device="cpu"), ["cpu"] * 6),
        (Places(device="cpu", threads=4), ["cpu"]),
        (Places(device="cpu", jobs=3), ["cpu"] * 3),
        (Places(device="auto"), ["cuda:0", "cuda:1"]),
        (Places(device="auto", jobs=3), ["cuda:0", "cuda:1", "cuda:0"]),
        (Places(device="cuda", runs_per_gpu=2), ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]),
        (Places(device="cuda:1", runs_per_gpu=2), ["cuda:1", "cuda:1"]),
        (Places(device="cuda:1", jobs=1), ["cuda:1"]),
    ],
)
def test_every_job_has_a_place(asked: Places, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "cores", lambda: 6)
    monkeypatch.setattr("bench.runs.precision.may_have_gpu", lambda: True)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert places.slots(asked) == expected


def test_more_jobs_than_the_gpus_carry_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(ConfigError, match="5 jobs are more than 2 GPUs"):
        places.slots(Places(device="cuda", jobs=5, runs_per_gpu=2))


def test_shares_of_a_gpu_are_refused_where_runs_take_none() -> None:
    for name in ("processes", "ray"):
        with pytest.raises(ConfigError, match="or runs_per_gpu=, 2 shares GPUs among runs, which on the device cpu"):
            make_executor(name, Places(device="cpu", runs_per_gpu=2))


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"jobs": 0}, "jobs is 0, wanted"),
        ({"threads": 0}, "threads is 0, wanted"),
        ({"threads": None}, "threads is None, wanted"),
        ({"threads": 1.5}, "threads is 1.5, wanted"),
        ({"runs_per_gpu": True}, "runs_per_gpu is True, wanted"),
    ],
)
def test_a_number_that_is_none_is_refused(numbers: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Places(**numbers)


def test_an_option_that_an_executor_does_not_have_is_refused_with_those_it_has() -> None:
    Asked(name="slurm", places=Places(), options={"minutes": 60})
    with pytest.raises(ConfigError, match="no executor option 'time'; those of 'slurm' are partition, minutes, gpus"):
        Asked(name="slurm", places=Places(), options={"time": 60})
    with pytest.raises(ConfigError, match="no executor option 'places'; 'processes' has none"):
        make_executor("processes", Places(), {"places": Places()})


def test_a_container_is_asked_for_its_share_of_the_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(places, "QUOTA", tmp_path / "cpu.max")
    assert places.cores() == 8
    for text, cores in (("max 100000", 8), ("250000 100000", 2), ("50000 100000", 1)):
        places.QUOTA.write_text(text, encoding="ascii")
        assert places.cores() == cores
