"""Examines the reader of idx files."""

import gzip
import pathlib
import struct
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import idx


def written(table):
    """Lays a table out byte by byte, as the format's page says."""
    data = bytearray([0, 0, 8, table.ndim])
    for length in table.shape:
        data += struct.pack(">I", length)
    for number in table.ravel():
        data.append(int(number))
    return bytes(data)


TABLE = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4) * 10
PLAIN = written(TABLE)


class IdxTest(parameterized.TestCase, tf.test.TestCase):
    """What was written is read, and nothing else."""

    def setUp(self):
        super().setUp()
        here = self.enterContext(tempfile.TemporaryDirectory())
        self.path = pathlib.Path(here) / "some-idx3-ubyte"

    def read(self, data, axes=3):
        self.path.write_bytes(data)
        return idx.read(self.path, axes)

    @parameterized.parameters(PLAIN, gzip.compress(PLAIN))
    def test_plain_and_gzipped_files_are_read(self, data):
        found = self.read(data)
        self.assertEqual(found.dtype, np.uint8)
        self.assertAllEqual(found, TABLE)

    @parameterized.parameters((0,), (3,))
    def test_labels_have_one_axis(self, count):
        labels = np.arange(count, dtype=np.uint8)
        self.assertAllEqual(self.read(written(labels), 1), labels)

    @parameterized.named_parameters(
        (
            "axes",
            PLAIN,
            1,
            "begins with 00 00 08 03; .* begins with 00 00 08 0",
        ),
        ("kind", b"\0\0\x0d" + PLAIN[3:], 3, "begins with 00 00 0d 03; an"),
        ("other", b"\x89PNG\r\n", 3, "begins with 89 50 4e 47; an idx file"),
        ("empty", b"", 3, "begins with nothing; an idx file of bytes with 3"),
        ("headless", PLAIN[:9], 3, "begins with 00 00 08 03; an idx file"),
        ("shorter", PLAIN[:-1], 3, "holds 2 x 3 x 4 bytes, but 23 follow"),
        ("longer", PLAIN + b"\0", 3, "holds 2 x 3 x 4 bytes, but 25 follow"),
        ("cut", gzip.compress(PLAIN)[:-9], 3, "is gzipped but damaged or cut"),
        ("broken", b"\x1f\x8b" + PLAIN, 3, "is gzipped but damaged or cut"),
        ("rotten", b"\x1f\x8b\x08" + b"\xff" * 99, 3, "is gzipped but damage"),
    )
    def test_other_files_get_a_sentence(self, data, axes, told):
        with self.assertRaisesRegex(ValueError, f"some-idx3-ubyte.*{told}"):
            self.read(data, axes)

    def test_missing_file_gets_a_sentence(self):
        with self.assertRaisesRegex(ValueError, "can't be read: No such file"):
            idx.read(self.path, 3)


if __name__ == "__main__":
    tf.test.main()
