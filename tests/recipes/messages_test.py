"""Examines how mistakes reach the user."""

import contextlib
import io
import json
import pathlib
import tempfile

import tensorflow as tf
from absl.testing import parameterized

from keras_t2i.data import pipeline, prepared, shapes
from keras_t2i.ops import images
from recipes import messages
from recipes.configs import gan_cls_openmoji
from tests.recipes import command
from tools import show_records


def _told(action):
    complained = io.StringIO()
    with contextlib.redirect_stderr(complained):
        code = messages.told(lambda _: action())(["program"])
    return code, complained.getvalue()


class ToldTest(parameterized.TestCase, tf.test.TestCase):
    """Users get sentences, makers get tracebacks."""

    def test_value_error_of_the_library_is_one_sentence(self):
        code, text = _told(lambda: images.sizes_up_to(17))
        self.assertEqual(code, 2)
        self.assertRegex(text, r"^Error: image_size is 17; allowed are .*\n$")

    def test_error_of_the_disk_names_the_file(self):
        code, text = _told(lambda: open("/nowhere/at/all"))
        self.assertEqual(code, 2)
        self.assertEqual(
            text, "Error: No such file or directory: /nowhere/at/all\n"
        )

    def test_error_of_an_operation_is_one_sentence(self):
        code, text = _told(lambda: tf.io.read_file("/nowhere/at/all"))
        self.assertEqual(code, 2)
        self.assertEqual(
            text, "Error: /nowhere/at/all; No such file or directory\n"
        )

    def test_damaged_record_is_told_with_the_way_to_its_file(self):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.get_temp_dir()))
        prepared.write(folder, {"train": shapes.load(8, 8)})
        pictures = prepared.load(folder, "train")
        with open(folder / "train.tfrecord", "r+b") as file:
            file.seek(int(pictures.images.offset[3]) + 20)
            file.write(b"damage")
        stream = pipeline.batches(
            pictures, batch_size=8, image_size=8, seed=0, moves=1
        )
        take = tf.function(lambda made: next(made)["image"])
        code, text = _told(lambda: take(iter(stream)))
        self.assertEqual(code, 2)
        self.assertRegex(
            text,
            r"^Error: A record file is damaged \(corrupted record at \d+\): "
            r"`python -m tools.show_records --records=FOLDER --verify` .*\n$",
        )
        with self.assertRaisesRegex(ValueError, "train.tfrecord has changed"):
            show_records.opened([str(folder)], None, True)

    def test_value_error_of_another_library_keeps_its_traceback(self):
        with self.assertRaises(ValueError):
            _told(lambda: json.loads("{"))

    def test_success_is_silent(self):
        self.assertEqual(_told(lambda: None), (None, ""))

    def test_words_that_belong_to_no_flag_are_told(self):
        with contextlib.redirect_stderr(io.StringIO()) as text:
            code = messages.told(lambda _: None)(["program", "red", "heart"])
        self.assertEqual(code, 2)
        self.assertIn("'red heart' belongs to no flag", text.getvalue())

    def test_nearest_name_is_told(self):
        table = {"circle": 1, "square": 2}
        self.assertEqual(messages.choose("form", "square", table), 2)
        with self.assertRaisesRegex(
            ValueError,
            r"^form is 'sqare'; known: circle, square\. Did you mean 'square'",
        ):
            messages.choose("form", "sqare", table)
        with self.assertRaisesRegex(ValueError, r"known: circle, square\.$"):
            messages.choose("form", 7, table)


class FlagsTest(parameterized.TestCase, tf.test.TestCase):
    """Flags are chosen, and misspelt ones told."""

    @parameterized.parameters(
        (
            "--config.trian.seed=3",
            "config.trian is unknown. Did you mean 'train'",
        ),
        (
            "--config.train.sed=3",
            "config.train.sed is unknown. Did you mean 'seed'",
        ),
        ("--config.train.seed=x", "seed=x"),
        ("--confg.train.seed=1", "Unknown command line flag"),
    )
    def test_misspelt_override_is_told_its_neighbour(self, word, sentence):
        path = f"{gan_cls_openmoji.__file__}:smoke"
        code, _, complained = command.run(
            "train", f"--config={path}", word, "--workdir=/nowhere"
        )
        self.assertEqual(code, 2)
        self.assertRegex(complained, rf"^Error: .*{sentence}.*\n$")

    def test_misspelt_override_of_the_default_config_is_told_too(self):
        code, _, complained = command.run(
            "train", "--config.train.movs=3", "--workdir=/nowhere"
        )
        self.assertEqual(code, 2)
        self.assertEqual(
            complained,
            "Error: config.train.movs is unknown. Did you mean 'moves'?\n",
        )

    @parameterized.parameters(
        ("--config=nowhere.py",),
        ("--config=tests/recipes",),
        ("--config=nowhere.py:smoke", "--config.train.seed=1"),
        ("--config", "nowhere.py:smoke", "--config.train.seed=1"),
    )
    def test_missing_config_file_is_named(self, *words):
        code, _, complained = command.run("train", *words, "--workdir=/nowhere")
        path = words[1] if words[0] == "--config" else words[0][9:]
        self.assertEqual(code, 2)
        self.assertStartsWith(
            complained, f"Error: --config={path} is no file that can be read;"
        )
        self.assertEqual(complained.count("\n"), 1)

    def test_one_of_several_flags_is_picked(self):
        self.assertEqual(messages.one_of(a=None, b="x"), ("b", "x"))
        for values, came in (((None, ""), "none"), (("x", "y"), "--a and --b")):
            with self.assertRaisesRegex(
                ValueError, f"exactly one of --a and --b; {came} came"
            ):
                messages.one_of(a=values[0], b=values[1])

    def test_folder_that_is_not_there_is_told_its_neighbour(self):
        with tempfile.TemporaryDirectory() as here:
            pathlib.Path(here, "openmoji").mkdir()
            self.assertEqual(
                messages.folder("workdir", f"{here}/openmoji").name, "openmoji"
            )
            with self.assertRaisesRegex(
                ValueError, "--workdir=.*opnmoji is no .*mean 'openmoji'"
            ):
                messages.folder("workdir", f"{here}/opnmoji")

    def test_source_may_be_a_file_or_a_folder_but_must_be_there(self):
        with tempfile.TemporaryDirectory() as here:
            path = pathlib.Path(here, "birds.hdf5")
            path.write_bytes(b"")
            for name in (path, here):
                found = messages.existing("source", str(name))
                self.assertEqual(found, pathlib.Path(name))
            with self.assertRaises(ValueError) as caught:
                messages.existing("source", f"{here}/bird.hdf5")
            self.assertEqual(
                str(caught.exception),
                f"--source={here}/bird.hdf5 is no file or folder. Did you mean "
                "'birds.hdf5'?",
            )


if __name__ == "__main__":
    tf.test.main()
