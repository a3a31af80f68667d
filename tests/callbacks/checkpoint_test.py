"""Examines what is kept of a run and how it comes back."""

import itertools
import json
import math
import os
import pathlib
import resource
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import callbacks
from keras_t2i.callbacks import journal
from keras_t2i.ops import files
from tests import harness


def network(seed, size=4):
    """Builds the smallest network with two layers."""
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(size), keras.layers.Dense(2)]
    return keras.Sequential([keras.Input((3,)), *layers])


class Toy:
    """Stands for a system: the books that a checkpoint keeps, and no more."""

    def __init__(self, seed=0, average=True, optimizer=keras.optimizers.Adam):
        self.players = {"generator": network(seed), "judge": network(seed + 1)}
        self.optimizers = {name: optimizer(0.1) for name in self.players}
        for name, player in self.players.items():
            variables = player.trainable_variables
            self.optimizers[name].build(variables)
            slopes = [tf.fill(v.shape, 0.1 + seed) for v in variables]
            self.optimizers[name].apply(slopes, variables)
        self.average = network(seed + 2) if average else None
        self.moves = keras.Variable(0, dtype="int64")
        self.trackers = {"fool": keras.metrics.Mean()}
        self.trackers["fool"].update_state(1.0 + seed)
        self.text_encoder = tf.Module()
        self.text_encoder.frozen = tf.Variable(tf.zeros([1000]))

    def books(self):
        owners = [*self.players.values(), *self.optimizers.values()]
        owners += [self.average] if self.average else []
        owners += self.trackers.values()
        kept = [v for o in owners for v in o.variables]
        return [np.array(v) for v in kept if v.name != "learning_rate"]


