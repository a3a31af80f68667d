"""Makes pictures square, cuts, mirrors and scales them."""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_t2i.data import draws as drawing
from keras_t2i.ops import images

FITS = ("cut", "squash", "keep")


@dataclasses.dataclass(frozen=True)
class Frame:
    """Says how the pictures of a batch are made.

    Attributes:
        image_size: H and W.
        crop: size that pictures are scaled to before `image_size` is cut out
            at random; None for no cutting.
        flip: mirror half of them.
        fit: "cut", "squash" or "keep", as in `pipeline.batches`.
        base_size: pictures are also scaled down, by halves, to this size;
            None for one size only.
    """

    image_size: int
    crop: int | None = None
    flip: bool = False
    fit: str = "cut"
    base_size: int | None = None

    @property
    def scale(self) -> int:
        """What the shorter side is scaled to."""
        return self.image_size if self.crop is None else self.crop

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes below `image_size`, the least first."""
        if self.base_size is None:
            return ()
        halves = _halves(self.image_size)
        return halves[halves.index(self.base_size) : -1]

    def check(self, pictures=None) -> None:
        """Refuses what does not fit together, or a set.

        Args:
            pictures: `source.Pictures`; None for others.

        Raises:
            ValueError: saying what.
        """
        size = self.image_size
        if size < 1:
            raise ValueError(f"image_size is {size}; allowed are 1 and more.")
        if self.scale < size:
            raise ValueError(
                f"image_size is {size} and crop is {self.crop}; crop must be "
                "at least image_size."
            )
        held = getattr(pictures, "size", None)
        if held is not None and size > min(held):
            height, width = held
            raise ValueError(
                f"image_size is {size} but pictures of set {pictures.name!r} "
                f"have {height} x {width} px; allowed are 1 to {min(held)}."
            )
        if self.fit not in FITS:
            raise ValueError(
                f"fit is {self.fit!r}; allowed are "
                f"{', '.join(map(repr, FITS))}."
            )
        base = self.base_size
        if base is not None and base not in _halves(size):
            raise ValueError(
                f"base_size is {base} and image_size is {size}; allowed are "
                f"{', '.join(map(str, _halves(size)))}, from which doubling "
                "leads there."
            )

    def chances(self, draws, move, prefix: str) -> dict[str, tf.Tensor]:
        """Draws what happens to each picture.

        Args:
            draws: `draws.Draws`.
            move: () integer.
            prefix: what stands before "image" in the batch.

        Returns:
            With `crop` "corner", (b, 2): pixels, or shares of the room where
            that differs from picture to picture; with `flip` "mirrored",
            (b, 1) bool.
        """
        salt, drawn = f"{prefix}image".replace("_", " "), {}
        if self.crop is not None and self.fit == "keep":
            drawn["corner"] = draws.shares(move, f"{salt} crop", 2)
        elif self.crop is not None:
            room = self.crop - self.image_size + 1
            drawn["corner"] = draws.integers(move, f"{salt} crop", room, 2)
        if self.flip:
            drawn["mirrored"] = draws.integers(move, f"{salt} flip", 2, 1) == 1
        return drawn

    def with_smaller(self, prefix: str, pixels) -> dict[str, tf.Tensor]:
        """Adds the smaller sizes.

        Args:
            prefix: stands before the keys.
            pixels: (b, H, W, D) floats.

        Returns:
            Pictures by key.
        """
        made = {f"{prefix}image": pixels}
        for size in self.sizes:
            made[f"{prefix}image_{size}"] = images.shrink(pixels, size)
        return made

    def _corner(self, drawn, scaled):
        """Top and left of the square in a picture of `scaled` (2,) pixels."""
        room = scaled - self.image_size
        if drawn is None:
            return room // 2
        if self.fit == "keep":
            return drawing.scaled(drawn, room + 1)
        return drawn

    def _scaled_to(self, size):
        """Height and width that a picture of `size` (2,) pixels is given."""
        if self.fit != "keep":
            return 0 * size + self.scale
        held = isinstance(size, np.ndarray)
        shorter = size.min() if held else tf.reduce_min(size)
        return self.scale * size // shorter  # as int() in everybody's code

    def held(self, pixels, corner=None, mirrored=None):
        """Makes pictures of one size, all in one tensor.

        Args:
            pixels: (b, h, w, D) uint8.
            corner: from `chances`; None for the middle.
            mirrored: from `chances`, or None.

        Returns:
            (b, H, W, D): uint8 where nothing had to be scaled, else float32
            in [0, 255].
        """
        size = self.image_size
        stored = max(pixels.shape[1:3])
        if self.fit == "cut":
            pixels = _middle(pixels)
        given = np.array(pixels.shape[1:3])
        scaled = self._scaled_to(given)
        if (scaled != given).any():
            # Antialiasing changes nothing where both sides grow, and is slow.
            grows = stored <= scaled.min()
            pixels = tf.image.resize(pixels, scaled, antialias=not grows)
        if (scaled == size).all() and mirrored is None:
            return pixels
        corner = self._corner(corner, scaled)
        corner = tf.broadcast_to(
            tf.cast(corner, tf.int64), (tf.shape(pixels)[0], 2)
        )
        steps = tf.range(size, dtype=tf.int64)[None]
        rows = corner[:, :1] + steps
        if (scaled != size).any():
            pixels = tf.gather(pixels, rows, axis=1, batch_dims=1)
        if mirrored is not None:
            steps = tf.where(mirrored, size - 1 - steps, steps)
        columns = steps + corner[:, 1:]
        return tf.gather(pixels, columns, axis=2, batch_dims=1)

    def encoded(self, data, corner=None, mirrored=None):
        """Makes one picture; no more of it is decoded than is seen.

        Args:
            data: () string, bytes of a JPEG, PNG, GIF or BMP.
            corner: from `chances`, (2,); None for the middle.
            mirrored: from `chances`, (1,), or None.

        Returns:
            (H, W, 3) float32 in [0, 255].
        """

        def of_jpeg():
            size = tf.image.extract_jpeg_shape(data)[:2]
            window = self._window(size, corner)
            pixels = tf.image.decode_and_crop_jpeg(
                data,
                tf.concat([window.first, window.last - window.first], 0),
                channels=3,
                dct_method="INTEGER_ACCURATE",  # Pillow's
            )
            return pixels, window.step, window.shift

        def of_other():
            pixels = tf.io.decode_image(data, 3, expand_animations=False)
            window = self._window(tf.shape(pixels)[:2], corner)
            (top, left), (bottom, right) = (
                tf.unstack(window.first),
                tf.unstack(window.last),
            )
            pixels = pixels[top:bottom, left:right]
            return pixels, window.step, window.shift

        pixels, step, shift = tf.cond(tf.io.is_jpeg(data), of_jpeg, of_other)
        return _shown(pixels, step, shift, self.image_size, mirrored)

    def _window(self, size, drawn):
        """Finds the square in the source, so that no more is decoded."""
        start, region = 0 * size, size
        if self.fit == "cut":
            region = 0 * size + tf.reduce_min(size)
            start = (size - region) // 2
        scaled = self._scaled_to(region)
        corner = tf.cast(self._corner(drawn, scaled), tf.float64)
        step = tf.cast(region, tf.float64) / tf.cast(scaled, tf.float64)
        reach = tf.maximum(step, 1.0)  # of the triangle around a pixel
        first = tf.floor(corner * step - reach)
        last = tf.math.ceil((corner + self.image_size) * step + reach)
        first = tf.maximum(tf.cast(first, tf.int32), 0)
        last = tf.minimum(tf.cast(last, tf.int32), region)
        shift = tf.cast(first, tf.float64) / step - corner
        return _Window(
            first=start + first,
            last=start + last,
            step=tf.cast(step, tf.float32),
            shift=tf.cast(shift, tf.float32),
        )


@dataclasses.dataclass(frozen=True)
class _Window:
    """A part of a source picture, and how it lies on the square.

    Source pixel i of the part lies at i / step + shift; (2,) each, for rows
    and columns.
    """

    first: tf.Tensor
    last: tf.Tensor
    step: tf.Tensor
    shift: tf.Tensor


def _shown(pixels, step, shift, size, mirrored):
    """Brings the part of a picture, (h, w, 3), to (size, size, 3) float32."""

    def as_it_is():
        top, left = tf.unstack(tf.cast(-shift, tf.int32))
        cut = tf.cast(pixels[top : top + size, left : left + size], tf.float32)
        if mirrored is not None:
            dims = tf.stack([False, mirrored[0], False])
            cut = tf.raw_ops.Reverse(tensor=cut, dims=dims)
        return tf.ensure_shape(cut, (size, size, 3))

    return tf.cond(
        tf.reduce_all(step == 1.0),
        as_it_is,
        lambda: _resampled(pixels, step, shift, size, mirrored),
    )


def _resampled(pixels, step, shift, size, mirrored):
    """Scales (h, w, 3) to (size, size, 3) float32 as Pillow's bilinear does:
    a triangle as wide as two source pixels, or two of the answer's."""
    height, width = tf.unstack(tf.shape(pixels)[:2])

    def along(rows, axis):  # (1, n, 1, m) -> (1, size, 1, m)
        return tf.raw_ops.ScaleAndTranslate(
            images=rows,
            size=[size, 1],
            scale=tf.stack([1.0 / step[axis], 1.0]),
            translation=tf.stack([shift[axis], 0.0]),
            kernel_type="triangle",
            antialias=True,
        )

    # Each way goes over all pixels of the other one as if they were colours:
    # much faster than over three.
    rows = along(tf.reshape(pixels, [1, height, 1, width * 3]), 0)
    turned = tf.transpose(tf.reshape(rows, [size, width * 3]))
    columns = along(tf.reshape(turned, [1, width, 1, 3 * size]), 1)
    columns = tf.reshape(columns, [size, 3 * size])
    if mirrored is not None:
        columns = tf.raw_ops.Reverse(tensor=columns, dims=[mirrored[0], False])
    made = tf.transpose(tf.reshape(columns, [size * 3, size]))
    return tf.reshape(made, [size, size, 3])


def _halves(size):
    """The sizes from which doubling leads to this one, the least first."""
    halves = [size]
    while halves[0] % 2 == 0:
        halves.insert(0, halves[0] // 2)
    return tuple(halves)


def _middle(pixels):
    height, width = pixels.shape[1:3]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[:, top : top + side, left : left + side]
