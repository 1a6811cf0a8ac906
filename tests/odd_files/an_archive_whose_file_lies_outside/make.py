import io
import zipfile
from pathlib import Path

import numpy as np


def make(folder: Path) -> Path:
    content = io.BytesIO()
    np.save(content, np.array([1.0, 2.0, 3.0]).reshape(3, 1, 1, 1))
    with zipfile.ZipFile(folder / "a.npz", "w") as archive:
        archive.writestr("../../outside.npy", content.getvalue())
    return folder / "a.npz"
