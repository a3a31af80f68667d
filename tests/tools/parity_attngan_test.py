"""AttnGAN and DM-GAN beside what their authors' code computed."""

import functools
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
STATISTIC = "after_forward/netG.h_net1.upsample1.2.running_var"
VECTOR = "after_forward/netD0.COND_DNET.jointConv.0.module.weight_u"
#: Of the first stage: pictures, and the loss of its condition.
FIRST = ["image64_eval", "image64_train"]
SEEN = ["d0_features", "d0_uncond", "d0_cond", "d0_loss"]


def recorded(name="attngan"):
    """Reads the whole file."""
    with np.load(FOLDER / f"{name}.npz") as file:
        return {name: file[name] for name in file.files}


@functools.cache
def _first_stage(name):
    later = [
        *("h_net2", "h_net3", "img_net2", "img_net3", "netD1", "netD2"),
        *("d1_", "d2_", "image128", "image256", "attention", "16_1", "16_2"),
    ]
    return {
        key: array
        for key, array in recorded(name).items()
        if not any(word in key for word in later)
    }


def first_stage(name="attngan"):
    """Leaves the first stage, which knows nothing of the others."""
    return dict(_first_stage(name))


def damsm(name="attngan"):
    """Leaves what is of readers of captions and their losses."""
    return {
        key: array
        for key, array in recorded(name).items()
        if key.startswith("text_encoder.") or key in DAMSM
    }


def moved(array):
    """Moves each number of an array, another way each."""
    draws = np.random.default_rng(0).normal(size=array.shape)
    return array + 0.2 * draws.astype("float32")


DAMSM = [
    *OUTPUTS,
    *("captions", "lengths", "region_features", "global_code", "class_ids"),
]
WHOLE = {"attngan": attngan.attngan, "dmgan": attngan.dm_gan}


