"""Floating-point operations are those that torch counts, and counting them imports no compiler."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from builders import make_data
from commands import ROOT, environment
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bench.context import RunContext
from bench.runs.evaluator import run_model
from bench.runs.flops import FlopCounter
from bench.settings import TaskSettings, TrainSettings
from bench.task import Task
from bench.types import TaskShape, Window

CPU = torch.device("cpu")
SHORT = TrainSettings(epochs=1, steps_per_epoch=2, batch_size=8, precision="fp32")


class Mixed(nn.Module):
    """Every kind of operation that has a formula."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(2, 8, 3, padding=1)
        self.back = nn.ConvTranspose2d(8, 8, 2, stride=2)
        self.attention = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.recurrent = nn.GRU(8, 8, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.back(self.convolution(x)).flatten(2).transpose(1, 2)
        tokens = self.recurrent(self.attention(tokens))[0]
        scores = torch.einsum("bnd,bmd->bnm", tokens, tokens)
        return nn.functional.scaled_dot_product_attention(scores @ tokens, tokens, tokens)


@pytest.mark.parametrize("shape", [(1, 2, 4, 4), (3, 2, 6, 4)])
def test_as_many_are_counted_as_torch_counts(shape: tuple[int, ...]) -> None:
    model, x = Mixed().eval(), torch.ones(shape)
    with FlopCounterMode(display=False) as torchs:
        expected = model(x)
    with FlopCounter() as ours:
        found = model(x)
    assert ours.total == torchs.get_total_flops() > 0
    assert torch.equal(found, expected)


class Normed(nn.Module):
    """In training it does more, and cannot do with one window alone."""

    def __init__(self, shape: TaskShape, _: object = None) -> None:
        super().__init__()
        self.norm, self.shape = nn.BatchNorm1d(shape.channels), shape
        self.linear = nn.Linear(shape.history, shape.horizon)

    def forward(self, window: Window) -> Tensor:
        history = window.history  # [B, P, C, H, W]
        if self.training:
            self.norm(history.mean(dim=(1, 3, 4)))
            history = history @ torch.eye(history.shape[-1])
        forecast: Tensor = self.linear(history.movedim(1, -1)).movedim(-1, 1)
        return forecast


@dataclass(frozen=True, kw_only=True)
class Config:
    pass


def test_operations_of_a_run_are_those_of_forecasting_and_not_of_training() -> None:
    context, plugin = RunContext(seed=0, device=CPU), SimpleNamespace(Config=Config, Model=Normed)
    run = run_model(plugin, {}, SHORT, lambda: Task(make_data(slots=400), TaskSettings(name="short"), CPU), context)  # type: ignore[arg-type]
    shape = run.task.shape
    assert run.evaluation.flops == 2 * shape.history * shape.horizon * shape.cells * shape.channels


def test_a_run_that_trains_nothing_imports_no_compiler() -> None:
    """It would cost seconds and 150 MB."""
    program = (
        "import sys, bench\n"
        "bench.evaluate('last_value', dataset='control_noise')\n"
        "print([name for name in ('torch._dynamo', 'torch._inductor') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    answer = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    assert answer.stdout.strip() == "[]", answer.stderr
