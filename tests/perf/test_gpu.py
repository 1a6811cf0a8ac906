"""The measurements of a GPU, tried on a CPU: every part gives rows, and none takes the others with it."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from bench.context import flags_kept
from bench.perf.gpu import __main__ as command
from bench.perf.gpu import graphs, harness, memory, numbers, packing
from bench.perf.gpu.harness import adamw, bare_epoch
from bench.perf.gpu.memory import arithmetic
from bench.perf.gpu.part import PARTS
from bench.perf.gpu.report import Part, table, write
from bench.perf.gpu.rows import Bench, Row, read_rows
from bench.perf.gpu.vit import Vit, operations
from bench.perf.gpu.workload import city, trainer_of

ROOT = Path(__file__).parents[2]
ABSENT = (
    *("timm", "transformers", "typer", "rich", "pandas", "scipy", "matplotlib", "pydantic", "requests", "h5py"),
    *("threadpoolctl", "joblib", "psutil", "tomli_w", "safetensors", "optuna", "mlflow", "ray", "open_clip"),
)
FEW = ("stid",)


@pytest.fixture(autouse=True)
def few_models(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (harness, memory, numbers):
        monkeypatch.setattr(module, "MODELS", FEW)
    for module, name in ((numbers, "AUDITED"), (graphs, "SCORED"), (graphs, "CAPTURED")):
        monkeypatch.setattr(module, name, FEW)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with flags_kept():
        yield Bench(device="cpu", seconds=2.0, file=tmp_path / "rows")


@pytest.mark.parametrize("name", [name for name in PARTS if name != "packing"])
def test_a_part_measures_something(name: str, bench: Bench) -> None:
    getattr(import_module(f"bench.perf.gpu.{PARTS[name][0]}"), name)(bench)
    rows = read_rows(bench.file)
    assert rows
    measured = [row.value for row in rows if isinstance(row.value, float)]
    assert all(math.isfinite(value) and value >= 0 for value in measured)
    assert not [row for row in rows if row.value is False]


@pytest.mark.slow
def test_small_runs_are_counted_alone_and_side_by_side(bench: Bench) -> None:
    assert packing.together(1, bench, 1) > 0
    assert packing.together(2, bench, 1) > 0
    packing.stacked(bench, 2)
    (row,) = read_rows(bench.file)
    assert row.measure == "a gradient of 2 stacked seeds over one"


def test_runs_at_once_are_left_out_where_no_time_is_left(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "stacked", lambda bench, seeds: None)
    monkeypatch.setattr(packing, "together", lambda count, bench, budget: time.sleep(1.2) or 60.0)
    packing.packing(bench)
    assert [row.value for row in read_rows(bench.file)] == [60.0, "no time was left for 2 runs at once"]


def test_the_bare_loop_learns_as_the_trainer_does(bench: Bench) -> None:
    trainer = trainer_of("dlinear", city(bench), bench, steps=0)
    bare = bare_epoch(trainer)
    ours, other = ([epoch() for _ in range(4)] for epoch in (trainer._train_epoch, bare))
    assert other[0] == pytest.approx(ours[0], rel=0.05)
    assert other[3] == pytest.approx(ours[3], rel=0.05)
    assert other[3] < other[0]


def test_the_bare_loop_has_the_optimizer_of_the_trainer(bench: Bench) -> None:
    trainer = trainer_of("stid", city(bench), bench, steps=1)
    trained = [weight for weight in trainer.model.parameters() if weight.requires_grad]
    ours, other = (
        [({*map(id, group["params"])}, group["weight_decay"]) for group in optimizer.param_groups]
        for optimizer in (trainer.optimizer, adamw(trained, trainer.settings, trainer.context.device))
    )
    assert ours == other
    assert ours[0][1] > 0


def test_the_bare_loop_casts_frozen_weights_once_an_epoch_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = trainer_of("dlinear", city(bench), bench, steps=2, precision="bf16")
    order: list[str] = []

    @contextmanager
    def cast(model: nn.Module, device: torch.device, precision: str) -> Iterator[None]:
        model.register_forward_hook(lambda *_: order.append("step"))
        order.append(precision)
        yield
        order.append("given back")

    monkeypatch.setattr(harness, "cast_once", cast)
    bare_epoch(trainer)()
    assert order == ["bf16", "step", "step", "given back"]


def test_the_arithmetic_counts_the_array_once_and_a_trained_weight_five_times(bench: Bench) -> None:
    trainer = trainer_of("dlinear", city(bench), bench, steps=1)
    windows = trainer.task.train
    first = next(iter(trainer.parameters.values()))
    before = arithmetic(trainer)
    first.requires_grad_(requires_grad=False)
    assert before - arithmetic(trainer) == 4 * first.nbytes
    assert (
        windows.values.nbytes
        < before
        < 2.5 * windows.values.nbytes + 5 * sum(weight.nbytes for weight in trainer.parameters.values())
    )


def test_the_operations_of_a_vit_are_those_that_torch_counts() -> None:
    model = Vit(48, 2, 2)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # others are not counted on a CPU
        model(torch.zeros(3, 20, 48))
    assert counter.get_total_flops() == 3 * operations(48, 2, 20)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(torch.zeros(3, 20, 48, requires_grad=True)).sum().backward()
    assert counter.get_total_flops() == 3 * operations(48, 2, 20, backward=True)


def test_what_was_measured_before_an_error_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    part = command._measured("machine", "no device", 60, 60)  # its facts are known before the device is used
    assert part.status == "failed"
    assert [row.measure for row in part.rows] == ["python", "torch", "device"]
    assert "no device" in part.error.lower()
    assert "\n" not in part.error


def test_a_part_that_does_not_end_is_ended_with_all_its_processes(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = (
        "import subprocess, time; child = subprocess.Popen(['sleep', '60']); "
        f"print(child.pid, file=open({str(pid_file)!r}, 'w'), flush=True); time.sleep(60)"
    )
    assert command._error_of([sys.executable, "-c", script], 3) == "it did not end in time"
    child = int(pid_file.read_text())
    ends = time.monotonic() + 20
    while runs(child) and time.monotonic() < ends:
        time.sleep(0.05)
    assert not runs(child)


def runs(process: int) -> bool:
    """Whether it runs; one that has ended may wait for whoever inherits it."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").split()[2] != "Z"
    except OSError:
        return False


