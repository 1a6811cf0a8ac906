"""Pictures: the size of tokens of natural ones in closed form, and frames drawn as pictures."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from stvfm.adapters import Patching
from stvfm.pictures import BRIGHTEST, COLOUR, SIDE, Canvas, Patchifier, token_std


def natural_pictures(count: int) -> Tensor:
    """Random fields of amplitude 1/f, ``[count, 3, SIDE, SIDE]``, of variance 1, whose colours are alike."""
    generator = torch.Generator().manual_seed(0)
    f = torch.fft.fftfreq(SIDE)
    radius = (f[:, None] ** 2 + f**2).sqrt()
    amplitude = torch.where(radius > 0, 1 / radius.clamp(min=1e-9), 0.0)
    noise = torch.randn(count, 4, SIDE, SIDE, generator=generator)
    fields = torch.fft.ifft2(torch.fft.fft2(noise) * amplitude).real
    pictures = COLOUR**0.5 * fields[:, :1] + (1 - COLOUR) ** 0.5 * fields[:, 1:]
    return pictures / pictures.std()


def kernels(kind: str) -> Tensor:
    if kind == "random":
        return torch.randn(64, 3, 14, 14, generator=torch.Generator().manual_seed(1)) / 24
    if kind == "smooth":
        return torch.full((2, 3, 14, 14), 1 / (3 * 14 * 14))
    y, x = torch.meshgrid(torch.arange(14), torch.arange(14), indexing="ij")
    return (1 - 2 * ((y + x) % 2).float()).expand(2, 3, 14, 14)


@pytest.mark.parametrize("kind", ["random", "smooth", "chequered"])
def test_the_size_of_tokens_is_the_one_that_natural_pictures_give(kind: str) -> None:
    weights = kernels(kind)
    tokens = nn.functional.conv2d(natural_pictures(24), weights, stride=14)
    assert token_std(weights) == pytest.approx(float(tokens.square().mean().sqrt()), rel=0.05)


def test_smooth_kernels_answer_more_to_natural_pictures_than_to_white_noise_and_fine_ones_less() -> None:
    def white(weights: Tensor) -> float:
        return float(weights.flatten(1).square().sum(1).mean().sqrt())

    assert token_std(kernels("smooth")) > 5 * white(kernels("smooth"))
    assert token_std(kernels("chequered")) < white(kernels("chequered")) / 2


def test_a_patchifier_makes_tokens_of_unit_size_of_natural_pictures() -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        tokens = Patchifier(nn.Conv2d(3, 32, 16, stride=16))(natural_pictures(16))
    assert tokens.shape == (16, 14 * 14, 32)
    assert float(tokens.std()) == pytest.approx(1, rel=0.1)


def test_a_patch_of_the_last_frame_is_a_native_patch_of_a_grey_picture() -> None:
    canvas = Canvas(patching=Patching(grid=(4, 6), patch=2), native=14)
    frames = torch.full((1, 3, 2, 4, 6), 9.0)
    frames[0, -1] = 0.0
    frames[0, -1, :, 2:4, 4:6] = torch.tensor([1.0, 2.0])[:, None, None]  # the last patch; the channels' mean is 1.5
    picture = canvas.draw(frames)
    assert picture.shape == (1, 3, 2 * 14, 3 * 14)
    assert torch.equal(picture[:, 0], picture[:, 1])
    assert torch.equal(picture[:, 0], picture[:, 2])
    assert picture[0, 0, 18:, 32:].flatten().tolist() == pytest.approx([1.5] * 100, abs=0.4)
    assert picture[0, 0, -1, -1] == 1.5
    assert not picture[0, 0, :10].any()


def test_the_last_three_frames_are_red_green_and_blue_and_the_first_stands_in_for_those_that_are_not_there() -> None:
    canvas = Canvas(patching=Patching(grid=(2, 2), patch=1), native=14, colours=True)
    frames = torch.tensor([9.0, 0.1, 0.2, 0.3])[None, :, None, None, None].expand(1, 4, 2, 2, 2)
    for shown, wanted in ((frames, (0.1, 0.2, 0.3)), (frames[:, 2:], (0.2, 0.2, 0.3)), (frames[:, 3:], (0.3,) * 3)):
        picture = canvas.draw(shown)
        assert picture.shape == (1, 3, 28, 28)
        assert picture.amin(dim=(0, 2, 3)).tolist() == pytest.approx(wanted)
        assert picture.amax(dim=(0, 2, 3)).tolist() == pytest.approx(wanted)


def test_what_is_brighter_than_white_is_white_and_a_grid_that_does_not_fit_is_padded_with_grey() -> None:
    canvas = Canvas(patching=Patching(grid=(3, 3), patch=2), native=16)
    picture = canvas.draw(torch.full((1, 1, 1, 3, 3), 50.0))
    assert picture.shape == (1, 3, 32, 32)
    assert picture.max() == BRIGHTEST
    assert picture[0, 0, -1, -1] == 0
