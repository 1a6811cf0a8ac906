"""Floating-point operations are those that torch counts, and counting them imports no compiler."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from commands import ROOT, environment
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bench.runs.flops import FlopCounter


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
