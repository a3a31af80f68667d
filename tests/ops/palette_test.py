"""Examines the palette against hand-written colours and a slow search."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.ops import palette


class NearestTest(parameterized.TestCase, tf.test.TestCase):
    """The nearest colour is the one a slow search finds."""

    def test_each_colour_is_nearest_to_itself(self):
        self.assertAllEqual(palette.nearest(palette.COLOURS), np.arange(27))

    def test_agrees_with_a_slow_search(self):
        pixels = np.random.RandomState(0).randint(0, 256, (500, 3), np.uint8)
        slow = []
        for pixel in pixels.tolist():
            distances = [
                sum((a - b) ** 2 for a, b in zip(pixel, colour, strict=True))
                for colour in palette.COLOURS.tolist()
            ]
            slow.append(distances.index(min(distances)))
        self.assertAllEqual(palette.nearest(pixels), slow)

    def test_long_input_is_compared_in_parts_without_a_seam(self):
        pixels = np.tile(palette.COLOURS, (10_000, 1))
        self.assertAllEqual(
            palette.nearest(pixels), np.tile(np.arange(27), 10_000)
        )

    @parameterized.parameters(
        (np.zeros((2, 3), np.float32),), (np.zeros((2, 4), np.uint8),)
    )
    def test_refuses_what_is_no_pixels(self, pixels):
        with self.assertRaisesRegex(ValueError, "uint8 with 3 channels"):
            palette.nearest(pixels)


class NamesTest(parameterized.TestCase, tf.test.TestCase):
    """Pixels are counted by plain names."""

    def test_there_are_27_colours_and_12_names(self):
        self.assertEqual(palette.COLOURS.shape, (27, 3))
        self.assertCountEqual(
            palette.NAMES,
            "black white blue red green yellow gray orange pink purple brown "
            "skin".split(),
        )

    def test_counts_pixels_of_each_image(self):
        images = np.full((2, 4, 4, 3), 255, np.uint8)
        images[0, 0] = (210, 47, 39)  # red shadow
        images[1, :2] = (97, 178, 228)  # blue shadow
        images[1, 3, 3] = (30, 80, 160)  # navy blue
        counts = palette.names_of(images)
        told = [dict(zip(palette.NAMES, row, strict=True)) for row in counts]
        self.assertEqual((told[0]["red"], told[0]["white"]), (4, 12))
        self.assertEqual((told[1]["blue"], told[1]["white"]), (9, 7))
        self.assertAllEqual(counts.sum(1), [16, 16])

    def test_one_image_gives_one_row(self):
        counts = palette.names_of(np.zeros((3, 5, 3), np.uint8))
        self.assertEqual(counts.shape, (12,))
        self.assertEqual(counts[palette.NAMES.index("black")], 15)

    def test_only_marked_pixels_count(self):
        images = np.zeros((2, 2, 2, 3), np.uint8)
        where = np.zeros((2, 2, 2), bool)
        where[1, 0] = True
        self.assertAllEqual(palette.names_of(images, where).sum(1), [0, 2])


class DominantTest(parameterized.TestCase, tf.test.TestCase):
    """The dominant colour ignores paper and lines."""

    def test_white_and_black_never_win(self):
        images = np.full((3, 8, 8, 3), 255, np.uint8)
        images[:, :2] = 0
        images[0, 4, 4] = (234, 90, 71)
        images[1, 4, 3:6] = (177, 204, 51)
        images[1, 5, 5] = (234, 90, 71)
        self.assertEqual(
            palette.dominant(images).tolist(), ["red", "green", ""]
        )

    def test_exclusion_is_the_callers(self):
        images = np.full((1, 2, 2, 3), 255, np.uint8)
        self.assertEqual(palette.dominant(images, ()).tolist(), ["white"])

    def test_unknown_name_is_refused(self):
        with self.assertRaisesRegex(ValueError, "teal"):
            palette.dominant(np.zeros((1, 2, 2, 3), np.uint8), ("teal",))


if __name__ == "__main__":
    tf.test.main()
