"""Compares two descriptions of a C ABI that abidw wrote: scripts/check-abi runs this.

Additions are a new function, struct or constant, and fields at the end of a struct that says how large it is
(its first field is struct_size). Everything else that differs breaks programs that were built before.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

SAME, ADDED, BROKEN = 0, 3, 4

BREAKS = """
Programs built against ABI {abi} would break. Undo this, or make it ABI {next} and run scripts/check-abi --update:
  FNVM_ABI_VERSION in include/fastnvmetrics/fastnvmetrics.h, from which the library has its name, .so.{next}
  abi in Sources/FastNVMetrics/Version.swift
  FNVM_{next} in Sources/FastNVMetricsC/fastnvmetrics.map
Where what changed was in no release yet, scripts/check-abi --update --unreleased describes it anew."""


@dataclass(frozen=True)
class Field:
    name: str
    offset: int  # in bits
    size: int
    type: str


@dataclass(frozen=True)
class Struct:
    size: int  # in bits; 0: only declared
    fields: tuple[Field, ...]

    @property
    def grows(self) -> bool:
        return bool(self.fields) and self.fields[0].name == "struct_size"


class Description:
    """Functions, structs and constants by name, their types as text."""

    def __init__(self, path: Path) -> None:
        root = ElementTree.parse(path).getroot()
        # A type that is declared in one place and defined in another is the definition.
        self._types: dict[str, ElementTree.Element] = {}
        for element in root.iter():
            identity = element.get("id")
            if identity and (
                identity not in self._types or element.get("is-declaration-only") != "yes"
            ):
                self._types[identity] = element
        self.functions = {
            element.attrib["name"]: self._signature(element)
            for element in root.iter("function-decl")
        }
        self.structs = {}
        self.constants = {}
        for element in self._types.values():
            if element.tag in ("class-decl", "union-decl"):
                self.structs[self._name(element)] = self._struct(element)
            elif element.tag == "enum-decl":
                for value in element.iter("enumerator"):
                    name = value.attrib["name"].removeprefix("constant_")
                    self.constants[name] = value.attrib["value"]
        # The stub that makes abidw see the constants.
        self.functions.pop("fnvm_constants", None)

    def _struct(self, element: ElementTree.Element) -> Struct:
        fields = []
        for member in element.iter("data-member"):
            (variable,) = member.iter("var-decl")
            identity = variable.attrib["type-id"]
            offset = int(member.attrib["layout-offset-in-bits"])
            fields.append(
                Field(variable.attrib["name"], offset, self._size(identity), self._text(identity))
            )
        return Struct(int(element.get("size-in-bits", "0")), tuple(fields))

    def _signature(self, element: ElementTree.Element) -> str:
        parameters = [
            "..." if parameter.get("is-variadic") == "yes" else self._text(parameter.attrib["type-id"])
            for parameter in element.iter("parameter")
        ]
        (result,) = element.iter("return")
        return f"{self._text(result.attrib['type-id'])} ({', '.join(parameters) or 'void'})"

    def _name(self, element: ElementTree.Element) -> str:
        if element.get("is-anonymous") == "yes":
            raise ValueError("a struct, union or enumeration without a name cannot be compared: name it")
        return element.attrib["name"]

    def _text(self, identity: str) -> str:
        """A type as its size and kind, without the typedefs that stand for it."""
        element = self._types[identity]
        if element.tag == "type-decl":
            # "long unsigned int" and "unsigned long" are one.
            words = element.attrib["name"].split()
            return " ".join(sorted(word for word in words if word != "int" or len(words) == 1))
        if element.tag == "typedef-decl":
            return self._text(element.attrib["type-id"])
        if element.tag == "pointer-type-def":
            return self._text(element.attrib["type-id"]) + "*"
        if element.tag == "qualified-type-def":
            words = [word for word in ("const", "volatile", "restrict") if element.get(word) == "yes"]
            inner = self._text(element.attrib["type-id"])
            return f"{inner} {' '.join(words)}" if inner.endswith("*") else f"{' '.join(words)} {inner}"
        if element.tag == "array-type-def":
            lengths = "".join(f"[{part.attrib['length']}]" for part in element.iter("subrange"))
            return self._text(element.attrib["type-id"]) + lengths
        if element.tag in ("class-decl", "union-decl", "enum-decl"):
            return self._name(element)
        if element.tag == "function-type":
            return f"({self._signature(element)})"
        raise ValueError(f"abidw says <{element.tag}>, which this script does not know")

    def _size(self, identity: str) -> int:
        element = self._types[identity]
        if "size-in-bits" in element.attrib:
            return int(element.attrib["size-in-bits"])
        if element.tag in ("typedef-decl", "qualified-type-def"):
            return self._size(element.attrib["type-id"])
        if element.tag == "enum-decl":
            (underlying,) = element.iter("underlying-type")
            return self._size(underlying.attrib["type-id"])
        raise ValueError(f"abidw gives no size of <{element.tag}>")


def place(field: Field) -> str:
    return f"{field.type} at byte {field.offset // 8}"


def compare_structs(name: str, old: Struct, new: Struct) -> tuple[list[str], list[str]]:
    if old == new:
        return [], []
    appended = new.fields[len(old.fields) :]
    if old.grows and appended and new.fields[: len(old.fields)] == old.fields:
        old_end = old.fields[-1].offset + old.fields[-1].size
        if new.size > old.size:
            return [f"{name}.{field.name}, {place(field)}" for field in appended], []
        return [], [
            f"{name}.{appended[0].name} lies in what was padding, and so struct_size does not tell whether it is "
            f"there: fill the {(old.size - old_end) // 8} bytes with a reserved field before it"
        ]

    broken = []
    now = {field.name: field for field in new.fields}
    before = {field.name: field for field in old.fields}
    for field in old.fields:
        if field.name not in now:
            broken.append(f"{name}.{field.name} is gone")
        elif now[field.name] != field:
            broken.append(f"{name}.{field.name} was {place(field)}, and is {place(now[field.name])}")
    for field in new.fields:
        if field.name not in before:
            why = "" if old.grows else f", and {name} has no struct_size to tell"
            broken.append(f"{name}.{field.name} is new, {place(field)}{why}")
    if not broken:
        broken.append(f"{name} was {old.size // 8} bytes, and is {new.size // 8}")
    return [], broken


def compare(old: Description, new: Description) -> tuple[list[str], list[str]]:
    """What was added, and what breaks programs."""
    added, broken = [], []
    kinds = (
        ("the function", old.functions, new.functions),
        ("the struct", old.structs, new.structs),
        ("the constant", old.constants, new.constants),
    )
    for kind, before, now in kinds:
        added += [f"{kind} {name}" for name in sorted(now.keys() - before.keys())]
        broken += [f"{kind} {name} is gone" for name in sorted(before.keys() - now.keys())]
    for name in sorted(old.functions.keys() & new.functions.keys()):
        if old.functions[name] != new.functions[name]:
            broken.append(f"{name} was {old.functions[name]}, and is {new.functions[name]}")
    for name in sorted(old.structs.keys() & new.structs.keys()):
        more, worse = compare_structs(name, old.structs[name], new.structs[name])
        added += more
        broken += worse
    for name in sorted(old.constants.keys() & new.constants.keys()):
        if old.constants[name] != new.constants[name]:
            broken.append(f"{name} was {old.constants[name]}, and is {new.constants[name]}")
    return added, broken


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--unreleased", action="store_true")
    parser.add_argument("descriptions", type=Path)
    parser.add_argument("current", type=Path)
    arguments = parser.parse_args()
    described = arguments.descriptions / arguments.current.name
    abi = int(arguments.current.stem.rpartition(".")[2])

    new = Description(arguments.current)
    count = (
        f"{len(new.functions)} functions, {len(new.structs)} structs, {len(new.constants)} constants"
    )

    if described.exists():
        added, broken = compare(Description(described), new)
        for line in added:
            print(f"added: {line}")
        for line in broken:
            print(f"breaks programs: {line}")
    else:
        added, broken = [f"ABI {abi}, which {described} is to describe"], []
        print(f"added: {added[0]}")

    if broken and not (arguments.update and arguments.unreleased):
        print(BREAKS.format(abi=abi, next=abi + 1), file=sys.stderr)
        return BROKEN
    if not arguments.update:
        if added:
            print(
                f"\nNo program breaks. Run scripts/check-abi --update, and commit {described}.",
                file=sys.stderr,
            )
            return ADDED
        print(f"ABI {abi} is as {described} describes it: {count}")
        return SAME
    if not added and not broken and described.exists():
        print(f"nothing to update: {count}")
        return SAME
    arguments.descriptions.mkdir(parents=True, exist_ok=True)
    for older in arguments.descriptions.glob("libfastnvmetrics.so.*.abi"):
        older.unlink()
    shutil.copyfile(arguments.current, described)
    print(f"wrote {described}: {count}")
    return SAME


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ValueError as error:
        sys.exit(f"check-abi: {error}")
