"""Examines the files of arrays that are read."""

import io
import json
import os
import pathlib
import struct
import tempfile
import zipfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.weights import arrays

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


def npz(**kinds):
    """The bytes of an .npz."""
    stream = io.BytesIO()
    np.savez(stream, **kinds)
    return stream.getvalue()


def safetensors(header, numbers):
    """The format as its documentation spells it."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + numbers


def entry(kind, shape, start, end):
    """One tensor of a .safetensors header."""
    return {"dtype": kind, "shape": shape, "data_offsets": [start, end]}


class ReadTest(parameterized.TestCase, tf.test.TestCase):
    """What a file is lies in its bytes."""

    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = os.path.join(folder, "file.any")

    def read(self, data):
        pathlib.Path(self.path).write_bytes(data)
        return arrays.read(self.path)

    def refuses(self, data, words):
        with self.assertRaisesRegex(ValueError, words) as caught:
            self.read(data)
        self.assertIn("file.any", str(caught.exception))

    def test_npz_is_read(self):
        found = self.read(npz(a=np.arange(3), b=np.float16([[1.5]])))
        self.assertEqual(list(found), ["a", "b"])
        self.assertAllEqual(found["a"], [0, 1, 2])
        self.assertEqual(found["b"].dtype, np.float16)

    def test_pytorch_is_read(self):
        data = (GOLDEN / "torch_zip.pth").read_bytes()
        self.assertIn("linear/weight", self.read(data))
        data = (GOLDEN / "torch_legacy.pth").read_bytes()
        self.assertIn("linear/weight", self.read(data))

    @parameterized.parameters(
        ("F64", "<f8"),
        ("F32", "<f4"),
        ("F16", "<f2"),
        ("I64", "<i8"),
        ("I32", "<i4"),
        ("U8", "u1"),
        ("BOOL", "?"),
    )
    def test_safetensors_of_every_kind_are_read(self, kind, ours):
        expected = np.array([[0, 1], [1, 0], [1, 1]]).astype(ours)
        size = expected.nbytes
        header = {"__metadata__": {"format": "pt"}}
        header["w"] = entry(kind, [3, 2], 0, size)
        found = self.read(safetensors(header, expected.tobytes()))
        self.assertEqual(list(found), ["w"])
        self.assertEqual(found["w"].dtype, expected.dtype)
        self.assertAllEqual(found["w"], expected)

    def test_bfloat16_is_read_as_the_equal_float32(self):
        # Sign, exponent and 7 bits: 1.0 = 3f80, -2.5 = c020, 2**-126 = 0080.
        numbers = struct.pack("<3H", 0x3F80, 0xC020, 0x0080)
        found = self.read(safetensors({"w": entry("BF16", [3], 0, 6)}, numbers))
        self.assertEqual(found["w"].dtype, np.float32)
        self.assertAllEqual(found["w"], np.float32([1.0, -2.5, 2.0**-126]))

    def test_damaged_safetensors_are_refused(self):
        good = safetensors({"w": entry("F32", [2], 0, 8)}, b"\0" * 8)
        self.assertAllEqual(self.read(good)["w"], [0, 0])
        self.refuses(good[:-1], "not a readable .safetensors")
        self.refuses(good[:12], "not a readable .safetensors")
        self.refuses(struct.pack("<Q", 2**62) + good[8:], "not a readable")
        for wrong in (
            entry("F32", [2], 8, 16),
            entry("F32", [3], 0, 8),
            entry("F32", [2**60, 2**60], 0, 8),
            entry("F32", [2], 8, 0),
            entry("nonsense", [2], 0, 8),
        ):
            data = safetensors({"w": wrong}, b"\0" * 8)
            self.refuses(data, "not a readable .safetensors")

    def test_a_kind_that_numpy_lacks_is_refused_by_name(self):
        data = safetensors({"w": entry("F8_E4M3", [2], 0, 2)}, b"\0" * 2)
        self.refuses(data, "'w' as F8_E4M3")

    def test_pickled_objects_in_npz_are_refused(self):
        self.refuses(npz(a=np.array([{}], dtype=object)), "not a readable .npz")

    def test_damaged_npz_are_refused(self):
        data = npz(a=np.arange(30))
        self.refuses(data[:100], "not a readable .npz")
        scrambled = data.replace(bytes(np.arange(30)[:9]), b"\xff" * 72)
        self.refuses(scrambled, "not a readable .npz")
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d,)}"
        header %= 2**55
        header += b" " * (118 - len(header) - 1) + b"\n"
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as file:
            start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header))
            file.writestr("a.npy", start + header)
        self.refuses(stream.getvalue(), "not a readable .npz")

    @parameterized.parameters(b"", b"GIF89a", b"\x00" * 40, b"PK")
    def test_other_files_are_refused(self, data):
        self.refuses(data, "file.any")

    def test_a_missing_file_is_an_oserror(self):
        with self.assertRaises(FileNotFoundError):
            arrays.read(self.path)


class UnderTest(tf.test.TestCase):
    """A part of a file by its prefix."""

    def test_prefix_is_cut_off(self):
        found = arrays.under({"g/a": 1, "d/a": 2, "a": 3}, "g/")
        self.assertEqual(found, {"a": 1})

    def test_a_prefix_that_nothing_has_is_refused(self):
        with self.assertRaisesRegex(ValueError, "'x/'; the first names are g"):
            arrays.under({"g": 1}, "x/")


if __name__ == "__main__":
    tf.test.main()
