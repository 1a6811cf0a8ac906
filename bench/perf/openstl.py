"""SimVP and ConvLSTM in OpenSTL and here, side by side: ``python -m bench.perf.openstl --openstl PATH``.

OpenSTL's experiment, which is Lightning's trainer with OpenSTL's method, data set and callbacks, trains OpenSTL's
model; our trainer trains the same class on the same numbers: the same batches, optimizer, rate, loss, number of steps,
and validation windows, as many at once. Both go on in turn, an epoch each, and each is first in every other pair.
OpenSTL asks for a GPU; here Lightning is given the CPU. Its ConvLSTM is fed true frames now and then while it learns,
which no model of ours may see; ours gets blanks in their place, for the same work, and its loss counts the forecast
alone.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor, nn

from bench.context import flags_kept
from bench.perf._measure import Cell, Measurement, Out, Threads, in_turn, report, run
from bench.perf._rivals import CPU, Checkout, Epoch, checkout, made_data, our_epoch, quiet, row
from bench.scoring import EVALUATION_BATCH
from bench.settings import TaskSettings, TrainSettings
from bench.task import Task
from bench.types import SpatioTemporalData, TaskShape, Window

LEAST = 0.98
FRAMES = 4  # of history and of the forecast, as of TaxiBJ
CHANNELS, SIDE = 2, 32
TASK = TaskSettings(name="short", history=FRAMES, horizon=FRAMES)
METHODS: Mapping[str, Mapping[str, object]] = {
    "SimVP": {"hid_S": 16, "hid_T": 64, "N_S": 2, "N_T": 4, "model_type": "gSTA", "drop_path": 0.0},
    "ConvLSTM": {
        "num_hidden": "32,32",
        "filter_size": 5,
        "stride": 1,
        "patch_size": 2,
        "layer_norm": 0,
        "reverse_scheduled_sampling": 0,
        "scheduled_sampling": 1,
        "sampling_stop_iter": 50000,
        "sampling_start_value": 1.0,
        "sampling_changing_rate": 0.00002,
    },
}
"""As in OpenSTL's configurations of TaxiBJ, but narrower, for CPUs."""


def main(
    openstl: Annotated[Path, typer.Option(help="A checkout of OpenSTL.")],
    threads: Threads = None,
    slots: Annotated[int, typer.Option(min=60, help="Of the made data; seven tenths are for training.")] = 240,
    batch: Annotated[int, typer.Option(min=1, help="Windows per step.")] = 16,
    rounds: Annotated[int, typer.Option(min=1, help="Epochs of both, after one that warms up.")] = 5,
    out: Out = None,
) -> None:
    """Print for each model and number of threads how many times as fast our trainer is."""
    theirs, rows = checkout("OpenSTL", openstl, ".", "openstl"), []
    data = made_data(slots, (SIDE, SIDE), CHANNELS)
    for method, count in product(METHODS, threads or (1, 2)):
        about: dict[str, Cell] = {"model": method, "threads": count}
        their_epochs, ours = compared(theirs, method, data, batch, count, rounds + 1)
        rows.append(row(about, their_epochs, ours, LEAST))
    title = (
        f"Models of OpenSTL ({theirs.commit or 'of no known commit'}) on {SIDE} x {SIDE} cells in batches of {batch}: "
        f"the time of its epoch over that in our trainer, median of {rounds} pairs and the middle half of them."
    )
    facts = {"commit": theirs.commit, "slots": slots, "batch": batch, "rounds": rounds}
    report(Measurement(name="openstl", title=title, rows=rows, facts=facts), out)


def compared(
    theirs: Checkout, method: str, data: SpatioTemporalData, batch: int, threads: int, epochs: int
) -> list[list[Epoch]]:
    """Epochs of OpenSTL and of ours, in turn."""
    windows = Task(data, TASK, CPU, test_allowed=False).counts()["train"]
    recipe = TrainSettings(
        epochs=1,
        steps_per_epoch=windows // batch,  # OpenSTL drops the last, short batch
        batch_size=batch,
        lr=1e-3,
        weight_decay=1e-2,
        loss="mse",
        clip=0,
        precision="fp32",
    )
    with flags_kept():
        torch.set_num_threads(threads)
        return in_turn(
            epochs,
            lambda: their_epoch(theirs, method, data, recipe),
            lambda: our_epoch(lambda shape: Wrapped(theirs, method, shape), data, TASK, recipe),
        )


def their_epoch(theirs: Checkout, method: str, data: SpatioTemporalData, recipe: TrainSettings) -> Epoch:
    """One epoch of OpenSTL's experiment, from its first batch to the end of validation and saving."""
    lightning = theirs.module("pytorch_lightning")
    experiment = theirs.module("openstl.api").BaseExperiment
    clock = _clock(lightning)

    class OnCpu(experiment):  # type: ignore[misc, valid-type]  # untyped
        def _init_trainer(self, args: Any, callbacks: list[Any], strategy: str) -> Any:  # noqa: ARG002
            return lightning.Trainer(
                max_epochs=args.epoch, accelerator="cpu", callbacks=[*callbacks, clock], default_root_dir=args.res_dir
            )

    with flags_kept(), _own_log(), quiet(), tempfile.TemporaryDirectory() as folder:
        arguments = _arguments(theirs, method, recipe, Path(folder))
        OnCpu(arguments, dataloaders=_loaders(theirs, data, recipe.batch_size)).train()
    return Epoch(seconds=clock.ended - clock.started, steps=clock.steps, loss=clock.loss)


