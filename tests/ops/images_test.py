"""Pictures keep their bytes on the way in and out."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from keras_t2i.ops import images


class RangeTest(tf.test.TestCase):
    """Bytes and floats."""

    def test_grey_gets_three_colours_alike(self):
        grey = np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1)
        shown = images.in_colour(grey)
        self.assertEqual(shown.shape, (2, 2, 2, 3))
        for colour in range(3):
            self.assertAllEqual(shown[..., colour], grey[..., 0])
        self.assertAllEqual(images.in_colour(shown), shown)

    def test_every_byte_survives_the_round_trip(self):
        every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
        floats = images.to_float(every)
        self.assertEqual(floats.dtype, tf.float32)
        self.assertAllEqual(images.to_uint8(floats), every)

    def test_ends_and_middle_are_where_they_should_be(self):
        floats = images.to_float(np.uint8([0, 255]))
        self.assertAllEqual(floats, [-1.0, 1.0])
        # -1 + 2 / 255 * 127.6 is nearer to 128 than to 127.
        near = [-1.0 + 2.0 / 255.0 * x for x in (127.4, 127.6)]
        self.assertAllEqual(images.to_uint8(near), [127, 128])

    def test_values_beyond_the_range_are_cut(self):
        self.assertAllEqual(images.to_uint8([-3.0, 1.7]), [0, 255])

    def test_half_precision_comes_back_as_bytes(self):
        halves = tf.constant([-1.0, 0.5, 1.0], tf.bfloat16)
        self.assertEqual(images.to_uint8(halves).dtype, tf.uint8)
        self.assertAllEqual(images.to_uint8(halves), [0, 191, 255])


class ReadableTest(tf.test.TestCase, parameterized.TestCase):
    """What networks that look at three colours are shown."""

    def test_bytes_become_floats_and_floats_stay(self):
        draw = np.random.default_rng(0)
        given = draw.integers(0, 256, (2, 3, 4, 3)).astype(np.uint8)
        floats = images.to_float(given)
        for each in (given, tf.constant(given), floats, floats.numpy()):
            found = images.readable(each)
            self.assertEqual(found.dtype, tf.float32)
            self.assertAllEqual(found, floats)

    @parameterized.parameters("float16", "bfloat16", "float64")
    def test_floats_of_any_width_are_no_bytes(self, dtype):
        given = tf.cast(tf.fill([1, 2, 2, 3], -0.5), dtype)
        found = images.readable(given)
        self.assertEqual(found.dtype, tf.float32)
        self.assertAllEqual(found, np.full((1, 2, 2, 3), -0.5))

    def test_gradients_pass(self):
        given = tf.fill([1, 2, 2, 3], 0.25)
        with tf.GradientTape() as tape:
            tape.watch(given)
            told = images.readable(given)
        self.assertAllEqual(tape.gradient(told, given), tf.ones_like(given))

    def test_sizes_may_be_unknown(self):
        shapes = []

        def read(given):
            shapes.append(images.readable(given).shape.as_list())

        for dtype in (tf.uint8, tf.float32):
            spec = tf.TensorSpec((None, None, None, 3), dtype)
            tf.function(read).get_concrete_function(spec)
        self.assertEqual(shapes, [[None, None, None, 3]] * 2)

    @parameterized.parameters((3, 4, 3), (1, 2, 3, 4), (2, 3, 3, 1), (3,))
    def test_other_shapes_are_refused(self, *shape):
        told = ", ".join(map(str, shape))
        for dtype in (np.uint8, np.float32):
            with self.assertRaisesRegex(
                ValueError, rf"shape \({told},?\); \(B, H, W, 3\) is read"
            ):
                images.readable(np.zeros(shape, dtype))


class GridTest(tf.test.TestCase, parameterized.TestCase):
    """Pictures in rows."""

    @parameterized.parameters((1, 1), (4, 2), (5, 2), (3, 7))
    def test_each_picture_lies_in_its_cell_and_the_rest_is_white(
        self, count, columns
    ):
        draw = np.random.default_rng(0)
        pictures = draw.integers(0, 200, (count, 3, 4, 3)).astype(np.uint8)
        gap, rows = 2, -(-count // columns)
        sheet = images.grid(pictures, columns, gap)
        self.assertEqual(sheet.shape, (rows * 5 + gap, columns * 6 + gap, 3))
        left = np.full_like(sheet, 255)
        for index in range(count):
            row, column = divmod(index, columns)
            y, x = gap + row * 5, gap + column * 6
            cell = np.s_[y : y + 3, x : x + 4]
            self.assertAllEqual(sheet[cell], pictures[index])
            left[cell] = sheet[cell]
        self.assertAllEqual(sheet, left)


class ShrinkTest(tf.test.TestCase, parameterized.TestCase):
    """Pictures get smaller as Pillow makes them."""

    @parameterized.product(factor=[2, 4, 8], channels=[1, 3])
    def test_noise_is_within_one_grey_level_of_pillows(self, factor, channels):
        shape = (3, 48, 48, channels)
        noise = np.random.RandomState(0).randint(0, 256, shape, np.uint8)
        size = 48 // factor
        made = images.shrink(tf.cast(noise, tf.float32), size).numpy()
        for one, small in zip(noise, made, strict=True):
            for channel in range(channels):
                picture = Image.fromarray(one[..., channel])
                theirs = picture.resize((size, size), Image.Resampling.BILINEAR)
                self.assertAllClose(
                    small[..., channel], np.asarray(theirs, float), 0.0, 1.01
                )

    def test_flat_pictures_stay_flat_to_the_borders(self):
        made = images.shrink(tf.fill([1, 16, 16, 3], -0.25), 2)
        self.assertAllClose(made, np.full((1, 2, 2, 3), -0.25))

    def test_own_size_is_left_alone(self):
        picture = tf.random.normal([1, 6, 6, 3])
        self.assertAllEqual(images.shrink(picture, 6), picture)

    @parameterized.parameters(16, 5, 96, 0, -2)
    def test_sizes_not_reached_by_halving_are_refused(self, size):
        with self.assertRaisesRegex(ValueError, "allowed are 48, 24, 12"):
            images.shrink(tf.zeros([1, 48, 48, 3]), size)


class SizesTest(tf.test.TestCase, parameterized.TestCase):
    """Resolutions by doubling."""

    @parameterized.parameters(
        (8, 4, [4, 8]),
        (64, 4, [4, 8, 16, 32, 64]),
        (24, 3, [3, 6, 12, 24]),
    )
    def test_sizes_double(self, image_size, base, sizes):
        self.assertEqual(images.sizes_up_to(image_size, base), sizes)

    @parameterized.parameters(4, 3, 48, 0, -8)
    def test_other_sizes_get_a_sentence(self, image_size):
        with self.assertRaisesRegex(
            ValueError, f"image_size is {image_size}; allowed .*8, 16, 32"
        ):
            images.sizes_up_to(image_size)

    @parameterized.parameters(0, -4)
    def test_nothing_is_doubled_for_ever(self, base):
        with self.assertRaisesRegex(ValueError, f"base is {base}; allowed"):
            images.sizes_up_to(16, base)


if __name__ == "__main__":
    tf.test.main()
