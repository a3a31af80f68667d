"""Examines single records, read in any order."""

import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf

from keras_t2i.ops import record_files

CONTENTS = [b"first", b"", b"a longer record " * 40, b"last"]
# A program that ends while its background threads still read ahead.
PROGRAM = """
import sys
import tensorflow as tf
from tests.ops import record_files_test as t
path, offset, length = t.written(sys.argv[1])
rows = tf.data.Dataset.range(1 << 40)
stream = rows.map(
    lambda row: t.record_files.read(path, offset[2], length[2]),
    num_parallel_calls=4,
).prefetch(10_000)
iterator = iter(stream)
next(iterator)
print("end")
"""


def written(folder):
    """A file, and where its records lie."""
    path = os.path.join(folder, "some.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for content in CONTENTS:
            writer.write(content)
    length = np.array([len(content) for content in CONTENTS])
    framed = length + record_files.HEAD + record_files.TAIL
    offset = np.cumsum(framed) - framed + record_files.HEAD
    return tf.constant(path), tf.constant(offset), tf.constant(length)


class ReadTest(tf.test.TestCase):
    """Records come one by one."""

    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path, self.offset, self.length = written(folder)

    def read(self, row):
        return record_files.read(self.path, self.offset[row], self.length[row])

    def test_any_order_eagerly_and_in_streams(self):
        order = [2, 0, 3, 1, 2]
        self.assertEqual(
            [self.read(row).numpy() for row in order],
            [CONTENTS[row] for row in order],
        )
        stream = tf.data.Dataset.from_tensor_slices(order).map(
            lambda row: record_files.read(
                self.path,
                tf.gather(self.offset, row),
                tf.gather(self.length, row),
            ),
            num_parallel_calls=2,
        )
        self.assertEqual(
            list(stream.as_numpy_iterator()), [CONTENTS[row] for row in order]
        )

    def test_damage_is_noticed(self):
        with open(self.path.numpy(), "r+b") as file:
            file.seek(int(self.offset[2]) + 7)
            file.write(b"?")
        self.assertEqual(self.read(3).numpy(), CONTENTS[3])
        with self.assertRaises(tf.errors.DataLossError):
            self.read(2)

    def test_file_that_became_shorter_is_named(self):
        os.truncate(self.path.numpy(), int(self.offset[2]) - record_files.HEAD)
        self.assertEqual(self.read(0).numpy(), CONTENTS[0])
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "some.tfrecord has changed since"
        ):
            self.read(2)

    def test_missing_file_is_named(self):
        os.remove(self.path.numpy())
        with self.assertRaisesRegex(tf.errors.NotFoundError, "some.tfrecord"):
            self.read(0)


class CheckTest(tf.test.TestCase):
    """Files are looked at before a stream begins."""

    def test_short_and_missing_files_are_named(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        path, offset, length = written(folder)
        path = path.numpy().decode()
        places = np.zeros(4, int), offset.numpy(), length.numpy()
        record_files.check([path], *places)
        # A file of which no record is wanted may be gone.
        record_files.check([path, "nowhere"], *places)
        os.truncate(path, os.path.getsize(path) - 1)
        with self.assertRaisesRegex(ValueError, f"{path} has 7.. bytes; it"):
            record_files.check([path], *places)
        os.remove(path)
        with self.assertRaisesRegex(ValueError, f"no record file {path}"):
            record_files.check([path], *places)


class EndTest(tf.test.TestCase):
    """A program ends though its stream has not."""

    def test_program_ends_while_records_are_read_ahead(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        root = pathlib.Path(__file__).resolve().parents[2]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, folder],
            stdout=subprocess.PIPE,
            env={
                **os.environ,
                "PYTHONPATH": str(root),
                "TF_CPP_MIN_LOG_LEVEL": "3",
            },
            timeout=120,
            check=True,
        )
        self.assertEqual(done.stdout, b"end\n")


if __name__ == "__main__":
    tf.test.main()