def test_an_unfinished_row_is_dropped(bench: Bench) -> None:
    bench.row("stid", "seconds", 1.5, "s")
    with bench.file.open("a") as rows:
        rows.write('{"subject": "st')
    assert read_rows(bench.file) == [Row(subject="stid", measure="seconds", value=1.5, unit="s")]


def test_the_table_says_what_failed_and_what_was_skipped(tmp_path: Path) -> None:
    row = Row(subject="stid", measure="a | b", value=1234.5, unit="1/s", note="note")
    parts = [
        Part(name="vit", status="failed", seconds=1, rows=(row,), error="out of memory"),
        Part(name="audit", status="skipped", seconds=0, error="no time was left; raise --seconds"),
        Part(name="seeds", status="done", seconds=0, rows=(Row(subject="stid", measure="equal", value=False),)),
    ]
    assert table(parts).split("\n")[2:] == [
        "| A plain ViT in bf16 | stid | a / b | 1,234 1/s | note |",
        "| A plain ViT in bf16 |  | failed |  | out of memory |",
        "| The audit of models |  | skipped |  | no time was left; raise --seconds |",
        "| Equal seeds twice | stid | equal | no |  |",
        "",
    ]
    content = json.loads(write(parts, "cuda", tmp_path / "new")[0].read_text())
    assert content["version"] == 1
    assert content["parts"][0]["rows"][0]["value"] == 1234.5


def test_it_runs_without_what_a_bare_machine_lacks(tmp_path: Path) -> None:
    block = f"import sys\nsys.modules.update(dict.fromkeys({ABSENT}))\n"
    (tmp_path / "sitecustomize.py").write_text(block, encoding="utf-8")
    variables = {**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    modules = ", ".join(f"bench.perf.gpu.{module}" for module, _, _ in PARTS.values())
    subprocess.run([sys.executable, "-c", f"import {modules}"], cwd=ROOT, env=variables, check=True)
    line = [sys.executable, "-m", "bench.perf.gpu", "memory", "--device", "cpu", "--out", str(tmp_path / "out")]
    answer = subprocess.run(line, cwd=ROOT, env=variables, check=False, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert "only a GPU tells the memory" in (tmp_path / "out" / "gpu.md").read_text()


def test_no_gpu_and_no_package_are_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert command.main([]) == 2
    assert capsys.readouterr().err.startswith("error: torch sees no GPU here")
    monkeypatch.setattr(command, "NEEDED", ("torch", "no_such_package"))
    assert command.main([]) == 2
    assert capsys.readouterr().err.startswith("error: no_such_package must be installed")


def test_operations_without_a_deterministic_kernel_are_named() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn("index_add_cuda_ does not have a deterministic implementation, but you set ...", stacklevel=1)
        warnings.warn("something else", stacklevel=1)
    assert numbers._undetermined(caught) == "torch warns of index_add_cuda_"
    assert numbers._undetermined([]) == ""
