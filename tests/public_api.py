"""Lists the public names of the library and their signatures.

    python -m tests.public_api          prints the list
    python -m tests.public_api --write  puts it into tests/public_api.txt

Nothing is imported: the list is read off the source, so that it is the same
for every version of Python and of TensorFlow.
"""

import ast
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIST = ROOT / "tests" / "public_api.txt"
HOOKS = {"build", "call", "compute_output_shape", "get_config", "set_model"}


def parse(path):
    """Reads a file's syntax tree.

    Args:
        path: `pathlib.Path`.

    Returns:
        `ast.Module`.
    """
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def rooms():
    """Finds the rooms of the library.

    Returns:
        Sorted list of their folders.
    """
    return sorted(p.parent for p in ROOT.glob("keras_t2i/*/__init__.py"))


def exported(tree):
    """Reads the hand list `__all__` of a room.

    Args:
        tree: `ast.Module` of its `__init__.py`.

    Returns:
        List of names.
    """
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
            return ast.literal_eval(node.value)
    return []


def origins(tree):
    """Finds where a room's names come from.

    Args:
        tree: `ast.Module` of its `__init__.py`.

    Returns:
        dict, name -> module, for `from module import name`.
    """
    return {
        alias.asname or alias.name: node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def public(body):
    """Picks the public functions and classes, and named constants.

    Args:
        body: list of statements.

    Returns:
        List of (name, statement).
    """
    found = []
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [t.id for t in node.targets if isinstance(t, ast.Name)]
        elif isinstance(node, ast.AnnAssign):
            names = [node.target.id]
        else:
            names = []
        found += [(n, node) for n in names if not n.startswith("_")]
    return found


def describe(path, name, node):
    """Writes the lines of one name.

    Args:
        path: str. What stands before the name.
        name: str.
        node: its statement.

    Returns:
        List of lines.
    """
    full = f"{path}.{name}"
    if isinstance(node, ast.FunctionDef):
        marks = [ast.unparse(mark) for mark in node.decorator_list]
        if "property" in marks:
            return [full]
        return [f"{full}({_arguments(node, path)})"]
    if not isinstance(node, ast.ClassDef):
        return [full]
    lines = [full + _how_made(node, full)]
    for name, inner in public(node.body):
        if isinstance(inner, ast.FunctionDef) and not is_hook(name):
            lines += describe(full, name, inner)
    return lines


def is_hook(name):
    """Tells whether a method is called by Keras rather than by people.

    Args:
        name: str.

    Returns:
        bool.
    """
    return name in HOOKS or name.startswith("on_")


def _how_made(node, full):
    start = [n for n in node.body if getattr(n, "name", "") == "__init__"]
    if start:
        return f"({_arguments(start[0], full)})"
    fields = [
        n.target.id + (f"={ast.unparse(n.value)}" if n.value else "")
        for n in node.body
        if isinstance(n, ast.AnnAssign)
    ]
    return f"({', '.join(fields)})" if fields else ""


def _arguments(node, owner):
    arguments = node.args
    for argument in ast.walk(arguments):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    text = ast.unparse(arguments)
    in_class = owner.rpartition(".")[2][:1].isupper()
    first, _, rest = text.partition(", ")
    return rest if in_class and first in ("self", "cls") else text


def listing():
    """Lists everything public.

    Returns:
        Sorted list of lines.
    """
    lines = []
    for room in rooms():
        tree = parse(room / "__init__.py")
        come_from, path = origins(tree), f"keras_t2i.{room.name}"
        for name in exported(tree):
            module = come_from[name]
            file = ROOT / (module.replace(".", "/") + f"/{name}.py")
            if file.exists():
                for inner, node in public(parse(file).body):
                    lines += describe(f"{path}.{name}", inner, node)
            else:
                file = ROOT / (module.replace(".", "/") + ".py")
                nodes = dict(public(parse(file).body))
                lines += describe(path, name, nodes[name])
    return sorted(set(lines))


if __name__ == "__main__":
    text = "\n".join(listing()) + "\n"
    if "--write" in sys.argv:
        LIST.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
