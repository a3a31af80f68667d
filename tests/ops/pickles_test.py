"""Examines the reader of strangers' pickles, honest ones and hostile ones.

Python writes the honest ones, but for Python 2's, which are spelled out here
as it wrote them; so are the hostile ones.
"""

import collections
import contextlib
import os
import pathlib
import pickle
import struct
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.ops import pickle_machine, pickles

PLAIN = {
    "numbers": [0, 1, -1, 300, 70_000, 2**70, -(2**40), 1.5, float("inf")],
    "constants": (True, False, None),
    "text": ["", "a", "caf\xe9", "\N{PARROT}", "a\nb\\c'd\"", "x" * 300],
    "bytes": [b"", b"\x00\xff'", bytes(range(256)) * 2],
    "containers": ([], (), {}, [[]], (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
    "words_by_number": {0: "<end>", 1: "bird", 2: "red"},
    "other_keys": {None: 1, True: 2, 2.5: 3, b"k": 4},
    "captions": [[[1, 2], [3]], [[4, 500]], {1: "a"}, {"a": 1}],
    "sets": [{1}, {"b"}, set(), frozenset([None]), frozenset()],
    "many": [list(range(3_000)), {i: str(i) for i in range(3_000)}],
}
ARRAYS = {
    "float64": np.arange(6.0).reshape(2, 3) / 7,
    "float32": np.arange(6, dtype=np.float32),
    "half": np.arange(6, dtype=np.float16),
    "int64": np.arange(5) - 2,
    "uint8": np.arange(256, dtype=np.uint8),
    "big_endian": np.arange(5, dtype=">i4") - 2,
    "bool": np.array([True, False]),
    "complex": np.arange(3) + 2j,
    "fortran": np.asfortranarray(np.arange(12).reshape(3, 4)),
    "strided": np.arange(20)[3::4],
    "scalar": np.array(3.5),
    "empty": np.zeros((0, 3)),
    "large": np.arange(5_000),
    "text": np.array([["a", "caf\xe9"], ["", "\N{PARROT}"]]),
    "bytes": np.array([b"a", b"bc\xff"]),
    "objects": np.array([["a", 1], [None, "b"]], dtype=object),
    "fortran_objects": np.asfortranarray(
        np.array([["a", 1], [None, "b"]], dtype=object)
    ),
}
SCALARS = [
    np.float32(1.5),
    np.int64(-3),
    np.uint8(255),
    np.bool_(True),
    np.str_("caf\xe9"),
    np.str_(""),
    np.bytes_(b"a\xff"),
]

PROTOCOLS = [0, 1, 2, 3, 4, 5]
PROTOCOL = b"\x80\x02"
HEAD = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85"
HEAD += b"U\x01b\x87R"


def dtype(
    kind, state=b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00"
):
    """A dtype, as Python 2 wrote it."""
    text = b"U" + bytes([len(kind)]) + kind
    return b"cnumpy\ndtype\n" + text + b"K\x00K\x01\x87R" + state + b"tb"


def array(shape, kind, data, order=b"\x89"):
    """An array, as Python 2 wrote it."""
    axes = b"(" + b"".join(number(size) for size in shape) + b"t"
    return HEAD + b"(K\x01" + axes + dtype(kind) + order + data + b"tb"


def number(value):
    """A number, by Python's own pickle."""
    return pickle.dumps(value, 2)[2:-1]


def old(data):
    """A long str of Python 2."""
    return b"T" + struct.pack("<i", len(data)) + data


PYTHON_2 = {
    "names_0": (
        b"(lp0\nS'001.Albatross/a_18'\np1\naS'it\\'s'\np2\naVcaf\xe9\np3\na.",
        ["001.Albatross/a_18", "it's", "caf\xe9"],
    ),
    "names_1": (b"]q\x00(U\x01aq\x01U\x02bcq\x02e.", ["a", "bc"]),
    "names_2": (b"\x80\x02]q\x00(U\x01aq\x01U\x02bcq\x02e.", ["a", "bc"]),
    "utf8_0": (b"S'caf\\xc3\\xa9'\n.", "caf\xe9"),
    "latin_0": (b"S'caf\\xe9'\n.", "caf\xe9"),
    "utf8_2": (b"\x80\x02U\x05caf\xc3\xa9.", "caf\xe9"),
    "latin_2": (b"\x80\x02U\x04caf\xe9.", "caf\xe9"),
    "long_text": (b"\x80\x02" + old(b"ab" * 200) + b".", "ab" * 200),
    "words": (
        b"(dp0\nI0\nS'<end>'\np1\nsI1\nS'bird'\np2\nsL2L\nVred\np3\ns.",
        {0: "<end>", 1: "bird", 2: "red"},
    ),
    "bools": (b"(I01\nI00\nI1\nF2.5\nNt.", (True, False, 1, 2.5, None)),
    "ordered": (
        b"\x80\x02ccollections\nOrderedDict\nq\x00]q\x01]q\x02(U\x01aq\x03K"
        b"\x01ea\x85Rq\x04.",
        {"a": 1},
    ),
    "default": (
        b"\x80\x02ccollections\ndefaultdict\nq\x00c__builtin__\nlist\nq\x01"
        b"\x85Rq\x02K\x05]q\x03K\x07as.",
        {5: [7]},
    ),
    "set": (
        b"\x80\x02c__builtin__\nset\nq\x00]q\x01(K\x01K\x02e\x85R.",
        {1, 2},
    ),
}
PYTHON_2_ARRAYS = {
    "protocol_0": (
        b"cnumpy.core.multiarray\n_reconstruct\np0\n(cnumpy\nndarray\np1\n"
        b"(I0\ntp2\nS'b'\np3\ntp4\nRp5\n(I1\n(I2\ntp6\ncnumpy\ndtype\np7\n"
        b"(S'i4'\np8\nI0\nI1\ntp9\nRp10\n(I3\nS'<'\np11\nNNNI-1\nI-1\nI0\n"
        b"tp12\nbI00\nS'\\x01\\x00\\x00\\x00\\xe9\\x00\\x00\\x00'\np13\n"
        b"tp14\nb.",
        np.array([1, 0xE9], np.int32),
    ),
    "bytes_that_are_utf8": (
        PROTOCOL + array([4], b"u1", old(b"\xc3\xa9a\x00")) + b".",
        np.array([0xC3, 0xA9, 97, 0], np.uint8),
    ),
    "bytes_that_are_not": (
        PROTOCOL + array([4], b"u1", old(b"\xff\xa9a\x80")) + b".",
        np.array([0xFF, 0xA9, 97, 0x80], np.uint8),
    ),
    "floats": (
        PROTOCOL
        + array([2, 2], b"f8", old(struct.pack("<4d", 1, -2, 3, 0.1)))
        + b".",
        np.array([[1, -2], [3, 0.1]]),
    ),
    "fortran": (
        PROTOCOL + array([2, 2], b"u1", old(b"\1\2\3\4"), b"\x88") + b".",
        np.array([[1, 3], [2, 4]], np.uint8),
    ),
    "number": (
        PROTOCOL
        + b"cnumpy.core.multiarray\nscalar\n"
        + dtype(b"i8")
        + old(struct.pack("<q", -5))
        + b"\x86R.",
        np.int64(-5),
    ),
}


def call(name, *arguments):
    """The pickle of name(*arguments)."""
    return name + b"(" + b"".join(arguments) + b"tR"


def text(value):
    """A string."""
    return b"X" + struct.pack("<I", len(value)) + value.encode()


SYSTEM = b"cposix\nsystem\n"
TOUCH = text("touch executed")
LAUGHS = b"]" + b"".join(
    b"q" + bytes([i]) + b"0]" + (b"h" + bytes([i]) + b"a") * 9
    for i in range(40)
)
FRAME = b"cnumpy.core.numeric\n_frombuffer\n"
LARGE = old(b"x" * 100_000) + b"q\x010" + dtype(b"u1") + b"q\x020"
AGAIN = HEAD + b"(K\x01(" + number(100_000) + b"th\x02\x89h\x01tb"
HOSTILE = {
    "system": (call(SYSTEM, TOUCH), "it asks for 'posix.system'; only plain"),
    "system_by_stack": (text("os") + text("system") + b"\x93", "'os.system'"),
    "system_by_inst": (b"(" + TOUCH + b"iposix\nsystem\n", "INST"),
    "system_by_obj": (b"(" + SYSTEM + TOUCH + b"o", "'posix.system'"),
    "system_in_an_array": (
        array([1], b"O8", b"]" + call(SYSTEM, TOUCH) + b"a"),
        "'posix.system'",
    ),
    "eval": (call(b"c__builtin__\neval\n", text("1")), "__builtin__.eval"),
    "getattr": (call(b"cbuiltins\ngetattr\n", TOUCH), "builtins.getattr"),
    "dotted": (
        text("numpy") + text("ndarray.tofile") + b"\x93",
        "'numpy.ndarray.tofile'",
    ),
    "numpy_load": (b"cnumpy\nload\n", "'numpy.load'"),
    "masked": (b"cnumpy.ma.core\n_mareconstruct\n", "numpy.ma.core"),
    "reconstructor": (b"ccopy_reg\n_reconstructor\n", "copy_reg"),
    "class": (b"cdatasets\nTextDataset\n", "'datasets.TextDataset'"),
    "newobj": (b"ccollections\nOrderedDict\n)\x81", "NEWOBJ"),
    "extension": (b"\x82\x01", "EXT1"),
    "stored_aside": (b"Pabc\n", "PERSID"),
    "buffer_aside": (b"\x97", "NEXT_BUFFER"),
    "call_of_text": (call(TOUCH, TOUCH), "no name"),
    "call_of_array": (call(b"cnumpy\nndarray\n", number((9,))), "ndarray"),
    "lone_name": (b"cnumpy\nndarray\n", "a name or a dtype"),
    "lone_dtype": (b"]" + dtype(b"i4") + b"a", "a name or a dtype"),
    "name_in_objects": (
        array([1], b"O8", b"]cnumpy\nndarray\na"),
        "a name or a dtype",
    ),
    "build_on_dict": (b"}}b", "adds to something"),
    "build_on_name": (b"cnumpy\nndarray\n}b", "adds to something"),
    "build_of_array_by_dict": (HEAD + b"}b", "adds to something"),
    "list_as_key": (b"}]K\x01s", "keys"),
    "list_in_a_set": (b"\x8f(]\x90", "a set of more"),
    "tuple_in_a_set": (b"\x8f()\x90", "a set of more"),
    "set_of_number": (call(b"c__builtin__\nset\n", b"K\x01"), "a set that"),
    "bytes_of_number": (
        call(b"c__builtin__\nbytes\n", number(2**40)),
        "bytes that are not",
    ),
    "bytes_by_codec": (
        call(b"c_codecs\nencode\n", TOUCH, text("zlib")),
        "bytes that are not",
    ),
    "itself": (b"]q\x00h\x00a", "hold themselves"),
    "deep": (b"]" * 60 + b"a" * 59, "nested"),
    "deep_tuple": (b")" + b"\x85" * 200_000, "nested"),
    "laughs": (LAUGHS, "repeats its containers"),
    "array_too_short": (array([5], b"u1", old(b"abcd")), "too few"),
    "array_too_long": (array([3], b"u1", old(b"abcd")), "too few or too many"),
    "array_huge": (array([2**40], b"f8", old(b"abcd")), "repeats"),
    "array_of_all_memory": (array([2**62] * 9, b"f8", old(b"")), "repeats"),
    "array_without_items": (array([2**40, 0], b"f8", old(b"")), "repeats"),
    "array_of_no_bytes": (array([2**40], b"S0", old(b"")), "repeats"),
    "array_negative": (array([-4], b"u1", old(b"abcd")), "counts"),
    "array_of_axes": (array([1] * 40, b"u1", old(b"a")), "32 axes"),
    "array_of_list": (array([1], b"u1", b"]K\x01a"), "no bytes"),
    "array_without_dtype": (
        HEAD + b"(K\x01)N\x89" + old(b"a") + b"tb",
        "without a dtype",
    ),
    "objects_of_text": (array([1], b"O8", old(b"abcdefgh")), "too few"),
    "objects_too_few": (array([2], b"O8", b"]Na"), "too few"),
    "objects_in_a_buffer": (
        FRAME + b"(" + old(b"abcdefgh") + dtype(b"O8") + b")U\x01CtR",
        "too few",
    ),
    "object_scalar": (
        b"cnumpy.core.multiarray\nscalar\n" + dtype(b"O8") + b"]Na\x86R",
        "no number",
    ),
    "not_unicode": (array([1], b"U1", old(b"\xff\xff\xff\x7f")), "Unicode"),
    "kind_of_records": (array([1], b"V8", old(b"abcdefgh")), "'V8'"),
    "kind_of_dates": (array([1], b"M8", old(b"abcdefgh")), "'M8'"),
    "kind_of_many": (array([1], b"(9,)f8", old(b"abcdefgh")), "'(9,)f8'"),
    "kind_of_commas": (array([1], b"f8,f8", old(b"abcdefgh")), "'f8,f8'"),
    "kind_unknown": (array([1], b"f3", old(b"abc")), "'f3'"),
    "records": (
        dtype(b"i4", b"(K\x03U\x01<N(U\x01at}K\x04K\x01K\x00"),
        "records",
    ),
    "byte_order": (
        dtype(b"i4", b"(K\x03U\x01!NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00"),
        "byte order",
    ),
    "array_again_and_again": (LARGE + AGAIN * 100, "repeats"),
}


class PicklesTest(parameterized.TestCase, tf.test.TestCase):
    """Plain values come out; nothing else is ever made."""

    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(contextlib.chdir(folder))

    def assert_same_array(self, found, expected):
        self.assertIs(type(found), type(expected))
        self.assertEqual(found.shape, expected.shape)
        self.assertEqual(found.dtype, expected.dtype.newbyteorder("="))
        self.assertEqual(found.tolist(), expected.tolist())

    @parameterized.product(protocol=PROTOCOLS, kind=list(PLAIN))
    def test_plain_values_are_what_python_wrote(self, protocol, kind):
        found = pickles.read(pickle.dumps(PLAIN[kind], protocol))
        self.assertEqual(repr(found), repr(PLAIN[kind]))

    @parameterized.product(protocol=PROTOCOLS, kind=list(ARRAYS))
    def test_arrays_are_what_numpy_wrote(self, protocol, kind):
        found = pickles.read(pickle.dumps(ARRAYS[kind], protocol))
        self.assert_same_array(found, ARRAYS[kind])

    @parameterized.product(protocol=PROTOCOLS, index=list(range(len(SCALARS))))
    def test_scalars_are_what_numpy_wrote(self, protocol, index):
        found = pickles.read(pickle.dumps([SCALARS[index]], protocol))[0]
        self.assert_same_array(found, SCALARS[index])

    @parameterized.parameters(*PROTOCOLS)
    def test_special_containers_become_plain_ones(self, protocol):
        value = [
            collections.OrderedDict(b=1, a=2),
            collections.defaultdict(list, {1: [2]}),
            bytearray(b"ab"),
        ]
        found = pickles.read(pickle.dumps(value, protocol))
        self.assertEqual(found, [{"b": 1, "a": 2}, {1: [2]}, b"ab"])
        self.assertEqual([type(each) for each in found], [dict, dict, bytes])
        self.assertEqual(list(found[0]), ["b", "a"])

    @parameterized.parameters(*PROTOCOLS)
    def test_one_value_in_two_places_stays_one(self, protocol):
        shared, numbers = [1], np.arange(3)
        value = [shared, shared, numbers, {"n": numbers}]
        found = pickles.read(pickle.dumps(value, protocol))
        self.assertIs(found[0], found[1])
        self.assertIs(found[2], found[3]["n"])
        self.assertAllEqual(found[2], [0, 1, 2])

    @parameterized.named_parameters((k, *v) for k, v in PYTHON_2.items())
    def test_pickles_of_python_2_are_read(self, data, expected):
        self.assertEqual(repr(pickles.read(data)), repr(expected))

    @parameterized.named_parameters((k, *v) for k, v in PYTHON_2_ARRAYS.items())
    def test_arrays_of_python_2_are_read(self, data, expected):
        self.assert_same_array(pickles.read(data), expected)

    def test_text_of_python_2_may_have_another_encoding(self):
        data = b"\x80\x02](U\x01\x8eU\x01\xe9e."
        self.assertEqual(pickles.read(data, "mac-roman"), ["\xe9", "\xc8"])
        self.assertEqual(pickles.read(data, "cp1252"), ["\u017d", "\xe9"])
        with self.assertRaisesRegex(LookupError, "klingon"):
            pickles.read(data, "klingon")

    @parameterized.parameters("utf-8", "mac-roman", "cp1252", "latin-1")
    def test_encoding_does_not_touch_numbers(self, encoding):
        values = np.arange(256, dtype=np.uint8)
        data = PROTOCOL + array([256], b"u1", old(values.tobytes())) + b"."
        self.assertAllEqual(pickles.read(data, encoding), values)

    @parameterized.named_parameters((k, *v) for k, v in HOSTILE.items())
    def test_hostile_pickles_are_refused_in_a_sentence(self, value, words):
        for content in (value, b"]" + value + b"a"):
            data = b"\x80\x04" + content + b"."
            pathlib.Path("captions.pickle").write_bytes(data)
            with self.assertRaises(ValueError) as caught:
                pickles.read("captions.pickle")
            message = str(caught.exception)
            self.assertStartsWith(message, "captions.pickle was not read: ")
            self.assertIn(words, message)
            self.assertLess(len(message), 300)
            self.assertEqual(os.listdir(), ["captions.pickle"])

    def test_a_name_is_told_with_what_is_read(self):
        with self.assertRaises(ValueError) as caught:
            pickles.read(pickle.dumps(os.getcwd, 2))
        self.assertEqual(
            str(caught.exception),
            "The pickle was not read: it asks for 'posix.getcwd'; only plain "
            "containers, text, numbers and numpy arrays are read.",
        )

    def test_cut_pickles_are_refused(self):
        data = pickle.dumps([PLAIN["captions"], ARRAYS["float64"]], 2)
        for length in range(len(data)):
            with self.assertRaisesRegex(ValueError, "^The pickle "):
                pickles.read(data[:length])

    def test_scrambled_pickles_never_do_worse_than_a_sentence(self):
        random = np.random.RandomState(0)
        value = [*PLAIN.values(), *ARRAYS.values(), *SCALARS]
        for protocol in PROTOCOLS:
            data = np.frombuffer(pickle.dumps(value, protocol), np.uint8)
            for _ in range(60):
                bad = data.copy()
                places = random.randint(0, len(bad), random.randint(1, 9))
                bad[places] = random.randint(0, 256, len(places))
                try:
                    pickles.read(bad.tobytes())
                except ValueError as error:
                    self.assertStartsWith(str(error), "The pickle ")

    def test_other_files_are_no_pickles(self):
        for data in (b"", b"hello", b"\x89PNG\r\n", b"\x80\x09."):
            with self.assertRaisesRegex(ValueError, "The pickle"):
                pickles.read(data)
        with self.assertRaises(FileNotFoundError):
            pickles.read("missing.pickle")

    def test_a_file_needs_no_more_than_it_holds(self):
        self.enterContext(mock.patch.object(pickle_machine, "_SPARE", 0))
        value = [*PLAIN.values(), *ARRAYS.values()]
        for protocol in PROTOCOLS:
            pickles.read(pickle.dumps(value, protocol))


if __name__ == "__main__":
    tf.test.main()
