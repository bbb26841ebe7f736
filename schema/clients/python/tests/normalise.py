"""Turns records into the normalised model for the tests.

It reads a line of JSON for every record, with provider, resource and record, and prints the model
or the error as a line. With the argument floats the records have floats, as the package json reads
them by default. With the argument words it prints the kinds of all words.
"""

import copy
import json
import sys
from typing import (
    Any,
    Literal,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import wagewire
from wagewire import normal, types


def misfit(value: Any, hint: Any, path: str = "$") -> str:
    """Returns the path of a value that is not of the type, or nothing."""
    origin = get_origin(hint)
    if origin is NotRequired:
        return misfit(value, get_args(hint)[0], path)
    if origin is Union:
        return "" if any(not misfit(value, one, path) for one in get_args(hint)) else path
    if origin is Literal:
        return "" if value in get_args(hint) else path
    if origin is list:
        if not isinstance(value, list):
            return path
        places = enumerate(value)
        return "".join(misfit(one, get_args(hint)[0], f"{path}[{i}]") for i, one in places)
    if not is_typeddict(hint):
        return "" if type(value) is hint else path
    hints = get_type_hints(hint, include_extras=True)
    if not isinstance(value, dict) or not hint.__required_keys__ <= value.keys() <= hints.keys():
        return path
    return "".join(misfit(one, hints[name], f"{path}.{name}") for name, one in value.items())


def answer(
    provider: str, resource: str, record: Any, employment_id: str | None = None
) -> dict[str, Any]:
    before = copy.deepcopy(record)
    try:
        model = normal.normal_of(provider, resource, record, employment_id)
    except normal.NoModel:
        return {"error": "no model", "has": normal.has_normal(provider, resource)}
    except normal.NoObject:
        return {"error": "no object", "has": normal.has_normal(provider, resource)}
    wrong = misfit(model, types.NormalRecord)
    if wrong:
        raise TypeError(f"{provider} {resource}: {wrong} is not of the type in types.py")
    if record != before:
        raise ValueError(f"{provider} {resource}: the record is changed")
    return {"normal": model, "has": normal.has_normal(provider, resource)}


def main() -> None:
    if sys.argv[1:] == ["words"]:
        print(wagewire.dumps(normal._TABLES))
        return
    loads = json.loads if sys.argv[1:] == ["floats"] else wagewire.loads
    for line in sys.stdin:
        print(wagewire.dumps(answer(**loads(line))))


main()
