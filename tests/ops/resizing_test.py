"""Holds the ways to resize beside Pillow and beside slow oracles."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from keras_t2i.ops import resizing

# Height, width and size to come: shrinking, growing, odd, to and from one.
SIZES = (
    (12, 12, 5),
    (13, 9, 7),
    (5, 7, 16),
    (31, 17, 8),
    (6, 6, 6),
    (9, 4, 1),
    (1, 3, 4),
    (64, 48, 29),
)
# Where pixel i of `size` lies among `length` pixels, by the definitions.
PLACES = {
    "tf1_bilinear": lambda i, length, size: i * length / size,
    "bilinear": lambda i, length, size: (i + 0.5) * length / size - 0.5,
    "bilinear_corners": lambda i, length, size: (
        i * (length - 1) / (size - 1) if size > 1 else 0.0
    ),
}
PILLOWS = {
    "bilinear_antialiased": Image.Resampling.BILINEAR,
    "bicubic_antialiased": Image.Resampling.BICUBIC,
    "pillow_bilinear": Image.Resampling.BILINEAR,
    "pillow_bicubic": Image.Resampling.BICUBIC,
}


def noise(height, width, count=2):
    """Bytes as far from smooth as can be."""
    random = np.random.RandomState(height * 100 + width)
    return random.randint(0, 256, (count, height, width, 3), np.uint8)


def between(row, place):
    """A value between two of a row, which goes on as its ends do."""
    low = int(np.floor(place))
    share = place - low
    low, high = (int(np.clip(i, 0, len(row) - 1)) for i in (low, low + 1))
    return row[low] * (1 - share) + row[high] * share


def slowly(image, size, place):
    """Resizes rows, then columns, one number at a time, in float64."""
    image = image.astype(np.float64)
    for _ in range(2):
        length = image.shape[0]
        image = np.stack(
            [between(image, place(i, length, size)) for i in range(size)]
        ).swapaxes(0, 1)
    return image


def by_pillow(image, size, way):
    """What Pillow makes of floats, colour by colour."""
    colours = [
        Image.fromarray(image[..., i].astype(np.float32)).resize(
            (size, size), way
        )
        for i in range(3)
    ]
    return np.stack([np.asarray(each) for each in colours], -1)


class ResizesTest(tf.test.TestCase, parameterized.TestCase):
    """Every name does what its source does."""

    @parameterized.product(name=list(PLACES), sizes=SIZES)
    def test_unfiltered_ways_follow_their_definitions(self, name, sizes):
        height, width, size = sizes
        images = noise(height, width)
        made = resizing.resize(tf.cast(images, tf.float32), size, name)
        for image, small in zip(images, made, strict=True):
            self.assertAllClose(
                small, slowly(image, size, PLACES[name]), 0, 1e-3
            )

    @parameterized.product(
        name=["bilinear_antialiased", "bicubic_antialiased"], sizes=SIZES
    )
    def test_antialiased_ways_are_pillows_of_floats(self, name, sizes):
        height, width, size = sizes
        images = noise(height, width)
        made = resizing.resize(tf.cast(images, tf.float32), size, name)
        for image, small in zip(images, made, strict=True):
            theirs = by_pillow(image, size, PILLOWS[name])
            self.assertAllClose(small, theirs.clip(0, 255), 0, 2e-3)

    @parameterized.product(
        name=["pillow_bilinear", "pillow_bicubic"],
        sizes=SIZES,
        kind=[np.uint8, np.float32],
    )
    def test_pillows_ways_are_pillows_of_bytes(self, name, sizes, kind):
        height, width, size = sizes
        images = noise(height, width)
        made = resizing.resize(images.astype(kind), size, name)
        for image, small in zip(images, made, strict=True):
            theirs = Image.fromarray(image).resize((size, size), PILLOWS[name])
            self.assertAllEqual(small, np.asarray(theirs))

    @parameterized.parameters("pillow_bilinear", "pillow_bicubic")
    def test_grey_pictures_pass_through_pillow(self, name):
        grey = noise(9, 9)[..., :1]
        coloured = resizing.resize(grey.repeat(3, -1), 5, name)
        self.assertAllEqual(resizing.resize(grey, 5, name), coloured[..., :1])

    @parameterized.parameters(*resizing.RESIZES)
    def test_own_size_is_left_alone(self, name):
        images = noise(7, 7).astype(np.float32)
        self.assertAllEqual(resizing.resize(images, 7, name), images)

    @parameterized.parameters(*resizing.RESIZES)
    def test_flat_pictures_stay_flat_to_the_borders(self, name):
        flat = np.full((1, 11, 6, 3), 77, np.float32)
        for size in (3, 20):
            made = resizing.resize(flat, size, name)
            self.assertEqual(made.dtype, np.float32)
            self.assertAllClose(made, np.full((1, size, size, 3), 77.0))

    @parameterized.parameters("bicubic_antialiased", "pillow_bicubic")
    def test_cubics_do_not_leave_the_range(self, name):
        edge = np.zeros((1, 8, 8, 3), np.float32)
        edge[:, :, 4:] = 255
        made = np.asarray(resizing.resize(edge, 32, name))
        self.assertEqual((made.min(), made.max()), (0, 255))

    @parameterized.parameters(
        *[name for name in resizing.RESIZES if "pillow" not in name]
    )
    def test_graphs_give_the_same_and_gradients(self, name):
        images = tf.cast(noise(9, 13), tf.float32)
        plain = resizing.resize(images, 6, name)
        in_graph = tf.function(lambda x: resizing.resize(x, 6, name))
        with tf.GradientTape() as tape:
            tape.watch(images)
            made = in_graph(images)
        self.assertAllClose(made, plain)
        gradient = tape.gradient(made, images)
        # Weights of each new pixel sum to one; those cut off give none.
        inside = np.count_nonzero((plain > 0) & (plain < 255))
        self.assertAllClose(tf.reduce_sum(gradient), inside, 1e-3)

    def test_five_bilinears_are_five_operations(self):
        images = tf.cast(noise(64, 64), tf.float32)
        names = [name for name in resizing.RESIZES if "bilinear" in name]
        made = [np.asarray(resizing.resize(images, 29, n)) for n in names]
        self.assertLen(names, 5)
        for i, one in enumerate(made):
            for other in made[:i]:
                self.assertGreater(np.abs(one - other).mean(), 0.1)

    def test_unknown_names_are_refused(self):
        with self.assertRaisesRegex(ValueError, "'cubic'; known are tf1_bil"):
            resizing.resize(noise(5, 5), 3, "cubic")

    def test_pillow_refuses_what_is_not_bytes(self):
        for wrong in (0.5, -1.0, 256.0, np.nan):
            images = np.full((1, 4, 4, 3), wrong, np.float32)
            with self.assertRaisesRegex(ValueError, "name a rounding, round"):
                resizing.resize(images, 3, "pillow_bilinear")
        for shape in ((4, 4, 3), (1, 4, 4, 2)):
            with self.assertRaisesRegex(ValueError, r"\(B, H, W, 1 or 3\)"):
                resizing.pillow_bicubic(np.zeros(shape, np.uint8), 3)


class BytesTest(tf.test.TestCase, parameterized.TestCase):
    """Rounding and JPEG."""

    def test_rounding_and_truncating(self):
        images = np.array([-3.0, 0.4, 0.6, 36.9999, 254.6, 255.9, 300.0])
        images = images.reshape(1, 1, 7, 1).astype(np.float32)
        self.assertAllEqual(
            np.ravel(resizing.to_bytes(images)), [0, 0, 1, 37, 255, 255, 255]
        )
        self.assertAllEqual(
            np.ravel(resizing.to_bytes(images, "truncate")),
            [0, 0, 0, 36, 254, 255, 255],
        )

    @parameterized.parameters(*resizing.ROUNDINGS)
    def test_bytes_that_went_through_floats_come_back(self, rounding):
        images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
        floats = images.astype(np.float32) / np.float32(127.5) - 1
        again = (floats + 1) * np.float32(127.5)
        self.assertAllEqual(resizing.to_bytes(again, rounding), images)
        self.assertAllEqual(resizing.to_bytes(images, rounding), images)

    def test_a_picture_does_not_change_its_neighbours_bytes(self):
        floats = np.linspace(0, 255, 48).reshape(1, 4, 4, 3) + 0.7
        whole = np.full((1, 4, 4, 3), 9.0)
        together = resizing.to_bytes(
            np.concatenate([floats, whole]), "truncate"
        )
        self.assertAllEqual(together[:1], resizing.to_bytes(floats, "truncate"))
        self.assertAllEqual(together[1], np.full((4, 4, 3), 9))

    @parameterized.parameters(np.nan, np.inf)
    def test_what_is_not_finite_makes_no_bytes(self, wrong):
        images = np.zeros((3, 4, 4, 3), np.float32)
        images[1, 2, 0, 1] = wrong
        with self.assertRaisesRegex(ValueError, "Picture 1 of the batch"):
            resizing.to_bytes(images)

    def test_other_words_are_refused(self):
        with self.assertRaisesRegex(ValueError, "'up'; allowed are round, tr"):
            resizing.to_bytes(np.zeros((1, 2, 2, 3)), "up")

    def test_jpeg_loses_more_at_lower_quality(self):
        images = noise(32, 24, count=3)
        fine, coarse = (resizing.jpeg(images, q) for q in (95, 20))
        self.assertEqual((fine.shape, fine.dtype), (images.shape, np.uint8))
        losses = [
            np.abs(x - images.astype(float)).mean() for x in (fine, coarse)
        ]
        self.assertGreater(losses[1], losses[0])
        flat = np.full((1, 16, 16, 1), 90, np.uint8)
        self.assertAllClose(resizing.jpeg(flat, 75), flat, 0, 1)

    def test_jpeg_refuses_floats_and_other_qualities(self):
        with self.assertRaisesRegex(ValueError, "name a rounding"):
            resizing.jpeg(np.full((1, 8, 8, 3), 0.5), 75)
        for quality in (0, 101):
            with self.assertRaisesRegex(ValueError, "allowed are 1 to 100"):
                resizing.jpeg(noise(8, 8), quality)


if __name__ == "__main__":
    tf.test.main()
