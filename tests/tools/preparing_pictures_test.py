"""Pictures of every kind are kept, mended or refused."""

import io

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from tests.tools import preparing_cases
from tools.preparing import pictures, plan

CASES = {case.name: case for case in preparing_cases.cases()}
READY = [name for name, case in CASES.items() if case.reason is None]
REFUSED = [name for name, case in CASES.items() if case.reason]
BOX = (8, 4, 40, 28)


def photo(width=640, height=480):
    """Draws soft noise, which is as hard to scale as a photo."""
    numbers = np.random.default_rng(1)
    small = numbers.integers(0, 256, (height // 16, width // 16, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.BICUBIC)


def pixels(data):
    """Decodes a picture."""
    return np.asarray(Image.open(io.BytesIO(data)))


class PicturesTest(parameterized.TestCase, tf.test.TestCase):
    """One file at a time."""

    @parameterized.parameters(*READY)
    def test_picture_is_upright_and_on_white(self, name):
        case = CASES[name]
        ready = pictures.prepared(case.data)
        self.assertEqual(ready.mended, case.mended)
        self.assertEqual((ready.width, ready.height), (48, 32))
        self.assertAllClose(
            preparing_cases.quarters(ready.data), case.colours, atol=6.0
        )
        if not case.mended:
            self.assertEqual(ready.data, case.data)

    @parameterized.parameters(*READY)
    def test_tensorflow_reads_what_is_ready(self, name):
        data = pictures.prepared(CASES[name].data).data
        image = tf.io.decode_image(data, channels=3, expand_animations=False)
        self.assertEqual((image.shape, image.dtype), ((32, 48, 3), tf.uint8))
        self.assertIn(data[:2], (b"\xff\xd8", b"\x89P"))

    @parameterized.parameters(*REFUSED)
    def test_what_is_no_whole_picture_is_refused(self, name):
        with self.assertRaises(plan.Refused) as caught:
            pictures.prepared(CASES[name].data, min_size=16)
        self.assertEqual(str(caught.exception), CASES[name].reason)

    @parameterized.parameters(*READY)
    def test_box_lies_in_the_upright_picture(self, name):
        case = CASES[name]
        ready = pictures.prepared(case.data, box=BOX)
        self.assertEqual((ready.width, ready.height), (32, 24))
        self.assertEqual(pixels(ready.data).shape[:2], (24, 32))
        self.assertAllClose(
            preparing_cases.quarters(ready.data), case.colours, atol=6.0
        )

    def test_box_is_clipped_to_the_picture(self):
        data = CASES["colour.png"].data
        ready = pictures.prepared(data, box=(-5, -5, 24, 16))
        self.assertEqual((ready.width, ready.height), (24, 16))
        expected = np.broadcast_to(preparing_cases.COLOURS[0], (16, 24, 3))
        self.assertAllEqual(pixels(ready.data), expected)

    def test_box_of_everything_keeps_the_bytes(self):
        data = CASES["photo.jpg"].data
        self.assertEqual(pictures.prepared(data, (-1, 0, 99, 32)).data, data)

    @parameterized.parameters(
        ((4, 4, 4, 9),), ((60, 0, 80, 9),), ((9, 9, 3, 3),), ((0, -9, 9, 0),)
    )
    def test_empty_box_is_refused(self, box):
        with self.assertRaisesRegex(plan.Refused, "a box that is empty or out"):
            pictures.prepared(CASES["photo.jpg"].data, box)

    def test_box_may_make_a_picture_too_small(self):
        with self.assertRaisesRegex(plan.Refused, "smaller than 16 px"):
            pictures.prepared(CASES["photo.jpg"].data, BOX[:3] + (9,), 0, 16)

    @parameterized.parameters(
        (640, 480, 76, 101), (480, 640, 76, 76), (500, 500, 64, 64)
    )
    def test_shorter_side_is_scaled(self, width, height, size, wide):
        picture = photo(width, height)
        photo95 = {"quality": 95, "subsampling": 0}
        for kind, options in (("PNG", {}), ("JPEG", photo95)):
            data = preparing_cases.encoded(picture, kind)
            ready = pictures.prepared(data, size=size)
            tall = round(wide * height / width)
            self.assertEqual((ready.width, ready.height), (wide, tall))
            self.assertEqual(ready.mended, ())
            expected = Image.open(io.BytesIO(data)).resize(
                (wide, tall), Image.Resampling.LANCZOS
            )
            expected = preparing_cases.encoded(expected, kind, **options)
            far = np.abs(1.0 * pixels(ready.data) - pixels(expected))
            self.assertLess(far.mean(), 0.5)

    def test_smaller_picture_keeps_its_size(self):
        data = CASES["photo.jpg"].data
        self.assertEqual(pictures.prepared(data, size=256).data, data)
        self.assertEqual(pictures.prepared(data, size=32).data, data)

    def test_lossless_sources_lose_nothing(self):
        for name in ("plain.bmp", "plain.tiff", "clear.webp", "film.gif"):
            data = pictures.prepared(CASES[name].data).data
            self.assertEqual(data[:4], b"\x89PNG", name)
        for name in ("plain.webp", "cmyk.jpg", "turned 6.jpg"):
            data = pictures.prepared(CASES[name].data).data
            self.assertEqual(data[:2], b"\xff\xd8", name)

    def test_flipped_bits_never_end_the_program(self):
        numbers = np.random.default_rng(5)
        for name in ("photo.jpg", "steps.jpg", "colour.png", "film.gif"):
            for _ in range(40):
                data = np.frombuffer(CASES[name].data, np.uint8).copy()
                data[numbers.integers(len(data))] ^= 1 << numbers.integers(8)
                try:
                    ready = pictures.prepared(data.tobytes(), size=16)
                except plan.Refused:
                    continue
                tf.io.decode_image(ready.data, expand_animations=False)


if __name__ == "__main__":
    tf.test.main()