def _clock(lightning: Any) -> Any:
    """A callback that notes when the epoch starts and when all of training is over."""

    class Clock(lightning.Callback):  # type: ignore[misc]  # untyped
        started = ended = loss = 0.0
        steps = 0

        def on_train_epoch_start(self, trainer: Any, module: Any) -> None:  # noqa: ARG002 - Lightning passes them
            self.started = time.perf_counter()

        def on_train_end(self, trainer: Any, module: Any) -> None:  # noqa: ARG002
            self.ended, self.steps = time.perf_counter(), trainer.global_step
            self.loss = float(trainer.callback_metrics["train_loss_epoch"])

    return Clock()


@contextmanager
def _own_log() -> Iterator[None]:
    """Close the log file that OpenSTL opens in its folder, and put back what it takes down for it."""
    root = logging.root
    kept, level = list(root.handlers), root.level
    try:
        yield
    finally:
        for handler in {*root.handlers} - {*kept}:
            handler.close()
        root.handlers[:] = kept
        root.setLevel(level)


def _arguments(theirs: Checkout, method: str, recipe: TrainSettings, folder: Path) -> argparse.Namespace:
    """OpenSTL's arguments of one epoch with our recipe."""
    known = theirs.module("openstl.utils").default_parser()
    known |= theirs.module("openstl.datasets").dataset_parameters["taxibj"]
    known |= METHODS[method]
    known |= {
        "method": method,
        "dataname": "taxibj",
        "device": "cpu",
        "res_dir": str(folder),
        "ex_name": "made",
        "no_display_method_info": True,
        "epoch": recipe.epochs,
        "opt": "adamw",
        "lr": recipe.lr,
        "weight_decay": recipe.weight_decay,
        "sched": "onecycle",
        "seed": 0,
    }
    return argparse.Namespace(**known)


def _loaders(theirs: Checkout, data: SpatioTemporalData, batch: int) -> tuple[Any, Any, Any]:
    """OpenSTL's loaders of the windows of ours, which it scales from [-1, 1] to [0, 1]; no process of their own."""
    task, parts = Task(data, TASK, CPU, test_allowed=False), {}
    dataset = theirs.module("openstl.datasets.dataloader_taxibj").TaxibjDataset
    loader = theirs.module("openstl.datasets.utils").create_loader
    for name, windows in (("train", task.train), ("val", task.val)):
        every = torch.arange(len(windows))
        frames = windows.window(every).history, windows.scaler.scaled(windows.target(every)[0])
        parts[name] = dataset(*((2 * part - 1).numpy() for part in frames))
    shared = {"num_workers": 0, "persistent_workers": False}
    val = loader(parts["val"], batch_size=EVALUATION_BATCH, shuffle=False, **shared)
    train = loader(parts["train"], batch_size=batch, shuffle=True, is_training=True, drop_last=True, **shared)
    return train, val, val


class Wrapped(nn.Module):
    """OpenSTL's SimVP or ConvLSTM as a model of ours."""

    def __init__(self, theirs: Checkout, method: str, shape: TaskShape) -> None:
        super().__init__()
        self.recurrent = method == "ConvLSTM"
        self.utils, settings = theirs.module("openstl.utils"), dict(METHODS[method])
        models = theirs.module("openstl.models")
        sizes = (FRAMES, shape.channels, *shape.grid)
        if self.recurrent:
            self.patch, widths = settings["patch_size"], [int(text) for text in str(settings["num_hidden"]).split(",")]
            facts = {"in_shape": sizes, "pre_seq_length": FRAMES, "aft_seq_length": FRAMES}
            configuration = argparse.Namespace(**settings, **facts)
            self.inner: nn.Module = models.ConvLSTM_Model(len(widths), widths, configuration)
        else:
            self.inner = models.SimVP_Model(sizes, **settings)

    def forward(self, window: Window) -> Tensor:
        forecast: Tensor = self._recurrent(window.history) if self.recurrent else self.inner(window.history)
        return forecast

    def _recurrent(self, history: Tensor) -> Tensor:
        frames = torch.cat([history, torch.zeros_like(history)], dim=1).permute(0, 1, 3, 4, 2).contiguous()
        patches = self.utils.reshape_patch(frames, self.patch)
        told = patches.new_zeros(len(patches), FRAMES - 1, *patches.shape[2:])  # no frame to forecast is told
        made = self.utils.reshape_patch_back(self.inner(patches, told, return_loss=False)[0], self.patch)
        forecast: Tensor = made[:, -FRAMES:].permute(0, 1, 4, 2, 3).contiguous()
        return forecast


if __name__ == "__main__":
    run(main)
