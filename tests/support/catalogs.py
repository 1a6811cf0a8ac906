"""A data folder with a whole bikedc in it, and with an array of the user's own, as tests of the catalog want it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.catalog.data import Catalog

ROOT = Path(__file__).resolve().parents[2]


def demand(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 60, (1440, 20, 20)).astype(np.int32)


def bikedc_catalog(tmp_path: Path) -> Catalog:
    folder = tmp_path / "data" / "bikedc"
    folder.mkdir(parents=True)
    np.save(folder / "BikeDC.npy", demand())
    return Catalog(data_dir=tmp_path / "data", cache=tmp_path / "cache")


def raw_file(catalog: Catalog) -> Path:
    assert catalog.data_dir
    return catalog.data_dir / "bikedc" / "BikeDC.npy"


def own_array(catalog: Catalog) -> Path:
    """The card of an array of the user's own, 'citybus', laid out by hand."""
    assert catalog.data_dir
    folder = catalog.data_dir / "citybus"
    folder.mkdir()
    np.savez(folder / "data.npz", data=np.random.default_rng(0).uniform(0, 9, (96, 1, 2, 3)).astype(np.float32))
    (folder / "card.toml").write_text('name = "citybus"\ninterval = 30\ngrid = [2, 3]\n')
    return folder / "card.toml"
