"""Orders of tokens that nothing trained can undo.

The control ``shuffled`` asks whether it matters that a backbone sees what lies beside what. A fixed order is no answer:
a trained table of places can learn to say where each token belongs. Nor is a random number at evaluation: a forecast
must be the same whenever and beside whichever windows it is made. So the order is a pseudo-random function of the
window: of all bits of its history, and of a salt drawn with the weights. Two windows that differ anywhere have
unrelated orders; one window has one order, alone or in a batch, in training and in evaluation, and in integers, so to
the last bit.

What is reordered is the content of the patches, before anything that is bound to a place is added to it. Content then
meets the place tables and the positions of a random place, and no table can learn which. The features are brought back
into the true order behind the branches, so that the head knows the places as it does in every arm.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

STEP: Final = 0x1E3779B97F4A7C15  # odd numbers without a pattern in their bits
FIRST: Final = 0x3F51AFD7ED558CCD
SECOND: Final = 0x44CEB9FE1A85EC53


def orders(history: Tensor, places: int, salt: Tensor) -> Tensor:
    """For each window the order in which its N patches are met.

    Args:
        history: ``[B, P, C, H, W]``.
        places: N.
        salt: ``[]``, int64.

    Returns:
        ``[B, N]``: the patch that is put at each place.
    """
    bits = history.float().contiguous().flatten(1).view(torch.int32).to(torch.int64)  # [B, P*C*H*W]
    index = torch.arange(bits.shape[1], device=bits.device)
    key = _mixed(bits ^ _mixed(index * STEP + salt)).sum(dim=1, keepdim=True)  # wraps around, in any order of summands
    ranks: Tensor = _mixed(key + torch.arange(1, places + 1, device=bits.device) * STEP)
    return ranks.argsort(dim=1)


def _mixed(keys: Tensor) -> Tensor:
    """Int64 to int64 one to one, every bit of the result depending on every bit."""
    for factor in (FIRST, SECOND):
        keys = (keys ^ (keys >> 32)) * factor
    return keys ^ (keys >> 32)
