"""Peak memory of training beside the arithmetic of ARCHITECTURE."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import Final

import torch

from bench.context import resolve_precision
from bench.frozen import frozen_factors
from bench.perf.gpu.rows import Bench
from bench.perf.gpu.workload import city, known, trainer_of
from bench.train import Trainer

MODELS: Final = ("stid", "convlstm", "stvfm")
TRAINED: Final = 5  # weight, gradient, AdamW's two moments, and the best weights so far
MEGABYTE: Final = 2**20


def memory(bench: Bench) -> None:
    """What is counted and what is measured, in MiB; the rest is activations, which grow with the batch."""
    if not bench.on_gpu:
        bench.skipped("all", "only a GPU tells the memory of a process")
        return
    data = city(bench)
    for model in known(bench, *MODELS):
        gc.collect()
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated()
        trainer = trainer_of(model, data, bench, steps=3)
        counted = arithmetic(trainer)
        peaks = [_peak(trainer, size) - before for size in (32, 64)]
        window = (peaks[1] - peaks[0]) / 32
        bench.row(model, "counted: array and weights", counted / MEGABYTE, "MiB")
        bench.row(model, "peak of training, batch 64", peaks[1] / MEGABYTE, "MiB")
        bench.row(model, "activations of one window", window / MEGABYTE, "MiB", "peak at 64 less that at 32")
        rest = peaks[1] - counted - 64 * window
        bench.row(model, "not explained", rest / MEGABYTE, "MiB", "workspaces, and rounding of the allocator")
        del trainer


def arithmetic(trainer: Trainer) -> int:
    """Bytes that training holds whatever the batch: the array once, frozen weights, and each trained one five times."""
    windows = trainer.task.train
    held = {values.untyped_storage().data_ptr(): values for values in (windows.values, windows.valid, windows.clock)}
    array = sum(values.untyped_storage().nbytes() for values in held.values())
    weights = sum(weight.nbytes * (TRAINED if weight.requires_grad else 1) for weight in trainer.model.parameters())
    buffers = sum(buffer.nbytes for buffer in trainer.model.buffers())
    in_bf16 = resolve_precision(trainer.settings.precision, trainer.context.device) == "bf16"
    cast = sum(2 * weight.numel() for weight in frozen_factors(trainer.model)) if in_bf16 else 0
    return array + weights + buffers + cast


def _peak(trainer: Trainer, batch: int) -> int:
    trainer.settings = replace(trainer.settings, batch_size=batch)
    trainer._train_epoch()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    trainer._train_epoch()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated()
