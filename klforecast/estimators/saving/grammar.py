"""What a file may say: at each place a value of the type that is declared there, and nothing else.

    read(type, JSON)      None, int, Literal, list[T], dict[K, V], A | B, Tensor, a record, an index ...

The types are those that the code declares anyway. An estimator may hold the arguments of its
constructor and the attributes annotated in its class, each of the annotated type; a NamedTuple or a
dataclass has its fields; a type of a `Codec` the parameters of the function that makes it. So a file
chooses among the members of a union, or of a registry, and never names what is called. Where `Any` is
written, numbers, text, stamps, labels, tables and containers of them may stand. A type that is none
of these has no form in a file.

A record whose parts must fit together has a method `check_parts`, which raises ValueError.
"""

import dataclasses
import inspect
import types
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np
import pandas as pd
from torch import Tensor

_DEEPEST = 100  # values inside each other; those that are saved are about ten deep
_BITS = 64  # of an integer; neither stamps nor seeds have more
_SHARED = 64  # times its size that the values of a file may take: equal arrays are in it once
_FREE = 2**26  # bytes that the smallest file may ask for
_STAMP = 8  # bytes
_SAID = 200  # letters of what a library says

BROKEN = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What libraries raise when the parts of a value do not fit together."""

Count = Annotated[int, "stamps"]
"""A number of stamps that are made when a file is read."""

Form = Callable[[Any, str], Any]
"""Makes a value of a tree of JSON; the second argument says where it stands, for the message."""


class Codec(NamedTuple):
    """How one type becomes a mapping of encodable parts, and is made of them again."""

    type: type
    pack: Callable[[Any], Mapping[str, Any]]
    unpack: Callable[..., Any]  # takes the parts as keywords, of the annotated types
    plain: bool = True  # may stand where `Any` is written


class Field(NamedTuple):
    """A part of a record: its type, and whether a file may leave it out."""

    hint: Any
    optional: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Named:
    """In ``Annotated[dict, Named(fields)]``: a dict with these names and types alone."""

    fields: Mapping[str, Field]


class Reader:
    """Read the values of one file.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        Of the file, by name.
    codecs : sequence of Codec
        Types that are not records; of several that fit a value, the first one has written it.
    attribute_classes : sequence of type
        Classes that are written attribute by attribute, as their annotations declare them.
    families : mapping of type to mapping of str to type
        Records that a base class or a protocol stands for, by their names.
    size : int
        Bytes of the file. Values that take more than 64 times as much, and 64 MB, are refused.
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        codecs: Sequence[Codec],
        attribute_classes: Sequence[type],
        families: Mapping[Any, Mapping[str, type]],
        size: int,
    ):
        self._tensors = tensors
        self._codecs = codecs
        self._attribute_classes = attribute_classes
        self._families = families
        self._left = _SHARED * size + _FREE
        self._depth = 0
        self._known_forms: dict[Any, dict[str, Form]] = {}

    def read(self, hint: Any, tree: Any, where: str) -> Any:
        """Make the value that a tree of JSON describes, if it is of the type that belongs there.

        Parameters
        ----------
        hint : type
            As in an annotation.
        tree : object
            Of None, bool, int, float, str, list and dict.
        where : str
            Where the value stands, for the message.

        Raises
        ------
        ValueError
            If the tree describes anything else.
        """
        if hint not in self._known_forms:
            self._known_forms[hint] = self._forms(hint)
        forms = self._known_forms[hint]
        kind = _kind(tree)
        if kind not in forms:
            known = ", ".join(sorted({name.removeprefix("$") for name in forms})) or "nothing"
            raise ValueError(f"{where} is {_show(tree)}; a saved file has there: {known}")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError(f"{where} lies more than {_DEEPEST} values deep")
        value = forms[kind](tree, where)
        self._depth -= 1
        return value

    def read_parts(self, fields: Mapping[str, Field], parts: Any, where: str) -> dict[str, Any]:
        """Make the values of a mapping whose names and types are declared.

        Raises
        ------
        ValueError
            If a name is missing or not declared, or a value is not of its type.
        """
        if not isinstance(parts, dict):
            raise ValueError(f"{where} is {_show(parts)}; a saved file has there: named parts")
        for name in parts:
            if name not in fields:
                known = ", ".join(fields) or "nothing"
                raise ValueError(f"{where} has {_show(name)}; a saved file has there: {known}")
        for name, field in fields.items():
            if name not in parts and not field.optional:
                raise ValueError(f"{where} has no {name}, which a saved file has there")
        return {
            name: self.read(fields[name].hint, part, f"{where}.{name}")
            for name, part in parts.items()
        }

    def _forms(self, hint: Any) -> dict[str, Form]:
        """What values of a type look like in a file, and how each look is read."""
        arguments, origin = get_args(hint), get_origin(hint) or hint
        if origin in (Union, types.UnionType):
            return {
                kind: form
                for member in reversed(arguments)
                for kind, form in self._forms(member).items()
            }
        if hint is None:
            return {"NoneType": _same}
        if origin in (Any, Hashable):
            codecs = {
                f"${codec.type.__name__}": partial(self._record, codec)
                for codec in self._codecs
                if codec.plain
            }
            return codecs | self._forms(_PLAIN) | {"$array": self._array}
        if origin is Literal:
            return {type(value).__name__: partial(_one_of, arguments) for value in arguments}
        if origin is Annotated:
            note = arguments[1]
            if isinstance(note, Named):
                return {"$dict": partial(self._named_values, note.fields)}
            return {"int": self._count}
        if origin is list:
            return {"list": partial(self._list, *(arguments or (Any,)))}
        if origin is tuple:
            return {"$tuple": partial(self._tuple, arguments or (Any, ...))}
        if origin is Sequence:
            (item,) = arguments or (Any,)
            return self._forms(list[item]) | self._forms(tuple[item, ...])  # type: ignore[valid-type]
        if origin in (dict, Mapping):
            return {"$dict": partial(self._dict, *(arguments or (Any, Any)))}
        if origin is float:
            return {"float": _same, "int": _integer, "$float": _not_finite}
        if origin is Tensor:
            return {"$tensor": self._tensor}
        if origin in _SCALARS:
            return {origin.__name__: _integer if origin is int else _same}
        return self._made_forms(origin)

    def _made_forms(self, kind: type) -> dict[str, Form]:
        """Forms of the records that a class stands for: itself, or those of its registry."""
        forms: dict[str, Form] = {"$array": self._array} if kind is np.ndarray else {}
        for codec in self._codecs:
            if kind in codec.type.__mro__:
                forms.setdefault(f"${codec.type.__name__}", partial(self._record, codec))
        for record in self._families.get(kind, {kind.__name__: kind}).values():
            if self._is_record(record):
                forms[f"${record.__name__}"] = partial(self._record, record)
        return forms

    def _is_record(self, kind: type) -> bool:
        named_tuple = issubclass(kind, tuple) and hasattr(kind, "_fields")
        return named_tuple or dataclasses.is_dataclass(kind) or kind in self._attribute_classes

    def _count(self, tree: int, where: str) -> int:
        if tree < 0:
            raise ValueError(f"{where} is {tree}, which is no number of stamps")
        self._take(_STAMP * tree, where)
        return tree

    def _list(self, hint: Any, tree: list, where: str) -> list:
        return [self.read(hint, item, f"{where}[{place}]") for place, item in enumerate(tree)]

    def _tuple(self, hints: tuple, tree: dict, where: str) -> tuple:
        items = _list_of(tree, "items", where)
        if hints[-1] is ...:
            hints = hints[:1] * len(items)
        if len(hints) != len(items):
            raise ValueError(f"{where} has {len(items)} items; a saved file has there {len(hints)}")
        return tuple(
            self.read(hint, item, f"{where}[{place}]")
            for place, (hint, item) in enumerate(zip(hints, items, strict=True))
        )

    def _dict(self, key_hint: Any, value_hint: Any, tree: dict, where: str) -> dict:
        made = {}
        for part, value in _entries(tree, where):
            key = self.read(key_hint, part, f"a key of {where}")
            try:
                hash(key)
            except TypeError as error:
                raise ValueError(f"a key of {where} is {_show(part)}: {error}") from error
            made[key] = self.read(value_hint, value, f"{where}[{str(key)[:40]!r}]")
        return made

    def _named_values(self, fields: Mapping[str, Field], tree: dict, where: str) -> dict:
        entries = {}
        for name, value in _entries(tree, where):
            if not isinstance(name, str):
                raise ValueError(f"a key of {where} is {_show(name)}; a saved file has there: str")
            entries[name] = value
        return self.read_parts(fields, entries, where)

    def _tensor(self, tree: dict, where: str) -> Tensor:
        name = tree.get("name")
        if tree.keys() != {"$", "name"} or not isinstance(name, str) or name not in self._tensors:
            raise ValueError(f"{where} names no tensor of the file")
        content = self._tensors[name]
        self._take(content.nbytes, where)
        return content.clone()

    def _array(self, tree: dict, where: str) -> np.ndarray:
        return self._tensor(tree, where).numpy()

    def _record(self, maker: "Codec | type", tree: dict, where: str) -> Any:
        parts = {name: part for name, part in tree.items() if name != "$"}
        make: Callable[..., Any]
        if isinstance(maker, Codec):
            make, fields = maker.unpack, parameters_of(maker.unpack)
        elif maker in self._attribute_classes:
            make, fields = partial(_with_attributes, maker), attributes_of(maker)
        else:
            make, fields = maker, parameters_of(maker)
        values = self.read_parts(fields, parts, where)
        try:
            made = make(**values)
            if hasattr(made, "check_parts"):
                made.check_parts()
        except BROKEN as error:
            said = " ".join(str(error).split())[:_SAID]
            raise ValueError(f"the parts of {where} do not fit together: {said}") from error
        if isinstance(made, pd.RangeIndex):  # small by itself, but not what is made of it
            self._take(_STAMP * len(made), where)
        return made

    def _take(self, n_bytes: int, where: str) -> None:
        """Count bytes before they are allocated."""
        self._left -= n_bytes
        if self._left < 0:
            raise ValueError(
                f"{where} and what comes before it take more than {_SHARED} times the size of the "
                "file; no saved estimator does"
            )


