import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from features.encoders.base import EncodingError
from features.encoders.images import GreyPixels, ImageEncoder

COLUMNS = [f"p{number}" for number in range(6)]
PIXELS = np.array([[0, 255, 51, 0, 0, 102], [255, 0, 0, 0, 0, 0]], dtype=np.uint8)
TABLE = pd.DataFrame(PIXELS, columns=COLUMNS)


def encoder(**changed: object) -> ImageEncoder:
    asked = {"height": 2, "width": 3, "mean": 0.2, "deviation": 0.5} | changed
    return ImageEncoder(COLUMNS, **asked)


def test_pixels_are_shares_of_the_largest_then_scaled() -> None:
    image = encoder().fit_transform(TABLE)["image"]
    assert image.shape == (2, 1, 2, 3)
    assert image.dtype == np.float32
    assert image.flags["C_CONTIGUOUS"]
    expected = (PIXELS / 255 - 0.2) / 0.5
    np.testing.assert_allclose(image.reshape(2, 6), expected, rtol=1e-6, atol=1e-6)


def test_columns_are_found_by_name() -> None:
    turned = TABLE[COLUMNS[::-1]]
    assert np.array_equal(encoder().transform(turned)["image"], encoder().transform(TABLE)["image"])


def test_nothing_is_learned() -> None:
    fitted = encoder().fit(TABLE.iloc[:1], np.array([1]))
    assert ImageEncoder.stateless
    assert fitted.state() == {}
    assert fitted.names() == {"image": COLUMNS}
    whole = fitted.transform(TABLE)["image"]
    assert np.array_equal(whole[1:], encoder().transform(TABLE.iloc[1:])["image"])


def test_other_pixels_than_declared() -> None:
    with pytest.raises(EncodingError, match="reads the columns p5"):
        encoder().transform(TABLE.drop(columns="p5"))
    with pytest.raises(EncodingError, match="takes 3 x 3 pixels, found 6 columns"):
        encoder(height=3).fit(TABLE)


def test_a_picture_s_file_becomes_grey_pixels():
    content = io.BytesIO()
    Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert("RGB").save(content, "png")
    pixels = GreyPixels(height=2, width=2)
    assert pixels(content.getvalue()) == {"pixel0": 0, "pixel1": 255, "pixel2": 255, "pixel3": 0}
    assert list(GreyPixels(height=3, width=2)(content.getvalue())) == [
        f"pixel{n}" for n in range(6)
    ]
    with pytest.raises(ValueError, match="no picture"):
        pixels(b"GIF87a but no picture")
