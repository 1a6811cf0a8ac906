from pathlib import Path


def make(folder: Path) -> Path:
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 1, 1, 1), }"
    text = header.ljust(117) + "\n"
    (folder / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(12))
    return folder / "a.npy"
