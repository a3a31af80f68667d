"""Examines the journal: what is written, and what is read of a torn one."""

import json
import pathlib
import tempfile
from unittest import mock

import keras
import tensorflow as tf
from PIL import Image

from keras_t2i import callbacks
from keras_t2i.callbacks import journal
from keras_t2i.ops import sheets


class Toy:
    """Stands for a system: it counts moves."""

    def __init__(self):
        self.moves = keras.Variable(0, dtype="int64")
        self.stop_training = False

    def losses_of(self, terms):
        return {"generator": 2.0 * terms["fool"]}


class JournalTest(tf.test.TestCase):
    """An epoch is a line; torn lines cost nothing but themselves."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory())
        )
        self.lines = self.folder / "metrics.jsonl"
        self.curves = self.folder / "curves.png"

    def test_epoch_that_is_cut_off_has_no_line(self):
        keeper = callbacks.Journal(self.lines, self.curves)
        toy = Toy()
        keeper.set_model(toy)
        keeper.on_train_begin()
        toy.stop_training = True
        keeper.on_epoch_end(0, {"fool": 1.0})
        self.assertFalse(self.lines.exists())

    def play(self, first, last, writer=None):
        """Plays epochs of 5 moves, whose term is the move."""
        keeper = callbacks.Journal(self.lines, self.curves, writer=writer)
        toy = Toy()
        toy.moves.assign(5 * first)
        keeper.set_model(toy)
        keeper.on_train_begin()
        for epoch in range(first, last):
            toy.moves.assign(5 * (epoch + 1))
            keeper.on_epoch_end(epoch, {"fool": float(toy.moves)})
        keeper.on_train_end()

    def moves(self):
        return [row["move"] for row in journal.read(self.lines)]

    def test_each_epoch_is_a_line(self):
        self.play(0, 3)
        lines = self.lines.read_text().splitlines()
        self.assertEqual(
            [json.loads(line)["terms"] for line in lines],
            [{"fool": 5.0}, {"fool": 10.0}, {"fool": 15.0}],
        )
        self.assertEqual(
            [json.loads(line)["losses"] for line in lines],
            [{"generator": 10.0}, {"generator": 20.0}, {"generator": 30.0}],
        )
        self.assertEqual(self.moves(), [5, 10, 15])

    def test_losses_of_players_have_a_panel_of_their_own(self):
        self.play(0, 2)
        rows = journal.read(self.lines)
        with mock.patch.object(
            sheets, "curves", side_effect=sheets.curves
        ) as drawn:
            self.play(2, 3)
        totals = {"all of the generator": ([5, 10, 15], [10.0, 20.0, 30.0])}
        self.assertEqual(drawn.call_args.kwargs["totals"], totals)
        both = Image.open(self.curves).height
        for row in rows:  # as runs of old wrote them
            del row["losses"]
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        self.lines.write_text(text)
        self.play(2, 2)
        self.assertLess(Image.open(self.curves).height, both)

    def test_resumed_run_goes_on_in_the_same_file(self):
        self.play(0, 2)
        first = self.curves.read_bytes()
        self.play(2, 3)
        self.assertEqual(self.moves(), [5, 10, 15])
        self.assertNotEqual(self.curves.read_bytes(), first)

    def test_complete_run_draws_its_curves_again(self):
        self.play(0, 2)
        first = self.curves.read_bytes()
        self.curves.unlink()
        self.play(2, 2)
        self.assertEqual(self.curves.read_bytes(), first)

    def test_curves_of_nothing_are_not_drawn(self):
        self.play(0, 0)
        self.assertFalse(self.curves.exists())

    def test_curves_are_a_picture(self):
        self.play(0, 2)
        picture = tf.io.decode_png(self.curves.read_bytes())
        self.assertGreater(min(picture.shape[:2]), 200)

    def test_terms_go_to_tensorboard_by_move(self):
        logs = self.folder / "tensorboard"
        self.play(0, 2, tf.summary.create_file_writer(str(logs)))
        (path,) = logs.iterdir()
        found = {}
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                tensor = tf.make_ndarray(value.tensor)
                found[event.step, value.tag] = float(tensor)
        expected = {
            (5, "fool"): 5.0,
            (5, "losses/generator"): 10.0,
            (10, "fool"): 10.0,
            (10, "losses/generator"): 20.0,
        }
        self.assertEqual(found, expected)

    # Torn journals.

    def test_later_line_of_a_move_counts(self):
        self.play(0, 2)
        self.play(1, 3)
        with self.lines.open("a") as file:
            file.write('{"move": 5, "seconds": 1, "terms": {"fool": -1}}\n')
        rows = journal.read(self.lines)
        self.assertEqual([row["move"] for row in rows], [5, 10, 15])
        self.assertEqual(rows[0]["terms"], {"fool": -1})

    def test_line_cut_off_by_a_crash_is_left_out_and_closed(self):
        self.play(0, 2)
        data = self.lines.read_bytes()
        self.lines.write_bytes(data[:-20])
        self.assertEqual(self.moves(), [5])
        self.play(1, 3)
        self.assertEqual(self.moves(), [5, 10, 15])
        self.assertLen(self.lines.read_text().splitlines(), 4)

    def test_foreign_lines_are_left_out(self):
        self.lines.write_bytes(
            b'\xff\x00\n7\n[]\n"a"\n\n{"move": 3}\n{"terms": {}}\n'
            b'{"move": 5, "value": 1}\n'
        )
        self.assertEqual(self.moves(), [])
        self.play(0, 1)
        self.assertEqual(self.moves(), [5])

    def test_missing_journal_is_empty(self):
        self.assertEqual(self.moves(), [])

    def test_each_line_says_where_its_run_began(self):
        self.play(0, 2)
        self.play(2, 4)
        starts = [row["start"] for row in journal.read(self.lines)]
        self.assertEqual(starts, [0, 0, 10, 10])

    def test_minutes_count_a_resumption_whose_first_row_is_slower(self):
        rows = [
            {"start": start, "seconds": seconds}
            for start, seconds in ((0, 60.0), (5, 120.0), (5, 180.0))
        ]
        self.assertAllClose(journal.minutes(rows), 4.0)
        # The first call's journal was written before lines said their start.
        del rows[0]["start"]
        self.assertAllClose(journal.minutes(rows), 4.0)

    def test_minutes_of_old_journals_add_up_over_resumptions(self):
        rows = [{"seconds": s} for s in (60.0, 120.0, 30.0, 90.0, 15.0)]
        self.assertAllClose(journal.minutes(rows), 3.75, atol=0.051)
        self.assertEqual(journal.minutes([]), 0.0)


if __name__ == "__main__":
    tf.test.main()
