"""Examines how SSA-GAN's and DF-GAN's files become run directories."""

import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import networks, weights
from recipes import trained, wiring
from tests.recipes import command, runs, stages
from tests.tools import released
from tools.converting import directory

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
CAPTIONS = ["a red circle", "a blue square"]
#: Family -> config and scale that plays it.
CONFIGS = {
    "ssa_gan": ("ssa_gan_cub", "smoke"),
    "df_gan": ("df_gan_cub", "smoke"),
    "df_gan_2020": ("df_gan_cub", "v2020_smoke"),
}
SIZES = dict(image_size=16, width=4, text_dim=16)


def networks_of(family, **changes):
    """Builds networks of the smallest run, with drawn statistics too."""
    room, sizes = getattr(networks, family), SIZES | changes
    players = {
        "generator": room.generator(noise_dim=8, **sizes),
        "discriminator": room.discriminator(**sizes),
    }
    return {name: released.moved(player) for name, player in players.items()}


def write(folder, family, players):
    """Writes arrays as the authors release them; flag -> file."""
    arrays = {
        part: weights.export(f"{family}/{part}", player)
        for part, player in players.items()
    }
    if family == "df_gan":  # One file, with all networks and optimizers.
        whole = {"optimizers/optimizer_G/state/0/exp_avg": np.zeros(3)}
        for part, named in arrays.items():
            for key, x in named.items():
                module = "netG" if part == "generator" else "netD"
                module = "netC" if key.startswith("joint_conv") else module
                whole[f"model/{module}/module.{key}"] = x
        np.savez(folder / "state.npz", **whole)
        return dict.fromkeys(players, folder / "state.npz")
    paths = {}
    for part, named in arrays.items():
        paths[part] = folder / f"{part}.npz"
        np.savez(paths[part], **{f"module.{k}": x for k, x in named.items()})
    return paths


class ConvertTest(tf.test.TestCase, parameterized.TestCase):
    """A converted directory is one as if it had been trained here."""

    @parameterized.parameters(*CONFIGS)
    def test_run_draws_what_the_released_networks_draw(self, family):
        folder, (name, scale) = runs.folder(self), CONFIGS[family]
        players = networks_of(family)
        paths, workdir = write(folder, family, players), folder / "bird"
        code, printed, complained = command.run(
            "convert_run",
            f"--config=recipes/configs/{name}.py:{scale}",
            f"--workdir={workdir}",
            *(f"--{flag}={path}" for flag, path in paths.items()),
            room="tools",
        )
        self.assertEqual((code, complained), (0, ""))
        for flag in paths:
            self.assertIn(f"\n{flag}: all ", printed)
        painter = trained.run(workdir).painter
        drawn = painter.generate(CAPTIONS, [3, 8])
        theirs = painter.generator.get_weights()
        for ours, wanted in zip(
            theirs, players["generator"].get_weights(), strict=True
        ):
            self.assertAllEqual(ours, wanted)
        self.assertEqual(drawn.shape, (2, 16, 16, 3))
        self.assertGreater(np.ptp(drawn), 0.01)


class TorchFileTest(tf.test.TestCase):
    """The file that DF-GAN's trainer writes: networks, optimizers and epoch."""

    def test_networks_answer_as_they_did(self):
        state = GOLDEN / "df_gan_tiny_state.pth"
        workdir = runs.folder(self) / "bird"
        code, printed, complained = command.run(
            "convert_run",
            "--config=recipes/configs/df_gan_cub.py:smoke",
            f"--workdir={workdir}",
            f"--generator={state}",
            f"--discriminator={state}",
            "--config.data.image_size=64",
            "--config.networks.generator.width=2",
            "--config.networks.discriminator.width=2",
            room="tools",
        )
        self.assertEqual((code, complained), (0, ""))
        self.assertIn("optimizer_G", printed)
        with np.load(GOLDEN / "df_gan_tiny.npz") as file:
            known = {key: tf.constant(file[key]) for key in file.files}
        config = trained.read_config(workdir)
        reader = wiring.text_encoder(config)
        system = wiring.system(config, reader, readers=wiring.NOBODY)
        trained.bring(system, workdir)
        drawn = system.players["generator"](
            {key: known[key] for key in ("noise", "sentence")}, training=False
        )["image"]
        self.assertAllClose(drawn[:, ::2, ::2], known["image"], 0, 2e-5)
        self.assertGreater(np.std(known["image"]), 0.05)
        whole = tf.repeat(tf.repeat(known["real8"], 8, 1), 8, 2)
        scores = system.score(system.features(whole), known["sentence"])
        self.assertAllClose(scores, known["scores"], 0, 2e-5)


