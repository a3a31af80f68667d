"""Examines what is said about memory."""

import os
import pathlib
import resource
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.ops import memory

CARD = "GPU:0"


class MemoryTest(parameterized.TestCase, tf.test.TestCase):
    """What is taken is counted; what there is, is asked for."""

    def with_driver(self, script):
        """Puts a driver's command in front of all others."""
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        path = folder / "nvidia-smi"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        way = f"{folder}{os.pathsep}{os.environ['PATH']}"
        self.enterContext(mock.patch.dict(os.environ, PATH=way))

    def with_cards(self, peaks):
        """Makes TensorFlow hold so many cards, each with its peak."""
        names = [f"GPU:{number}" for number in range(len(peaks))]
        told = {
            name: {"current": 1, "peak": peak}
            for name, peak in zip(names, peaks, strict=True)
        }
        config = tf.config
        self.enterContext(
            mock.patch.object(
                config, "list_logical_devices", return_value=names
            )
        )
        self.enterContext(
            mock.patch.object(
                config.experimental, "get_memory_info", told.__getitem__
            )
        )

    def test_peak_grows_with_what_is_held(self):
        before = memory.usage()["processor"]
        spare = before.peak - before.held
        held = np.ones(spare + 2**27, np.uint8)  # touched, so it is there
        after = memory.usage()["processor"]
        self.assertGreater(after.peak - before.peak, 2**26)
        self.assertLess(after.peak - before.peak, 2**29)
        self.assertEqual(after.limit, before.limit)
        self.assertLen(held, spare + 2**27)

    def test_limit_is_the_machine_s_or_the_container_s(self):
        machine = os.sysconf("SC_PHYS_PAGES") * resource.getpagesize()
        path = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory()), "memory.max"
        )
        for text, limit in (("123456\n", 123456), ("max\n", machine)):
            path.write_text(text)
            with mock.patch.object(memory, "_CONTAINER", path):
                self.assertEqual(memory.usage()["processor"].limit, limit)

    def test_cards_are_counted_one_by_one_against_the_smallest(self):
        self.with_cards([7, 5])
        self.with_driver("echo 16384; echo 8192")
        usage = memory.usage()
        self.assertEqual(usage["GPU:0"], memory.Usage(1, 7, 8192 * 2**20))
        self.assertEqual(usage["GPU:1"], memory.Usage(1, 5, 8192 * 2**20))
        self.assertIn("processor", usage)

    @parameterized.parameters("exit 9", "echo nothing here", "true")
    def test_driver_that_knows_nothing_leaves_the_limit_open(self, script):
        self.with_cards([7])
        self.with_driver(script)
        self.assertEqual(memory.usage()["GPU:0"], memory.Usage(1, 7, None))

    def test_room_is_what_is_left_in_units_of_what_grew(self):
        before = memory.Usage(1_000, 2_500, 9_000)
        after = memory.Usage(2_000, 3_000, 9_000)
        self.assertEqual(memory.room(before, after), 4.0)

    def test_room_is_unknown_without_growth_or_limit(self):
        one = memory.Usage(1_000, 1_000, 9_000)
        self.assertIsNone(memory.room(one, one))
        self.assertIsNone(memory.room(one, memory.Usage(1, 3_000, None)))

    def test_room_of_what_is_full_is_not_below_nothing(self):
        full = memory.Usage(9_500, 9_500, 9_000)
        after = memory.Usage(9_500, 9_600, 9_000)
        self.assertEqual(memory.room(full, after), 0.0)


if __name__ == "__main__":
    tf.test.main()
