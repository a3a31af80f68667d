"""Supervised contrast and UniCL beside what was recorded."""

import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tools import parity
from tools.parities import supcon

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "supcon.npz"


def recorded():
    """Reads the whole file."""
    with np.load(GOLDEN) as file:
        return {name: file[name] for name in file.files}


def proved(arrays):
    """Proves the family once, without moving inputs."""
    ledger = parity.Ledger(arrays)
    supcon.prove(ledger)
    return ledger


class SupConTest(tf.test.TestCase, parameterized.TestCase):
    """Losses and gradients."""

    def test_everything_recorded_holds(self):
        ledger = parity.prove(GOLDEN, "supcon")
        self.assertEmpty(ledger.faults)
        self.assertRegex(
            ledger.summary(), "^51 arrays: 0 weights, 9 inputs, .* 42 outputs"
        )

    def test_sizes_come_from_the_arrays(self):
        # Fewer rows and columns: other numbers, but all can be compared.
        arrays = recorded()
        small = {
            name: array if array.ndim == 0 else array[:5]
            for name, array in arrays.items()
        }
        small["mask_asym"] = small["mask_asym"][:, :5]
        for name, array in small.items():
            if array.ndim > 1 and name != "mask_asym":
                small[name] = array[..., :9]
        ledger = proved(small)
        self.assertLen(ledger.faults, 42)
        self.assertNotIn("has shape", str(ledger))

    def test_temperatures_are_read_from_names(self):
        arrays = recorded()
        for ending in ("loss", "grad", "loss_f64"):
            # The same gradients, for the scale is the same in effect.
            arrays[f"labels_t0.1_base0.07.{ending}"] = arrays[
                f"labels_t0.1.{ending}"
            ]
            twice = 2.0 * arrays[f"labels_t0.1_base0.1.{ending}"]
            arrays[f"labels_t0.1_base0.05.{ending}"] = twice
        self.assertEmpty(proved(arrays).faults)

    @parameterized.parameters(
        ("labels", ["labels", "labels_one", "single_view"]),
        ("mask_asym", ["mask_asym"]),
        ("unicl.labels", ["unicl"]),
        ("unicl.t0.1.scale", ["unicl.t0.1"]),
        ("simclr_t0.1.grad", ["simclr_t0.1.grad"]),
        ("labels_one_t0.1.loss_f64", ["labels_one_t0.1.loss_f64"]),
        ("unicl.scale_e.t2i", ["unicl.scale_e.t2i"]),
    )
    def test_what_is_changed_shows(self, name, faults):
        arrays = recorded()
        changed = arrays[name].copy()
        if changed.ndim:
            changed[(-1,) * changed.ndim] += 1
        else:
            changed += 0.5
        found = proved(arrays | {name: changed}).faults
        self.assertNotEmpty(found)
        for fault in found:
            self.assertTrue(fault.startswith(tuple(faults)), fault)
        for start in faults:
            self.assertTrue(any(fault.startswith(start) for fault in found))

    @parameterized.parameters(
        "features", "labels", "mask_asym", "unicl.image", "unicl.labels"
    )
    def test_missing_input_is_named(self, name):
        arrays = recorded()
        del arrays[name]
        with self.assertRaisesRegex(ValueError, f"no array {name}"):
            proved(arrays)

    def test_missing_kinds_are_named(self):
        arrays = {n: a for n, a in recorded().items() if "simclr" not in n}
        with self.assertRaisesRegex(ValueError, "no loss of simclr"):
            proved(arrays)
        arrays = {n: a for n, a in recorded().items() if "scale" not in n}
        with self.assertRaisesRegex(ValueError, r"like unicl\.\*\.scale"):
            proved(arrays)

    @parameterized.parameters(
        "labels_t0.07.grad", "single_view_t0.1.loss_f64", "unicl.t0.1.i2t"
    )
    def test_missing_output_fails(self, name):
        arrays = recorded()
        del arrays[name]
        self.assertEqual(proved(arrays).faults, [name])

    @parameterized.parameters("other_t0.1.loss", "weights")
    def test_unknown_array_fails(self, name):
        arrays = recorded() | {name: np.zeros(3)}
        self.assertEqual(proved(arrays).faults, [name])

    def test_file_of_another_family_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "other.npz"
            np.savez(path, noise=np.zeros((2, 3), np.float32))
            with self.assertRaisesRegex(ValueError, "as supcon: there is no"):
                parity.prove(path, "supcon")


if __name__ == "__main__":
    tf.test.main()
