"""Cities that are trained on together: models that share their trained weights, each on the windows of its own task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.task import Task


@dataclass(frozen=True)
class City:
    """A model on the windows of one task."""

    model: nn.Module
    task: Task


def shares(cities: Sequence[City]) -> list[float]:
    """The share of each city in all training windows."""
    counts = [len(city.task.train) for city in cities]
    return [count / sum(counts) for count in counts]


def batches(
    cities: Sequence[City], steps: int, batch_size: int, generator: torch.Generator
) -> Iterator[tuple[City, Tensor]]:
    """For each step a city and the positions ``[B]`` of its windows; cities are drawn by their shares.

    The windows of a city are those of its shuffled passes. Where there is one, nothing is drawn for it.
    """
    numbers = torch.zeros(steps, dtype=torch.long)
    if len(cities) > 1:
        numbers = torch.multinomial(torch.tensor(shares(cities)), steps, replacement=True, generator=generator)
    counts = torch.bincount(numbers, minlength=len(cities)).tolist()
    drawn = [
        iter(city.task.train.drawn(count, batch_size, generator) if count else ())
        for city, count in zip(cities, counts, strict=True)
    ]
    return ((cities[number], next(drawn[number])) for number in numbers.tolist())
