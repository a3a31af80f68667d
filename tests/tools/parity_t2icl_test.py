"""NT-Xent beside what T2I_CL's code computed."""

import math
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tools import parity
from tools.parities import t2icl

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "t2icl.npz"


def recorded():
    """Reads the whole file."""
    with np.load(GOLDEN) as file:
        return {name: file[name] for name in file.files}


def proved(arrays):
    """Proves the family once, without moving inputs."""
    ledger = parity.Ledger(arrays)
    t2icl.prove(ledger)
    return ledger


# The same arrays, of any sizes, from plain loops.


def loss(one, other, temperature):
    """Computes the mean over both views of all rows, one by one."""
    views = np.float64(np.concatenate([one, other]))
    views = views / np.linalg.norm(views, axis=1, keepdims=True)
    rows = len(one)
    total = 0.0
    for anchor in range(2 * rows):
        scores = [views[anchor] @ each / temperature for each in views]
        rest = sum(math.exp(s) for s in scores) - math.exp(scores[anchor])
        total += math.log(rest) - scores[(anchor + rows) % (2 * rows)]
    return total / (2 * rows)


def slope(one, other, temperature):
    """Finds the slopes with respect to `one` by differences."""
    found = np.zeros(one.shape)
    for place in np.ndindex(*one.shape):
        values = []
        for step in (1e-4, -1e-4):
            moved = np.float64(one)
            moved[place] += step
            values.append(loss(moved, other, temperature))
        found[place] = (values[0] - values[1]) / 2e-4
    return found


def drawn(sizes=(2, 3), temperatures=(0.3,), width=5):
    """Draws inputs, and computes what a reference would record of them."""
    rng = np.random.default_rng(0)
    found = {
        "batch_sizes": np.array(sizes),
        "temperatures": np.array(temperatures),
    }
    for rows in sizes:
        one, other = np.float32(rng.normal(size=(2, rows, width)))
        found |= {f"b{rows}.z_i": one, f"b{rows}.z_j": other}
        mask = ~np.tile(np.eye(rows, dtype=bool), (2, 2))
        found[f"b{rows}.mask"] = mask
        for temperature in temperatures:
            start = f"b{rows}.t{temperature}."
            value = loss(one, other, temperature)
            slopes = {
                "z_i": slope(one, other, temperature),
                "z_j": slope(other, one, temperature),
            }
            found[start + "loss_f64"] = np.float64(value)
            for ending in ("", "_l2norm"):
                found[f"{start}loss{ending}"] = np.float32(value)
                for name, each in slopes.items():
                    found[f"{start}grad_{name}{ending}"] = np.float32(each)
                # Scaling first changes no slope, for the loss does it too.
    return found


class T2ICLTest(tf.test.TestCase, parameterized.TestCase):
    """Losses and gradients."""

    def test_everything_recorded_holds(self):
        ledger = parity.prove(GOLDEN, "t2icl")
        self.assertEmpty(ledger.faults)
        self.assertRegex(
            ledger.summary(), "^37 arrays: 0 weights, 7 inputs, .* 30 outputs"
        )

    def test_sizes_and_temperatures_are_read_from_the_file(self):
        arrays = drawn()
        self.assertEmpty(proved(arrays).faults)
        self.assertIn("b3.t0.3.grad_z_j_l2norm", arrays)

    @parameterized.parameters(
        ("b4.mask", True, ["b4.mask"]),
        ("b7.t0.1.loss", 1e-4, ["b7.t0.1.loss"]),
        ("b7.t0.1.loss_f64", 1e-8, ["b7.t0.1.loss_f64"]),
        ("b4.t0.5.grad_z_j", 1e-5, ["b4.t0.5.grad_z_j"]),
    )
    def test_changed_output_shows(self, name, step, faults):
        arrays = recorded()
        changed = arrays[name].copy()
        changed[(0,) * changed.ndim] += step
        self.assertCountEqual(proved(arrays | {name: changed}).faults, faults)

    def test_changed_input_shows(self):
        arrays = recorded()
        arrays["b4.z_i"] = arrays["b4.z_i"] + np.float32(0.1)
        faults = proved(arrays).faults
        self.assertLen(faults, 14)  # all numbers of this batch
        self.assertTrue(all(name.startswith("b4.t") for name in faults))

    @parameterized.parameters("temperatures", "batch_sizes", "b7.z_j")
    def test_missing_input_is_named(self, name):
        arrays = recorded()
        del arrays[name]
        with self.assertRaisesRegex(ValueError, f"no array {name}"):
            proved(arrays)

    @parameterized.parameters("b4.mask", "b7.t0.5.grad_z_i", "b4.t0.1.loss")
    def test_missing_output_fails(self, name):
        arrays = recorded()
        del arrays[name]
        self.assertEqual(proved(arrays).faults, [name])

    def test_unlisted_batch_is_unknown(self):
        arrays = recorded()
        arrays["batch_sizes"] = arrays["batch_sizes"][:1]
        faults = proved(arrays).faults
        self.assertCountEqual(faults, [n for n in arrays if n.startswith("b7")])

    def test_file_of_another_family_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "other.npz"
            np.savez(path, features=np.zeros((2, 3), np.float32))
            with self.assertRaisesRegex(ValueError, "be taken as t2icl: there"):
                parity.prove(path, "t2icl")


if __name__ == "__main__":
    tf.test.main()
