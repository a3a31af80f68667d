"""Examines how the speed of several systems is measured."""

import contextlib
import io
import json
import time
from unittest import mock

import keras
import tensorflow as tf

from recipes import pace, wiring
from tests.recipes import runs

WAY = pace.Way(skipped=1, timed=3, rounds=2)


class WatchTest(tf.test.TestCase):
    """What lies between moves counts, too."""

    def test_moves_are_timed_from_end_to_end(self):
        watch = pace.Watch()
        with mock.patch.object(time, "perf_counter") as clock:
            for number, (begin, end) in enumerate([(10, 12), (13, 15)]):
                clock.return_value = begin
                watch.on_train_batch_begin(number)
                clock.return_value = end
                watch.on_train_batch_end(number, {"fool": tf.constant(1.0)})
        self.assertEqual(watch.seconds, [2, 3])


class MeasureTest(tf.test.TestCase):
    """In turns, by the median, once only."""

    def setUp(self):
        super().setUp()
        self.path = runs.folder(self) / "runs" / pace.FILE
        self.configs = {name: runs.smoke() for name in ("A", "B")}
        self.asked = []

    def measure(self, **terms):
        paces = iter([[0.3, 0.3, 9.0], [0.5] * 3, [0.32, 0.4, 0.2], [0.7] * 3])

        def timed(config, way):
            (name,) = [n for n, c in self.configs.items() if c is config]
            self.asked.append(name)
            layers = [keras.Input((3,)), keras.layers.Dense(2)]
            player = keras.Sequential(layers)
            return next(paces), mock.Mock(players={"generator": player})

        with mock.patch.object(pace, "_timed", timed):
            terms = terms or {"minutes": 15.0}
            return pace.measure(self.configs, self.path, WAY, **terms)

    def test_systems_take_turns_and_the_median_of_all_counts(self):
        with contextlib.redirect_stdout(io.StringIO()) as told:
            found = self.measure()
        self.assertEqual(self.asked, ["A", "B", "A", "B"])
        self.assertAllClose(found["A"]["ms_per_move"], 310.0)
        self.assertAllClose(found["A"]["rounds"], [300.0, 320.0])
        self.assertAllClose(found["B"]["ms_per_move"], 600.0)
        self.assertEqual(found["B"]["parameters"], {"generator": 8})
        (told,) = [x for x in told.getvalue().splitlines() if "busy" in x]
        self.assertStartsWith(told, "A move of B took 500 and 700 ms: other")
        self.assertRegex(found["B"]["devices"], r"^\d+ CPU cores$")

    def test_what_was_timed_is_not_timed_again(self):
        found = self.measure()
        self.assertEqual(self.measure(), found)
        self.assertLen(self.asked, 4)
        self.configs["C"] = runs.smoke()
        self.measure()
        self.assertEqual(self.asked[4:], ["C", "C"])
        self.configs["A"].train.batch_size = 4
        self.measure()
        self.assertEqual(self.asked[6:], ["A", "A"])

    def test_other_terms_and_damage_are_told(self):
        self.measure()
        with self.assertRaisesRegex(ValueError, "minutes 15.0; now it is 9"):
            self.measure(minutes=9)
        self.path.write_text(json.dumps({"cells": {}}))
        with self.assertRaisesRegex(ValueError, "speed.json can't be read"):
            self.measure()

    def test_real_moves_are_played_after_those_that_compile(self):
        way = pace.Way(skipped=1, timed=2, rounds=1)
        config = runs.smoke()
        kept, terms = {}, {"minutes": 1.0}
        found = pace.measure({"A": config}, self.path, way, kept, **terms)["A"]
        self.assertGreater(found["ms_per_move"], 0.0)
        self.assertEqual(found["config"], pace.digest(config))
        self.assertContainsSubset(
            ["generator", "discriminator"], found["parameters"]
        )
        self.assertGreater(found["parameters"]["generator"], 100)
        # What is handed on is as it was before.
        fresh = wiring.system(config, wiring.text_encoder(config))
        for name, player in kept["A"].players.items():
            for ours, own in zip(
                player.weights, fresh.players[name].weights, strict=True
            ):
                self.assertAllEqual(ours, own)
        self.assertEqual(int(kept["A"].moves), 0)
        for optimizer in kept["A"].optimizers.values():
            self.assertEqual(int(optimizer.iterations), 0)


class MovesTest(tf.test.TestCase):
    """A budget is whole epochs."""

    def test_moves_are_whole_epochs_that_fit_in(self):
        config = runs.smoke()
        config.train.moves_per_epoch = 50
        self.assertEqual(pace.moves_in(config, 60.0, 100.0), 600)
        self.assertEqual(pace.moves_in(config, 64.99, 100.0), 600)
        self.assertEqual(pace.moves_in(config, 4.9, 100.0), 0)


if __name__ == "__main__":
    tf.test.main()
