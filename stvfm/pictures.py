"""Pictures: the statistics of natural ones, by which tokens get their size, and how a frame is drawn as one.

Letters as in ``bench.types``; p side of a grid's patch, q side of a backbone's native patch in pixels, N tokens, D
width.

Natural pictures have a spectrum: their amplitude falls as 1/f (Field, "Relations between the statistics of natural
images and the response properties of cortical cells", JOSA A 1987; Ruderman and Bialek, PRL 1994), so that neighbouring
pixels are alike, and their three colours rise and fall together (Ruderman, Cronin and Chiao, JOSA A 1998). A patchifier
answers to them otherwise than to white noise of the same variance: more strongly where its kernels are smooth, less
where they look for edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from .adapters import Patching

SIDE: Final = 224  # pixels of the picture whose spectrum is meant; the lowest frequency is one wave across it
COLOUR: Final = 0.9  # correlation of two colours of one pixel
BRIGHTEST: Final = 3.0  # a pixel's largest value after the usual normalisation, about


def token_std(kernels: Tensor) -> float:
    """Standard deviation of the tokens that a patchifier makes of natural pictures, over pictures, places and values.

    Closed form: the mean over kernels k of ``k' C k``, with C the covariance of the pixels and colours of one patch. A
    pixel has variance 1 in each colour, as after the usual normalisation; the bias counts for nothing.

    Args:
        kernels: ``[D, 3, q, q]``.
    """
    k = kernels.detach().to("cpu", torch.float64).flatten(2)  # [D, 3, q*q]
    space = _covariance(kernels.shape[-1])
    apart = torch.einsum("dci,ij,dcj->d", k, space, k)
    grey = k.sum(1)
    together = torch.einsum("di,ij,dj->d", grey, space, grey)
    return float(((1 - COLOUR) * apart + COLOUR * together).mean().sqrt())


def _covariance(side: int) -> Tensor:
    """Of the pixels of a patch of one colour, ``[q*q, q*q]``: the Fourier transform of the power spectrum 1/f^2."""
    f = torch.fft.fftfreq(SIDE, dtype=torch.float64)
    square = f[:, None] ** 2 + f**2
    power = torch.where(square > 0, 1 / square.clamp(min=SIDE**-2.0), 0.0)
    lagged: Tensor = torch.fft.ifft2(power).real  # [lag down, lag right]
    y, x = (axis.flatten() for axis in torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij"))
    return lagged[(y[:, None] - y) % SIDE, (x[:, None] - x) % SIDE] / lagged[0, 0]


class Patchifier(nn.Module):
    """Makes tokens of pictures, one for each native patch, of a standard deviation of 1 for natural pictures."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution
        self.std = token_std(convolution.weight)

    def forward(self, pictures: Tensor) -> Tensor:
        """``[B, 3, rows*q, columns*q]`` to ``[B, N, D]``, row by row."""
        tokens: Tensor = self.convolution(pictures).flatten(2).mT / self.std
        return tokens


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """Draws frames as pictures in which a patch of the grid is a native patch of the backbone.

    Attributes:
        patching: How the grid is cut.
        native: Side q of a native patch, pixels.
        colours: Whether a picture shows the last three frames; the first stands in for those that a history lacks.
    """

    patching: Patching
    native: int
    colours: bool = False

    def draw(self, frames: Tensor) -> Tensor:
        """The last frame in grey, or the last three as red, green and blue, each the mean of its channels.

        Scaled values are taken for normalised pixels, so a cell at the training mean is of medium grey, and are cut off
        where a picture is black or white; between cells the picture is interpolated linearly.

        Args:
            frames: ``[B, P, C, H, W]``, scaled.

        Returns:
            ``[B, 3, rows*q, columns*q]``.
        """
        rows, columns = self.patching.tokens
        bottom, right = (n * self.patching.patch - g for n, g in zip((rows, columns), self.patching.grid, strict=True))
        shades = functional.pad(self._shown(frames).mean(dim=2), (0, right, 0, bottom))  # [B, 1 or 3, H, W]
        size = (rows * self.native, columns * self.native)
        pixels = functional.interpolate(shades.clamp(-BRIGHTEST, BRIGHTEST), size=size, mode="bilinear")
        return pixels.expand(-1, 3, -1, -1)

    def _shown(self, frames: Tensor) -> Tensor:
        if not self.colours:
            return frames[:, -1:]
        first = frames[:, :1].expand(-1, max(0, 3 - frames.shape[1]), -1, -1, -1)
        return torch.cat((first, frames[:, -3:]), dim=1)
