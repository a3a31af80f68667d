"""Sheets, films and curves hold what they were given."""

import io

import numpy as np
import tensorflow as tf
from PIL import Image

from keras_t2i.ops import sheets


def pictures(count, size=16):
    """Draws plain pictures, each of one dark colour of its own."""
    draw = np.random.default_rng(0)
    colours = draw.integers(0, 150, (count, 1, 1, 3))
    return np.broadcast_to(colours, (count, size, size, 3)).astype(np.uint8)


def opened(data):
    """Reads picture bytes back."""
    return Image.open(io.BytesIO(data))


class SheetTest(tf.test.TestCase):
    """Captioned grids."""

    def test_grey_is_drawn_as_colours_that_are_alike(self):
        grey = pictures(2)[..., :1]
        self.assertAllEqual(
            opened(sheets.captioned_grid(grey, ["", ""], 2)),
            opened(sheets.captioned_grid(grey.repeat(3, -1), ["", ""], 2)),
        )

    def test_every_picture_is_on_the_sheet(self):
        given = pictures(5)
        data = sheets.captioned_grid(given, ["a"] * 5, 3, scale=2)
        self.assertStartsWith(data, b"\x89PNG")
        sheet = np.asarray(opened(data))
        for picture in given:
            found = (sheet == picture[0, 0]).all(-1).sum()
            self.assertGreaterEqual(found, 32 * 32)

    def test_long_captions_make_room_instead_of_being_cut(self):
        words = "a very long caption of many words " * 3
        short = opened(sheets.captioned_grid(pictures(1), ["a"], 1))
        long = opened(sheets.captioned_grid(pictures(1), [words], 1))
        self.assertEqual(short.width, long.width)
        self.assertGreater(long.height, short.height + 100)

    def test_wide_letters_stay_under_their_picture(self):
        words = "A BOY WITH A BLUE SHIRT DOING A TRICK WITH HIS SKATEBOARD"
        drawn = opened(sheets.captioned_grid(pictures(1, 144), [words], 1))
        ink = np.asarray(drawn)[144:].min(axis=(0, 2)) < 200
        self.assertTrue(ink.any())
        self.assertFalse(ink[8 + 144 :].any())

    def test_title_and_empty_captions_are_allowed(self):
        plain = opened(sheets.captioned_grid(pictures(2), ["", ""], 2))
        titled = opened(
            sheets.captioned_grid(pictures(2), ["", ""], 2, title="Title")
        )
        self.assertGreater(titled.height, plain.height)
        band = np.asarray(titled)[: titled.height - plain.height]
        self.assertLess(band.min(), 100)

    def test_captions_that_do_not_match_get_a_sentence(self):
        with self.assertRaisesRegex(ValueError, "2 pictures .* 1 captions"):
            sheets.captioned_grid(pictures(2), ["a"], 1)


class FilmTest(tf.test.TestCase):
    """Animated GIFs."""

    def test_frames_play_in_order_and_the_last_is_held(self):
        frames = list(pictures(3))
        film = opened(sheets.film(frames, milliseconds=100, hold=900))
        self.assertEqual((film.format, film.n_frames), ("GIF", 3))
        self.assertEqual(film.info["loop"], 0)
        for index, frame in enumerate(frames):
            film.seek(index)
            self.assertEqual(film.info["duration"], [100, 100, 900][index])
            shown = np.asarray(film.convert("RGB"))
            self.assertAllClose(shown, frame, atol=8)

    def test_film_without_frames_gets_a_sentence(self):
        with self.assertRaisesRegex(ValueError, "needs frames"):
            sheets.film([])


class CurvesTest(tf.test.TestCase):
    """Plots."""

    def test_each_curve_adds_ink(self):
        none = np.asarray(opened(sheets.curves({})).convert("L"))
        one = {"real": ([0, 1, 2], [3.0, 1.0, 2.0])}
        some = np.asarray(opened(sheets.curves(one)).convert("L"))
        two = one | {"fake": ([0, 1, 2], [0.0, 4.0, 1.0])}
        more = np.asarray(opened(sheets.curves(two)).convert("L"))
        inks = [(sheet < 200).mean() for sheet in (none, some, more)]
        self.assertLess(inks[0], inks[1])
        self.assertLess(inks[1], inks[2])

    def test_curve_on_another_scale_has_a_panel_of_its_own(self):
        x = list(range(9))
        usual = {n: (x, np.sin(x) + i) for i, n in enumerate("abc")}
        one = opened(sheets.curves(usual))
        high = opened(sheets.curves(usual | {"d": (x, [40.0] * 9)}))
        low = opened(sheets.curves(usual | {"d": (x, [0.01] * 9)}))
        near = opened(sheets.curves(usual | {"d": (x, [4.0] * 9)}))
        self.assertEqual(one.size, near.size)
        self.assertEqual(high.size, low.size)
        self.assertGreater(high.height, one.height + 200)


if __name__ == "__main__":
    tf.test.main()
