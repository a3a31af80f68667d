"""AttnGAN's and DM-GAN's DAMSM beside what their authors' code computed."""

import os
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tools import parity
from tools.parities import attngan

FOLDER = pathlib.Path(__file__).parents[1] / "golden"
NAMES = ("attngan", "dmgan")
OUTPUTS = ["words", "sentence", "words_loss", "sent_loss"]


def recorded(name="attngan"):
    """Reads the whole file."""
    with np.load(FOLDER / f"{name}_damsm.npz") as file:
        return {name: file[name] for name in file.files}


class AttnGANTest(tf.test.TestCase, parameterized.TestCase):
    """Words, sentences and the losses that match them with pictures."""

    @parameterized.parameters(*NAMES)
    def test_everything_recorded_holds(self, name):
        path = FOLDER / f"{name}_damsm.npz"
        ledger = parity.prove(path, f"{name}/damsm")
        self.assertEmpty(ledger.faults)
        told = str(ledger)
        for output in OUTPUTS:
            self.assertRegex(told, rf"\n  ok  .*  {output}\b")

    @parameterized.parameters(
        ("text_encoder.encoder.weight", OUTPUTS),
        ("text_encoder.rnn.bias_hh_l0", OUTPUTS),
        ("text_encoder.rnn.weight_hh_l0_reverse", OUTPUTS),
        ("region_features", ["words_loss"]),
        ("global_code", ["sent_loss"]),
        ("sent_loss", ["sent_loss"]),
    )
    def test_what_is_changed_shows(self, name, faults):
        arrays = recorded()
        arrays[name] = arrays[name] + 0.05 * np.ones(1, arrays[name].dtype)
        ledger = parity.Ledger(arrays)
        attngan.damsm(ledger)
        self.assertCountEqual(ledger.faults, faults)

    def test_class_ids_count(self):
        arrays = recorded()
        arrays["class_ids"] = np.arange(4)
        ledger = parity.Ledger(arrays)
        attngan.damsm(ledger)
        self.assertCountEqual(ledger.faults, ["words_loss", "sent_loss"])

    def test_sizes_come_from_the_arrays(self):
        # Fewer rows whose longest has fewer words, a larger vocabulary and
        # smaller maps: other numbers, but all can be compared.
        arrays = recorded()
        for name in ("captions", "lengths", "words", "sentence"):
            arrays[name] = arrays[name][1:]
        longest = arrays["lengths"].max()
        self.assertLess(longest, arrays["captions"].shape[1])
        arrays["words"] = arrays["words"][..., :longest]
        for name in ("region_features", "global_code", "class_ids"):
            arrays[name] = arrays[name][1:]
        arrays["region_features"] = arrays["region_features"][..., :5, :4]
        table = arrays["text_encoder.encoder.weight"]
        arrays["text_encoder.encoder.weight"] = np.tile(table, (2, 1))
        ledger = parity.Ledger(arrays)
        attngan.damsm(ledger)
        self.assertCountEqual(ledger.faults, ["words_loss", "sent_loss"])
        self.assertNotIn("has shape", str(ledger))

    def test_arrays_of_other_networks_are_left_out_only_where_asked(self):
        arrays = recorded()
        others = {
            "netG.ca_net.fc.weight": np.zeros((2, 2), np.float32),
            "image64_eval": np.zeros((1, 3, 2, 2), np.float32),
        }
        part = parity.Ledger({**arrays, **others})
        attngan.damsm(part)
        self.assertEmpty(part.faults)
        for name in others:
            self.assertIn(f"  {name}: of the generator and", str(part))
        whole = parity.Ledger({**arrays, **others})
        attngan.prove(whole)
        self.assertCountEqual(whole.faults, others)

    def test_arrays_that_nobody_knows_fail(self):
        arrays = {**recorded(), "text_encoder.more": np.zeros(3), "odd": 1.0}
        ledger = parity.Ledger(arrays)
        attngan.damsm(ledger)
        self.assertCountEqual(ledger.faults, ["text_encoder.more", "odd"])

    @parameterized.parameters(
        "captions", "class_ids", "text_encoder.rnn.bias_ih_l0_reverse"
    )
    def test_missing_part_is_named(self, name):
        arrays = recorded()
        del arrays[name]
        with self.assertRaisesRegex(ValueError, name.rpartition(".")[2]):
            attngan.damsm(parity.Ledger(arrays))

    @parameterized.parameters(*NAMES)
    def test_file_of_another_family_is_refused(self, name):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "other.npz")
            np.savez(path, noise=np.zeros((2, 3), np.float32))
            with self.assertRaisesRegex(
                ValueError, f"taken as {name}/damsm: no array's name begins"
            ):
                parity.prove(path, f"{name}/damsm")


if __name__ == "__main__":
    tf.test.main()