class WholeTest(tf.test.TestCase, parameterized.TestCase):
    """Generators, discriminators and losses."""

    @parameterized.product(name=NAMES, kind=("", "_other_sizes"))
    def test_everything_recorded_holds(self, name, kind):
        ledger = parity.prove(FOLDER / f"{name}{kind}.npz", name)
        self.assertEmpty(ledger.faults)
        told = str(ledger)
        outputs = [
            *OUTPUTS,
            *("image64_eval", "image128_eval", "image256_eval"),
            *("image64_train", "image128_train", "image256_train"),
            *("attention0_eval", "attention1_eval", "mu_logvar", "kl"),
            *(f"d{k}_{x[3:]}" for k in range(3) for x in SEEN),
            STATISTIC,
        ]
        for output in outputs + [VECTOR] * (name == "dmgan"):
            self.assertRegex(told, rf"\n  ok  .*  {output}(\n|$)")
        self.assertNotIn("(with inputs some roundings away)", told)

    @parameterized.parameters(
        ("noise", FIRST),
        ("ca_eps", FIRST),
        ("netG.ca_net.fc.bias", [*FIRST, "mu_logvar", "kl"]),
        ("netG.img_net1.img.0.weight", FIRST),
        ("netG.h_net1.upsample4.2.running_mean", ["image64_eval"]),
        ("full_captions", ["image64_train", "kl"]),
        ("netD0.img_code_s16.9.bias", SEEN),
        ("netD0.UNCOND_DNET.outlogits.0.weight", ["d0_uncond", "d0_loss"]),
        ("netD0.COND_DNET.jointConv.1.bias", ["d0_cond", "d0_loss"]),
        ("real16_0", SEEN),
        ("fake16_0", ["d0_loss"]),
        (STATISTIC, [STATISTIC]),
    )
    def test_what_is_changed_shows(self, name, faults):
        arrays = first_stage()
        if name == "full_captions":
            arrays[name] = arrays[name] % 20 + 1
        else:
            arrays[name] = moved(arrays[name])
        ledger = parity.Ledger(arrays)
        attngan.attngan(ledger)
        left = {x for x in ledger.faults if not x.startswith("after_forward")}
        left |= {x for x in ledger.faults if x == STATISTIC == name}
        self.assertCountEqual(left, faults)

    @parameterized.parameters(
        ("netD0.img_code_s16.2.module.weight_u", ["d0_features", "d0_loss"]),
        ("netD0.COND_DNET.jointConv.0.module.weight_bar", SEEN[2:]),
        (VECTOR, [VECTOR]),
    )
    def test_what_is_changed_of_spectral_norms_shows(self, name, faults):
        arrays = first_stage("dmgan")
        arrays[name] = moved(arrays[name])
        ledger = parity.Ledger(arrays)
        attngan.dm_gan(ledger)
        left = {x for x in ledger.faults if not x.startswith("after_forward")}
        left |= {x for x in ledger.faults if x == VECTOR == name}
        self.assertCountEqual(left, faults)

    @parameterized.parameters(*NAMES)
    def test_fewer_stages_and_rows_and_no_unconditional_score(self, name):
        # The first two rows only, and a head less: what is of single rows
        # holds, the rest is another number and can be compared.
        arrays = first_stage(name)
        count = len(arrays["captions"])
        arrays = {
            key: x[:2] if x.ndim and len(x) == count and "net" not in key else x
            for key, x in arrays.items()
            if "UNCOND" not in key and key != "d0_uncond"
        }
        ledger = parity.Ledger(arrays)
        WHOLE[name](ledger)
        left = {x for x in ledger.faults if not x.startswith("after_forward")}
        losses = ["words_loss", "sent_loss", "kl", "d0_loss", "image64_train"]
        self.assertCountEqual(left, losses)
        self.assertNotIn("has shape", str(ledger))

    @parameterized.parameters(
        *("noise", "ca_eps", "full_captions", "real16_0", "image64_eval"),
        "netG.h_net1.fc.0.weight",
        "netD0.COND_DNET.outlogits.0.bias",
    )
    def test_missing_part_is_named(self, name):
        arrays = first_stage()
        del arrays[name]
        plain = name.partition(".")[2] or name
        with self.assertRaisesRegex(ValueError, plain):
            attngan.attngan(parity.Ledger(arrays))

    def test_missing_output_and_unknown_array_fail(self):
        arrays = {**first_stage(), "netG.more": np.zeros(3), "odd": 1.0}
        del arrays[STATISTIC], arrays["d0_loss"]
        ledger = parity.Ledger(arrays)
        attngan.attngan(ledger)
        self.assertCountEqual(
            ledger.faults, [STATISTIC, "d0_loss", "netG.more", "odd"]
        )

    def test_pictures_that_repeat_to_no_stage_are_refused(self):
        arrays = first_stage()
        arrays["real16_0"] = arrays["real16_0"][..., :15]
        with self.assertRaisesRegex(ValueError, r"real16_0 is \(16, 15\)"):
            attngan.attngan(parity.Ledger(arrays))

    def test_each_refuses_the_others_file(self):
        for name, other in (NAMES, NAMES[::-1]):
            with self.assertRaisesRegex(ValueError, "h_net2"):
                parity.prove(FOLDER / f"{other}_other_sizes.npz", name)


class DAMSMTest(tf.test.TestCase, parameterized.TestCase):
    """Words, sentences and the losses that match them, asked for alone."""

    @parameterized.parameters(*NAMES)
    def test_everything_recorded_holds(self, name):
        path = FOLDER / f"{name}_other_sizes.npz"
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
        arrays = damsm()
        arrays[name] = arrays[name] + 0.05 * np.ones(1, arrays[name].dtype)
        ledger = parity.Ledger(arrays)
        attngan.damsm(ledger)
        self.assertCountEqual(ledger.faults, faults)

    def test_class_ids_count(self):
        arrays = damsm()
        arrays["class_ids"] = np.arange(4)
        ledger = parity.Ledger(arrays)
        attngan.damsm(ledger)
        self.assertCountEqual(ledger.faults, ["words_loss", "sent_loss"])

    def test_sizes_come_from_the_arrays(self):
        # Fewer rows whose longest has fewer words, a larger vocabulary and
        # smaller maps: other numbers, but all can be compared.
        arrays = damsm()
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
        arrays = damsm()
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
        with self.assertRaisesRegex(ValueError, "missing key 'ca_net.fc.bias'"):
            attngan.attngan(whole)

    def test_arrays_that_nobody_knows_fail(self):
        arrays = {**damsm(), "text_encoder.more": np.zeros(3), "odd": 1.0}
        ledger = parity.Ledger(arrays)
        attngan.damsm(ledger)
        self.assertCountEqual(ledger.faults, ["text_encoder.more", "odd"])

    @parameterized.parameters(
        "captions", "class_ids", "text_encoder.rnn.bias_ih_l0_reverse"
    )
    def test_missing_part_is_named(self, name):
        arrays = damsm()
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
