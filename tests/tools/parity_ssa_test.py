"""SSA-GAN beside what its authors' code computed."""

import functools

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.conformance import one_way
from tools import parity
from tools.parities import ssa


@functools.cache
def recorded():
    """Joins weights by the rule with what was recorded."""
    file = one_way.recorded("ssa_gan")
    arrays = {
        name: array
        for name, array in file.items()
        if not name.startswith(("moved", "terms"))
    }
    players = one_way.players("ssa_gan")
    counts = [n for n in arrays if n.endswith("running_mean")]
    counts = [n.replace("running_mean", "num_batches_tracked") for n in counts]
    return {
        **arrays,
        **dict.fromkeys(counts, np.int64(1)),
        **one_way.by_rule("ssa_gan", players),
        "real_seed": np.int64(0),
    }


class SSATest(tf.test.TestCase, parameterized.TestCase):
    """Pictures, masks, statistics, features, scores and penalty."""

    def test_everything_recorded_holds(self):
        ledger = parity.Ledger(recorded())
        ssa.prove(ledger)
        self.assertEmpty(ledger.faults)
        told = str(ledger)
        names = ["image_eval", "image_train", "d_features", "d_logits", "magp"]
        names += [f"mask{k}_eval" for k in range(7)]
        names += ["after_forward/netG.block5.conv_mask.1.running_var"]
        for name in names:
            self.assertRegex(told, rf"\n  ok  .*  {name}\b")

    @parameterized.parameters(
        ("netG.fc.bias", "image_eval"),
        ("netG.conv_img.2.weight", "image_train"),
        ("netG.conv_mask.3.bias", "mask0_eval"),
        ("netG.block5.conv_mask.1.weight", "mask6_eval"),
        ("netG.block0.affine0.fc_gamma.linear2.bias", "image_eval"),
        ("netG.block4.affine2.fc_beta.linear1.weight", "image_eval"),
        ("netG.block6.gamma", "image_eval"),
        ("netG.block2.affine0.batch_norm2d.running_mean", "image_eval"),
        ("netD.COND_DNET.joint_conv.0.weight", "d_logits"),
        ("netD.block3.conv_s.bias", "d_features"),
        ("real16", "d_features"),
        ("netD.COND_DNET.joint_conv.2.weight", "magp"),
        ("sentence", "image_eval"),
    )
    def test_what_is_changed_shows(self, name, fault):
        arrays = dict(recorded())
        arrays[name] = arrays[name] + np.float32(0.05)
        ledger = parity.Ledger(arrays)
        ssa.prove(ledger)
        self.assertIn(fault, ledger.faults)

    @parameterized.parameters("noise", "netG.fc.weight", "mask3_eval")
    def test_missing_part_is_named(self, name):
        arrays = dict(recorded())
        del arrays[name]
        with self.assertRaisesRegex(ValueError, name.removeprefix("netG.")):
            ssa.prove(parity.Ledger(arrays))


if __name__ == "__main__":
    tf.test.main()
