"""Images as files, PNG or JPEG, in base64: converted to the numbers that a model takes."""

import base64
import binascii
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sklearn_deep.serving.fields._errors import FieldError

# Pillow's name for images with this number of channels.
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_MAX_PIXELS = 2**24
_FORMATS = ("PNG", "JPEG")


class ImageForm(NamedTuple):
    """The images that a model takes.

    Attributes
    ----------
    height, width : int or None
        Pixels; None for any number.
    channels : int
        1, 3 or 4.
    axis : int or None
        Axis of the channels in a row; None where a row is (height, width).
    bytes : bool
        Whether the model takes the bytes of an image, 0 to 255, as they are.
    """

    height: int | None
    width: int | None
    channels: int
    axis: int | None
    bytes: bool


def image_form(metadata: dict[str, Any]) -> ImageForm | None:
    """Describe the images that a model takes; None for one that takes no images.

    A row with an axis of 1, 3 or 4 in the last or first place has its channels there.
    """
    part = metadata["inputs"][0]
    shape: list[int | None] = part.get("row_shape") or []
    as_bytes = part["dtype"] == "uint8"
    if metadata["sequences"] or part["columns"] or part["dtype"] == "string":
        return None
    if len(shape) == 2 and as_bytes:
        return ImageForm(shape[0], shape[1], 1, None, as_bytes)
    if len(shape) != 3:
        return None
    # (5, 5, 3), also (3, 3, 3); (3, 5, 5) otherwise.
    for axis in (2, 0):
        channels = shape[axis]
        if channels in (1, 3, 4):
            height, width = (n for k, n in enumerate(shape) if k != axis)
            return ImageForm(height, width, channels, axis, as_bytes)
    return None


def read_image(
    content: bytes | str,
    form: ImageForm,
    where: str,
    value_range: Sequence[float] | None = None,
) -> np.ndarray:
    """Decode an image file to a row of a model.

    Parameters
    ----------
    content : bytes or str
        The file, or the file in base64, also as a ``data:`` address.
    form : ImageForm
    where : str
        Place of the image in the request, for errors.
    value_range : two numbers, optional
        What black and white are for a model that does not take bytes.

    Returns
    -------
    row : ndarray of shape (height, width, channels), or in the order of the model
        uint8 for a model that takes bytes, else float64.

    Raises
    ------
    FieldError
    """
    data = content if isinstance(content, bytes) else _decode_base64(content, where)
    pixels = _pixels(data, form, where)  # (height, width[, channels])
    if form.axis is not None and pixels.ndim == 2:
        pixels = pixels[:, :, None]
    row = np.moveaxis(pixels, 2, form.axis) if form.axis is not None else pixels
    if form.bytes:
        return row
    if value_range is None:
        raise FieldError(
            where,
            "is an image file, and the model was not trained on bytes from 0 to 255",
            'Say what black and white are for the model, such as "image_range": [0, 1]',
        )
    low, high = value_range
    return low + row / 255.0 * (high - low)


def _decode_base64(text: str, where: str) -> bytes:
    if text[:5] == "data:":
        _, _, text = text.partition(",")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise FieldError(
            where,
            "is text that is not valid base64",
            "Pass a PNG or JPEG file in base64, or nested lists of numbers",
        ) from None


def _pixels(data: bytes, form: ImageForm, where: str) -> np.ndarray:
    try:
        from PIL import Image
    except ModuleNotFoundError:
        raise FieldError(
            where,
            "is an image file, and this server has no Pillow to read it",
            "Pass nested lists of numbers, or install pillow on the server",
        ) from None
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            _check_size(image.size, form, where)
            _check_mode(image, form, where)
            return np.asarray(image.convert(_MODES[form.channels]))
    except FieldError:
        raise
    except Exception:  # Pillow raises many types for damaged files
        raise FieldError(
            where, "is no PNG or JPEG file, or damaged", "Save the image again"
        ) from None


def _check_size(size: tuple[int, int], form: ImageForm, where: str) -> None:
    width, height = size
    fits = form.width in (None, width) and form.height in (None, height)
    if not fits or width * height > _MAX_PIXELS:
        wanted = " x ".join(
            "any" if n is None else str(n) for n in (form.width, form.height)
        )
        raise FieldError(
            where,
            f"has {width} x {height} pixels; the model takes {wanted} (width x height)",
            "Scale or crop the image to this size",
        )


def _check_mode(image: Any, form: ImageForm, where: str) -> None:
    """Raise where a conversion would lose more than colour."""
    if image.mode.startswith("I") or image.mode == "F":
        raise FieldError(where, "has more than 8 bits a channel", "Save it with 8 bits")
    transparent = image.has_transparency_data and form.channels != 4
    if transparent and image.convert("RGBA").getextrema()[3][0] < 255:
        raise FieldError(
            where, "has transparent pixels", "Save it without transparency"
        )
