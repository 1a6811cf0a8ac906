"""Tables of TOML, or keys from a script, of which an unknown one is told with the known one that is meant."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

UNKNOWN: Final = "unknown_key"  # pydantic's type of the error


class KnownKeys(BaseModel):
    """A table that has no other keys than its fields, and says of another one which it may be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _are_known(cls, keys: object) -> object:
        """Before anything else is looked at: a key that is spelt wrongly may be one that is required."""
        known = [*cls.model_fields]
        for key in keys if isinstance(keys, Mapping) else ():
            if key not in known:
                near = difflib.get_close_matches(str(key).lower(), known, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
                raise PydanticCustomError(UNKNOWN, "{sentence}", {"sentence": f"there is no key '{key}'; {hint}"})
        return keys
