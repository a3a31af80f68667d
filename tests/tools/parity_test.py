"""GAN-CLS and WGAN-CLS beside what the reference code computed."""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tools import parity
from tools.parities import dcgan_cls

ROOT = pathlib.Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "dcgan_cls.npz"
OTHER_SIZES = ROOT / "tests" / "golden" / "dcgan_cls_other_sizes.npz"


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

    def test_sizes_and_settings_are_read_from_the_file(self):
        ledger = parity.prove(OTHER_SIZES, "dcgan_cls")
        self.assertEmpty(ledger.faults)
        self.assertIn("l2_coef 30", str(ledger))

    def test_wrong_setting_or_size_shows(self):
        arrays = recorded()
        arrays["config.ngf"] = arrays["config.ngf"] + 1
        arrays["l2_coef"] = arrays["l2_coef"] + 1
        ledger = parity.Ledger(arrays)
        dcgan_cls.prove(ledger)
        self.assertCountEqual(
            ledger.faults,
            [
                "config.ngf",
                "gan_cls.g_loss_100_50",
                "gan_cls.g_loss_grad/netG.12.weight",
            ],
        )

    def test_every_array_is_accounted_for_once(self):
        ledger = parity.prove(GOLDEN, "dcgan_cls")
        told = str(ledger)
        for name in recorded():
            self.assertRegex(told, rf"(?m)^  (ok .*  )?{name}( |:|$)")
        self.assertRegex(ledger.summary(), "^220 arrays: 111 weights, .* hold")

    @parameterized.parameters(
        ("gan_cls.d_out_eval", np.nan, "that aren't finite"),
        ("gan_cls.d_out_eval", np.zeros(5), r"has shape \[5\], ours \[6\]"),
        ("gan_cls.d_out_eval", np.array(["a"] * 6), "holds <U1"),
        ("gan_cls.d_out_eval", None, "missing in the file"),
    )
    def test_output_that_cannot_be_compared_fails(self, name, value, told):
        arrays = recorded()
        if value is None:
            del arrays[name]
        else:
            arrays[name] = np.broadcast_to(value, np.shape(value) or (6,))
        ledger = parity.Ledger(arrays)
        dcgan_cls.prove(ledger)
        self.assertEqual(ledger.faults, [name])
        self.assertRegex(str(ledger), f"FAIL  {name}: .*{told}")

    @parameterized.parameters(
        ("noise_d", lambda x: x[:, 1:], r"noise_d has shape \(6, 11\), not"),
        ("right8", lambda x: x[..., 1:], r"right8 is \(8, 7\); repeated"),
        ("embed", lambda x: x.astype(str), "embed holds <U"),
        ("gp_lambda", lambda x: np.stack([x]), "gp_lambda has shape"),
        ("gan_cls.D.netD_1.3.bias", lambda x: x[1:], "netD_1.3.bias has shape"),
        ("gp_alpha", None, "there is no array gp_alpha"),
        ("gan_cls.G.netG.3.weight", None, "missing key 'netG.3.weight'"),
    )
    def test_file_without_the_right_inputs_is_refused(self, name, spoil, told):
        arrays = recorded()
        array = arrays.pop(name)
        if spoil:
            arrays[name] = spoil(array)
        with self.assertRaisesRegex(ValueError, f"taken as dcgan_cls.*{told}"):
            self._prove(arrays)

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

    def test_unknown_weight_is_a_fault_beside_the_others(self):
        arrays = recorded()
        arrays["wgan_cls.D.netD_3.weight"] = np.zeros(3, np.float32)
        ledger = parity.Ledger(arrays)
        dcgan_cls.prove(ledger)
        self.assertEqual(ledger.faults, ["wgan_cls.D.netD_3.weight"])

    def test_neighbours_are_eight_roundings_away_at_most(self):
        arrays = {"x": np.linspace(-3, 3, 101, dtype=np.float32)}
        seen = set()
        for neighbour in range(1, 17):
            moved = parity.Ledger(arrays, neighbour).input("x")
            again = parity.Ledger(arrays, neighbour).input("x")
            self.assertAllEqual(moved, again)
            self.assertEqual(moved.dtype, np.float32)
            self.assertAllClose(moved, arrays["x"], rtol=1.1e-6, atol=0)
            seen.add(moved.tobytes())
        self.assertLen(seen, 16)
        self.assertAllEqual(parity.Ledger(arrays).input("x"), arrays["x"])

    def test_only_what_holds_is_taken_over_from_a_neighbour(self):
        def ledger(kink, other):
            found = parity.Ledger({"kink": np.ones(2), "other": np.ones(2)})
            found.compare("kink", kink * np.ones(2))
            found.compare("other", other * np.ones(2))
            return found

        one = ledger(1.5, 1.5)
        one.accept(ledger(1.0, 1.4))
        self.assertEqual(one.faults, ["other"])
        self.assertRegex(str(one), r"ok .* kink \(with inputs some roundings")
        self.assertIn("5.00e-01", str(one))  # the other's own difference stays

    @parameterized.parameters(
        ("nowhere.npz", "dcgan_cls", "No such file .*: nowhere.npz"),
        (str(GOLDEN), "dcgan", "known are .*dcgan_cls"),
        (str(GOLDEN), "dfgan", "can't be taken as dfgan"),
        (str(GOLDEN.parent), "dcgan_cls", "directory: .*golden"),
        (str(GOLDEN.parent / "README.md"), "dcgan_cls", "is neither an .npz"),
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
        self.assertRegex(done.stderr, f"(?m)^Error: .*{told}")
        self.assertNotIn("Traceback", done.stderr)

    def test_pickled_objects_are_not_opened(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "objects.npz"
            np.savez(path, embed=np.array([{}, None], dtype=object))
            with self.assertRaisesRegex(ValueError, "objects.npz is not a"):
                parity.prove(path, "dcgan_cls")

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
