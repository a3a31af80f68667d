"""Examines the reader of PyTorch files, honest ones and hostile ones.

The honest files were written by PyTorch (tests/golden/README.md). The hostile
ones are spelled out here, one pickle instruction after the other.
"""

import contextlib
import io
import os
import pathlib
import pickle
import struct
import tempfile
import zipfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.ops import pickle_machine
from keras_t2i.weights import torch_file

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"

BASE = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
HONEST = {
    "plain": BASE,
    "transposed": BASE.transpose(2, 0, 1),
    "strided": BASE.ravel()[1::3],
    "half": BASE.astype(np.float16),
    "bfloat16": BASE / 8,
    "bfloat16_t": (BASE / 8).transpose(2, 1, 0),
    "double": BASE.astype(np.float64),
    "int64": BASE.astype(np.int64),
    "int32": BASE.astype(np.int32),
    "int16": BASE.astype(np.int16),
    "int8": BASE.astype(np.int8),
    "uint8": BASE.astype(np.uint8),
    "bool": BASE > 11,
    "scalar": np.float32(2.5),
    "empty": np.zeros((0, 3), np.float32),
    "parameter": np.arange(3, dtype=np.float32),
    "first": np.arange(6, dtype=np.float32),
    "second": np.arange(4, 10, dtype=np.float32),
    "linear/weight": np.arange(6, dtype=np.float32).reshape(3, 2) / 8,
    "linear/bias": np.array([1, 2, 3], np.float32),
    "norm/weight": np.ones(2, np.float32),
    "norm/bias": np.zeros(2, np.float32),
    "norm/running_mean": np.zeros(2, np.float32),
    "norm/running_var": np.ones(2, np.float32),
    "norm/num_batches_tracked": np.int64(0),
    "rest/list/0": np.ones(2, np.float32),
    "rest/ordered/a": np.zeros(1, np.float32),
}

# Pickle, spelled out.
STOP, MARK, REDUCE, BUILD = b".", b"(", b"R", b"b"
EMPTY_TUPLE, EMPTY_LIST, EMPTY_DICT = b")", b"]", b"}"
TUPLE, TUPLE1, TUPLE2, SETITEM, APPEND = b"t", b"\x85", b"\x86", b"s", b"a"
PERSISTENT = b"Q"
PROTOCOL = b"\x80\x02"


def name(module, attribute):
    """A global."""
    return f"c{module}\n{attribute}\n".encode()


def text(value):
    """A string."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value):
    """A plain value, by Python's own pickle."""
    return pickle.dumps(value, 2)[2:-1]


def storage(count=4, key="0", kind="FloatStorage", view=b"N"):
    """A storage of the older format, which also the newer one may declare."""
    return (
        MARK
        + text("storage")
        + name("torch", kind)
        + text(key)
        + text("cpu")
        + number(count)
        + view
        + TUPLE
        + PERSISTENT
    )


def tensor(offset=0, size=(4,), stride=(1,), stored=None):
    """A tensor, honest as it stands."""
    return (
        name("torch._utils", "_rebuild_tensor_v2")
        + MARK
        + (storage() if stored is None else stored)
        + number(offset)
        + number(size)
        + number(stride)
        + number(False)
        + name("collections", "OrderedDict")
        + EMPTY_TUPLE
        + REDUCE
        + TUPLE
        + REDUCE
    )


def named(value):
    """The pickle of {"w": value}."""
    return PROTOCOL + EMPTY_DICT + text("w") + value + SETITEM + STOP


def beside(value):
    """The pickle of {"w": an honest tensor, "bad": value}."""
    return named(tensor() + SETITEM + text("bad") + value)


