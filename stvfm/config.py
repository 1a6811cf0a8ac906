"""Settings of ST-VFM, known without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.config import tunable


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ST-VFM.

    Attributes:
        patch: Side of a patch; 0 means the smallest power of two that leaves at most 100 tokens.
        flow: Whether there is a flow branch; without it nothing is coordinated.
        tokens: What the backbone is fed with: tokens made of the history by a trained adapter, or those that its own
            frozen patchifier makes of the last frame, drawn as a grey picture in which a patch of the grid is a patch
            of the picture. Nothing in front of the backbone is trained then, and no token knows the time.
        colours: Whether such a picture shows the last three frames, in red, green and blue; else the last one in grey.
        days: Whether the raw branch is given the same slots a week and a day before those to forecast, as further steps
            in front of its history. Pictures do not show them.
        motion: Whether the flow branch is given motion beside change: for each cell the velocity by which the change
            is explained by values that move over the grid.
        tata: Whether tokens know time; else they are one linear map of the stacked history, with the place alone.
        places: Whether tokens have a learned embedding of their place in the grid; without it, and without
            ``identity``, they know the positions of the backbone alone, and no trained weight depends on the grid.
        pool: Learned weights over time for each value of a token, or attention weights for the token as a whole.
        coordination: Prompts both ways or one way, no exchange before the head, or token-by-token fusion of the
            concatenated branches in their place.
        prompts: Prompts m per branch.
        rounds: Rounds L of coordination, each with its own weights.
        joined: Whether the tokens of both branches are one sequence in the backbone, so that they see each other there;
            else each branch passes it alone.
        depths: Features behind the last block, or a trained mix of those at every depth, from tokens to last block.
        head: An MLP per cell, or one linear map per token.
        hidden: Values K of a cell in the head.
        layers: MLP layers of the head.
        dropout: Rate inside each of them.
        identity: Whether the head knows the cell.
        series: Whether the head is also given the history of each cell, with the days before where there are ``days``,
            by a linear map around the backbone.
        calendar: Whether the head knows the slot of day and day of week of the first step to forecast.
        amplitude: Whether the head gets features times the root mean square of the token they were made of, as it was
            before it was brought to the backbone's scale.
        residual: Whether the forecast is a change of something known.
        base: What that is: the last value, or for each step and channel a trained mix of it and the values a week and a
            day before the step, for which the last value stands in where they are not known.
        backbone: Vision transformer.
        depth: Its blocks used, counted from the input; 0 means all.
        weights: Pre-trained; random as a control: each tensor drawn by the mean and size of the pre-trained one
            ("matched"), the pre-trained values in a random order ("permuted"), or an untrained model ("random"); "none"
            for the controls that have no pre-trained part.
        control: What stands in for the backbone.
        tuning: Whether the backbone is frozen, or its norms learn, or its attention has trained low-rank corrections,
            or all of it learns.
        lora_rank: Rank of the corrections.
        recompute: Whether activations of the backbone are made anew in the backward pass, to save memory for time.
    """

    patch: int = tunable(0, choices=(0, 1, 2, 4))
    flow: bool = True
    tokens: Literal["adapter", "image"] = "adapter"
    colours: bool = False
    days: bool = False
    motion: bool = False
    tata: bool = True
    places: bool = True
    pool: Literal["channel", "attention"] = "channel"
    coordination: Literal["bilateral", "raw_from_flow", "flow_from_raw", "none", "concat"] = "bilateral"
    prompts: int = tunable(4, choices=(2, 4, 8, 16))
    rounds: int = tunable(1, choices=(1, 2, 3))
    joined: bool = False
    depths: Literal["last", "all"] = "last"
    head: Literal["cell", "linear"] = "cell"
    hidden: int = tunable(128, choices=(64, 128, 256))
    layers: int = tunable(3, choices=(1, 2, 3, 4))
    dropout: float = tunable(0.1, low=0.0, high=0.4)
    identity: bool = True
    series: bool = False
    calendar: bool = True
    amplitude: bool = True
    residual: bool = True
    base: Literal["last", "mixed"] = "last"
    backbone: Literal[
        "vit_tiny",
        "vit_small",
        "vit_base",
        "deit_tiny",
        "deit_small",
        "deit_base",
        "dino_small",
        "dino_base",
        "dinov2_small",
        "dinov2_base",
        "dinov2_large",
        "dinov2_reg_small",
        "dinov2_reg_base",
        "dinov2_reg_large",
        "mae_base",
        "mae_large",
        "siglip_base",
        "clip_base",
        "clip_large",
    ] = "vit_tiny"
    depth: int = 4
    weights: Literal["pretrained", "matched", "permuted", "random", "none"] = "random"
    control: Literal["none", "identity", "attention", "shuffled", "scratch"] = "none"
    tuning: Literal["frozen", "norms", "lora", "full"] = "frozen"
    lora_rank: int = 8
    recompute: bool = False

    def __post_init__(self) -> None:
        """Label a control without a pre-trained part as such, and refuse what makes no sense.

        Raises:
            ValueError: If a control that has nothing frozen is to be tuned, or a frozen backbone has no weights.
        """
        if self.control in ("identity", "attention", "scratch"):
            object.__setattr__(self, "weights", "none")
            if self.tuning != "frozen":
                raise ValueError(f"control={self.control} has no frozen backbone to tune, so it excludes tuning")
        elif self.weights == "none":
            raise ValueError("weights=none belongs to the controls identity, attention and scratch")
