"""Other people's arrays into our models, all or nothing, and back."""

import dataclasses
import difflib

import numpy as np

from keras_t2i.weights import families, rules


@dataclasses.dataclass(frozen=True)
class Report:
    """Says where each array of a file goes.

    `load` accepts a report whose last three lists are empty.

    Args:
        family: str, "family/part".
        loaded: dict: key -> paths of the variables it fills.
        ignored: keys that are known and not needed, or belong to the
            family's other parts.
        unknown: keys that the family has no place for.
        missing: keys that the family needs and that are not there.
        misshapen: sentences, one a key whose shape or numbers do not fit.
    """

    family: str
    loaded: dict
    ignored: tuple
    unknown: tuple
    missing: tuple
    misshapen: tuple

    @property
    def fits(self):
        """Whether every array has its place and every place its array."""
        return not (self.unknown or self.missing or self.misshapen)

    def __str__(self):
        lines = [
            f"{self.family}: {len(self.loaded)} arrays placed, "
            f"{len(self.ignored)} not needed, {len(self.unknown)} unknown, "
            f"{len(self.missing)} missing, {len(self.misshapen)} misshapen"
        ]
        for key, paths in self.loaded.items():
            lines.append(f"  {key} -> {', '.join(paths) or 'nothing'}")
        lines += [f"  {key}: known, not needed" for key in self.ignored]
        lines += [f"  {key}: unknown" for key in self.unknown]
        lines += [f"  {key}: missing" for key in self.missing]
        lines += [f"  {sentence}" for sentence in self.misshapen]
        return "\n".join(lines)


def plan(family, model, arrays):
    """Finds the place of each array without writing anything.

    Args:
        family: str, "family/part", one of `families.FAMILIES`.
        model: our built model of that family.
        arrays: dict of str -> array, with the family's own names.

    Returns:
        Report.

    Raises:
        ValueError: if the family is not known.
    """
    return _plan(family, _rules(family, model), arrays)


def load(family, model, arrays):
    """Writes other people's arrays into our model, all or nothing.

    Args:
        family: str, "family/part", one of `families.FAMILIES`.
        model: our built model of that family, of the arrays' sizes.
        arrays: dict of str -> array, with the family's own names.

    Returns:
        Report.

    Raises:
        ValueError: if the family is not known, or a key is unknown, missing
            or of another shape; the model is then as it was. The error's
            `report` says all.
    """
    table = _rules(family, model)
    report = _plan(family, table, arrays)
    if not report.fits:
        error = ValueError(_complaint(report))
        error.report = report
        raise error
    names, _ = _names(family, arrays)
    values = []
    for rule in table:
        if rule.variables:
            foreign = [np.asarray(arrays[names[key]]) for key in rule.keys]
            values += zip(rule.variables, rule.forward(*foreign), strict=True)
    for variable, value in values:
        variable.assign(np.asarray(value, variable.dtype, order="C"))
    return report


def export(family, model):
    """Gives our model's numbers the names and shapes of the reference.

    Args:
        family: str, "family/part", one of `families.FAMILIES`.
        model: our built model of that family.

    Returns:
        dict of str -> array; `load` takes it back.

    Raises:
        ValueError: if the family is not known.
    """
    arrays = {}
    for rule in _rules(family, model):
        if rule.backward:
            ours = [v.numpy() for v in rule.variables]
            foreign = zip(rule.keys, rule.backward(*ours), strict=True)
            arrays |= {k: np.asarray(a, order="C") for k, a in foreign}
    return arrays


def _rules(family, model):
    known = families.FAMILIES
    if family not in known:
        near = difflib.get_close_matches(family, known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"No family of weights is called {family!r}{hint} Known: "
            f"{', '.join(sorted(known))}."
        )
    return known[family](model)


def _names(family, arrays):
    """Plain name -> the file's, and the names of the family's other parts."""
    own = families.PREFIXES.get(family, ())
    start = family.partition("/")[0] + "/"
    others = {
        prefix
        for part, prefixes in families.PREFIXES.items()
        for prefix in prefixes
        if part.startswith(start) and prefix not in own
    }
    names = rules.plain_names(arrays, own)
    apart = [plain for plain in names if plain.startswith(tuple(others))]
    return names, [names.pop(plain) for plain in apart]


def _plan(family, table, arrays):
    names, ignored = _names(family, arrays)
    loaded, missing, misshapen = {}, [], []
    for rule in table:
        if not rule.variables:
            ignored += [names[key] for key in rule.keys if key in names]
            continue
        for plain, shape in zip(rule.keys, _foreign_shapes(rule), strict=True):
            key = names.get(plain)
            if key is None:
                missing.append(plain)
            elif fault := _fault(key, np.asarray(arrays[key]), shape, rule):
                misshapen.append(fault)
            else:
                paths = loaded.setdefault(key, [])
                paths += [_path(v) for v in rule.variables]
    known = {key for rule in table for key in rule.keys}
    unknown = [key for plain, key in names.items() if plain not in known]
    return Report(
        family,
        loaded,
        tuple(ignored),
        tuple(unknown),
        tuple(dict.fromkeys(missing)),
        tuple(misshapen),
    )


def _foreign_shapes(rule):
    """The shapes a rule's arrays must have; costs no memory."""
    ours = [np.broadcast_to(np.float32(0), v.shape) for v in rule.variables]
    return [array.shape for array in rule.backward(*ours)]


def _fault(key, array, shape, rule):
    paths = ", ".join(_path(v) for v in rule.variables)
    if array.shape != shape:
        return f"{key} has shape {array.shape}; {paths} takes {shape}"
    if array.dtype.kind not in "fiu" and array.dtype.name != "bfloat16":
        return f"{key} holds {array.dtype}; {paths} takes numbers"
    return None


def _path(variable):
    return getattr(variable, "path", variable.name)


def _complaint(report):
    """One sentence; the first faults by name."""
    faults = [f"unknown key {key!r}" for key in report.unknown]
    faults += [f"missing key {key!r}" for key in report.missing]
    faults += report.misshapen
    shown = "; ".join(faults[:5])
    rest = f"; and {len(faults) - 5} more" if len(faults) > 5 else ""
    return (
        f"These arrays are not {report.family} of this model's sizes: "
        f"{shown}{rest}. Nothing was loaded.{_hint(report)}"
    )


def _hint(report):
    """Tells whose names they are, if one of them is a sign."""
    part = report.family.partition("/")[2]
    signs = families.SIGNS.items()
    for sign, family in sorted(signs, key=lambda x: not x[1].endswith(part)):
        found = [key for key in report.unknown if key.endswith(sign)]
        if found:
            return f" {found[0]} is a name of {family}."
    return ""