_SCALARS = (type(None), bool, int, str)
_PLAIN = None | bool | int | float | str | list | tuple | dict


@cache
def parameters_of(make: Callable) -> dict[str, Field]:
    """Names and types of what a record or a function takes as keywords."""
    hints = get_type_hints(make, include_extras=True)
    return {
        name: Field(hints[name], parameter.default is not parameter.empty)
        for name, parameter in inspect.signature(make).parameters.items()
        if name in hints and parameter.kind is not parameter.VAR_KEYWORD
    }


@cache
def attributes_of(kind: Any) -> dict[str, Field]:
    """Names and types of the attributes that a class and its bases annotate."""
    hints = get_type_hints(kind, include_extras=True)
    return {
        name: Field(hint, optional=True)
        for name, hint in hints.items()
        if get_origin(hint) is not ClassVar
    }


def _with_attributes(kind: type, **attributes: Any) -> Any:
    made: Any = object.__new__(kind)
    vars(made).update(attributes)
    return made


def _kind(tree: Any) -> str:
    """The type of JSON, or the name that a record gives itself behind a dollar."""
    return f"${tree.get('$')}" if isinstance(tree, dict) else type(tree).__name__


def _same(tree: Any, where: str) -> Any:
    return tree


def _integer(tree: int, where: str) -> int:
    if tree.bit_length() > _BITS:
        raise ValueError(f"{where} is an integer of {tree.bit_length()} bits; {_BITS} are the most")
    return tree


