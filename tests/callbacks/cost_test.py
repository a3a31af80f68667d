"""Examines what is said about a run's cost."""

import time
import types
from unittest import mock

import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import callbacks
from keras_t2i.ops import memory


class CostTest(parameterized.TestCase, tf.test.TestCase):
    """After some moves, one sentence says what the run will cost."""

    def said(self, seconds, usages, *, moves=1_000, begun=0, **kwargs):
        """Plays moves that take so many seconds; answers what was said."""
        said = []
        game = types.SimpleNamespace(
            moves=tf.Variable(begun), batches_per_move=2
        )
        cost = callbacks.Cost(64, moves, tell=said.append, **kwargs)
        cost.set_model(game)
        clock = mock.patch.object(time, "perf_counter").start()
        usage = mock.patch.object(memory, "usage", side_effect=usages).start()
        self.addCleanup(mock.patch.stopall)
        now = 100.0
        cost.on_train_begin()
        cost.on_train_begin()  # An epoch's rest is a fit of its own.
        for number, length in enumerate(seconds):
            clock.return_value = now
            cost.on_train_batch_begin(number)
            now += length
            clock.return_value = now
            game.moves.assign_add(1)
            cost.on_train_batch_end(number)
        mock.patch.stopall()
        del usage
        return said

    def test_speed_span_memory_and_room_are_said_once(self):
        gigabyte = 10**9
        usages = [
            {"processor": memory.Usage(gigabyte, gigabyte, 9 * gigabyte)},
            {"processor": memory.Usage(1, 2 * gigabyte, 9 * gigabyte)},
        ]
        said = self.said([9.0, 9.0, 9.0] + [0.5] * 27, usages)
        self.assertLen(said, 1)
        # 980 moves of half a second; 8 times what 64 pictures took is left.
        self.assertEqual(
            said[0],
            "\nAfter 20 moves: 500 ms a move, 256 pictures/s, 8.17 minutes to "
            "the end; at most 2.00 of 9.0 GB (processor) of memory: batches of "
            "510 should fit.",
        )

    def test_slow_speed_is_not_nothing(self):
        usage = {"processor": memory.Usage(1, 1, 2)}
        said = self.said([40.0] * 20, [usage, usage])
        self.assertIn(": 40,000 ms a move, 3.20 pictures/s, ", said[0])

    def test_fewer_moves_say_nothing(self):
        self.assertEmpty(self.said([0.1] * 19, [{}]))

    def test_fullest_card_bounds_the_batch_and_the_processor_does_not(self):
        def usage(first, second):
            return {
                "processor": memory.Usage(90, 90, 100),
                "GPU:0": memory.Usage(first, first, 100),
                "GPU:1": memory.Usage(second, second, 100),
            }

        said = self.said(
            [1.0] * 2, [usage(0, 0), usage(10, 20)], after=2, skip=1
        )
        self.assertIn("batches of 320 should fit", said[0])
        self.assertIn("(GPU:1)", said[0])

    def test_unknown_limit_promises_nothing(self):
        usages = [{"GPU:0": memory.Usage(n, n, None)} for n in (1, 2 * 10**9)]
        said = self.said([1.0] * 2, usages, after=2, skip=1)
        self.assertEndsWith(said[0], "at most 2.00 GB (GPU:0) of memory.")

    @parameterized.parameters(
        (0.1, "a second"),
        (60.0, "60 seconds"),
        (90.0, "1.5 minutes"),
        (7_200.0, "2 hours"),
        (1_209_600.0, "14 days"),
    )
    def test_span_is_in_a_unit_that_people_use(self, left, words):
        usages = [{"processor": memory.Usage(1, 1, None)}] * 2
        said = self.said([left] * 2, usages, after=2, skip=1, moves=3)
        self.assertIn(f" {words} to the end", said[0])


if __name__ == "__main__":
    tf.test.main()
