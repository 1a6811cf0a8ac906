"""Draws the architecture of ST-VFM: ``python docs/images/draw_stvfm.py [FILE]`` writes ``stvfm.svg``, or FILE.

Words in brackets are settings (``stbench show stvfm``); what is dashed, or has a plus, is off in every profile. Letters
are those of ``stvfm/model.py``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLE: Final = {"svg.fonttype": "path", "svg.hashsalt": "stvfm", "font.family": "DejaVu Sans", "font.size": 8}
INPUT, TRAINED, FROZEN, RESULT = "#eeeeee", "#cfe3f5", "#dfe7d3", "#fbe3c4"
LINE, OPTION = "#333333", "#8a8a8a"
DASHES: Final = (0, (4, 3))
LINE_HEIGHT: Final = 0.2  # of the text in a box


@dataclass(frozen=True, kw_only=True)
class Box:
    """A part: its middle, its size, a bold first line and what stands below it; dashed where it is an option."""

    x: float
    y: float
    width: float
    height: float
    title: str
    text: str
    colour: str
    option: bool = False

    @property
    def left(self) -> tuple[float, float]:
        return self.x - self.width / 2, self.y

    @property
    def right(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y

    @property
    def top(self) -> tuple[float, float]:
        return self.x, self.y + self.height / 2

    @property
    def bottom(self) -> tuple[float, float]:
        return self.x, self.y - self.height / 2


UPPER, LOWER, MIDDLE = 5.0, 2.2, 3.6
HISTORY = Box(x=1.05, y=UPPER, width=1.8, height=1.0, title="history X", text="P frames, C x H x W", colour=INPUT)
DAYS = Box(x=1.05, y=6.5, width=1.8, height=1.0, title="days before", text="a week, a day\n[days] [base]", colour=INPUT)
FLOW = Box(
    x=1.05, y=LOWER, width=1.8, height=1.3, title="flow", text="X(t) - X(t-1)\n+ velocity [motion]", colour=INPUT
)
RAW_TATA = Box(
    x=3.6,
    y=UPPER,
    width=2.1,
    height=1.6,
    title="TATA, raw",
    text="patches, place, step,\nclock; mixer and pool\nover time [tata] [pool]",
    colour=TRAINED,
)
FLOW_TATA = Box(
    x=3.6,
    y=LOWER,
    width=2.1,
    height=1.6,
    title="TATA, flow",
    text="the same, with\nweights of its own\n[flow]",
    colour=TRAINED,
)
BACKBONE = Box(
    x=6.35,
    y=MIDDLE,
    width=2.0,
    height=4.3,
    title="vision transformer",
    text="prefix and positions,\nblocks [depth], norm\n\nfrozen [tuning]\npre-trained [weights]\n"
    "or a control [control]\n\nbranches one by one\n+ as one sequence\n[joined]\n\nlast features\n"
    "+ all depths [depths]",
    colour=FROZEN,
)
PROMPTS = Box(
    x=9.2,
    y=MIDDLE,
    width=2.25,
    height=1.7,
    title="BCPC",
    text="m prompts of each branch\ncondition the other\n[coordination] [rounds]",
    colour=TRAINED,
)
HEAD = Box(
    x=11.65,
    y=MIDDLE,
    width=2.1,
    height=2.3,
    title="head, cell by cell",
    text="tokens to cells,\ncell [identity],\nclock [calendar],\nresidual MLP\n[layers] [hidden]",
    colour=TRAINED,
)
BASE = Box(
    x=11.65,
    y=6.7,
    width=2.1,
    height=0.9,
    title="base",
    text="last value, or a mix with\nthe days before [base]",
    colour=TRAINED,
)
FORECAST = Box(x=14.15, y=MIDDLE, width=1.5, height=1.0, title="forecast Y", text="F frames", colour=RESULT)
BOXES = (HISTORY, DAYS, FLOW, RAW_TATA, FLOW_TATA, BACKBONE, PROMPTS, HEAD, BASE, FORECAST)
SUM = (14.15, 6.7)


def draw_box(axes: Axes, box: Box) -> None:
    corner = box.x - box.width / 2, box.y - box.height / 2
    style = "round,pad=0,rounding_size=0.08"
    patch = FancyBboxPatch(corner, box.width, box.height, boxstyle=style, facecolor=box.colour, edgecolor=LINE, lw=0.8)
    axes.add_patch(patch)
    title = box.y + LINE_HEIGHT * (box.text.count("\n") + 1) / 2
    axes.text(box.x, title, box.title, ha="center", va="center", weight="bold")
    axes.text(box.x, title - 0.15, box.text, ha="center", va="top", size=7, linespacing=1.25)


def arrow(
    axes: Axes,
    points: list[tuple[float, float]],
    *,
    label: str = "",
    at: tuple[float, float] = (0, 0),
    option: bool = False,
) -> None:
    """A line with corners at these points and a head at its end, with a label at a place of its own."""
    colour, style = (OPTION, DASHES) if option else (LINE, "-")
    xs, ys = zip(*points[:-1], strict=True)
    if len(points) > 2:
        axes.plot(xs, ys, color=colour, linestyle=style, lw=0.9, solid_capstyle="butt")
    properties = {"arrowstyle": "-|>", "color": colour, "lw": 0.9, "linestyle": style, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=points[-1], xytext=points[-2], arrowprops=properties)
    if label:
        axes.text(*at, label, ha="center", va="center", size=7, color=colour if option else LINE)


def draw_arrows(axes: Axes) -> None:
    arrow(axes, [HISTORY.right, RAW_TATA.left])
    arrow(axes, [HISTORY.bottom, FLOW.top])
    arrow(axes, [DAYS.right, (3.6, 6.5), RAW_TATA.top], label="further steps [days]", at=(3.0, 6.67))
    arrow(axes, [FLOW.right, FLOW_TATA.left])
    left, right = BACKBONE.left[0], BACKBONE.right[0]
    arrow(axes, [RAW_TATA.right, (left, UPPER)], label="s Z", at=(5.0, UPPER + 0.17))
    arrow(axes, [FLOW_TATA.right, (left, LOWER)], label="s Z", at=(5.0, LOWER + 0.17))
    for y, side in ((MIDDLE + 0.45, "raw"), (MIDDLE - 0.45, "flow")):
        arrow(axes, [(right, y), (PROMPTS.left[0], y)], label=f"E {side}", at=(7.68, y + 0.17))
        arrow(axes, [(PROMPTS.right[0], y), (HEAD.left[0], y)])
    for adapter, y, head, below in ((RAW_TATA.top, 6.02, HEAD.top, False), (FLOW_TATA.bottom, 1.18, HEAD.bottom, True)):
        points = [(adapter[0] + 0.8, adapter[1]), (adapter[0] + 0.8, y), (head[0] - 0.7, y), (head[0] - 0.7, head[1])]
        arrow(axes, points, label="size of each token [amplitude]", at=(7.9, y - 0.17 if below else y + 0.17))
    arrow(axes, [HEAD.right, FORECAST.left], label="change", at=(13.05, MIDDLE + 0.17))
    arrow(axes, [BASE.right, SUM, FORECAST.top], label="added [residual]", at=(13.5, 6.87))


def draw_bypasses(axes: Axes) -> None:
    """What reaches the forecast around the backbone."""
    arrow(
        axes,
        [(1.05, DAYS.top[1]), (1.05, 7.4), (BASE.x, 7.4), BASE.top],
        label="last value and days before",
        at=(6.35, 7.57),
    )
    arrow(
        axes,
        [(HISTORY.x - 0.98, 4.5), (-0.05, 4.5), (-0.05, 0.7), (HEAD.x + 0.7, 0.7), (HEAD.x + 0.7, HEAD.bottom[1])],
        label="series of each cell [series]",
        at=(6.35, 0.53),
        option=True,
    )


def draw_legend(axes: Axes) -> None:
    for x, colour, text in ((1.3, TRAINED, "trained"), (3.3, FROZEN, "frozen"), (5.3, INPUT, "given")):
        axes.add_patch(
            FancyBboxPatch(
                (x - 0.2, 0.0),
                0.3,
                0.2,
                boxstyle="round,pad=0,rounding_size=0.05",
                facecolor=colour,
                edgecolor=LINE,
                lw=0.6,
            )
        )
        axes.text(x + 0.2, 0.1, text, va="center", size=7)
    axes.text(7.0, 0.1, "[setting]    dashed, and what has a +: off in every profile", va="center", size=7)


def draw(path: Path) -> None:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.2, 5.4))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-0.3, 15.1), ylim=(-0.15, 7.75))
        axes.axis("off")
        for box in BOXES:
            draw_box(axes, box)
        draw_arrows(axes)
        draw_bypasses(axes)
        draw_legend(axes)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("stvfm.svg"))
