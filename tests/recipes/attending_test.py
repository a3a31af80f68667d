"""Examines the sheet of where words look."""

import io
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from keras_t2i import weights
from keras_t2i.losses import matching
from keras_t2i.ops import sheets
from recipes import attending, wiring
from tests.recipes import couples, runs


def pair(config, lost=()):
    """Makes an untrained pair that can't read some captions."""
    base = wiring.Letters()
    seen = weights.readers.trunk(config.image)
    players = weights.readers.build(config, base, seen)
    card = {"recipe": config.to_dict(), "vocabulary": None}
    made = weights.readers.join(players, base, seen, card)
    check = base.check

    def picky(captions):
        check(captions)
        if set(captions) & set(lost):
            raise ValueError("No known word.")

    base.check = picky
    return made


class AttendingTest(parameterized.TestCase, tf.test.TestCase):
    """A row is a picture and what each word sees of it."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)
        couples.quickly(self)
        self.config = couples.config()
        self.test = wiring.source(self.config, "test")

    def written(self, made):
        """Writes the sheet; answers the tiles and words that it has."""
        with mock.patch.object(
            sheets, "captioned_grid", wraps=sheets.captioned_grid
        ) as grid:
            path = attending.write(made, self.config, self.folder)
        self.assertEqual(path, self.folder / "attention.png")
        with Image.open(path) as sheet:
            sheet.load()
            self.assertEqual(sheet.format, "PNG")
        return grid.call_args.args

    def test_rows_are_pictures_words_and_paper(self):
        made = pair(self.config)
        tiles, words, columns = self.written(made)
        self.assertEqual((len(tiles), columns), (8 * 7, 7))
        self.assertLen(words, 8 * 7)
        self.assertEqual(tiles.dtype, np.uint8)
        self.assertEqual(tiles.shape[1:], (96, 96, 3))
        places = np.linspace(0, len(self.test) - 1, 8).round().astype(int)
        for row, place in enumerate(places):
            caption, *rest = words[7 * row : 7 * row + 7]
            self.assertEqual(caption, self.test.captions[place, 0])
            spoken = caption.split()[:6]
            self.assertEqual(rest, spoken + [""] * (6 - len(spoken)))
            whole = np.repeat(np.repeat(self.test.images[place], 6, 0), 6, 1)
            self.assertAllEqual(tiles[7 * row], whole)
            for column, word in enumerate(rest):
                tile = tiles[7 * row + 1 + column]
                if word:
                    self.assertTrue(np.all(tile <= whole))
                else:
                    self.assertTrue(np.all(tile == 255))
        with Image.open(self.folder / "attention.png") as sheet:
            self.assertGreaterEqual(sheet.width, 7 * 96)
            self.assertGreaterEqual(sheet.height, 8 * 96)

    def test_places_that_are_looked_at_are_light(self):
        made = pair(self.config)
        weights_of = np.zeros((8, 64, 4, 4), np.float32)
        weights_of[..., 1, 2] = 1.0
        answer = None, tf.constant(weights_of)
        with mock.patch.object(matching, "attention", return_value=answer):
            tiles, _, _ = self.written(made)
        share = np.mean(tiles[1] / np.maximum(tiles[0], 1.0), axis=2)
        self.assertGreater(share[36, 60], 0.95)  # Cell (1, 2) of 24 px.
        self.assertLess(share[84, 12], 0.3)

    def test_captions_that_cannot_be_read_are_left_out(self):
        lost = set(self.test.captions[:5, 0].tolist())
        _, words, _ = self.written(pair(self.config, lost))
        self.assertNotEmpty([word for word in words if word])
        self.assertEmpty(lost & set(words))

    def test_no_readable_caption_is_told(self):
        lost = self.test.captions[:, 0].tolist()
        with self.assertRaisesRegex(
            ValueError, "can read no first caption of shapes/test"
        ):
            attending.write(pair(self.config, lost), self.config, self.folder)
        self.assertFalse((self.folder / "attention.png").exists())

    def test_few_pictures_make_few_rows(self):
        test = self.test.subset(np.arange(3))
        with mock.patch.object(wiring, "source", return_value=test):
            tiles, _, _ = self.written(pair(self.config))
        self.assertLen(tiles, 3 * 7)

    def test_sheet_is_not_left_half_written(self):
        made = pair(self.config)
        with (
            mock.patch.object(
                sheets, "captioned_grid", side_effect=OSError("full")
            ),
            self.assertRaisesRegex(OSError, "full"),
        ):
            attending.write(made, self.config, self.folder)
        self.assertFalse((self.folder / "attention.png").exists())

    @parameterized.parameters(1, 3)
    def test_small_and_grey_pictures_are_shown_large(self, colours):
        picture = np.full((10, 10, colours), 128, np.uint8)
        large = attending._large(picture)
        self.assertEqual(large.shape, (100, 100, 3))
        self.assertTrue(np.all(large == 128))
        stream = io.BytesIO()
        Image.fromarray(np.array(large)).save(stream, "PNG")


if __name__ == "__main__":
    tf.test.main()
