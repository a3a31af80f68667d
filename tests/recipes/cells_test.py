"""Examines what sheets may hold."""

import pathlib

import tensorflow as tf
from absl.testing import parameterized

from recipes import cells
from tests.recipes import runs, sheets

ONE = "next(iter(cells.values()))"


class LoadTest(parameterized.TestCase, tf.test.TestCase):
    """A file becomes cells, or a sentence says why not."""

    def setUp(self):
        super().setUp()
        self.folder = runs.folder(self)

    def load(self, made=None):
        return cells.load(sheets.write(self.folder, made))

    def test_cells_and_reader_are_what_the_file_says(self):
        sheet = self.load()
        self.assertEqual(sheet.title, "Two")
        self.assertEqual(list(sheet.cells), ["Slow", "Fast & slim"])
        self.assertIs(sheet.reader, sheet.cells["Slow"])
        made = "dict(title='T', cells=cells, reader=cells['Fast & slim'])"
        sheet = self.load(made)
        self.assertIs(sheet.reader, sheet.cells["Fast & slim"])

    @parameterized.parameters(
        ("dict(cells=cells)", "has no title; get_sheet.. returns a dict"),
        ("dict(title='T', cells={})", "has no cells"),
        ("dict(title='T', cells=cells, minuts=3)", "has unknown minuts"),
        ("[cells]", "returns no dict"),
        ("dict(title='T', cells=[cells])", "cells are no dict"),
        ("dict(title='T', cells=cells, reader='Slow')", "'reader' is no con"),
        ("dict(title='T', cells=dict(a=3))", "'a' is no config of a gen"),
        (f"dict(title='T', cells={{'A b': {ONE}, 'a-B': {ONE}}})", "a_b_0"),
        ("1 / 0", "can't be read: ZeroDivisionError"),
        ("undefined", "can't be read: NameError: name 'undefined'"),
    )
    def test_mistakes_are_told(self, made, sentence):
        with self.assertRaisesRegex(ValueError, sentence):
            self.load(made)

    @parameterized.parameters(
        ("data.image_size", 32),
        ("samples.captions", ("another",)),
        ("train.moves_per_epoch", 4),
    )
    def test_what_must_be_alike_is_named(self, key, value):
        section, name = key.split(".")
        change = f"cells['Slow'].{section}.__setattr__('{name}', {value!r})"
        made = f"{change} or dict(title='T', cells=cells)"
        with self.assertRaisesRegex(ValueError, f"config.{key} of 'Fast"):
            self.load(made)

    def test_cell_without_captions_has_no_column(self):
        change = "config.samples.update(captions=())"
        with self.assertRaisesRegex(ValueError, "'Fast & slim' has none"):
            self.load(f"{change} or dict(title='T', cells=cells)")

    def test_cell_that_can_not_be_played_is_refused(self):
        change = "config.samples.update(noises=0)"
        with self.assertRaisesRegex(ValueError, "noises 0"):
            self.load(f"{change} or dict(title='T', cells=cells)")

    @parameterized.parameters("none.py", "words.txt")
    def test_what_is_no_file_of_python_is_told(self, name):
        (self.folder / "words.txt").write_text("words")
        with self.assertRaisesRegex(ValueError, "is no (Python )?file"):
            cells.load(str(self.folder / name))


class CellTest(tf.test.TestCase):
    """What is changed of a config, and what is not."""

    def test_haste_changes_moves_and_what_goes_on_between_them(self):
        sheet = cells.load(sheets.write(runs.folder(self)))
        hasty = cells.quick(sheet)
        for name, config in sheet.cells.items():
            changed = hasty.cells[name]
            self.assertEqual(changed.best.keep, 0)
            self.assertIsNone(changed.optimizers.generator.decay_moves)
            for section in ("data", "networks", "system", "text"):
                self.assertEqual(changed[section], config[section])
        config = sheet.cells["Fast & slim"]
        self.assertEqual(config.optimizers.generator.decay_moves, 2)

    def test_runs_of_a_cell_differ_in_seed_and_moves_only(self):
        config = runs.smoke()
        config.train.seed = 5
        run = cells.planned(config, 2, 40)
        self.assertEqual((run.train.seed, run.train.moves), (7, 40))
        run.train.update(seed=5, moves=config.train.moves)
        self.assertEqual(run, config)

    def test_folders_are_plain_words(self):
        self.assertEqual(cells.folder("AttnGAN + CL", 1), "attngan_cl_1")
        self.assertEqual(cells.folder("DM-GAN", 0), "dm_gan_0")


class OwnTest(tf.test.TestCase):
    """Sheets that lie in the tree."""

    def test_all_can_be_read(self):
        room = pathlib.Path(cells.__file__).parent / "sheets"
        for path in room.glob("[!_]*.py"):
            sheet = cells.load(str(path))
            self.assertNotEmpty(sheet.cells)


if __name__ == "__main__":
    tf.test.main()
