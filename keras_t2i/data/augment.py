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

    def check(self, pictures) -> None:
        """Refuses what does not fit together, or a set.

        Args:
            pictures: `source.Pictures`.

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
        if pictures.size is not None and size > min(pictures.size):
            height, width = pictures.size
            raise ValueError(
                f"image_size is {size} but pictures of set {pictures.name!r} "
                f"have {height} x {width} px; allowed are 1 to "
                f"{min(pictures.size)}."
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

    def pictures(self, draws, move, found, prefix: str) -> dict:
        """Makes pictures and their smaller likes.

        Args:
            draws: `draws.Draws`.
            move: () integer.
            found: (b, h, w, D) uint8, or (b,) strings of encoded pictures.
            prefix: stands before the keys.

        Returns:
            (b, H, W, D) float32 in [-1, 1] each, by key.
        """
        salt = f"{prefix}image".replace("_", " ")
        corners = self._corners(draws, move, salt)
        mirrored = None
        if self.flip:
            mirrored = draws.integers(move, f"{salt} flip", 2, 1) == 1
        if found.dtype == tf.string:
            pixels = self._encoded(found, corners, mirrored)
        else:
            pixels = self._held(found, corners, mirrored)
        largest = images.to_float(pixels)
        made = {f"{prefix}image": largest}
        for size in self.sizes:
            made[f"{prefix}image_{size}"] = images.shrink(largest, size)
        return made

    def plain(self, found):
        """Makes pictures without chance: the middle, never mirrored.

        Args:
            found: as in `pictures`; `crop` and `flip` count for nothing.

        Returns:
            (b, H, W, D) uint8 where nothing had to be scaled, else float32 in
            [0, 255].
        """
        still = dataclasses.replace(self, crop=None, flip=False)
        if found.dtype == tf.string:
            return still._encoded(found, None, None)
        return still._held(found, None, None)

    def _corners(self, draws, move, salt):
        """(b, 2) draws: pixels of a square's corner, or shares of the room
        for it where that differs from picture to picture; None for middles."""
        if self.crop is None:
            return None
        if self.fit == "keep":
            return draws.shares(move, f"{salt} crop", 2)
        room = self.crop - self.image_size + 1
        return draws.integers(move, f"{salt} crop", room, 2)

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

    def _held(self, pixels, drawn, mirrored):
        """Pictures of one size, all in one tensor."""
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
        corner = self._corner(drawn, scaled)
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

    def _encoded(self, found, drawn, mirrored):
        """Pictures of any sizes, one by one."""
        shape = (self.image_size, self.image_size, 3)
        parts = {"data": found, "drawn": drawn, "mirrored": mirrored}
        parts = {key: x for key, x in parts.items() if x is not None}
        return tf.map_fn(
            lambda part: self._one(**part),
            parts,
            fn_output_signature=tf.TensorSpec(shape, tf.float32),
        )

    def _one(self, data, drawn=None, mirrored=None):
        def of_jpeg():
            size = tf.image.extract_jpeg_shape(data)[:2]
            window = self._window(size, drawn)
            pixels = tf.image.decode_and_crop_jpeg(
                data,
                tf.concat([window.first, window.last - window.first], 0),
                channels=3,
                dct_method="INTEGER_ACCURATE",  # Pillow's
            )
            return pixels, window.step, window.shift

        def of_other():
            pixels = tf.io.decode_image(data, 3, expand_animations=False)
            window = self._window(tf.shape(pixels)[:2], drawn)
            (top, left), (bottom, right) = (
                tf.unstack(window.first),
                tf.unstack(window.last),
            )
            pixels = pixels[top:bottom, left:right]
            return pixels, window.step, window.shift

        pixels, step, shift = tf.cond(tf.io.is_jpeg(data), of_jpeg, of_other)
        return _resampled(pixels, step, shift, self.image_size, mirrored)

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
