"""Examines the sheets of samples and the film they are bound into."""

import os
import pathlib
import tempfile

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from keras_t2i import callbacks

SIZE = 16


class Toy:
    """Stands for a system: it draws brighter from move to move."""

    def __init__(self):
        self.moves = keras.Variable(0, dtype="int64")
        self.stop_training = False
        self.asked = []

    def generate(self, captions, seeds):
        self.asked.append((list(captions), list(seeds)))
        level = float(self.moves) / 500.0 - 1.0
        return tf.fill([len(captions), SIZE, SIZE, 3], level)


class SampleGridTest(tf.test.TestCase):
    """The same captions and noises from the first move to the last."""

    def setUp(self):
        super().setUp()
        here = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.folder, self.film = here / "samples", here / "film.gif"
        self.logs = here / "tensorboard"
        self.toy = Toy()

    def test_epoch_that_is_cut_off_has_no_sheet(self):
        grid = callbacks.SampleGrid(self.folder, self.film, ["a"])
        grid.set_model(self.toy)
        grid.on_train_begin()
        self.toy.moves.assign(3)
        self.toy.stop_training = True
        grid.on_epoch_end(0)
        grid.on_train_end()
        names = [path.name for path in self.folder.iterdir()]
        self.assertEqual(names, ["move_00000000.png"])
        self.assertTrue(self.film.exists())

    def play(self, first, last, **kwargs):
        """Plays epochs of 10 moves."""
        kwargs = {"captions": ["a cat", "a dog"], **kwargs}
        painter = callbacks.SampleGrid(self.folder, self.film, **kwargs)
        painter.set_model(self.toy)
        self.toy.moves.assign(10 * first)
        painter.on_train_begin()
        for epoch in range(first, last):
            self.toy.moves.assign(10 * (epoch + 1))
            painter.on_epoch_end(epoch)
        painter.on_train_end()

    def test_without_captions_every_noise_is_a_picture_of_its_own(self):
        self.play(0, 1, captions=[], noises=10)
        captions, seeds = self.toy.asked[0]
        self.assertEqual((captions, seeds), ([""] * 10, list(range(10))))
        sheet = Image.open(self.folder / "move_00000000.png")
        self.assertBetween(sheet.width, 8 * 128, 9 * 144)

    def moves(self):
        return [int(name[5:13]) for name in sorted(os.listdir(self.folder))]

    def frames(self):
        """Reads the grey level of each frame's first picture."""
        film = Image.open(self.film)
        levels = []
        for frame in range(film.n_frames):
            film.seek(frame)
            picture = np.asarray(film.convert("RGB"))
            # Below the title, right of the margin: inside the first picture.
            levels.append(int(picture[60, 40].mean()))
        return levels

    def test_sheets_show_the_untrained_and_every_epoch(self):
        self.play(0, 3)
        self.assertEqual(self.moves(), [0, 10, 20, 30])

    def test_same_captions_and_noises_each_time(self):
        self.play(0, 2, noises=2)
        asked = (["a cat", "a dog"] * 2, [0, 0, 1, 1])
        self.assertEqual(self.toy.asked, [asked] * 3)

    def test_sheet_has_a_column_a_caption_and_a_row_a_noise(self):
        shapes = []
        for captions, noises in ((["a"], 1), (["a", "b"], 1), (["a"], 2)):
            self.play(0, 0, captions=captions, noises=noises)
            path = self.folder / "move_00000000.png"
            shapes.append(tf.io.decode_png(path.read_bytes()).shape)
            path.unlink()
        one, wide, high = shapes
        self.assertGreaterEqual(wide[1] - one[1], 96)
        self.assertGreaterEqual(high[0] - one[0], 96)
        self.assertEqual((wide[0], high[1]), (one[0], one[1]))

    def test_epochs_between_and_the_last_are_drawn(self):
        self.play(0, 5, every=3)
        self.assertEqual(self.moves(), [0, 30, 50])

    def test_film_runs_from_the_first_move_to_the_last(self):
        self.play(0, 60, every=20)
        grey = np.array([0, 200, 400, 600]) / 500 * 127.5
        self.assertAllClose(self.frames(), grey, atol=3)

    def test_long_film_keeps_both_ends(self):
        self.play(0, 90)
        frames = self.frames()
        self.assertBetween(len(frames), 50, 60)
        self.assertAllClose(frames[0], 0, atol=3)
        self.assertAllClose(frames[-1], 900 / 500 * 127.5, atol=3)
        self.assertAllEqual(np.sort(frames), frames)

    def test_resumed_film_has_the_old_frames_and_draws_none_again(self):
        self.play(0, 2)
        self.toy.asked.clear()
        self.play(2, 4)
        self.assertLen(self.toy.asked, 2)
        self.assertLen(self.frames(), 5)

    def test_sheet_of_an_earlier_attempt_is_drawn_anew(self):
        self.folder.mkdir()
        (self.folder / "move_00000000.png").write_bytes(b"of another config")
        self.play(0, 1)
        self.assertLen(self.frames(), 2)

    def test_complete_run_binds_its_film_again(self):
        self.play(0, 2)
        film = self.film.read_bytes()
        self.film.unlink()
        self.toy.asked.clear()
        self.play(2, 2)
        self.assertEqual(self.film.read_bytes(), film)
        self.assertEmpty(self.toy.asked)

    def test_sheets_go_to_tensorboard_by_move(self):
        writer = tf.summary.create_file_writer(str(self.logs))
        self.play(0, 1, writer=writer)
        writer.flush()
        (path,) = self.logs.iterdir()
        found = []
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            found += [(event.step, v.tag) for v in event.summary.value]
        self.assertEqual(found, [(0, "samples"), (10, "samples")])


if __name__ == "__main__":
    tf.test.main()
