"""Images in a page of HTML."""

import base64
import io

from PIL.Image import Image

__all__ = ["data_url"]


def data_url(image: Image) -> str:
    """The image as a data URL of its PNG.

    >>> from PIL import Image
    >>> data_url(Image.new("L", (1, 1)))[:22]
    'data:image/png;base64,'
    """
    file = io.BytesIO()
    image.save(file, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
