"""GAN-CLS and WGAN-CLS beside what the reference code computed."""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tools import parity

ROOT = pathlib.Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "dcgan_cls.npz"


def recorded():
    """Reads the whole file."""
    with np.load(GOLDEN) as file:
        return {name: file[name] for name in file.files}


class ParityTest(tf.test.TestCase, parameterized.TestCase):
    """What the tool says of honest and of changed files."""

    def _prove(self, arrays):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "changed.npz"
            np.savez(path, **arrays)
            return parity.prove(path, "dcgan_cls")

    def test_everything_recorded_holds(self):
        ledger = parity.prove(GOLDEN, "dcgan_cls")
        self.assertEmpty(ledger.faults)
        told = str(ledger)
        for name in (
            "gan_cls.image_eval",
            "gan_cls.image_train",
            "gan_cls.d_loss_cls",
            "gan_cls.g_loss_100_50",
            "gan_cls.g_loss_grad/netG.12.weight",
            "wgan_cls.d_out_clipped_train",
            "wgan_cls.gp_nobn_grad",
            "gan_cls.after_one_train_forward.G.netG.10.running_var",
        ):
            self.assertRegex(told, rf"\n  ok  .*  {name}\b")

    @parameterized.parameters(
        "gan_cls.image_train",
        "gan_cls.d_wrong",
        "gan_cls.g_feature_l2",
        "wgan_cls.c_fake",
        "wgan_cls.gp_bn",
        "gan_cls.after_one_train_forward.D.netD_1.3.running_var",
    )
    def test_changed_output_is_the_only_fault(self, name):
        arrays = recorded()
        arrays[name] = arrays[name] * np.float32(1.01)
        self.assertEqual(list(self._prove(arrays).faults), [name])

    def test_changed_weight_is_seen_in_what_depends_on_it(self):
        arrays = recorded()
        arrays["gan_cls.G.netG.12.weight"] += np.float32(0.01)
        faults = self._prove(arrays).faults
        self.assertIn("gan_cls.image_eval", faults)
        self.assertIn("gan_cls.d_fake", faults)
        self.assertNotIn("gan_cls.d_real", faults)
        self.assertNotIn("wgan_cls.image_eval", faults)

    def test_unknown_array_is_a_fault(self):
        arrays = {**recorded(), "gan_cls.surprise": np.zeros(3, np.float32)}
        self.assertIn("gan_cls.surprise", str(self._prove(arrays).faults))

    @parameterized.parameters(
        ("nowhere.npz", "dcgan_cls", "nowhere.npz"),
        (str(GOLDEN), "dcgan", "dcgan_cls"),
    )
    def test_bad_words_get_a_sentence(self, path, family, told):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "tools.parity",
                f"--golden={path}",
                f"--family={family}",
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 2)
        self.assertIn(told, done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_the_command_passes_and_fails_by_exit_code(self):
        with tempfile.TemporaryDirectory() as folder:
            changed = pathlib.Path(folder) / "changed.npz"
            arrays = recorded()
            arrays["gan_cls.g_l1"] = arrays["gan_cls.g_l1"] + np.float32(0.1)
            np.savez(changed, **arrays)
            for path, code in ((GOLDEN, 0), (changed, 1)):
                done = subprocess.run(
                    [
                        sys.executable,
                        "-m",
                        "tools.parity",
                        f"--golden={path}",
                        "--family=dcgan_cls",
                    ],
                    cwd=ROOT,
                    capture_output=True,
                    text=True,
                )
                self.assertEqual(done.returncode, code, done.stderr)


if __name__ == "__main__":
    tf.test.main()