def in_zip(content, numbers=b"\0" * 16, key="0", method=zipfile.ZIP_STORED):
    """A file of the zip format."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        file.writestr("archive/data.pkl", content)
        file.writestr("archive/byteorder", "little")
        file.writestr(f"archive/data/{key}", numbers)
    return stream.getvalue()


def in_legacy(content, numbers=b"\0" * 16, keys=("0",), count=4):
    """A file of the older format."""
    system = {"protocol_version": 1001, "little_endian": True}
    head = [0x1950A86A20F9469CFC6C, 1001, system]
    return (
        b"".join(pickle.dumps(each, 2) for each in head)
        + content
        + pickle.dumps(list(keys), 2)
        + struct.pack("<q", count)
        + numbers
    )


def call(function, *arguments):
    """The pickle of function(*arguments)."""
    return function + MARK + b"".join(arguments) + TUPLE + REDUCE


SYSTEM = name("posix", "system")
GETATTR = name("__builtin__", "getattr")
ORDERED = name("collections", "OrderedDict")
REBUILD = name("torch._utils", "_rebuild_tensor_v2")
TOUCH = text("touch executed")
ITSELF = EMPTY_LIST + b"q\x00" + b"h\x00" + APPEND
LAUGHS = EMPTY_LIST + b"".join(
    b"q" + bytes([i]) + b"0" + EMPTY_LIST + (b"h" + bytes([i]) + APPEND) * 9
    for i in range(40)
)
HOSTILE = {
    "system": (call(SYSTEM, TOUCH), "'posix.system'"),
    "system_by_stack": (
        b"\x80\x04" + text("os") + text("system") + b"\x93",
        "'os.system'",
    ),
    "system_by_inst": (MARK + TOUCH + b"iposix\nsystem\n", "INST"),
    "system_by_obj": (MARK + SYSTEM + TOUCH + b"o", "'posix.system'"),
    "eval": (call(name("builtins", "eval"), text("1")), "'builtins.eval'"),
    "getattr": (call(GETATTR, ORDERED, text("__class__")), "getattr"),
    "dotted_name": (
        b"\x80\x04"
        + text("collections")
        + text("OrderedDict.__class__")
        + b"\x93",
        "'collections.OrderedDict.__class__'",
    ),
    "numpy_object": (name("numpy", "ndarray"), "'numpy.ndarray'"),
    "torch_load": (name("torch", "load"), "'torch.load'"),
    "module": (name("models", "Generator"), "'models.Generator'"),
    "newobj": (ORDERED + EMPTY_TUPLE + b"\x81", "NEWOBJ"),
    "extension": (b"\x82\x01", "EXT1"),
    "set": (b"\x8f", "EMPTY_SET"),
    "build_on_dict": (EMPTY_DICT + EMPTY_DICT + BUILD, "adds to something"),
    "build_on_name": (REBUILD + EMPTY_DICT + BUILD, "adds to something"),
    "build_on_tensor": (tensor() + EMPTY_DICT + BUILD, "adds to something"),
    "append_to_dict": (EMPTY_DICT + number(1) + APPEND, "adds to something"),
    "call_of_text": (call(text("os.system"), TOUCH), "no name"),
    "call_of_storage": (call(name("torch", "FloatStorage")), "FloatStorage"),
    "call_of_result": (call(call(ORDERED), TOUCH), "no name"),
    "dict_of_no_pairs": (call(ORDERED, text("ab")), "pairs"),
    "list_for_key": (
        EMPTY_DICT + EMPTY_TUPLE + TUPLE1 + number(1) + SETITEM,
        "keys",
    ),
    "no_mark": (TUPLE, "mark"),
    "nothing_to_take": (b"000000", "takes a value"),
    "never_stored": (b"h\x07", "never stored"),
    "far_memo": (b"j\xff\xff\xff\xff", "never stored"),
    "itself": (ITSELF, "hold themselves"),
    "deep": (EMPTY_LIST * 60 + APPEND * 59, "nested"),
    "deep_tuple": (EMPTY_TUPLE + TUPLE1 * 200_000, "nested"),
    "laughs": (LAUGHS, "repeats its containers"),
    "long_key": (
        EMPTY_DICT + text("k" * 2_000) + tensor() + SETITEM,
        "longer than 1000 letters",
    ),
    "long_path": (
        (EMPTY_DICT + text("k" * 400)) * 3 + tensor() + SETITEM * 3,
        "longer than 1000 letters",
    ),
    "persistent_text": (b"Pstorage\n", "PERSID"),
    "persistent_module": (
        MARK + text("module") + text("class A: pass") + TUPLE + PERSISTENT,
        "no storage",
    ),
    "persistent_number": (number(3) + PERSISTENT, "no storage"),
    "storage_of_no_kind": (storage(kind="Size"), "wrongly"),
    "storage_of_negative": (storage(count=-1), "wrongly"),
    "storage_elsewhere": (
        tensor(stored=storage(key="../../../etc/passwd")),
        "wrongly",
    ),
    "storage_part_outside": (
        tensor(
            stored=storage(
                view=MARK + text("v") + number(1) + number(4) + TUPLE
            )
        ),
        "reaches beyond",
    ),
    "tensor_of_text": (tensor(stored=text("0")), "without a storage"),
    "tensor_outside": (tensor(offset=1), "reaches beyond"),
    "tensor_before": (tensor(offset=-1), "impossible"),
    "tensor_by_stride": (tensor(size=(2,), stride=(4,)), "reaches beyond"),
    "tensor_backwards": (tensor(stride=(-1,)), "counts"),
    "tensor_huge": (tensor(size=(2**40,), stride=(0,)), "more than 64 times"),
    "tensor_of_all_memory": (
        tensor(size=(2**62,) * 9, stride=(0,) * 9),
        "more than 64 times",
    ),
    "tensor_outside_again": (tensor(size=(9, 5), stride=(0, 1)), "reaches"),
    "tensor_negative": (tensor(size=(-4,)), "counts"),
    "tensor_of_ranks": (tensor(size=(1,) * 40, stride=(1,) * 40), "32 axes"),
    "tensor_of_no_machine": (tensor(size=(2**63,)), "counts"),
    "tensor_unequal": (tensor(size=(2, 2)), "impossible"),
    "size_of_text": (call(name("torch", "Size"), text("ab")), "counts"),
    "parameter_of_text": (
        call(
            name("torch._utils", "_rebuild_parameter"),
            text("a"),
            b"N",
            b"N",
        ),
        "no tensor",
    ),
}


class TorchFileTest(parameterized.TestCase, tf.test.TestCase):
    """Tensors come out; nothing else is ever made."""

    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(contextlib.chdir(folder))

    def write(self, data):
        pathlib.Path("weights.pth").write_bytes(data)
        return "weights.pth"

    @parameterized.parameters("torch_zip.pth", "torch_legacy.pth")
    def test_everything_that_torch_wrote_is_read(self, file):
        arrays = torch_file.read(GOLDEN / file)
        self.assertEqual(list(arrays), list(HONEST))
        for key, expected in HONEST.items():
            self.assertEqual(arrays[key].shape, expected.shape, key)
            self.assertAllEqual(arrays[key], expected)
            if not key.startswith("bfloat16"):
                self.assertEqual(arrays[key].dtype, expected.dtype, key)

    @parameterized.parameters(in_zip, in_legacy)
    def test_the_tensor_of_the_hostile_files_is_read_where_honest(self, pack):
        numbers = np.arange(4, dtype=np.float32).tobytes()
        path = self.write(pack(named(tensor()), numbers))
        self.assertAllEqual(torch_file.read(path)["w"], [0, 1, 2, 3])
        part = MARK + text("v") + number(1) + number(3) + TUPLE
        content = named(tensor(size=(3,), stored=storage(view=part)))
        path = self.write(pack(content, numbers))
        self.assertAllEqual(torch_file.read(path)["w"], [1, 2, 3])

    @parameterized.parameters(in_zip, in_legacy)
    def test_expanded_tensors_are_read_as_they_were(self, pack):
        numbers = np.arange(4, dtype=np.float32).tobytes()
        content = named(
            tensor(size=(3, 4), stride=(0, 1))
            + SETITEM
            + text("mask")
            + tensor(size=(1, 512, 512), stride=(0, 0, 0), offset=2)
            + SETITEM
            + text("windows")
            + tensor(size=(3, 2), stride=(1, 1))
        )
        found = torch_file.read(self.write(pack(content, numbers)))
        self.assertAllEqual(found["w"], [[0, 1, 2, 3]] * 3)
        self.assertAllEqual(found["mask"], np.full((1, 512, 512), 2))
        self.assertAllEqual(found["windows"], [[0, 1], [1, 2], [2, 3]])

    def test_all_that_repeats_is_counted_together(self):
        large = tensor(size=(2_000, 2_000), stride=(0, 0))  # 16 MB each.
        self.assertLen(self.many(large, 4), 4)
        with self.assertRaisesRegex(ValueError, "up to '4' repeat the file's"):
            self.many(large, 5)

    def many(self, value, count):
        content = PROTOCOL + EMPTY_LIST + MARK + value * count + b"e" + STOP
        return torch_file.read(self.write(in_zip(content)))

    def test_a_lone_tensor_has_a_name(self):
        path = self.write(in_zip(PROTOCOL + tensor() + STOP))
        self.assertEqual(list(torch_file.read(path)), ["tensor"])

    def test_attributes_of_a_state_dict_are_left_out(self):
        value = ORDERED + EMPTY_TUPLE + REDUCE + EMPTY_DICT + BUILD
        path = self.write(in_zip(named(value)))
        self.assertEqual(torch_file.read(path), {})

    @parameterized.named_parameters(
        (f"{kind}_{pack.__name__}", pack, *case)
        for kind, case in HOSTILE.items()
        for pack in (in_zip, in_legacy)
    )
    def test_a_hostile_file_is_refused_in_a_sentence(self, pack, value, words):
        path = self.write(pack(beside(value)))
        with self.assertRaises(ValueError) as caught:
            torch_file.read(path)
        message = str(caught.exception)
        self.assertIn(words, message)
        self.assertStartsWith(message, "weights.pth was not read: ")
        self.assertLess(len(message), 300)
        self.assertEqual(os.listdir(), ["weights.pth"])

    def test_code_before_the_content_is_not_run(self):
        bomb = PROTOCOL + call(SYSTEM, TOUCH) + STOP
        self.refuses(bomb + in_legacy(named(tensor())), "posix.system")
        self.refuses(pickle.dumps({"a": 1}), "not one that PyTorch wrote")

    def test_the_list_of_storages_must_be_the_one_used(self):
        for keys in ((), ("1",), ("0", "0"), (0,), ("0", "1")):
            self.refuses(in_legacy(named(tensor()), keys=keys), "list of")
        self.refuses(in_legacy(named(tensor()), count=5), "not as long")

    @parameterized.product(pack=(in_zip, in_legacy), count=(5, 2**62))
    def test_a_storage_is_not_longer_than_the_file(self, pack, count):
        content = named(tensor(stored=storage(count)))
        self.refuses(pack(content), "fewer numbers than declared")

    def test_one_storage_has_one_kind(self):
        other = tensor(stored=storage(kind="HalfStorage"))
        both = MARK + tensor() + other + TUPLE
        self.refuses(in_zip(named(both)), "twice")

    def test_two_tensors_never_share_a_name(self):
        inner = EMPTY_DICT + text("b") + tensor() + SETITEM
        content = PROTOCOL + EMPTY_DICT + text("a") + inner + SETITEM
        content += text("a/b") + tensor() + SETITEM + STOP
        self.refuses(in_zip(content), "two tensors called 'a/b'")

    def test_big_endian_numbers_are_refused(self):
        data = in_zip(named(tensor())).replace(b"little", b"BIG   ")
        # The archive's own checksum would notice first: write it anew.
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as file:
            file.writestr("a/data.pkl", named(tensor()))
            file.writestr("a/byteorder", "big")
            file.writestr("a/data/0", b"\0" * 16)
        self.refuses(stream.getvalue(), "big-endian")
        self.refuses(data, "damaged")

    def test_an_archive_of_tricks_is_refused(self):
        content = named(tensor())
        bomb = in_zip(content, b"\0" * 10_000, method=zipfile.ZIP_DEFLATED)
        self.refuses(bomb, "compressed")
        self.refuses(in_zip(content, key="1"), "archive/data/0")
        self.refuses(in_zip(content, key="../data/0"), "archive/data/0")
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as file:
            for folder in "ab":
                file.writestr(f"{folder}/data.pkl", content)
        self.refuses(stream.getvalue(), "2 files data.pkl")
        # A member that claims to be larger than it is.
        data = bytearray(in_zip(content))
        place = data.rindex(b"PK\x01\x02")
        data[place + 20 : place + 28] = struct.pack("<II", 2**31, 2**31)
        self.refuses(bytes(data), "larger than the file")

    @parameterized.parameters("torch_zip.pth", "torch_legacy.pth")
    def test_a_cut_file_is_refused(self, file):
        data = (GOLDEN / file).read_bytes()
        for length in [*range(0, len(data) - 1, 97), len(data) - 1]:
            self.refuses(data[:length], "weights.pth")

    def test_a_scrambled_file_never_does_worse_than_a_sentence(self):
        random = np.random.RandomState(0)
        for file in ("torch_zip.pth", "torch_legacy.pth"):
            data = np.frombuffer((GOLDEN / file).read_bytes(), np.uint8)
            for _ in range(300):
                bad = data.copy()
                places = random.randint(0, 2000, random.randint(1, 6))
                bad[places] = random.randint(0, 256, len(places))
                try:
                    torch_file.read(self.write(bad.tobytes()))
                except ValueError as error:
                    self.assertIn("weights.pth", str(error))
        self.assertEqual(os.listdir(), ["weights.pth"])

    @parameterized.parameters(in_zip, in_legacy)
    def test_a_list_that_becomes_many_dicts_is_refused(self, pack):
        rows = number([(i, None) for i in range(10_000)]) + b"q\xff0"
        once = ORDERED + b"h\xff" + TUPLE1 + REDUCE + b"0"
        twice = pack(named(rows + once * 2 + tensor()))
        self.assertIn("w", torch_file.read(self.write(twice)))
        bomb = pack(named(rows + once * 200 + tensor()))
        self.refuses(bomb, "repeats its containers")

    @parameterized.parameters(b"N", tensor(), EMPTY_LIST)
    def test_one_list_under_a_long_name_is_refused_in_time(self, item):
        # All the names together would be longer than the file many times.
        items = EMPTY_LIST + item + b"q\xff" + APPEND
        items += MARK + b"h\xff" * 10_000 + b"e"
        rows = items + b"q\xfe0" + EMPTY_DICT + MARK
        for i in range(200):
            rows += text(f"{i}" + "k" * 900) + b"h\xfe"
        self.refuses(in_zip(named(rows + b"u")), "repeats its containers")

    def test_a_file_of_one_value_that_is_no_tensor_is_empty(self):
        for value in (number(3), text("abc"), b"N"):
            path = self.write(in_zip(PROTOCOL + value + STOP))
            self.assertEqual(torch_file.read(path), {})

    def test_a_long_name_is_read_and_longer_ones_of_text_do_not_matter(self):
        content = text("k" * 900) + tensor() + SETITEM
        content += text("k" * 2_000) + text("a caption")
        path = self.write(in_zip(PROTOCOL + EMPTY_DICT + content + b"s."))
        self.assertEqual(list(torch_file.read(path)), ["k" * 900])

    def test_a_shape_of_many_axes_is_refused_before_it_is_copied(self):
        shape = name("torch", "Size") + number(([1] * 10_000,)) + REDUCE
        self.refuses(in_zip(named(shape)), "more than 32 axes")

    @parameterized.parameters(in_zip, in_legacy)
    def test_large_checkpoints_need_nothing_to_spare(self, pack):
        self.enterContext(mock.patch.object(pickle_machine, "_SPARE", 0))
        rows = [(f"blocks.{i}.weight", 0) for i in range(10_000)]
        content = PROTOCOL + EMPTY_DICT + MARK
        content += text("metadata") + call(ORDERED, number(rows))
        content += text("groups") + number([{"params": list(range(10_000))}])
        content += text("state") + EMPTY_DICT + MARK
        for i in range(1_000):
            moments = text("exp_avg") + tensor() + text("square") + tensor()
            content += number(i) + EMPTY_DICT + MARK + moments + b"u"
        found = torch_file.read(self.write(pack(content + b"uu" + STOP)))
        self.assertLen(found, 2_000)
        self.assertIn("state/999/exp_avg", found)

    def refuses(self, data, words):
        with self.assertRaisesRegex(ValueError, words):
            torch_file.read(self.write(data))


if __name__ == "__main__":
    tf.test.main()
