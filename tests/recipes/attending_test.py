"""Examines the sheet of where words look."""

import io
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from keras_t2i import networks, weights
from keras_t2i.losses import matching
from keras_t2i.ops import sheets
from recipes import attending, letters, streams
from tests.recipes import couples, runs


def pair(config, lost=()):
    """Makes an untrained pair that can't read some captions."""
    base = letters.Letters()
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


class Looks(keras.layers.Layer):
    """Place i of a stage of 4 px looks at word i; all of 8 px at the last."""

    def call(self, is_word):
        rows, count = tf.unstack(tf.shape(is_word))
        each = tf.reshape(tf.one_hot(tf.range(16), count), (1, 4, 4, count))
        last = tf.reduce_sum(tf.cast(is_word, tf.int32), 1) - 1
        only = tf.one_hot(last, count)[:, None, None]
        return tf.tile(each, (rows, 1, 1, 1)), tf.tile(only, (1, 8, 8, 1))

    def compute_output_shape(self, shape):
        return (shape[0], 4, 4, shape[1]), (shape[0], 8, 8, shape[1])


def staged():
    """Makes a generator of grey stages of 4, 8 and 16 px, ever brighter."""
    noise = keras.Input((3,), name="noise")
    words = keras.Input((None, 16), name="words")
    mask = keras.Input((None,), dtype="bool", name="mask")
    zero = 0.0 * keras.ops.sum(noise, 1)[:, None, None, None]
    grey = {s: zero + np.full((1, s, s, 3), s / 16) for s in (4, 8, 16)}
    first, second = Looks()(mask)
    return keras.Model(
        {"noise": noise, "words": words, "mask": mask},
        {
            "image": grey[16],
            "image_4": grey[4],
            "image_8": grey[8],
            "mean": noise,
            "attention_4": first,
            "attention_8": second,
        },
    )


class StagesTest(parameterized.TestCase, tf.test.TestCase):
    """A row is a step from stage to stage, and what it looks at."""

    captions = ["a red heart", "a car", "one very large tree here"]

    def stages(self, captions=None, generator=None):
        reader = letters.Letters()
        painter = networks.Painter(generator or staged(), reader)
        captions = captions or self.captions
        return attending.stages(painter, captions, range(len(captions)))

    def test_rows_are_steps_and_columns_words(self):
        tiles, names, columns = self.stages()
        self.assertEqual(columns, 2 + 5)
        self.assertEqual(tiles.shape, (3 * 2 * 7, 96, 96, 3))
        self.assertEqual(tiles.dtype, np.uint8)
        rows = [names[start : start + 7] for start in range(0, 42, 7)]
        self.assertEqual(
            rows,
            [
                ["a red heart, 4 px", "8 px", "a", "red", "heart", "", ""],
                ["8 px", "16 px", "a", "red", "heart", "", ""],
                ["a car, 4 px", "8 px", "a", "car", "", "", ""],
                ["8 px", "16 px", "a", "car", "", "", ""],
                [
                    *("one very large tree here, 4 px", "8 px"),
                    *("one", "very", "large", "tree", "here"),
                ],
                ["8 px", "16 px", "one", "very", "large", "tree", "here"],
            ],
        )
        greys = [round(255 * (1 + size / 16) / 2) for size in (4, 8, 16)]
        for row in range(6):
            before, after = tiles[7 * row : 7 * row + 2]
            self.assertTrue(np.all(before == greys[row % 2]))
            self.assertTrue(np.all(after == greys[row % 2 + 1]))
            for tile, name in zip(
                tiles[7 * row + 2 : 7 * row + 7], rows[row][2:], strict=True
            ):
                self.assertEqual(bool(np.all(tile == 255)), not name)

    def test_each_word_is_lit_where_places_look_at_it(self):
        tiles, _, _ = self.stages()
        for place in range(3):  # Of 4 x 4; a place is 24 px.
            share = tiles[2 + place][..., 0] / tiles[1][..., 0]
            self.assertGreater(share[12, 24 * place + 12], 0.95)
            self.assertLess(share[60, 60], 0.3)
        # A word at which all places look alike stands out nowhere.
        share = tiles[7 + 4] / tiles[7 + 1]
        self.assertAllClose(share, np.full_like(share, 0.25), atol=0.01)

    def test_many_captions_are_drawn_a_few_at_a_time(self):
        captions = [f"heart number {row}" for row in range(19)]
        calls, look = [], networks.Painter.look

        def watched(painter, captions, seeds, bound):
            calls.append((list(captions), list(seeds)))
            return look(painter, captions, seeds, bound)

        with mock.patch.object(networks.Painter, "look", watched):
            _, names, columns = self.stages(captions)
        self.assertEqual([len(some) for some, _ in calls], [8, 8, 3])
        self.assertEqual([s for _, some in calls for s in some], [*range(19)])
        told = [name for name in names[::columns] if "," in name]
        self.assertEqual(told, [f"{caption}, 4 px" for caption in captions])

    def test_words_past_the_most_are_left_out(self):
        caption = " ".join(f"word{i}" for i in range(30))
        _, names, columns = self.stages([caption])
        self.assertEqual(columns, 2 + attending.MOST)
        self.assertEqual(names[columns - 1], f"word{attending.MOST - 1}")

    @parameterized.parameters("attngan", "dm_gan")
    def test_networks_of_papers_are_shown(self, name):
        room = getattr(networks, name)
        generator = room.generator(
            image_size=32, base_size=8, width=2, text_dim=16, residuals=1
        )
        tiles, names, columns = self.stages(["a red heart"], generator)
        self.assertEqual((len(tiles), columns), (10, 5))
        self.assertEqual(tiles.shape[1:], (96, 96, 3))
        self.assertEqual(names[:2], ["a red heart, 8 px", "16 px"])
        self.assertEqual(names[5:7], ["16 px", "32 px"])

    def test_model_without_attention_is_told(self):
        generators = [
            networks.dcgan_cls.generator(image_size=16, width=2, text_dim=16),
            networks.attngan.generator(
                image_size=8, base_size=8, width=2, text_dim=16
            ),
        ]
        for generator in generators:
            with self.assertRaisesRegex(ValueError, "attends to no words"):
                self.stages(generator=generator)


