"""Checks that the house stands as it is drawn, without building it.

BUILD's rooms, data and stairs against the files and their imports; the
packages of setup.py; the list of public names; docstrings; light doors.
"""

import ast
import json
import re
import subprocess
import sys

import tensorflow as tf
from absl.testing import parameterized

from tests import harness, public_api

ROOT = public_api.ROOT
ROOMS = [room.name for room in public_api.rooms()]
# Folders that programs make, none of them part of the tree.
MADE = re.compile(
    r"^(\.git|\.venv|\.cache|\.eggs|\.pytest_cache|\.ruff_cache|build|dist|"
    r"runs|bazel-.*|.*\.egg-info|__pycache__)$"
)
# Those that commands of the README make beside the rooms.
MADE_HERE = {"data", "holiday", "pictures", "scores", "served"}
# Modules whose packages are named otherwise.
PACKAGES = {
    "PIL": "pillow",
    "absl": "absl-py",
    "pkg_resources": "setuptools",
    "resvg_py": "resvg-py",
}


def files(pattern="*"):
    """Lists the tree's own files."""
    found, folders = [], [ROOT]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            if MADE.match(path.name):
                continue
            if path.parent == ROOT and path.name in MADE_HERE:
                continue
            if path.is_dir():
                folders.append(path)
            elif path.match(pattern) and path.suffix != ".pyc":
                found.append(path)
    return found


def local(path):
    """Names a file from the root on."""
    return path.relative_to(ROOT).as_posix()


