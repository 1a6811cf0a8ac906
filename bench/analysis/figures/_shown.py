"""Figures as a notebook shows them."""

from __future__ import annotations

import base64
import html
from io import BytesIO

from matplotlib.figure import Figure


class Figures(list[Figure]):
    """A list of figures that a notebook shows, each with its title below it unless that is drawn."""

    def _repr_html_(self) -> str:
        return "\n".join(map(_html, self))


def _html(figure: Figure) -> str:
    from bench.analysis.figures._files import plain_text

    buffer, title = BytesIO(), " ".join(figure.get_suptitle().split())
    with plain_text():
        figure.savefig(buffer, format="png")
    text, data = html.escape(title), base64.b64encode(buffer.getvalue()).decode()
    drawn = figure._suptitle is not None and figure._suptitle.get_visible()  # type: ignore[attr-defined]
    below = "" if drawn else f"<figcaption>{text}</figcaption>"
    return f'<figure><img style="max-width: 100%" alt="{text}" src="data:image/png;base64,{data}">{below}</figure>'
