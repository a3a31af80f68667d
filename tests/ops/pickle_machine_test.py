"""Runs pickles instruction by instruction, in the plainest machine."""

import collections
import io
import pickle

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.ops import pickle_machine

VALUE = [{"a": (1, 2.5, None, True)}, ["b", {3: "c"}], (), -(2**70)]


def run(data, size=1000, machine=pickle_machine.Machine):
    """What the machine makes of a pickle."""
    return machine(pickle_machine.Budget(size)).run(io.BytesIO(data))


class MachineTest(parameterized.TestCase, tf.test.TestCase):
    """Plain containers are made, nothing else is."""

    @parameterized.parameters(range(6))
    def test_plain_containers_of_every_protocol_are_made(self, protocol):
        self.assertEqual(run(pickle.dumps(VALUE, protocol)), VALUE)

    def test_ordered_dicts_become_dicts(self):
        value = collections.OrderedDict([("b", 1), ("a", 2)])
        self.assertEqual(run(pickle.dumps(value)), {"b": 1, "a": 2})

    def test_one_pickle_is_read_and_no_further(self):
        stream = io.BytesIO(pickle.dumps([1]) + b"rest")
        machine = pickle_machine.Machine(pickle_machine.Budget(9))
        self.assertEqual(machine.run(stream), [1])
        self.assertEqual(stream.read(), b"rest")

    @parameterized.parameters(
        (pickle.dumps(print), r"asks for '(__builtin__|builtins)\.print'"),
        (pickle.dumps({1}), "the instruction EMPTY_SET, which plain cont"),
        (pickle.dumps(np.zeros(2)), "asks for 'numpy"),
        (b"(lp0\ng7\n.", "recalls a value it never stored"),
        (b"a.", "takes a value where there is none"),
        (b"I1\nl.", "lacks a mark"),
        (b"(I1\nd.", "a key without a value"),
        (b"((I1\ntI2\nd.", "whose keys are no names"),
        (b"I1\nI2\nb.", "that cannot be added to"),
        (b"I1\n(tR.", "calls something that is no name"),
    )
    def test_anything_else_is_refused(self, data, words):
        with self.assertRaisesRegex(pickle_machine.Refused, words):
            run(data)

    @parameterized.parameters((b"", "ends in mid-p"), (b"\xff", "no instruct"))
    def test_damage_is_told(self, data, words):
        with self.assertRaisesRegex(ValueError, words):
            run(data)

    def test_machines_of_more_names_make_what_these_mean(self):
        class Counting(pickle_machine.Machine):
            NAMES = frozenset({"house rooms"})

            def _make(self, name, arguments):
                return (name, *pickle_machine.exactly(2, arguments))

        found = run(b"chouse\nrooms\n(I1\nI2\ntR.", machine=Counting)
        self.assertEqual(found, ("house rooms", 1, 2))
        with self.assertRaisesRegex(pickle_machine.Refused, "3 values for 2"):
            run(b"chouse\nrooms\n(I1\nI2\nI3\ntR.", machine=Counting)

    def test_budget_is_spent_but_once(self):
        budget = pickle_machine.Budget(10)
        budget.spend(1_000_000)
        budget.spend(10)
        with self.assertRaisesRegex(pickle_machine.Refused, "too many items"):
            budget.spend(1)

    def test_shapes_are_made_of_counts(self):
        self.assertEqual(pickle_machine.counts([2, 0]), (2, 0))
        for value in ([-1], [True], [2**63], [1.0], 3, "ab"):
            with self.assertRaisesRegex(pickle_machine.Refused, "a tensor who"):
                pickle_machine.counts(value, "a tensor")
        with self.assertRaisesRegex(pickle_machine.Refused, "more than 32 ax"):
            pickle_machine.counts([1] * 33)

    def test_names_are_shown_as_people_write_them(self):
        self.assertEqual(pickle_machine.shown("os system"), "'os.system'")
        self.assertLen(pickle_machine.shown("x" * 500), 102)


if __name__ == "__main__":
    tf.test.main()