def imports(path):
    """Lists the modules that a file imports, anywhere in it, by full name."""
    found = set()
    for node in ast.walk(public_api.parse(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms_in(modules):
    """Picks the rooms among imported modules."""
    parts = [name.split(".") for name in modules]
    return {p[1] for p in parts if p[0] == "keras_t2i" and p[1] in ROOMS}


def drawn():
    """Runs BUILD, which is nearly Python, and collects its rules by name."""
    rules = {}

    def rule(**kwargs):
        rules[kwargs["name"]] = kwargs

    def glob(patterns, exclude=()):
        found = {p for pattern in patterns for p in ROOT.glob(pattern)}
        found -= {p for pattern in exclude for p in ROOT.glob(pattern)}
        return sorted(local(path) for path in found if path.is_file())

    text = (ROOT / "BUILD").read_text()
    names = {"py_library": rule, "py_test": rule, "glob": glob}
    exec(compile(text, "BUILD", "exec"), names)
    return rules


class BuildTest(tf.test.TestCase, parameterized.TestCase):
    """BUILD says what the files say."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rules = drawn()

    def deps(self, name):
        return {dep.lstrip(":") for dep in self.rules[name].get("deps", [])}

    def below(self, name):
        """Finds all that a rule may climb down to, itself included."""
        return {name}.union(*[self.below(dep) for dep in self.deps(name)])

    @parameterized.parameters(ROOMS)
    def test_room_has_its_files_and_exactly_the_stairs_it_uses(self, room):
        sources = files(f"keras_t2i/{room}/*.py")
        sources += files(f"keras_t2i/{room}/*/*.py")
        self.assertEqual(
            set(self.rules[room]["srcs"]), {local(path) for path in sources}
        )
        used = rooms_in(set().union(*map(imports, sources))) - {room}
        self.assertEqual(self.deps(room), used | {"root"})

    def test_no_stairs_lead_in_circles(self):
        for room in ROOMS:
            for dep in self.deps(room):
                self.assertNotIn(room, self.below(dep))

    def test_door_opens_exactly_the_rooms_that_stand(self):
        tree = public_api.parse(ROOT / "keras_t2i" / "__init__.py")
        (door,) = [
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and node.targets[0].id == "_ROOMS"
        ]
        self.assertEqual(list(door), ROOMS)

    def test_package_data_reach_the_rooms(self):
        held = set()
        for rule in self.rules.values():
            if not rule["name"].startswith("tests_"):
                held.update(rule.get("data", []))
        for path in files("keras_t2i/*/*/*"):
            if path.suffix != ".py":
                self.assertIn(local(path), held)

    def test_no_room_sees_recipes_tools_or_tests(self):
        for path in files("*.py"):
            outside = {name.split(".")[0] for name in imports(path)}
            place = local(path).split("/")[0]
            if place == "keras_t2i":
                self.assertNoCommonElements(
                    outside, {"recipes", "tools", "tests"}, local(path)
                )
            if place == "recipes":
                self.assertNoCommonElements(outside, {"tools", "tests"})

    def test_every_test_has_a_rule_and_sees_only_what_is_below(self):
        for path in files("*_test.py"):
            name = local(path)[:-3].replace("/", "_")
            self.assertIn(name, self.rules)
            self.assertEqual(self.rules[name]["main"], local(path))
            seen = rooms_in(imports(path))
            self.assertContainsSubset(seen, self.below(name), local(path))
            for helper in imports(path):
                if helper.startswith("tests."):
                    file = helper.replace(".", "/") + ".py"
                    given = [
                        source
                        for rule in self.below(name)
                        for source in self.rules[rule]["srcs"]
                    ]
                    self.assertIn(file, given, local(path))

    def test_every_test_runs_its_tests(self):
        end = 'if __name__ == "__main__":\n    tf.test.main()\n'
        for path in files("*_test.py"):
            self.assertEndsWith(path.read_text(), end, local(path))


class PackagesTest(tf.test.TestCase):
    """setup.py says what is imported."""

    def test_every_foreign_import_stands_in_setup(self):
        strings = [
            node.value
            for node in ast.walk(public_api.parse(ROOT / "setup.py"))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        known = {re.split(r"[<>=~!\[ ]", text)[0] for text in strings}
        ours = {"keras_t2i", "recipes", "tools", "tests"}
        for path in files("*.py"):
            for name in imports(path):
                top = name.split(".")[0]
                if top in ours or top in sys.stdlib_module_names:
                    continue
                package = PACKAGES.get(top, top.replace("_", "-"))
                self.assertIn(package, known, f"{local(path)} imports {top}")

    def test_every_package_is_pinned_to_a_release_or_its_like(self):
        text = (ROOT / "setup.py").read_text()
        bounds = re.findall(r'"([\w-]+)([<>=~!]=?)[\d.]+"', text)
        loose = {name for name, sign in bounds if sign not in ("==", "~=")}
        self.assertEqual(loose, {"setuptools"})  # kept below a release only
        self.assertGreater(len(bounds), 15)

    def test_version_is_read_from_one_place(self):
        version = (ROOT / "keras_t2i" / "version.py").read_text()
        number = re.search(r'VERSION = "(\d+\.\d+\.\d+)"', version)[1]
        self.assertNotIn(number, (ROOT / "setup.py").read_text())


class PublicNamesTest(tf.test.TestCase):
    """What users may call, and what is written about it."""

    def test_public_names_are_the_listed_ones(self):
        listed = public_api.LIST.read_text().splitlines()
        now = public_api.listing()
        self.assertEqual(
            sorted(set(now) ^ set(listed)),
            [],
            "If this is meant: python -m tests.public_api --write",
        )
        self.assertEqual(listed, sorted(listed))

    def test_rooms_list_their_names_in_order(self):
        for room in public_api.rooms():
            tree = public_api.parse(room / "__init__.py")
            names = public_api.exported(tree)
            self.assertEqual(names, sorted(names), room.name)
            self.assertEqual(set(names), set(public_api.origins(tree)))

    def test_every_name_has_a_file_of_tests(self):
        missing = []
        for room in public_api.rooms():
            tree = public_api.parse(room / "__init__.py")
            for name, module in public_api.origins(tree).items():
                is_module = module == f"keras_t2i.{room.name}"
                stem = name if is_module else module.rpartition(".")[2]
                path = ROOT / "tests" / room.name / f"{stem}_test.py"
                if not path.exists():
                    missing.append(local(path))
        self.assertEqual(missing, [])

    def test_every_module_is_listed_or_private_to_a_listed_one(self):
        for room in public_api.rooms():
            origins = public_api.origins(public_api.parse(room / "__init__.py"))
            reached = {f"{m}.{n}" for n, m in origins.items()}
            reached |= set(origins.values())
            inside = set().union(*map(imports, room.glob("**/*.py")))
            reached |= inside | {n.rpartition(".")[0] for n in inside}
            for path in room.glob("*.py"):
                if path.name != "__init__.py":
                    name = f"keras_t2i.{room.name}.{path.stem}"
                    self.assertIn(name, reached)


class DocstringTest(tf.test.TestCase):
    """Docstrings follow the house's template."""

    def test_docstrings_have_their_sections(self):
        faults = []
        for path in files("keras_t2i/**/*.py"):
            tree = public_api.parse(path)
            faults += [f"{local(path)}: {x}" for x in _first_line(tree)]
            for name, node in public_api.public(tree.body):
                faults += [f"{local(path)}: {x}" for x in _faults(name, node)]
        self.assertEqual(faults, [])


def _first_line(node):
    text = ast.get_docstring(node) or ""
    first, _, rest = text.partition("\n")
    name = getattr(node, "name", "the module")
    if not first.endswith((".", "!", "?")):
        yield f"{name}'s docstring has no first sentence on its first line"
    if rest and not rest.startswith("\n"):
        yield f"{name}'s docstring has no empty line after the first"


def _faults(name, node):
    if isinstance(node, ast.ClassDef):
        yield from _first_line(node)
        text = ast.get_docstring(node) or ""
        is_variant = "\n" not in text and text.endswith(".") and "`" in text
        for inner in node.body:
            if getattr(inner, "name", "") == "__init__" and not is_variant:
                yield from _unnamed(name, inner, text)
        for inner_name, inner in public_api.public(node.body):
            if not public_api.is_hook(inner_name):
                yield from _faults(f"{name}.{inner_name}", inner)
    elif isinstance(node, ast.FunctionDef):
        yield from _first_line(node)
        text = ast.get_docstring(node) or ""
        if _is_repeated(node, text):
            return
        yield from _unnamed(name, node, text)
        has_arguments = "\nArgs:\n" in text
        if has_arguments and _gives(node) and "\nReturns:\n" not in text:
            yield f"{name} has no Returns"
        if _raises(node) and "\nRaises:\n" not in text:
            yield f"{name} has no Raises"


def _is_repeated(node, text):
    """Allows one line where the base class says the rest."""
    overridden = {"train_step", "default_weights", "metrics"}
    return node.name in overridden and "\n" not in text


def _unnamed(name, node, text):
    arguments = node.args
    every = arguments.posonlyargs + arguments.args + arguments.kwonlyargs
    names = [a.arg for a in every if a.arg not in ("self", "cls")]
    names += [f"*{a.arg}" for a in [arguments.vararg] if a]
    if arguments.kwarg and node.name != "__init__":
        names.append(f"**{arguments.kwarg.arg}")
    for argument in names:
        if not re.search(rf"^ +{re.escape(argument)}[:,]", text, re.M):
            if not argument.startswith("_"):
                yield f"{name} doesn't say what {argument} is"


def _own(node):
    """Walks a function without the functions inside it."""
    for inner in ast.iter_child_nodes(node):
        if not isinstance(inner, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            yield inner
            yield from _own(inner)


def _gives(node):
    marks = [ast.unparse(mark) for mark in node.decorator_list]
    returns = [n for n in _own(node) if isinstance(n, ast.Return) and n.value]
    return bool(returns) and "property" not in marks


def _raises(node):
    return any(isinstance(n, ast.Raise) and n.exc for n in _own(node))


class TreeTest(tf.test.TestCase):
    """What lies in the tree."""

    def test_no_line_is_longer_than_eighty(self):
        for path in files("*.py") + files("BUILD") + files("*.bzl"):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                self.assertLessEqual(len(line), 80, f"{local(path)}:{number}")

    def test_nothing_points_into_somebodys_machine(self):
        places = "|".join(["work", "root", "home", "Users", "opt"])
        path_of = re.compile(rf"(?<![\w.~-])/({places})/\w")
        for path in files():
            data = path.read_bytes()
            if b"\0" not in data[:4096]:
                text = data.decode(errors="replace")
                self.assertNotRegex(text, path_of, local(path))

    def test_no_file_is_over_ten_megabytes_and_all_are_under_sixty(self):
        sizes = {local(path): path.stat().st_size for path in files()}
        large = {name for name, size in sizes.items() if size > 10e6}
        self.assertEqual(large, set())
        self.assertLess(sum(sizes.values()), 60e6)


class DoorTest(tf.test.TestCase):
    """Doors open one by one."""

    def ask(self, code):
        """Runs code in a new process and reads its JSON answer."""
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=harness.child_environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    def test_front_door_is_light(self):
        loaded = self.ask(
            "import json, sys; before = set(sys.modules); import keras_t2i; "
            "keras_t2i.__version__; dir(keras_t2i); "
            "new = set(sys.modules) - before; "
            "print(json.dumps(sorted({m.split('.')[0] for m in new})))"
        )
        foreign = set(loaded) - set(sys.stdlib_module_names)
        self.assertEqual(foreign, {"keras_t2i"})

    def test_room_opens_when_named_and_no_other(self):
        answers = self.ask(_OPEN_EACH.replace("ROOMS", repr(ROOMS)))
        rules = drawn()

        def below(room):
            deps = [d.lstrip(":") for d in rules[room].get("deps", [])]
            return {room}.union(*map(below, deps)) - {"root"}

        for room, (rooms, foreign) in answers.items():
            self.assertContainsSubset([room], rooms)
            self.assertContainsSubset(rooms, below(room))
            self.assertEqual(foreign, [], room)

    def test_unknown_room_gets_a_sentence(self):
        message = self.ask(
            "import json, keras_t2i\n"
            "try: keras_t2i.cellar\n"
            "except AttributeError as error: print(json.dumps(str(error)))"
        )
        self.assertRegex(message, "no room 'cellar'; its rooms are callbacks")

    def test_version_is_a_number(self):
        version = self.ask(
            "import json, keras_t2i; print(json.dumps(keras_t2i.__version__))"
        )
        self.assertRegex(version, r"^\d+\.\d+\.\d+$")


# Opens each room in turn; TensorFlow and Keras stay, the library is forgotten.
_OPEN_EACH = """
import json, sys, tensorflow, keras
HEAVY = ("PIL", "matplotlib", "tensorflow_gan", "tensorflow_hub", "tf_keras",
         "tensorflow_probability", "tensorflow_text", "absl.flags.app",
         "ml_collections", "tqdm")
answers, before = {}, set(sys.modules)
for room in ROOMS:
    for name in [m for m in sys.modules if m.startswith("keras_t2i")]:
        del sys.modules[name]
    import keras_t2i
    getattr(keras_t2i, room)
    rooms = {m.split(".")[1] for m in sys.modules
             if m.startswith("keras_t2i.")} - {"version"}
    heavy = [m for m in HEAVY if m in sys.modules and m not in before]
    answers[room] = [sorted(rooms), heavy]
print(json.dumps(answers))
"""


if __name__ == "__main__":
    tf.test.main()
