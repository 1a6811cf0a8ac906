"""An error with orders to a terminal, a page and a typesetter."""

from __future__ import annotations

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = "RuntimeError: red .bold.x./nope. <script>alert.1.</script> .input{/etc/passwd} end"


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        raise RuntimeError(
            "\x1b[2J\x1b[31mred\x1b]0;title\x07 [bold]x[/nope]\n<script>alert(1)</script> "
            "\\input{/etc/passwd} \x00 \ud800 end"
        )