class MasksTest(tf.test.TestCase):
    """A row is a picture and its masks, small to large."""

    def masks(self, generator, captions=("a red heart", "a car")):
        painter = networks.Painter(generator, letters.Letters())
        return attending.masks(painter, captions, range(len(captions)))

    def test_rows_are_pictures_and_their_masks(self):
        keras.utils.set_random_seed(0)
        generator = networks.ssa_gan.generator(
            image_size=16, width=2, noise_dim=3, text_dim=16
        )
        tiles, names, columns = self.masks(generator)
        self.assertEqual(columns, 4)
        masks = ["mask of 4 px", "mask of 8 px", "mask of 16 px"]
        self.assertEqual(names, ["a red heart", *masks, "a car", *masks])
        self.assertEqual(tiles.shape, (8, 96, 96, 3))
        painter = networks.Painter(generator, letters.Letters())
        looked = painter.look(["a red heart", "a car"], [0, 1])
        for row in range(2):
            for place, size in enumerate((4, 8, 16), 1):
                mask = 255.0 * looked[f"mask_{size}"][row].numpy()
                times = 96 // size
                expected = mask.repeat(times, 0).repeat(times, 1)
                tile = tiles[4 * row + place]
                self.assertAllClose(tile, expected.repeat(3, -1), atol=0.51)
        drawn = painter.generate(["a red heart", "a car"], [0, 1])
        drawn = (drawn.numpy() + 1.0) * 127.5
        self.assertAllClose(tiles[4, ::6, ::6], drawn[1], atol=0.51)

    def test_model_without_masks_is_told(self):
        with self.assertRaisesRegex(ValueError, "has no masks; SSA-GAN's does"):
            self.masks(staged())


class AttendingTest(parameterized.TestCase, tf.test.TestCase):
    """A row is a picture and what each word sees of it."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)
        couples.quickly(self)
        self.config = couples.config()
        self.test = streams.source(self.config, "test")

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
        with mock.patch.object(streams, "source", return_value=test):
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
        large = attending._large(picture, 100)
        self.assertEqual(large.shape, (100, 100, 3))
        self.assertTrue(np.all(large == 128))
        stream = io.BytesIO()
        Image.fromarray(np.array(large)).save(stream, "PNG")


if __name__ == "__main__":
    tf.test.main()
