"""Examines how a run's networks get their authors' names."""

import json

import numpy as np
import tensorflow as tf

from keras_t2i import weights
from keras_t2i.weights.families import dcgan_cls
from recipes.configs import gan_cls_openmoji, ssa_gan_openmoji
from tests.recipes import command, runs
from tests.tools import released
from tools.converting import back, directory


def read(path):
    """Reads an .npz."""
    with np.load(path) as file:
        return {key: file[key] for key in file.files}


class ExportWeightsTest(tf.test.TestCase):
    """The way back gives what came."""

    def assert_same(self, one, other):
        self.assertCountEqual(one, other)
        for key, array in one.items():
            self.assertEqual(array.dtype, "float32")
            self.assertAllEqual(array, other[key])

    def test_released_files_come_back(self):
        folder = runs.folder(self)
        released.narrow(self)
        players = released.networks_of() | released.readers_of()
        paths = released.write(folder, players)
        paths["captions"] = released.table(folder)
        directory.make(released.config(), folder / "bird", paths)
        out = folder / "out"
        code, printed, complained = command.run(
            "export_weights",
            f"--workdir={folder / 'bird'}",
            f"--out={out}",
            room="tools",
        )
        self.assertEqual((code, complained), (0, ""))
        for flag, path in paths.items():
            if flag not in ("captions", "text"):
                self.assert_same(read(out / f"{flag}.npz"), read(path))
        # Two biases became one: their sum is what counts.
        self.assert_same(
            _summed(read(out / "text.npz")), _summed(read(paths["text"]))
        )
        self.assertEqual(
            (out / "vocabulary.txt").read_text().split(), list(released.WORDS)
        )
        self.assertIn(f"{out}/vocabulary.txt: 22 words\n", printed)
        self.assertIn(f"{out}/text.npz: 9 arrays\n", printed)
        # And they are taken again.
        again = {flag: out / f"{flag}.npz" for flag in players}
        again["captions"] = out / "vocabulary.txt"
        directory.make(released.config(), folder / "again", again)

    def test_average_and_what_learns_are_apart(self):
        folder = runs.folder(self)
        config = released.dm_gan_config()
        system = runs.make(folder / "run", config)
        for variable in system.average.weights:
            variable.assign(variable + 1.0)
        system.moves.assign_add(1)
        runs.keep(system, folder / "run")
        told = back.export(folder / "run", folder / "out")
        names = ["discriminator", "discriminator_8", "generator"]
        names.append("generator_learning")
        self.assertCountEqual(told, [f"{name}.npz" for name in names])
        found = {name: read(folder / "out" / f"{name}.npz") for name in names}
        learned = found["generator_learning"]
        for key, array in found["generator"].items():
            self.assertAllClose(array, learned[key] + 1.0)
        for name, arrays in found.items():
            self.assertLen(arrays, told[f"{name}.npz"])
        # Of the move before.
        place = folder / "run" / "checkpoints" / "move_00000004"
        back.export(folder / "run", folder / "before", place)
        before = read(folder / "before" / "generator.npz")
        self.assert_same(before, learned)

    def test_other_papers_networks(self):
        folder = runs.folder(self)
        config = gan_cls_openmoji.get_config("smoke")
        for network in config.networks.values():
            network.update(name="dcgan_cls", projection_dim=8)
        config.data.image_size = 64
        system = runs.make(folder / "run", config)
        back.export(folder / "run", folder / "out")
        arrays = read(folder / "out" / "discriminator.npz")
        again = dcgan_cls.discriminator_of(arrays)
        weights.load("dcgan_cls/discriminator", again, arrays)
        ours = system.players["discriminator"].get_weights()
        for one, other in zip(ours, again.get_weights(), strict=True):
            self.assertAllEqual(one, other)

    def test_readers_that_learned_have_no_files(self):
        folder = runs.folder(self)
        config = ssa_gan_openmoji.get_config("smoke_tuned")
        (folder / "run").mkdir()
        path = folder / "run" / "config.json"
        path.write_text(json.dumps(config.to_dict()))
        with self.assertRaisesRegex(
            ValueError, "'SSAGANFineTuned', whose readers go on learning"
        ):
            back.export(folder / "run", folder / "out")
        self.assertFalse((folder / "out").exists())

    def test_networks_without_names_elsewhere_are_refused(self):
        folder = runs.folder(self)
        runs.make(folder / "run")
        with self.assertRaisesRegex(
            ValueError, "generator.name is 'gan_cls', whose arrays have no"
        ):
            back.export(folder / "run", folder / "out")
        self.assertFalse((folder / "out").exists())

    def test_what_is_no_run_is_refused(self):
        folder = runs.folder(self)
        code, _, complained = command.run(
            "export_weights",
            f"--workdir={folder}",
            f"--out={folder / 'out'}",
            room="tools",
        )
        self.assertEqual(code, 2)
        self.assertIn("no config.json", complained)
        self.assertFalse((folder / "out").exists())


def _summed(arrays):
    found = dict(arrays)
    for way in ("", "_reverse"):
        one, other = (found.pop(f"rnn.bias_{x}_l0{way}") for x in ("ih", "hh"))
        found[f"rnn.bias{way}"] = one + other
    return found


if __name__ == "__main__":
    tf.test.main()