class RefusedTest(tf.test.TestCase, parameterized.TestCase):
    """A sentence, and nothing written."""

    def refused(self, family, theirs, sentence, part="generator", **changes):
        folder = runs.folder(self)
        config = stages.config(*CONFIGS[family])
        players = networks_of(theirs, **changes)
        paths = write(folder, theirs, players)
        given, workdir = {part: paths[part]}, folder / "bird"
        if part == "discriminator":  # The generator is one that fits.
            own = folder / "own"
            own.mkdir()
            given |= {
                "generator": write(own, family, networks_of(family))[
                    "generator"
                ]
            }
        with self.assertRaisesRegex(ValueError, sentence):
            directory.make(config, workdir, given)
        self.assertFalse(workdir.exists())
        return config, paths, workdir

    @parameterized.parameters(
        ("df_gan", "df_gan_2020"),
        ("df_gan_2020", "df_gan"),
        ("df_gan_2020", "ssa_gan"),
        ("ssa_gan", "df_gan_2020"),
    )
    def test_files_of_the_other_version(self, family, theirs):
        self.refused(
            family,
            theirs,
            f"--generator=.* is refused.* is a name of {theirs}/generator",
        )

    def test_discriminator_of_the_version_before(self):
        self.refused(
            "df_gan",
            "df_gan_2020",
            "--discriminator=.* is a name of df_gan_2020/discriminator",
            part="discriminator",
        )

    def test_usual_way_to_read_is_the_authors(self):
        for name, scale in CONFIGS.values():
            usual = directory.usual(stages.config(name, scale))
            self.assertEqual(usual, dict(max_words=18, resize="bilinear"))
        usual = directory.usual(stages.config("attngan_cub", "smoke"))
        self.assertEqual(usual, dict(max_words=25, resize="bilinear_corners"))

    def test_readers_that_learn_have_no_files(self):
        config = stages.config("ssa_gan_cub", "smoke_tuned")
        with self.assertRaisesRegex(
            ValueError, "convert with the config without `tuned`"
        ):
            directory.make(config, runs.folder(self) / "bird", {})

    @parameterized.parameters("ssa_gan", "df_gan_2020")
    def test_discriminator_of_the_later_version(self, family):
        self.refused(
            family,
            "df_gan",
            "--discriminator=.* is a name of df_gan/discriminator",
            part="discriminator",
        )

    @parameterized.parameters(*CONFIGS)
    def test_discriminator_of_other_pictures(self, family):
        self.refused(
            family,
            family,
            "--discriminator=.* It looks at pictures of 32 px.",
            part="discriminator",
            image_size=32,
        )

    @parameterized.parameters(*CONFIGS)
    def test_generator_that_reads_other_sentences(self, family):
        self.refused(
            family,
            family,
            "It reads sentences of 12 numbers, and the reader of captions says "
            "them in 16.",
            text_dim=12,
        )

    @parameterized.parameters(*CONFIGS)
    def test_other_sizes_are_told_as_flags(self, family):
        config, paths, workdir = self.refused(
            family,
            family,
            "It fits with --config.data.image_size=32 "
            "--config.networks.generator.width=2.",
            width=2,
            image_size=32,
        )
        config.data.update(image_size=32, crop=36)
        for section in config.networks.values():
            section.width = 2
        directory.make(config, workdir, paths)


if __name__ == "__main__":
    tf.test.main()
