"""Files of sensors made by their own libraries: one canonical array, to the last bit, whatever holds it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import tomli_w
import xarray as xr
import zarr as zarr_library
from numpy.typing import NDArray

import bench
from bench.catalog.data import Catalog
from bench.catalog.importing import import_array
from bench.types import SpatioTemporalData

SENSORS = ("773869", "767541", "767542", "717447", "717446")
CARD_KEYS = {"name": "roads", "interval": 5, "grid": [2, 3], "unit": "mph", "gaps": "missing"}
CARD = tomli_w.dumps(CARD_KEYS)


def frame() -> pd.DataFrame:
    """Speeds of five sensors, with numbers that no decimal fraction is equal to, and one slot left out."""
    times = pd.date_range("2012-03-01", periods=40, freq="5min").delete(17)
    values = np.random.default_rng(3).gamma(20.0, 3.0, (len(times), len(SENSORS)))
    return pd.DataFrame(values, index=times, columns=list(SENSORS))


def long(data: pd.DataFrame) -> pd.DataFrame:
    lines = data.rename_axis(index="time").reset_index().melt(id_vars="time", var_name="node", value_name="speed")
    return lines.sort_values("time", kind="stable").reset_index(drop=True)


def array(data: pd.DataFrame) -> xr.DataArray:
    return xr.DataArray(
        data.to_numpy(), dims=("time", "node"), coords={"time": data.index, "node": [*data]}, name="speed"
    )


def by_pandas(data: pd.DataFrame, folder: Path) -> Path:
    data.to_hdf(folder / "a.h5", key="df", mode="w")
    return folder / "a.h5"


def netcdf(data: pd.DataFrame, folder: Path) -> Path:
    array(data).to_netcdf(folder / "a.nc")
    return folder / "a.nc"


def zarr(data: pd.DataFrame, folder: Path) -> Path:
    numbered = array(data).assign_coords(node=[*map(int, SENSORS)])
    numbered.to_dataset().to_zarr(folder / "a.zarr", consolidated=False)
    return folder / "a.zarr"


def older_zarr(data: pd.DataFrame, folder: Path) -> Path:
    array(data).to_dataset().to_zarr(folder / "a.zarr", zarr_format=2)
    return folder / "a.zarr"


def plain_zarr(data: pd.DataFrame, folder: Path) -> Path:
    (folder / "card.toml").write_text(CARD + 'layout = "TN"\nnodes = 5\nkey = "speed"\ntimes = "when"\n')
    group = zarr_library.open_group(folder / "a.zarr", mode="w")
    group.create_array("speed", data=data.to_numpy(), chunks=(7, 2))
    group.create_array("when", data=data.index.to_numpy().astype("datetime64[ms]").astype(np.int64))
    return folder / "a.zarr"


def parquet(data: pd.DataFrame, folder: Path) -> Path:
    long(data).to_parquet(folder / "a.parquet")
    return folder / "a.parquet"


def long_csv(data: pd.DataFrame, folder: Path) -> Path:
    long(data).to_csv(folder / "a.csv", index=False)
    return folder / "a.csv"


def packed_tsv(data: pd.DataFrame, folder: Path) -> Path:
    long(data).sample(frac=1, random_state=1).sort_values("node", key=lambda names: names.map(SENSORS.index)).to_csv(
        folder / "a.tsv.gz", index=False, sep="\t"
    )
    return folder / "a.tsv.gz"


def dyna(data: pd.DataFrame, folder: Path) -> Path:
    lines = long(data).rename(columns={"node": "entity_id"})
    lines["time"] = lines["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    lines.insert(0, "type", "state")
    lines.to_csv(folder / "a.dyna", index_label="dyna_id")
    return folder / "a.dyna"


def npz(data: pd.DataFrame, folder: Path) -> Path:
    (folder / "card.toml").write_text(CARD + 'layout = "TN"\nnodes = 5\n')
    np.savez(folder / "a.npz", speed=data.to_numpy(), time=data.index.to_numpy())
    return folder / "a.npz"


def plain_hdf5(data: pd.DataFrame, folder: Path) -> Path:
    (folder / "card.toml").write_text(
        CARD + 'layout = "NT"\nnodes = 5\nkey = "traffic/speed"\ntimes = "traffic/when"\n'
    )
    with h5py.File(folder / "a.hdf5", "w") as file:
        file["traffic/speed"] = data.to_numpy().T
        file["traffic/when"] = data.index.to_numpy().astype("datetime64[s]").astype(np.int64)
        file["adjacency"] = np.eye(5)
    return folder / "a.hdf5"


MADE: dict[str, Callable[[pd.DataFrame, Path], Path]] = {
    function.__name__: function
    for function in (
        by_pandas,
        netcdf,
        zarr,
        older_zarr,
        plain_zarr,
        parquet,
        long_csv,
        packed_tsv,
        dyna,
        npz,
        plain_hdf5,
    )
}


def imported(data: pd.DataFrame, make: Callable[[pd.DataFrame, Path], Path], folder: Path) -> SpatioTemporalData:
    folder.mkdir(exist_ok=True)
    (folder / "card.toml").write_text(CARD)
    import_array(make(data, folder), folder / "card.toml", folder / "data", force=True)
    return Catalog(data_dir=folder / "data", cache=folder / "cache").load("roads")


def reference(data: pd.DataFrame) -> NDArray[np.float32]:
    """``[T, H * W]`` by a plain loop: sensors row by row, and 0 where nothing is."""
    canvas = np.zeros((40, 6), np.float32)
    for time, row in data.iterrows():
        slot = (time - data.index[0]) // pd.Timedelta(minutes=5)
        canvas[slot, :5] = row.to_numpy().astype(np.float32)
    return canvas


@pytest.mark.parametrize("kind", MADE)
def test_each_library_gives_the_same_canonical_array_to_the_last_bit(kind: str, tmp_path: Path) -> None:
    data = frame()
    made = imported(data, MADE[kind], tmp_path)
    assert made.values.tobytes() == reference(data).tobytes()
    assert made.mask is not None
    assert not made.mask[17, 0, :, :].reshape(-1)[:5].any()
    assert made.mask.sum() == 39 * 5 + 40  # of the empty cell all
    assert made.cell_mask.tolist() == [[True, True, True], [True, True, False]]
    assert made.card.start == "2012-03-01T00:00:00"


# --- from Python


def wide_parquet(data: pd.DataFrame, folder: Path) -> Path:
    data.to_parquet(folder / "wide.parquet")
    return folder / "wide.parquet"


def wide_csv(data: pd.DataFrame, folder: Path) -> Path:
    data.to_csv(folder / "wide.csv", index_label="time")
    return folder / "wide.csv"


OBJECTS: dict[str, Callable[[pd.DataFrame, Path], object]] = {
    "long frame": lambda data, folder: long(data),
    "DataArray": lambda data, folder: array(data),
    "Dataset": lambda data, folder: array(data).to_dataset(),
    "turned": lambda data, folder: array(data).T,
    "file": netcdf,
}
WIDE: dict[str, Callable[[pd.DataFrame, Path], object]] = {
    "frame": lambda data, folder: data,
    "Parquet": wide_parquet,
    "CSV": wide_csv,
}


@pytest.mark.parametrize("kind", [*OBJECTS, *WIDE])
def test_what_a_script_holds_gives_the_same_canonical_array(kind: str, tmp_path: Path) -> None:
    data, keys = frame(), CARD_KEYS | ({"nodes": 5} if kind in WIDE else {})
    card = bench.import_data((OBJECTS | WIDE)[kind](data, tmp_path), keys, tmp_path / "data")
    made = bench.load_dataset("roads", tmp_path / "data", tmp_path / "cache")
    assert made.values.tobytes() == reference(data).tobytes()
    assert made.card == card
    assert made.identity.sha256 == imported(data, by_pandas, tmp_path / "other").identity.sha256


def test_an_array_of_numpy_has_its_times_beside_it(tmp_path: Path) -> None:
    data, notes = frame(), list[str]()
    keys = CARD_KEYS | {"layout": "TN", "nodes": 5}
    bench.import_data(data.to_numpy(), keys, tmp_path / "data", times=data.index, on_note=notes.append)
    made = bench.load_dataset("roads", tmp_path / "data", tmp_path / "cache")
    assert made.values.tobytes() == reference(data).tobytes()
    assert notes[:2] == [
        "5 sensors lie on 2 x 3 cells; 1 cell is empty and counts in nothing",
        "1 slot has no row; the values there are missing",
    ]