class BestTest(parameterized.TestCase, tf.test.TestCase):
    """The best ones stay, whatever came later."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory()), "best"
        )
        self.toy = Toy()
        self.measured = []

    def play(self, scores, start=0, end=None, step=1, **kwargs):
        """Plays moves; those with a multiple of 10 score as told."""
        told = iter(scores)

        def measure():
            self.measured.append(int(self.toy.moves))
            return {"kid": next(told), "other": 1.0}

        usual = dict(by="kid", every=10, is_lower_better=True, keep=2)
        best = callbacks.Best(self.folder, measure, **usual | kwargs)
        best.set_model(self.toy)
        self.toy.moves.assign(start)
        best.on_train_begin()
        end = start + 10 * len(scores) if end is None else end
        for batch, move in enumerate(range(start + step, end + 1, step)):
            self.toy.moves.assign(move)
            best.on_train_batch_end(batch)
        best.on_train_end()
        return best

    def kept(self):
        return sorted(int(p.name[5:]) for p in self.folder.glob("move_*"))

    def test_lowest_are_kept(self):
        best = self.play([5.0, 2.0, 4.0, 3.0, 9.0])
        self.assertEqual(self.kept(), [20, 40])
        self.assertEqual(best.ranking(), [20, 40, 30, 10, 50])

    def test_highest_are_kept_where_high_is_good(self):
        self.play([5.0, 2.0, 4.0, 3.0, 9.0], is_lower_better=False)
        self.assertEqual(self.kept(), [10, 50])

    def test_each_is_a_checkpoint_that_can_be_named(self):
        self.play([1.0, 2.0, 3.0], keep=1)
        toy = Toy(seed=5)
        place = self.folder / "move_00000010"
        self.assertEqual(callbacks.restore(toy, place), 10)

    def test_run_that_goes_on_remembers(self):
        self.play([1.0, 5.0])
        self.play([3.0, 4.0], start=20)
        self.assertEqual(self.kept(), [10, 30])

    def test_run_that_went_back_forgets_what_lies_ahead(self):
        self.play([5.0, 1.0, 2.0])
        self.assertEqual(self.kept(), [20, 30])
        self.play([3.0], start=10)  # the second score once more
        self.assertEqual(self.kept(), [20])
        best = self.play([4.0], start=20)
        self.assertEqual(best.ranking(), [20, 30, 10])
        self.assertEqual(self.play([], start=12, end=15).ranking(), [10])

    def test_directory_of_another_run_does_not_count(self):
        self.play([1.0, 2.0])
        best = self.play([5.0, 4.0], end=30, every=15)
        self.assertEqual(best.ranking(), [30, 15])
        self.assertEqual(self.kept(), [15, 30])

    @parameterized.parameters(
        (1, [], [10, 20, 30, 40]),
        (4, [], [12, 20, 32, 40]),  # four moves a batch
        (25, [], [25, 50]),
        (1, [7, 10, 23], [10, 20, 30, 40]),
        (4, [4, 12, 28], [12, 20, 32, 40]),
    )
    def test_moves_decide_when_it_measures_however_often_it_stopped(
        self, step, stops, expected
    ):
        edges = [0, *stops, 40 if step < 25 else 50]
        for start, end in itertools.pairwise(edges):
            self.play([1.0] * 9, start, end, step)
        self.assertEqual(self.measured, expected)

    def test_nothing_is_kept_and_nothing_removed_where_it_only_measures(self):
        self.play([5.0, 1.0, 4.0])
        self.play([0.0, 0.0], start=30, keep=0, by="none")
        self.assertEqual(self.kept(), [20, 30])
        lines = (self.folder / "scores.jsonl").read_text().splitlines()
        self.assertLen(lines, 5)

    def test_scores_stand_in_the_journal_beside_its_terms(self):
        lines = self.folder.parent / "metrics.jsonl"
        files.append_line(lines, json.dumps({"move": 10, "terms": {"a": 1}}))
        self.play([5.0, 1.0], lines=lines)
        self.assertEqual(
            files.read_lines(lines)[1:],
            [
                {"move": 10, "scores": {"kid": 5.0, "other": 1.0}},
                {"move": 20, "scores": {"kid": 1.0, "other": 1.0}},
            ],
        )
        self.assertEqual(journal.read(lines), [{"move": 10, "terms": {"a": 1}}])

    def test_all_scores_become_lines_and_scalars(self):
        logs = self.folder / "logs"
        writer = tf.summary.create_file_writer(os.fspath(logs))
        self.play([5.0], writer=writer)
        (line,) = (self.folder / "scores.jsonl").read_text().splitlines()
        row = {"move": 10, "kid": 5.0, "other": 1.0}
        self.assertEqual(json.loads(line), row)
        writer.flush()
        events = tf.compat.v1.train.summary_iterator(
            os.fspath(next(logs.iterdir()))
        )
        tags = {v.tag for event in events for v in event.summary.value}
        self.assertEqual(tags, {"scores/kid", "scores/other"})

    def test_weights_that_are_not_finite_are_not_measured(self):
        kernel = self.toy.players["judge"].trainable_variables[0]
        kernel.assign(np.full(kernel.shape, np.inf))
        with self.assertRaisesRegex(
            ArithmeticError, "After move 10 the weights .* of the judge are not"
        ):
            self.play([5.0])
        self.assertFalse(self.folder.exists())

    def test_score_that_is_not_finite_is_named_and_not_written(self):
        with self.assertRaisesRegex(ArithmeticError, "20 the score kid is nan"):
            self.play([5.0, math.nan])
        self.assertEqual(self.kept(), [10])
        text = (self.folder / "scores.jsonl").read_text()
        self.assertNotIn("NaN", text)

    def test_unknown_score_is_named_with_those_there_are(self):
        with self.assertRaisesRegex(ValueError, "'fid'; measured are kid, oth"):
            self.play([5.0], by="fid")

    def test_wrong_counts_are_refused(self):
        with self.assertRaisesRegex(ValueError, "keep is -1 and every is 10"):
            self.play([], keep=-1)
        with self.assertRaisesRegex(
            ValueError, "every is 0; .* 0 and more, an"
        ):
            self.play([], every=0)


class OtherToy(Toy):
    """Is called otherwise."""


class CheckpointTest(parameterized.TestCase, tf.test.TestCase):
    """All is kept, all comes back, and the disk may fail."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory()), "kept"
        )
        self.toy = Toy()

    def save(self, move, **kwargs):
        keeper = callbacks.Checkpoint(self.folder, **kwargs)
        keeper.set_model(self.toy)
        self.toy.moves.assign(move)
        keeper.on_train_end()

    def kept(self):
        return sorted(os.listdir(self.folder))

    def restored(self, **kwargs):
        """Restores into a new toy, built later in the same process."""
        toy = Toy(seed=5, **kwargs)
        return toy, callbacks.restore(toy, self.folder)

    def refused(self, toy):
        """Restores into a toy that must be left as it was."""
        toy.moves.assign(77)
        before = toy.books()
        with self.assertRaises(ValueError) as caught:
            callbacks.restore(toy, self.folder)
        self.assertEqual(harness.distance(toy.books(), before), 0.0)
        self.assertEqual(int(toy.moves), 77)
        self.assertNotIn("\n", str(caught.exception))
        return str(caught.exception)

    # What is kept.

    def test_players_averages_and_slots_come_back_bit_for_bit(self):
        self.save(6)
        toy, moves = self.restored()
        self.assertEqual(moves, 6)
        self.assertEqual(int(toy.moves), 6)
        self.assertEqual(harness.distance(toy.books(), self.toy.books()), 0.0)
        self.assertGreater(harness.distance(Toy(5).books(), toy.books()), 0.0)

    def test_frozen_encoders_are_not_kept(self):
        self.save(6)
        arrays = self.folder / "move_00000006" / "arrays"
        owners = {
            name.split("/")[0] for name, _ in tf.train.list_variables(arrays)
        } - {"_CHECKPOINTABLE_OBJECT_GRAPH"}
        players = {"generator", "judge"}
        optimizers = {f"{player}_optimizer" for player in players}
        rest = {"average", "moves", "trackers"}
        self.assertEqual(owners, players | optimizers | rest)

    def test_newest_ones_are_kept_and_the_newest_counts(self):
        for move in (2, 4, 100, 20_000):
            self.save(move)
        self.assertEqual(self.kept(), ["move_00000100", "move_00020000"])
        self.assertEqual(self.restored()[1], 20_000)

    def test_removed_one_makes_way_for_the_one_before(self):
        self.save(2)
        self.save(4)
        for path in (self.folder / "move_00000004").iterdir():
            path.unlink()
        (self.folder / "move_00000004").rmdir()
        self.assertEqual(self.restored()[1], 2)
        self.save(4)
        self.assertEqual(self.kept(), ["move_00000002", "move_00000004"])

    def test_epochs_between_and_the_last_are_kept(self):
        keeper = callbacks.Checkpoint(self.folder, keep=9, every=2)
        keeper.set_model(self.toy)
        for epoch in range(5):
            self.toy.moves.assign_add(10)
            keeper.on_epoch_end(epoch)
        keeper.on_train_end()
        moves = [int(name.split("_")[1]) for name in self.kept()]
        self.assertEqual(moves, [20, 40, 50])

    def test_spared_ones_stay_whenever_they_come(self):
        keeper = callbacks.Checkpoint(
            self.folder, keep=1, every=3, spared=[20, 25]
        )
        keeper.set_model(self.toy)
        for epoch in range(7):
            self.toy.moves.assign_add(10)
            keeper.on_epoch_end(epoch)
        moves = [int(name.split("_")[1]) for name in self.kept()]
        self.assertEqual(moves, [20, 60])  # No epoch ended at 25.
        keeper.on_train_end()
        moves = [int(name.split("_")[1]) for name in self.kept()]
        self.assertEqual(moves, [20, 70])
        self.assertEqual(self.restored()[1], 70)

    def test_what_is_kept_is_not_written_again(self):
        self.save(2)
        arrays = self.folder / "move_00000002" / "arrays.index"
        before = arrays.stat().st_mtime_ns
        self.save(2)
        self.assertEqual(arrays.stat().st_mtime_ns, before)

    def test_nothing_there_is_the_beginning(self):
        self.assertEqual(self.restored()[1], 0)
        self.assertFalse(self.folder.exists())

    def test_what_was_cut_off_in_saving_does_not_count(self):
        self.save(2)
        part = self.folder / ".move_00000004.part"
        part.mkdir()
        (part / "contents.json").write_text("{}")
        self.assertEqual(self.restored()[1], 2)
        self.save(4)
        self.assertEqual(self.kept(), ["move_00000002", "move_00000004"])

    @parameterized.parameters(dict(keep=0), dict(every=0))
    def test_wrong_count_is_refused(self, **counts):
        with self.assertRaisesRegex(ValueError, "is 0.*1 and more"):
            callbacks.Checkpoint(self.folder, **counts)

    # What does not fit.

    def test_another_system_is_named(self):
        self.save(2)
        self.assertRegex(
            self.refused(OtherToy()), "move_00000002 holds a Toy.*a OtherToy"
        )

    def test_another_shape_is_named_by_its_first_difference(self):
        self.save(2)
        toy = Toy()
        toy.players["generator"] = network(0, size=7)
        self.assertRegex(
            self.refused(toy),
            r"variable 0 of the generator is sequential/dense/kernel \(3, 4\) "
            r"float32 there and sequential/dense/kernel \(3, 7\) float32 here",
        )

    def test_average_must_be_on_both_sides(self):
        self.save(2)
        self.assertRegex(
            self.refused(Toy(average=False)),
            "variable 0 of the average is seq.* there and missing here",
        )
        self.toy.average = None
        self.save(4)
        self.assertRegex(
            self.refused(Toy()),
            "of the average is missing there and sequential/dense/k",
        )

    def test_another_optimizer_is_named(self):
        self.save(2)
        self.assertRegex(
            self.refused(Toy(optimizer=keras.optimizers.SGD)),
            "of the generator_optimizer is adam/it.* there and sgd/it.* here",
        )

    # What is broken.

    @parameterized.parameters(
        ("arrays.data-00000-of-00001", lambda data: data[:-100]),
        ("arrays.data-00000-of-00001", lambda data: data[:99] + data[:1]),
        ("arrays.data-00000-of-00001", lambda data: data[::-1]),
        ("arrays.data-00000-of-00001", None),
        ("arrays.index", lambda data: data[:50]),
        ("arrays.index", None),
        ("contents.json", lambda data: data[:50]),
        ("contents.json", lambda data: b"[]"),
        ("contents.json", lambda data: b"\xff"),
        ("contents.json", None),
    )
    def test_damaged_one_is_named_and_leaves_the_system(self, name, damage):
        self.save(2)
        path = self.folder / "move_00000002" / name
        data = path.read_bytes()
        path.unlink()
        if damage:
            path.write_bytes(damage(data))
        self.assertRegex(
            self.refused(Toy(seed=3)),
            r"The checkpoint .*move_00000002 can't be read \(.+\)\. Remove it",
        )

    def test_table_that_lies_leaves_the_system(self):
        self.save(2)
        path = self.folder / "move_00000002" / "contents.json"
        toy = Toy(average=False)
        card = json.loads(path.read_text())
        del card["variables"]["average"]
        path.write_text(json.dumps(card))
        self.assertIn("can't be read", self.refused(toy))

    def test_what_was_cut_off_in_removing_does_not_count_and_goes(self):
        self.save(2)
        self.save(4)
        half = self.folder / ".move_00000001.old"
        half.mkdir()
        (half / "arrays.index").write_text("half")
        self.assertEqual(self.restored()[1], 4)
        self.save(6)
        self.assertEqual(self.kept(), ["move_00000004", "move_00000006"])

    def test_learning_rate_is_the_config_s_to_say(self):
        self.save(2)
        toy = Toy(seed=5)
        toy.optimizers["judge"].learning_rate = 0.025
        callbacks.restore(toy, self.folder)
        rates = [float(o.learning_rate) for o in toy.optimizers.values()]
        self.assertAllClose(rates, [0.1, 0.025])

    def test_full_disk_leaves_and_names_the_last_good_one(self):
        self.save(2)
        card = self.folder / "move_00000002" / "contents.json"
        enough = card.stat().st_size
        self.assertLess(enough, (card.parent / "arrays.index").stat().st_size)
        old = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (enough, old[1]))
        try:
            with self.assertRaisesRegex(
                OSError, r"Saving move 4 in .*kept failed.*_00000002 is whole"
            ):
                self.save(4)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
        self.assertEqual(self.kept(), ["move_00000002"])
        self.assertEqual(self.restored()[1], 2)

    def test_file_in_place_of_the_folder_is_named(self):
        self.folder.write_bytes(b"here first")
        with self.assertRaisesRegex(OSError, "kept failed.*Nothing was saved"):
            self.save(4)
        self.assertEqual(self.folder.read_bytes(), b"here first")


if __name__ == "__main__":
    tf.test.main()
