"""Examines how released files become a run directory."""

import json
import pathlib
import pickle
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import callbacks, serving, weights
from keras_t2i.metrics import tfgan
from keras_t2i.ops import files, images, noise
from recipes import trained, training, wiring
from tests.recipes import command, runs
from tests.tools import released
from tools.converting import directory

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
CONFIG = "--config=recipes/configs/attngan_cub.py:smoke"
CAPTIONS = ["a small red circle", "a large blue square at the top left"]


class Stranger:
    """Asks for a function when it is read."""

    def __reduce__(self):
        return (print, ("came in",))


def state(system):
    """Reads all players and the average."""
    owners = {**system.players, "average": system.average}
    return {name: owner.get_weights() for name, owner in owners.items()}


class ConvertRunTest(tf.test.TestCase):
    """A converted directory is one as if it had been trained here."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = runs.folder(cls)
        released.narrow(cls)
        cls.players = released.networks_of() | released.readers_of()
        cls.paths = released.write(cls.folder, cls.players)
        cls.paths["captions"] = released.table(cls.folder)
        cls.workdir = cls.folder / "runs" / "bird"
        given = {k: v for k, v in cls.paths.items() if k != "discriminator"}
        code, cls.printed, complained = command.run(
            "convert_run",
            CONFIG,
            f"--workdir={cls.workdir}",
            "--move=2",
            *(f"--{flag}={path}" for flag, path in given.items()),
            room="tools",
        )
        assert (code, complained) == (0, ""), complained

    def system(self):
        """Opens the run, to be drawn with."""
        config = trained.read_config(self.workdir)
        reader = wiring.text_encoder(config)
        system = wiring.system(config, reader, readers=wiring.NOBODY)
        self.assertEqual(trained.bring(system, self.workdir), 2)
        return system

    def test_every_array_is_reported(self):
        for flag, path in self.paths.items():
            if flag in ("captions", "discriminator"):
                continue
            for key in weights.arrays.read(path):
                self.assertIn(f"\n  {key} -> ", self.printed)
            count = len(weights.arrays.read(path))
            self.assertIn(
                f"\n{flag}: all {count} arrays of {path} placed\n", self.printed
            )
        told = "\ndiscriminator: no file; it starts anew\n"
        self.assertIn(told, self.printed)

    def test_what_was_released_lies_in_players_and_average(self):
        found = state(self.system())
        wanted = {
            name: self.players[name].get_weights()
            for name in ("generator", "discriminator_8")
        }
        wanted["average"] = wanted["generator"]
        for name, arrays in wanted.items():
            for ours, theirs in zip(found[name], arrays, strict=True):
                self.assertAllEqual(ours, theirs)
        anew = self.players["discriminator"].get_weights()
        self.assertNotAllEqual(found["discriminator"][0], anew[0])

    def test_files_are_written_down(self):
        told = json.loads((self.workdir / "converted.json").read_text())
        self.assertCountEqual(told, set(self.paths) - {"discriminator"})
        for flag, row in told.items():
            path = self.paths[flag]
            self.assertEqual(row["file"], str(path))
            self.assertEqual(row["digest"], files.digest(path.read_bytes()))
        self.assertEqual(told["discriminator_8"]["not needed"], [])

    def test_run_draws_what_the_released_networks_draw(self):
        code, _, complained = command.run(
            "sample",
            f"--workdir={self.workdir}",
            f"--caption={CAPTIONS[0]}",
            "--attention",
            f"--out={self.folder / 'sheet.png'}",
        )
        self.assertEqual((code, complained), (0, ""))
        painter = trained.run(self.workdir).painter
        drawn = painter.generate(CAPTIONS, [3, 8])
        latent = noise.rows(tf.constant([3, 8], tf.int64), None, 12)
        for row, caption in enumerate(CAPTIONS):
            ids = [[released.WORDS.index(w) + 1 for w in caption.split()]]
            mask = np.ones(np.shape(ids), bool)
            ids = np.array(ids, "int32")
            read = self.players["text"]({"ids": ids, "mask": mask})
            inputs = {
                "noise": latent[row : row + 1],
                "words": tf.constant(np.asarray(read["words"])),
                "sentence": read["sentence"],
                "mask": tf.constant(mask),
            }
            wanted = self.players["generator"](inputs)["image"]
            self.assertAllClose(drawn[row], wanted[0], 0, 1e-5)

    def test_legacy_mask_deals_masks_out_as_the_released_code(self):
        workdir = self.folder / "runs" / "legacy"
        given = {k: v for k, v in self.paths.items() if k != "discriminator"}
        code, _, complained = command.run(
            "convert_run",
            CONFIG,
            f"--workdir={workdir}",
            "--move=2",
            "--config.networks.generator.legacy_mask=True",
            *(f"--{flag}={path}" for flag, path in given.items()),
            room="tools",
        )
        self.assertEqual((code, complained), (0, ""))
        drawn = trained.run(workdir).painter.generate(CAPTIONS, [3, 8])
        rows = [caption.split() for caption in CAPTIONS]
        mask = tf.sequence_mask([len(row) for row in rows])
        ids = np.zeros(mask.shape, "int32")
        for row, words in enumerate(rows):
            ids[row, : len(words)] = [
                released.WORDS.index(w) + 1 for w in words
            ]
        ids = tf.constant(ids)
        read = self.players["text"]({"ids": ids, "mask": mask})
        inputs = {
            "noise": noise.rows(tf.constant([3, 8], tf.int64), None, 12),
            "words": tf.constant(np.asarray(read["words"])),
            "sentence": read["sentence"],
            "mask": mask,
        }
        fault = released.networks_of(legacy_mask=True)["generator"]
        fault.set_weights(self.players["generator"].get_weights())
        self.assertAllClose(drawn, fault(inputs)["image"], 0, 1e-5)
        own = self.players["generator"](inputs)["image"]
        self.assertGreater(np.abs(own - drawn).max(), 1e-3)

    def test_it_is_exported_with_its_reader(self):
        out = self.folder / "saved_model"
        code, _, complained = command.run(
            "export", f"--workdir={self.workdir}", f"--out={out}"
        )
        self.assertEqual((code, complained), (0, ""))
        drawn = trained.run(self.workdir).painter.generate(CAPTIONS, [3, 8])
        self.assertAllEqual(
            serving.load(out).generate(CAPTIONS, [3, 8]),
            images.to_uint8(drawn),
        )

    def test_it_is_judged_and_its_preset_verified(self):
        self.enterContext(mock.patch.object(tfgan, "fid", lambda *_: 1.0))
        code, _, complained = command.run(
            "evaluate", f"--workdir={self.workdir}", "--pictures=6", "--seeds=1"
        )
        self.assertEqual((code, complained), (0, ""))
        self.assertIn("fid_lite0", (self.workdir / "scores.jsonl").read_text())
        place = f"--folder={self.folder / 'presets'}"
        code, _, complained = command.run(
            "make_preset",
            f"--workdir={self.workdir}",
            place,
            "--name=bird",
            "--seeds=1",
            "--pictures=5",
            room="tools",
        )
        self.assertEqual((code, complained), (0, ""))
        code, printed, complained = command.run(
            "verify", "--preset=bird", place, room="tools"
        )
        self.assertEqual((code, complained), (0, ""), printed)


class TorchFilesTest(tf.test.TestCase):
    """Files that PyTorch wrote, beside what their networks answered there."""

    def test_networks_answer_as_they_did(self):
        workdir = runs.folder(self) / "bird"
        sizes = {
            "data": dict(base_size=64, image_size=256),
            "networks.generator": dict(
                width=2, noise_dim=8, condition_dim=4, is_sampled=False
            ),
            "networks.discriminator": dict(width=2),
        }
        code, printed, complained = command.run(
            "convert_run",
            CONFIG,
            f"--workdir={workdir}",
            f"--generator={GOLDEN / 'attngan_tiny_generator.pth'}",
            f"--discriminator_64={GOLDEN / 'attngan_tiny_discriminator.pth'}",
            *(
                f"--config.{section}.{key}={value}"
                for section, values in sizes.items()
                for key, value in values.items()
            ),
            room="tools",
        )
        self.assertEqual((code, complained), (0, ""))
        self.assertIn("  img_net3.img.0.weight -> ", printed)
        with np.load(GOLDEN / "attngan_tiny.npz") as file:
            known = {key: tf.constant(file[key]) for key in file.files}
        config = trained.read_config(workdir)
        reader = wiring.text_encoder(config)
        system = wiring.system(config, reader, readers=wiring.NOBODY)
        trained.bring(system, workdir)
        inputs = {k: known[k] for k in ("noise", "sentence", "words")}
        inputs["mask"] = tf.sequence_mask(known["lengths"])
        drawn = system.average(inputs, training=False)["image"]
        self.assertAllClose(drawn[:, ::4, ::4], known["image"], 0, 2e-5)
        self.assertGreater(np.std(known["image"]), 0.02)
        judged = system.players["discriminator_64"](
            {
                "image": tf.cast(known["pictures"], tf.float32),
                "sentence": known["sentence"],
            },
            training=False,
        )
        for name in ("matched", "alone"):
            found = tf.sigmoid(judged[name])
            self.assertAllClose(found, known[name], 0, 1e-5)


class TrainOnTest(tf.test.TestCase):
    """Training goes on where the released files end."""

    def test_with_the_readers_that_came_along(self):
        folder = runs.folder(self)
        released.narrow(self)
        players = released.networks_of() | released.readers_of()
        paths = released.write(folder, players)
        paths["captions"] = folder / "words.txt"
        paths["captions"].write_text("\n".join(released.WORDS))
        config = released.config()
        config.data.words = "ids"
        config.train.batch_size = 4
        workdir = folder / "bird"
        reports = directory.make(config, workdir, paths)
        self.assertNotIn(None, reports.values())
        moves = config.train.moves
        self.assertEqual(callbacks.newest(workdir / "checkpoints"), moves)
        config.train.moves += config.train.moves_per_epoch
        system = training.train(config, workdir)
        self.assertEqual(system.moves.numpy(), config.train.moves)
        for name in ("generator", "discriminator", "discriminator_8"):
            now = system.players[name].get_weights()
            before = players[name].get_weights()
            self.assertNotAllEqual(now[0], before[0])
            self.assertAllClose(now[0], before[0], 0, 0.02)

    def test_dm_gan_by_readers_that_are_there(self):
        folder = runs.folder(self)
        players = released.networks_of("dm_gan", text=16)
        paths = released.write(folder, players, "dm_gan")
        config = released.dm_gan_config()
        reports = directory.make(config, folder / "bird", paths)
        self.assertCountEqual(reports, players)
        self.assertFalse((folder / "bird" / "reader").exists())
        painter = trained.run(folder / "bird").painter
        self.assertEqual(painter.generate(CAPTIONS).shape, (2, 16, 16, 3))


class RefusalsTest(tf.test.TestCase, parameterized.TestCase):
    """A sentence, and nothing written."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared = runs.folder(cls)
        released.narrow(cls)
        cls.players = released.networks_of() | released.readers_of()
        cls.whole = released.write(cls.shared, cls.players)
        cls.whole["captions"] = released.table(cls.shared)

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)
        self.paths = dict(self.whole)
        self.config = released.config()

    def refused(self, sentence, **more):
        workdir = self.folder / "bird"
        with self.assertRaisesRegex(ValueError, sentence) as caught:
            directory.make(self.config, workdir, self.paths, **more)
        self.assertEmpty(list(self.folder.glob("*bird*")))
        return str(caught.exception)

    def put(self, flag, data):
        self.paths[flag] = self.folder / f"{flag}.pth"
        self.paths[flag].write_bytes(data)

    def change(self, flag, **arrays):
        """Writes a file with other arrays; None leaves one out."""
        found = {**weights.arrays.read(self.whole[flag]), **arrays}
        self.paths[flag] = self.folder / f"{flag}.npz"
        kept = {k: x for k, x in found.items() if x is not None}
        np.savez(self.paths[flag], **kept)

    @parameterized.product(
        flag=("generator", "discriminator_8", "text", "image"),
        name=("torch_zip.pth", "torch_legacy.pth"),
    )
    def test_a_file_that_was_cut_off(self, flag, name):
        data = (GOLDEN / name).read_bytes()
        self.put(flag, data[: len(data) * 3 // 4])
        self.refused(rf"{flag}\.pth ")

    @parameterized.parameters("generator", "captions")
    def test_a_pickle_that_asks_for_a_function(self, flag):
        self.put(flag, pickle.dumps([Stranger()], 2))
        self.refused(rf"{flag}\.pth was not read: it asks for '\S*print'")

    def test_a_function_hidden_in_a_file_of_pytorch(self):
        data = (GOLDEN / "torch_zip.pth").read_bytes()
        data = data.replace(b"ctorch\nFloatStorage", b"cposix\nsystemStorag")
        if data == (GOLDEN / "torch_zip.pth").read_bytes():
            data = data.replace(b"FloatStorage", b"FloatStrange")
        self.put("generator", data)
        self.refused(r"generator\.pth ")

    def test_keys_of_another_model(self):
        self.paths["generator"] = self.whole["text"]
        self.refused("--generator=.* is refused.*unknown key 'encoder.weight'")

    def test_one_wrong_key_names_file_and_key(self):
        array = np.zeros(3, "float32")
        self.change("discriminator_8", **{"img_code_s2.9.extra": array})
        self.refused(
            "--discriminator_8=.*is refused.*unknown key 'img_code_s2.9.extra'"
        )

    def test_one_missing_key_names_file_and_key(self):
        self.change("image", **{"emb_features.weight": None})
        self.refused("--image=.*missing key 'emb_features.weight'")

    def test_one_wrong_shape_names_file_and_key(self):
        key = "COND_DNET.outlogits.0.weight"
        self.change("discriminator", **{key: np.zeros((1, 3, 4, 4))})
        self.refused(f"--discriminator=.*{key} has shape")

    def test_other_sizes_are_told_as_flags(self):
        players = released.networks_of(width=2, residuals=2)
        self.paths |= released.write(self.folder, players)
        told = self.refused("--generator=.* It fits with ")
        _, _, words = told.partition("It fits with ")
        self.assertEqual(
            words,
            "--config.networks.generator.width=2 "
            "--config.networks.generator.residuals=2.",
        )
        self.config.networks.generator.update(width=2, residuals=2)
        directory.make(self.config, self.folder / "bird", self.paths)

    def test_attndcgans_generator_is_taken(self):
        players = released.networks_of(residuals=0, smaller_images=False)
        found = released.write(self.folder, {"generator": players["generator"]})
        self.paths |= found
        for flag in ("discriminator", "discriminator_8"):
            del self.paths[flag]
        told = self.refused("--generator=.* It fits with ")
        _, _, words = told.partition("It fits with ")
        self.assertEqual(
            words,
            "--config.networks.generator.residuals=0 "
            "--config.networks.generator.smaller_images=False.",
        )
        changes = dict(residuals=0, smaller_images=False)
        self.config.networks.generator.update(changes)
        reports = directory.make(self.config, self.folder / "bird", self.paths)
        self.assertIn("img_net.img.0.weight", reports["generator"].loaded)
        self.assertNotIn("discriminator_8", reports)

    def test_other_sizes_of_dm_gan_are_told_too(self):
        players = released.networks_of("dm_gan", width=2, base_size=16)
        found = released.write(self.folder, players, "dm_gan")
        self.paths |= {"generator": found["generator"]}
        for flag in ("discriminator", "discriminator_8"):
            del self.paths[flag]
        self.config = released.dm_gan_config()
        self.refused(
            "It fits with --config.data.base_size=16 "
            "--config.networks.generator.width=2 "
            "--config.networks.generator.residuals=0"
        )

    def test_discriminators_in_the_wrong_order(self):
        self.paths["discriminator"] = self.whole["discriminator_8"]
        self.refused("--discriminator=.* It looks at pictures of 8 px")

    def test_a_vocabulary_of_another_model(self):
        self.paths["captions"] = released.table(
            self.folder, [*released.WORDS, "more"]
        )
        self.refused(
            "--captions=.* has 23 words beside its filling, --text=.* has "
            "vectors of 22"
        )

    def test_words_with_gaps_or_of_another_kind(self):
        path = self.folder / "captions.pickle"
        for words, sentence in (
            ({0: "<end>", 2: "a"}, "Numbers are left out"),
            ({0: "<end>", 1: "two words"}, "'two words' is no word"),
        ):
            path.write_bytes(pickle.dumps([[], [], words, {}], 2))
            self.paths["captions"] = path
            self.refused(f"--captions=.* can't be used: {sentence}")
        path.write_bytes(pickle.dumps({"a": 1}, 2))
        self.refused("--captions=.* is a pickle without")

    def test_a_generator_of_other_readers(self):
        players = released.networks_of(text=6)
        paths = released.write(self.folder, players)
        self.paths["generator"] = paths["generator"]
        self.refused(
            "--generator=.* reads sentences of 6 numbers, --text=.* says them "
            "in 8"
        )

    def test_a_discriminator_of_other_readers(self):
        players = released.networks_of(text=6)
        paths = released.write(self.folder, players)
        self.paths["discriminator_8"] = paths["discriminator_8"]
        self.refused("--discriminator_8=.* It reads sentences of 6 numbers")

    def test_readers_of_other_widths(self):
        players = released.readers_of(image=6)
        paths = released.write(self.folder, players)
        self.paths["image"] = paths["image"]
        self.refused(
            "--image=.* says pictures in 6 numbers, --text=.* captions in 8"
        )

    def test_readers_come_together(self):
        del self.paths["image"]
        self.refused("--text and --captions came; readers are made of")

    def test_flags_that_do_not_fit_the_config(self):
        self.paths["discriminator_64"] = self.whole["discriminator_8"]
        self.refused(
            "--discriminator_64 came; the networks of this config are "
            "generator, discriminator, discriminator_8"
        )
        self.paths = {}
        self.refused("--generator names no file")

    def test_counts_of_moves_that_are_not_the_runs(self):
        self.refused("--move=5; allowed: 1 to config.train.moves.*4", move=5)

    def test_resizing_that_is_unknown(self):
        self.refused("--resize is 'bilnear'.*mean 'bilinear'", resize="bilnear")

    def test_networks_without_names_elsewhere(self):
        self.config = runs.smoke()
        self.paths = {"generator": self.whole["generator"]}
        self.refused(
            "networks.generator.name is 'gan_cls'.*known are those of attngan"
        )

    def test_a_directory_that_is_used(self):
        workdir = self.folder / "used"
        workdir.mkdir()
        (workdir / "note.txt").write_text("mine")
        with self.assertRaisesRegex(ValueError, "used is not empty"):
            directory.make(self.config, workdir, self.paths)
        self.assertEqual([x.name for x in workdir.iterdir()], ["note.txt"])

    def test_files_that_are_not_there(self):
        self.paths["text"] = self.folder / "txt.pth"
        self.refused("--text=.*txt.pth is no file")

    def test_the_command_says_so_in_one_line(self):
        self.change("generator", odd=np.zeros(2))
        code, printed, complained = command.run(
            "convert_run",
            CONFIG,
            f"--workdir={self.folder / 'bird'}",
            *(f"--{flag}={path}" for flag, path in self.paths.items()),
            room="tools",
        )
        self.assertEqual(code, 2)
        self.assertRegex(
            complained, r"^Error: [^\n]*unknown key 'odd'[^\n]*\n$"
        )
        self.assertIn("  odd: unknown\n", printed)
        self.assertIn("  img_net1.img.0.weight -> ", printed)


if __name__ == "__main__":
    tf.test.main()
