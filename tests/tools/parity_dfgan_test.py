"""DF-GAN beside what its authors' code computed."""

import os
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tools import parity
from tools.parities import dfgan

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "dfgan.npz"


def recorded():
    """Reads the whole file."""
    with np.load(GOLDEN) as file:
        return {name: file[name] for name in file.files}


class DFGANTest(tf.test.TestCase, parameterized.TestCase):
    """Pictures, features, scores and penalty."""

    def test_everything_recorded_holds(self):
        ledger = parity.prove(GOLDEN, "dfgan")
        self.assertEmpty(ledger.faults)
        told = str(ledger)
        for name in ("image", "d_features", "d_logits", "magp", "size", "ngf"):
            self.assertRegex(told, rf"\n  ok  .*  {name}\b")
        self.assertIn("netD.DBlocks.5.conv_s.bias: known, not needed", told)

    @parameterized.parameters(
        ("netG.fc.bias", ["image"]),
        ("netG.to_rgb.1.weight", ["image"]),
        ("netG.GBlocks.4.c_sc.bias", ["image"]),
        ("netG.GBlocks.0.fuse2.affine1.fc_beta.linear1.weight", ["image"]),
        ("netC.joint_conv.0.weight", ["d_logits", "magp"]),
        ("netD.DBlocks.2.gamma", ["d_features", "d_logits", "magp"]),
        ("netD.DBlocks.5.conv_s.weight", []),
        ("sentence", ["image", "d_logits"]),
        ("real16", ["d_features", "d_logits", "magp"]),
    )
    def test_what_is_changed_shows(self, name, faults):
        arrays = recorded()
        arrays[name] = arrays[name] + np.float32(0.01)
        ledger = parity.Ledger(arrays)
        dfgan.prove(ledger)
        self.assertCountEqual(ledger.faults, faults)

    def test_sizes_come_from_the_arrays(self):
        # Half the blocks of each network, fewer rows, at a picture of 32 px:
        # the numbers are other ones, but all of them can be compared.
        arrays = recorded()
        small = {
            name: array
            for name, array in arrays.items()
            if not name.startswith("net")
        }
        small |= _without_blocks(arrays, "netG.GBlocks.", keep=(3, 4, 5))
        small |= _without_blocks(arrays, "netD.DBlocks.", keep=(0, 1, 2))
        small |= {k: arrays[k] for k in arrays if k.startswith("netC.")}
        for name in ("noise", "sentence", "real16", "d_features", "d_logits"):
            small[name] = small[name][:2]
        small["image"] = small["image"][:2, :, :32, :32]
        small["size"] = np.int64(32)
        ledger = parity.Ledger(small)
        dfgan.prove(ledger)
        self.assertCountEqual(
            ledger.faults, ["image", "d_features", "d_logits", "magp"]
        )
        self.assertNotIn("has shape", str(ledger))

    @parameterized.parameters("noise", "real16", "netG.fc.weight", "image")
    def test_missing_part_is_named(self, name):
        arrays = recorded()
        del arrays[name]
        ledger = parity.Ledger(arrays)
        plain = name.removeprefix("netG.")
        with self.assertRaisesRegex(ValueError, plain):
            dfgan.prove(ledger)

    def test_file_of_another_family_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "other.npz")
            np.savez(path, noise=np.zeros((2, 3), np.float32))
            with self.assertRaisesRegex(ValueError, "taken as dfgan: no array"):
                parity.prove(path, "dfgan")


def _without_blocks(arrays, start, keep):
    """Keeps some blocks of a network, renumbered, and all that is no block."""
    module = start.partition(".")[0] + "."
    kept = {
        name: array
        for name, array in arrays.items()
        if name.startswith(module) and not name.startswith(start)
    }
    for new, old in enumerate(keep):
        for name, array in arrays.items():
            if name.startswith(f"{start}{old}."):
                rest = name.removeprefix(f"{start}{old}.")
                kept[f"{start}{new}.{rest}"] = array
    return kept


if __name__ == "__main__":
    tf.test.main()
