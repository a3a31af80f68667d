"""Draws sheets, films and curves that a person looks at.

Pillow and matplotlib do the work; both are imported when first needed.
"""

import io
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np

from keras_t2i.ops import images as pixels

_INK, _PAPER = (20, 20, 20), (255, 255, 255)


def captioned_grid(
    images: np.ndarray,
    captions: Sequence[str],
    columns: int,
    *,
    title: str = "",
    scale: int = 1,
    text_size: int = 11,
) -> bytes:
    """Draws pictures in rows, each with its words beneath.

    Args:
        images: (N, H, W, 3) uint8, or (N, H, W, 1) for grey.
        captions: N strings; long ones are wrapped, never cut.
        columns: pictures a row.
        title: a line above the sheet; none if empty.
        scale: each pixel is drawn `scale` times as wide and high.
        text_size: height of the letters in pixels.

    Returns:
        The sheet as PNG bytes.

    Raises:
        ValueError: if there are not as many captions as pictures.
    """
    return _png(_sheet(images, captions, columns, title, scale, text_size))


def film(
    frames: Sequence[np.ndarray], milliseconds: int = 200, hold: int = 2000
) -> bytes:
    """Binds frames into an animated GIF that runs for ever.

    Args:
        frames: (H, W, 3) uint8 arrays of one size, first to last.
        milliseconds: how long each frame is shown.
        hold: how long the last frame is shown.

    Returns:
        The film as GIF bytes.

    Raises:
        ValueError: if there are no frames.
    """
    from PIL import Image

    if not frames:
        raise ValueError("A film needs frames; there are none.")
    pictures = [Image.fromarray(np.asarray(frame)) for frame in frames]
    pause = [milliseconds] * (len(pictures) - 1) + [hold]
    answer = io.BytesIO()
    pictures[0].save(
        answer,
        format="GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=pause,
        loop=0,
    )
    return answer.getvalue()


def curves(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    title: str = "",
    x_label: str = "move",
    y_label: str = "loss",
    totals: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
) -> bytes:
    """Plots named curves into one picture.

    Curves five times as high as the median one, or as low, have a panel of
    their own beneath the others, which they would flatten or be flattened by.

    Args:
        series: name -> (x values, y values), of equal length.
        title: a line above the plot.
        x_label: what x counts.
        y_label: what y measures.
        totals: curves with a panel of their own at the top, as `series`.

    Returns:
        The plot as PNG bytes.
    """
    from matplotlib.backends import backend_agg
    from matplotlib.figure import Figure

    panels = _panels(series)
    if totals:
        panels.insert(0, list(totals))
        series = {**series, **totals}
    height = 2.1 + 2.4 * len(panels)
    figure = Figure(figsize=(8, height), dpi=110, layout="constrained")
    backend_agg.FigureCanvasAgg(figure)
    for axes, names in zip(
        figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0],
        panels,
        strict=True,
    ):
        for name in names:
            colour = f"C{list(series).index(name)}"
            axes.plot(*series[name], colour, label=name, linewidth=1.2)
        axes.set(ylabel=y_label)
        axes.grid(alpha=0.3)
        if names:
            axes.legend(loc="best", fontsize=8)
    axes.set(xlabel=x_label)
    figure.suptitle(title)
    answer = io.BytesIO()
    figure.savefig(answer, format="png")
    return answer.getvalue()


def _panels(series) -> list[list[str]]:
    """Parts names by the size of their values: usual, high, low."""
    heights = {
        name: np.percentile(np.nan_to_num(np.abs(y)), 90) if len(y) else 0.0
        for name, (_, y) in series.items()
    }
    usual = np.median(list(heights.values())) if heights else 0.0
    panels = [[], [], []]
    for name, height in heights.items():
        low = height < usual / 5
        panels[2 if low else int(height > 5 * usual)].append(name)
    return [names for names in panels if names] or [[]]


def _png(image) -> bytes:
    answer = io.BytesIO()
    image.save(answer, format="PNG")
    return answer.getvalue()


def _wrapped(text, letters, font, width):
    """Breaks a caption into lines of `letters`, or less if those are wide."""
    for count in range(letters, 5, -1):
        lines = textwrap.wrap(text, count) or [""]
        if max(map(font.getlength, lines)) <= width:
            break
    return lines


def _sheet(images, captions, columns, title, scale, text_size):
    from PIL import Image, ImageDraw, ImageFont

    images = pixels.in_colour(images)
    if len(images) != len(captions):
        raise ValueError(
            f"{len(images)} pictures came with {len(captions)} captions; "
            "each picture needs one."
        )
    images = images.repeat(scale, axis=1).repeat(scale, axis=2)
    font = ImageFont.load_default(size=text_size)
    count, height, width = images.shape[:3]
    gap, line = 8, text_size + 3
    letters = max(6, int(width / (0.52 * text_size)))
    words = [_wrapped(text, letters, font, width) for text in captions]
    cell_h = height + line * max(map(len, words)) + gap
    top = gap + (2 * line if title else 0)
    rows = -(-count // columns)
    size = (columns * (width + gap) + gap, top + rows * cell_h)
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    if title:
        draw.text((gap, gap // 2), title, _INK, ImageFont.load_default(15))
    for index, (image, lines) in enumerate(zip(images, words, strict=True)):
        x = gap + index % columns * (width + gap)
        y = top + index // columns * cell_h
        sheet.paste(Image.fromarray(image), (x, y))
        for row, text in enumerate(lines):
            draw.text((x, y + height + row * line), text, _INK, font)
    return sheet
