"""Whether a picture shows every number of a matrix, or samples some of them."""

from typing import Any

from matplotlib.figure import Figure
from matplotlib.image import AxesImage

NARROW = 360  # pixels that a notebook leaves for a picture in a window of 420
LEAST = 1.9  # pixels a number: with fewer, stripes appear that are not in the matrix


def assert_nothing_is_sampled(figure: Figure) -> None:
    """Each number of each image has pixels of its own, on a wide screen and on a narrow one."""
    images: list[Any] = figure.findobj(AxesImage)
    assert images
    width = 96 * figure.get_figwidth()
    for image in images:
        assert image.get_interpolation() == "none", image.get_gid()  # else it is sampled to 72 dpi
        rows, columns = image.get_array().shape[:2]
        box = image.axes.get_position()
        shrink = min(1.0, NARROW / width)
        assert box.width * width * shrink / columns >= LEAST, image.get_gid()
        assert box.height * 96 * figure.get_figheight() * shrink / rows >= LEAST * shrink
