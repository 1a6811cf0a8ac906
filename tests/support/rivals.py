"""A checkout that has as much of BasicTS as the comparison with it needs."""

from __future__ import annotations

from pathlib import Path

FILES = {
    "__init__.py": '''
import numpy as np
import torch


class Meters:
    def __init__(self):
        self.losses = []

    def get_value(self, name):
        assert name == "train/loss"
        return sum(self.losses) / len(self.losses)


class Runner:
    pass


class BasicTSLauncher:
    @staticmethod
    def launch_training(cfg):
        """An epoch over a file, its last batch left out, as BasicTS leaves it out."""
        print("starting")
        folder, length = cfg.dataset_params["data_file_path"], cfg.input_len
        values, times = (torch.from_numpy(np.load(f"{folder}/train_{name}.npy")) for name in ("data", "timestamps"))
        model, runner = cfg.model(cfg.model_config), Runner()
        runner.model, runner.meter_pool = model, Meters()
        optimizer = cfg.optimizer(model.parameters(), **cfg.optimizer_params)

        def tell(name, **facts):
            for each in cfg.callbacks:
                getattr(each, name, lambda *_, **__: None)(runner, **facts)

        tell("on_epoch_start", epoch=1)
        origins = torch.arange(length, len(values) - cfg.output_len + 1)
        for chosen in origins[torch.randperm(len(origins))].split(cfg.train_batch_size)[:-1]:
            past, future = chosen[:, None] + torch.arange(-length, 0), chosen[:, None] + torch.arange(cfg.output_len)
            loss = (model(values[past], times[past]) - values[future]).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            runner.meter_pool.losses.append(loss.item())
            tell("on_step_end", step=1)
        tell("on_epoch_end", epoch=1, step=1)
        torch.save(model.state_dict(), f"{cfg.ckpt_save_dir}/model.pt")
        tell("on_train_end")
''',
    "configs.py": """
from types import SimpleNamespace


class BasicTSForecastingConfig(SimpleNamespace):
    pass
""",
    "runners/__init__.py": "",
    "runners/callback.py": """
import torch


class GradientClipping:
    def __init__(self, max_norm):
        self.max_norm = max_norm
""",
    "models/__init__.py": "",
    "models/STID.py": """
from types import SimpleNamespace

import torch


class STIDConfig(SimpleNamespace):
    pass


class STID(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        assert config.if_time_in_day and config.if_day_in_week
        self.config = config
        self.slot = torch.nn.Parameter(torch.zeros(config.num_time_in_day, 1))
        self.day = torch.nn.Parameter(torch.zeros(7, 1))
        self.linear = torch.nn.Linear(config.input_len, config.output_len)

    def forward(self, inputs, inputs_timestamps):
        assert inputs.shape[2] == self.config.num_features
        slots = (inputs_timestamps[:, -1, 0] * self.config.num_time_in_day).long()
        days = (inputs_timestamps[:, -1, 1] * 7).long()
        return self.linear(inputs.mT).mT + self.slot[slots][:, None] + self.day[days][:, None]
""",
}


def basicts(folder: Path) -> Path:
    """A checkout with these files; it is no git checkout."""
    for name, text in FILES.items():
        file = folder / "src" / "basicts" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder
