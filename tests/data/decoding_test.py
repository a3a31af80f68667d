"""Examines how strangers' pictures are decoded."""

import io
import zlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from keras_t2i.data import decoding

RED, GREY = (200, 30, 40), (90, 90, 90)


def encoded(picture, kind="PNG", **options):
    """Encodes a picture."""
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def plain(mode="RGB", colour=RED, size=(6, 4)):
    """Paints one colour."""
    return Image.new(mode, size, colour)


def exif(turn):
    """Makes EXIF that says how the camera was held."""
    found = Image.Exif()
    found[0x0112] = turn
    return found


class DecodingTest(parameterized.TestCase, tf.test.TestCase):
    """Whatever is in the file, people see upright colours on white."""

    @parameterized.parameters(
        (encoded(plain()), RED),
        (encoded(plain("L", 90)), GREY),
        (encoded(plain("L", 90), "JPEG"), GREY),
        (encoded(plain("LA", (90, 255))), GREY),
        (encoded(plain("RGBA", (*RED, 255))), RED),
        (encoded(plain("RGBA", (0, 0, 0, 0))), (255, 255, 255)),
        (encoded(plain("RGBA", (0, 0, 0, 51))), (204, 204, 204)),
        (encoded(plain().quantize(2)), RED),
        (encoded(plain("1", 1)), (255, 255, 255)),
        (encoded(plain("I;16", 90 * 257)), GREY),
        (encoded(plain("CMYK", (0, 0, 0, 255)), "JPEG"), (0, 0, 0)),
        (encoded(plain("CMYK", (0, 255, 255, 0)), "JPEG"), (255, 0, 0)),
    )
    def test_every_mode_becomes_colours_on_white(self, data, colour):
        made = decoding.pixels(data)
        self.assertEqual((made.shape, made.dtype), ((4, 6, 3), np.uint8))
        self.assertAllClose(made, np.broadcast_to(colour, made.shape), atol=3)

    def test_picture_is_turned_upright(self):
        lying = np.zeros((4, 6, 3), np.uint8)
        lying[:, :2] = RED  # the left of what lies is the top of what stands
        data = encoded(Image.fromarray(lying), exif=exif(6))
        self.assertEqual(decoding.measured(data), (6, 4))
        made = decoding.pixels(data)
        self.assertEqual(made.shape, (6, 4, 3))
        self.assertAllEqual(made[:2], np.broadcast_to(RED, (2, 4, 3)))
        self.assertAllEqual(made[2:], np.zeros((4, 4, 3)))

    @parameterized.parameters("PNG", "JPEG")
    def test_size_is_told_and_files_cut_off_are_found(self, kind):
        noise = np.random.default_rng(0).integers(0, 255, (40, 30, 3), np.uint8)
        data = encoded(Image.fromarray(noise), kind)
        self.assertEqual(decoding.measured(data), (40, 30))
        self.assertEqual(decoding.measured(data + b"\0\0"), (40, 30))
        for read in (decoding.measured, decoding.pixels):
            with self.assertRaisesRegex(decoding.Unreadable, f"{kind} that is"):
                read(data[: len(data) // 2])

    @parameterized.parameters(
        (b"", "an empty file"),
        (b"<html>", "a file that is no picture"),
        (b"\x89PNG\r\n\x1a\n....", "a picture that is cut off or damaged"),
        (encoded(plain("F", 0.5), "TIFF"), "more than 16 bits a colour"),
    )
    def test_what_is_no_picture_is_told(self, data, sentence):
        with self.assertRaisesRegex(decoding.Unreadable, sentence):
            decoding.pixels(data)

    def test_bomb_is_told_by_its_header(self):
        data = bytearray(encoded(plain()))
        data[16:24] = (60_000).to_bytes(4) + (60_000).to_bytes(4)
        data[29:33] = zlib.crc32(data[12:29]).to_bytes(4)
        with self.assertRaisesRegex(decoding.Unreadable, "100 million pixels"):
            decoding.measured(bytes(data))


if __name__ == "__main__":
    tf.test.main()
