"""Examines packed tables of strings beside NumPy's arrays."""

import tracemalloc

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import texts

ROWS = [["a", "", "dé"], ["four words of text", "日本", "x" * 300]]


class TextsTest(parameterized.TestCase, tf.test.TestCase):
    """Answers like an array of strings, in the bytes that the strings have."""

    @parameterized.parameters(
        (0,),
        (-1,),
        ((1, 2),),
        ((0, -1),),
        (np.int64(-2),),
        ((np.int32(1), slice(1, None)),),
        ((0, [2, 0]),),
        ((1, Ellipsis),),
        ((0, None),),
        (True,),
        ((),),
        ((slice(None), 1),),
        (slice(1, 2),),
        ([1, 0, 1],),
        ((np.array([0, 1]), np.array([2, 0])),),
        (np.array([True, False]),),
        (Ellipsis,),
    )
    def test_indexing_is_that_of_an_array(self, index):
        table, array = texts.Texts.of(ROWS), np.array(ROWS)
        self.assertAllEqual(table[index], array[index])
        self.assertEqual(np.shape(table[index]), np.shape(array[index]))

    @parameterized.parameters(
        (2,), (-3,), ((0, 3),), ((np.int64(2), 0),), ((0, 0, 0),)
    )
    def test_what_is_not_there_is_refused_as_by_an_array(self, index):
        for table in (texts.Texts.of(ROWS), np.array(ROWS)):
            with self.assertRaises(IndexError):
                table[index]

    def test_one_row_of_many_takes_the_memory_of_one(self):
        count = 400_000
        ends = np.arange(1, count + 1)
        table = texts.Texts(np.full(count, ord("a")), ends, (count // 2, 2))
        tracemalloc.start()
        self.assertEqual(table[7].tolist(), ["a", "a"])
        self.assertEqual(table[-1, 1], "a")
        self.assertEqual(next(iter(table)).tolist(), ["a", "a"])
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        self.assertLess(most, count)  # A byte a string; places have eight.

    def test_whole_table_comes_back(self):
        table = texts.Texts.of(ROWS)
        self.assertEqual(table.tolist(), ROWS)
        self.assertEqual([row.tolist() for row in table], ROWS)
        self.assertEqual((table.shape, table.ndim), ((2, 3), 2))
        self.assertLen(table, 2)
        self.assertAllEqual(np.asarray(table), np.array(ROWS))

    def test_one_axis(self):
        table = texts.Texts.of(["k1", "k2"])
        self.assertEqual(table[1], "k2")
        self.assertEqual(table.shape, (2,))

    def test_rows_are_packed_again(self):
        part = texts.Texts.of(ROWS).rows([1])
        self.assertEqual(part.tolist(), ROWS[1:])
        self.assertLess(len(part.blob), 400)

    def test_encoded_takes_places_of_the_whole_table(self):
        table = texts.Texts.of(ROWS)
        self.assertEqual(table.encoded([[4, 0]]), ["日本".encode(), b"a"])

    def test_join_puts_below(self):
        first, second = texts.Texts.of(ROWS[:1]), texts.Texts.of(ROWS[1:])
        self.assertEqual(texts.Texts.join([first, second]).tolist(), ROWS)

    def test_no_strings(self):
        empty = texts.Texts.of([])
        self.assertLen(empty, 0)
        self.assertEqual(empty.tolist(), [])

    @parameterized.parameters(
        ([1, 3], 3, (3,)), ([2, 1], 1, (2,)), ([1, 2], 3, (2,))
    )
    def test_parts_that_do_not_fit_are_refused(self, ends, size, shape):
        with self.assertRaisesRegex(ValueError, "do not fill a table"):
            texts.Texts(np.zeros(size, np.uint8), ends, shape)


if __name__ == "__main__":
    tf.test.main()
