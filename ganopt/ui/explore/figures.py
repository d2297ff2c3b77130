"""Pictures as HTML that contains them, so that no file of a visitor's photograph is kept."""

import html
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ganopt.models.sampling import to_image
from ganopt.viz.pens import png_address, png_bytes

Picture = Tensor | np.ndarray  # uint8 (3, side, side)


def figure(pictures: Mapping[str, Picture], strip: Sequence[Picture] = ()) -> str:
    """Pictures with captions, side by side, and a strip of small ones below."""
    shown = "".join(
        f'<figure><img src="{_address(picture)}" alt="{html.escape(caption)}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        for caption, picture in pictures.items()
    )
    small = "".join(f'<img src="{_address(picture)}" alt="">' for picture in strip)
    return f'<div class="found">{shown}</div><div class="found-strip">{small}</div>'


def _address(picture: Picture) -> str:
    """The address of a picture, with the data in it."""
    return png_address(png_bytes(to_image(torch.as_tensor(picture))))
