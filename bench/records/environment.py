"""The machine and the libraries of a run."""

from __future__ import annotations

from msgspec import Struct

from bench.records.plain import Whole


class Environment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The machine and libraries; no host name, no path. A run that failed may not know its device.

    Attributes:
        device: A GPU's product name, or "cpu".
        threads: Of torch.
        compiled: Whether torch.compile was used.
        libraries: Versions; "absent" for one that is not installed.
        commit: The project's git commit, "+" behind it where files differ from it, or where code behind the run is not
            in it, such as a model in a file of the user's own; None outside a checkout.
    """

    libraries: dict[str, str]
    commit: str | None = None
    python: str = ""
    system: str = ""
    device: str = ""
    cuda: str | None = None
    threads: Whole | None = None
    compiled: bool = False

    @property
    def numerical(self) -> tuple[str, ...]:
        """What of it could move a number."""
        versions = (
            self.libraries.get(name, "absent") for name in ("torch", "numpy", "timm", "open_clip_torch", "transformers")
        )
        return (self.device, self.cuda or "", str(self.compiled), *versions)