def _not_finite(tree: dict, where: str) -> float:
    if tree.keys() != {"$", "value"} or tree["value"] not in ("nan", "inf", "-inf"):
        raise ValueError(f"{where} is none of nan, inf and -inf")
    return float(tree["value"])


def _one_of(choices: tuple, tree: Any, where: str) -> Any:
    if tree not in choices:
        raise ValueError(f"{where} is {_show(tree)}; a saved file has there one of {choices}")
    return tree


def _list_of(tree: dict, name: str, where: str) -> list:
    if not isinstance(tree.get(name), list):
        raise ValueError(f"{where} has no list of {name}")
    if len(tree) != 2:
        raise ValueError(f"{where} has more than a list of {name}")
    return tree[name]


def _entries(tree: dict, where: str) -> Iterator[tuple[Any, Any]]:
    keys, values = tree.get("keys"), tree.get("values")
    if not isinstance(keys, list) or not isinstance(values, list) or len(keys) != len(values):
        raise ValueError(f"{where} has no list of keys with as many values")
    if len(tree) != 3:
        raise ValueError(f"{where} has more than keys and values")
    return zip(keys, values, strict=True)


def _show(tree: Any) -> str:
    if isinstance(tree, dict):
        return f"a {str(tree.get('$'))[:40]}"
    return f"a {type(tree).__name__}" if isinstance(tree, list) else repr(tree)[:60]
