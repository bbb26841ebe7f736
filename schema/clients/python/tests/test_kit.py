"""What the kit promises without a broker."""

import asyncio
import hashlib
import itertools
import json
import random
import types as python_types
import typing
import unittest
from decimal import Decimal
from pathlib import Path
from typing import Any

import wagewire
from wagewire import types

GOLDENS = Path(__file__).parents[3] / "testdata"


class Numbers(unittest.TestCase):
    def test_every_digit_is_kept(self) -> None:
        for digits in (
            "0", "-7", "123456789012345678901234567890", "0.123456789012345678901234567890",
            "123456789012345678901234567890.10", "0.30", "9" * 5000, "1E+400",
        ):  # fmt: skip
            with self.subTest(digits[:40]):
                number = wagewire.loads(digits)
                self.assertIsInstance(number, (int, Decimal))
                self.assertEqual(wagewire.dumps({"n": number}), '{"n":' + digits + "}")

    def test_what_is_no_number_is_refused(self) -> None:
        for text in ("NaN", "Infinity", "-Infinity", "1e" + "9" * 30):
            with self.subTest(text), self.assertRaises(ValueError):
                wagewire.loads(text)

    def test_a_float_is_never_written(self) -> None:
        with self.assertRaises(TypeError):
            wagewire.dumps({"gross": 0.1})


class Depth(unittest.TestCase):
    def test_a_hundred_levels_are_read_and_no_more(self) -> None:
        self.assertTrue(wagewire.loads("[" * 100 + "]" * 100))
        for levels in (101, 100_000):
            with self.subTest(levels), self.assertRaises(ValueError):
                wagewire.loads("[" * levels + "]" * levels)

    def test_brackets_in_strings_are_no_levels(self) -> None:
        text = json.dumps(["[" * 200, '"' + "{" * 200, "\\", [{}] * 200])
        self.assertEqual(wagewire.loads(text), json.loads(text))

    def test_a_string_without_an_end_takes_no_squared_time(self) -> None:
        with self.assertRaises(ValueError):
            wagewire.loads(b"[]" * 100 + b'"' + b'\\"' * 2_000_000)


class Records(unittest.TestCase):
    RECORDS = [
        {"id": f"p-{n}", "text": '"}],\\{[' * n, "deep": {"list": [1, "é", {"null": None}]}}
        for n in range(30)
    ]

    def test_parts_of_any_size_give_the_same_records(self) -> None:
        text = json.dumps(self.RECORDS, indent=1).encode()
        for seed in range(200):
            sizes = random.Random(seed)
            splitter = wagewire._Splitter()
            records: list[Any] = []
            at = 0
            while at < len(text):
                size = sizes.choice([1, 2, 3, 50, 4000])
                records += map(json.loads, splitter.feed(text[at : at + size]))
                at += size
            splitter.close(len(self.RECORDS))
            self.assertEqual(records, self.RECORDS)

    def test_what_is_no_array_of_objects_is_refused(self) -> None:
        for text in (
            "", "{}", "[1]", '["a"]', "[[]]", "[{}", "[{},]", "[{}{}]", "[,{}]", "[{}]x", "[{}][",
            "[{}]]", "[{]", '[{"a]', "[}",
        ):  # fmt: skip
            with self.subTest(text), self.assertRaises(wagewire.RecordsChanged):
                splitter = wagewire._Splitter()
                list(splitter.feed(text.encode()))
                splitter.close(1)

    def test_a_change_between_the_two_passes_is_an_error(self) -> None:
        text = json.dumps([{"id": str(n), "text": "x" * 1000} for n in range(9000)]).encode()
        calls = itertools.count()

        async def chunk(_: str) -> bytes:
            return text if next(calls) == 0 else text.replace(b"x", b"y", 1)

        reference = {
            "subject": "s", "chunks": 1, "count": 9000, "bytes": len(text),
            "sha256": hashlib.sha256(text).hexdigest(),
        }  # fmt: skip

        async def read() -> None:
            async for _ in wagewire._large_records(typing.cast(Any, reference), chunk):
                pass

        with self.assertRaises(wagewire.RecordsChanged):
            asyncio.run(read())

    def test_a_bad_record_at_the_end_keeps_the_good_ones_back(self) -> None:
        text = b'[{"id":"p-1"},{"id":}]'
        reference = {
            "subject": "s", "chunks": 1, "count": 2, "bytes": len(text),
            "sha256": hashlib.sha256(text).hexdigest(),
        }  # fmt: skip
        came = []

        async def chunk(_: str) -> bytes:
            return text

        async def read() -> None:
            async for record in wagewire._large_records(typing.cast(Any, reference), chunk):
                came.append(record)

        with self.assertRaises(wagewire.Poison):
            asyncio.run(read())
        self.assertEqual(came, [])


class Handlers(unittest.TestCase):
    def test_plain_functions_are_a_handler(self) -> None:
        stored = []

        class Plain:
            def store(self, completion: wagewire.Completion) -> None:
                stored.append(completion.id)

            def remove(self, completion: wagewire.Completion) -> None:
                stored.append("removed")

        for completion in (completion_of(1, None), completion_of(2, None, outcome="deleted")):
            asyncio.run(wagewire._hand_over(completion, typing.cast(Any, Plain())))
        self.assertEqual(stored, ["None-1", "removed"])


class Filters(unittest.TestCase):
    def test_a_filter_that_takes_nothing_is_refused(self) -> None:
        for filter, error in (
            ({"resources": "paystubs"}, TypeError), ({"accounts": "a-1"}, TypeError),
            ({"resources": ["paystub"]}, ValueError),
        ):  # fmt: skip
            with self.subTest(filter), self.assertRaises(error):
                wagewire._filter_of(wagewire.Subscription(**typing.cast(Any, filter)))

    def test_a_filter_may_be_an_iterator(self) -> None:
        subscription = wagewire.Subscription(resources=iter(["income"]), accounts=iter(["a-1"]))
        client = wagewire.Client(wagewire.Config("lending"))
        reader = wagewire._Reader(client, subscription, wagewire.Mirror(), None, False)
        self.assertEqual((reader._resources, reader._accounts), ({"income"}, {"a-1"}))

    def test_a_resource_that_the_durable_does_not_deliver_is_an_error(self) -> None:
        for promise, filters, resources, want in (
            ("what is granted is no error, at one provider or at all",
             ["wagewire.completions.truv.income.>", "wagewire.completions.*.shifts.>"],
             ["income", "shifts"], ""),
            ("a durable of another tool may have wildcards",
             ["wagewire.completions.*.*.a-1.>"], ["income"], ""),
            ("a wildcard may be the end", ["wagewire.completions.truv.>"], ["income"], ""),
            ("a durable may have no filter", None, ["income"], ""),
            ("a program without resources takes what comes",
             ["wagewire.completions.truv.income.>"], [], ""),
            ("each lacking resource is named once, behind what is granted; links come anyway",
             ["wagewire.completions.pinwheel.income.>", "wagewire.completions.truv.income.>",
              "wagewire.completions.truv.link.>"],
             ["shifts", "income", "bank_accounts", "shifts"],
             "durable small_2 does not deliver shifts, bank_accounts: the operator grants it with "
             "`wagewire team add small --resources income,shifts,bank_accounts`"),
        ):  # fmt: skip
            with self.subTest(promise):
                got = ""
                config = {"filter_subjects": filters} if filters else {}
                try:
                    wagewire._check_grant("small", "small_2", config, resources)
                except wagewire.ConfigError as error:
                    got = str(error)
                self.assertEqual(got, want)

    def test_a_single_filter_of_a_durable_counts_too(self) -> None:
        config = {"filter_subject": "wagewire.completions.truv.income.>"}
        wagewire._check_grant("small", "small", config, ["income"])
        with self.assertRaises(wagewire.ConfigError):
            wagewire._check_grant("small", "small", config, ["shifts"])

    def test_each_thousand_completions_outside_of_the_filter_are_a_line(self) -> None:
        class Broker:
            async def request(self, *_: Any, **__: Any) -> None:
                """Takes every acknowledgement."""

        class Delivery:
            reply = "ack"

        async def leave_out(count: int) -> None:
            client = wagewire.Client(wagewire.Config("lending"))
            client._nc = typing.cast(Any, Broker())
            subscription = wagewire.Subscription()
            reader = wagewire._Reader(client, subscription, wagewire.Mirror(), None, False)
            for _ in range(count):
                await reader._leave_out(typing.cast(Any, Delivery()))

        with self.assertLogs("wagewire", "INFO") as log:
            asyncio.run(leave_out(2500))
        counts = [record.args for record in log.records]
        self.assertEqual(counts, [(1000,), (2000,)])


class Outages(unittest.TestCase):
    def test_a_broker_that_is_away_is_asked_nothing(self) -> None:
        class Away:
            """A connection that any call would fail."""

            is_connected = False
            is_closed = False

        async def run() -> None:
            client = wagewire.Client(wagewire.Config("lending"))
            client._nc = typing.cast(Any, Away())
            subscription = wagewire.Subscription(hands=1)
            reader = wagewire._Reader(client, subscription, wagewire.Mirror(), None, False)
            hand = asyncio.create_task(reader._hand())
            for _ in range(10):
                await asyncio.sleep(0)
            self.assertFalse(hand.done())
            reader._stop.set()
            await hand

        asyncio.run(run())


class FailsAlone(unittest.TestCase):
    """Whether completion 1 is poison after its last attempt."""

    def reader(self) -> wagewire._Reader:
        client = wagewire.Client(wagewire.Config("lending"))
        return wagewire._Reader(client, wagewire.Subscription(), wagewire.Mirror(), None, False)

    def take(self, reader: wagewire._Reader) -> None:
        reader._turn += 1
        reader._taken_at = reader._turn

    def test_the_first_failure_is_never_alone(self) -> None:
        reader = self.reader()
        self.take(reader)
        self.assertFalse(reader._fails_alone(1))

    def test_a_completion_fails_alone_if_others_were_taken_before_two_failures(self) -> None:
        reader = self.reader()
        reader._fails_alone(1)
        self.take(reader)
        self.assertFalse(reader._fails_alone(1))  # once
        self.take(reader)
        self.assertTrue(reader._fails_alone(1))
        self.assertFalse(reader._fails_alone(1))  # nothing was taken since

    def test_alone_with_a_failure_between_is_not_twice_in_a_row(self) -> None:
        reader = self.reader()
        reader._fails_alone(1)
        self.take(reader)
        reader._fails_alone(1)
        reader._fails_alone(1)  # nothing was taken
        self.take(reader)
        self.assertFalse(reader._fails_alone(1))

    def test_a_database_that_comes_back_for_one_call_makes_no_poison(self) -> None:
        reader = self.reader()
        reader._fails_alone(1)
        for _ in range(5):
            self.take(reader)
            reader._fails_alone(2)
            self.assertFalse(reader._fails_alone(1))

    def test_a_database_that_comes_back_again_and_again_makes_no_poison(self) -> None:
        reader = self.reader()
        waiting = list(range(1, 9))
        for sequence in waiting:
            reader._fails_alone(sequence)
        for _ in range(50):
            self.take(reader)
            for sequence in waiting:  # the first of them is alone
                self.assertFalse(reader._fails_alone(sequence))
            waiting.append(waiting.pop(0))


class Pauses(unittest.TestCase):
    def test_each_is_twice_the_one_before_up_to_ten_minutes(self) -> None:
        pauses = [wagewire._pause_after(attempt) for attempt in (1, 2, 3, 10, 11, 12, 10**9)]
        self.assertEqual(pauses, [1, 2, 4, 512, 600, 600, 600])


class Errors(unittest.TestCase):
    def test_the_text_of_a_foreign_error_is_not_told(self) -> None:
        try:
            raise KeyError("Jane Doe earns 12345")
        except KeyError as error:
            text = wagewire._describe(error)
        self.assertIn("KeyError in test_the_text_of_a_foreign_error_is_not_told", text)
        self.assertNotIn("Jane", text)

    def test_poison_is_found_among_causes(self) -> None:
        error = ValueError()
        error.__cause__ = wagewire.Poison("no such employer")
        self.assertIs(wagewire._find(error, (wagewire.Poison,)), error.__cause__)


def golden(name: str) -> dict[str, Any]:
    return typing.cast(dict[str, Any], wagewire.loads((GOLDENS / name).read_bytes()))


def misfit(value: Any, wanted: Any, path: str) -> list[str]:
    """Returns where a value does not have the type. An unknown member is a misfit too."""
    origin = typing.get_origin(wanted)
    arguments = typing.get_args(wanted)
    if wanted is Any or isinstance(wanted, typing.TypeVar):
        return []
    if origin in (typing.NotRequired, typing.Required):
        return misfit(value, arguments[0], path)
    if origin in (typing.Union, python_types.UnionType):
        tries = [misfit(value, one, path) for one in arguments]
        return [] if [] in tries else tries[0]
    if origin is typing.Literal:
        return [] if value in arguments else [f"{path} is {value!r}"]
    if origin is list:
        if not isinstance(value, list):
            return [f"{path} is no list"]
        found = (misfit(one, arguments[0], f"{path}[{i}]") for i, one in enumerate(value))
        return list(itertools.chain.from_iterable(found))
    if origin is dict:
        if not isinstance(value, dict):
            return [f"{path} is no object"]
        found = (misfit(one, arguments[1], f"{path}.{name}") for name, one in value.items())
        return list(itertools.chain.from_iterable(found))
    plain = origin or wanted
    if typing.is_typeddict(plain):
        return misfit_members(value, plain, path)
    wanted = type(None) if wanted is None else plain
    is_right = isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))
    return [] if is_right else [f"{path} is a {type(value).__name__}"]


def misfit_members(value: Any, wanted: Any, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path} is no object"]
    hints = typing.get_type_hints(wanted, include_extras=True)
    missing = [f"{path}.{name} is missing" for name in wanted.__required_keys__ - value.keys()]
    unknown = [f"{path}.{name} is unknown" for name in value.keys() - hints.keys()]
    return missing + unknown + [
        at
        for name in value.keys() & hints.keys()
        for at in misfit(value[name], hints[name], f"{path}.{name}")
    ]


class Types(unittest.TestCase):
    def test_the_golden_files_have_the_generated_types(self) -> None:
        paths = sorted(GOLDENS.glob("*.golden.json"))
        kinds = {"completion": types.Completion, "account": types.Account}
        seen = set()
        for path in paths:
            kind = kinds.get(path.name.split(".")[0])
            if kind is None:
                continue
            seen.add(kind)
            with self.subTest(path.name):
                self.assertEqual(misfit(golden(path.name), kind, "$"), [])
        self.assertEqual(len(seen), 2)

    def test_a_wrong_value_is_a_misfit(self) -> None:
        completion = golden("completion.succeeded.golden.json")
        for change in ({"time": 1}, {"data": []}, {"new": 1}):
            with self.subTest(change):
                self.assertNotEqual(misfit(completion | change, types.Completion, "$"), [])


def completion_of(day: int, scope: str | None, **data: Any) -> wagewire.Completion:
    """Returns a completion of paystubs of a day."""
    text = json.dumps({
        "id": f"{scope}-{day}", "type": "t", "subject": "a-1",
        "time": "2026-01-01T00:00:00Z", "sequence": f"2026-01-{day:02d}T/{scope}",
        "data": {
            "provider": "pinwheel", "resource": "paystubs", "outcome": "succeeded",
            "account_id": "a-1", "scope": scope, "deleted": [],
        } | data,
    })  # fmt: skip
    return wagewire.Completion.parse(text.encode())


def paystubs(*ids: str) -> list[dict[str, Any]]:
    """Returns records that are paid on the days in their names."""
    return [{"id": id, "pay_date": f"2025-12-{id[1:]}"} for id in ids]


class Mirrors(unittest.TestCase):
    """The same rows as in schema/apply_test.go."""

    WINDOW = completion_of(
        2, "window", **{"from": "2025-12-19"}, to="2025-12-26", records=paystubs("p20", "p24")
    )
    SNAPSHOT = completion_of(4, "snapshot", records=paystubs("p10", "p20"))
    FIRST = completion_of(1, "delta", records=paystubs("p10"))
    LAST = completion_of(7, "delta", records=paystubs("p31"))

    ROWS = (
        ("a delta adds and replaces", [
            completion_of(1, "delta", records=paystubs("p10", "p20")),
            completion_of(3, "delta", records=paystubs("p20", "p30")),
        ], ["p10", "p20", "p30"]),
        ("a window replaces what it covers", [
            completion_of(1, "delta", records=paystubs("p18", "p22")), WINDOW,
        ], ["p18", "p20", "p24"]),
        ("a snapshot replaces everything older, and nothing newer", [
            completion_of(1, "delta", records=paystubs("p10", "p11")), WINDOW, SNAPSHOT,
            completion_of(5, "delta", records=paystubs("p30")),
        ], ["p10", "p20", "p30"]),
        ("statements of one employment leave those of the other", [
            completion_of(1, "delta", records=paystubs("p10", "p24")),
            completion_of(2, "delta", records=paystubs("p11", "p25")),
            completion_of(3, "delta", records=paystubs("p10", "p31")),
        ], ["p10", "p11", "p24", "p25", "p31"]),
        ("a record without a date is in no window", [
            completion_of(1, "delta", records=[{"id": "p00", "pay_date": None}]),
            completion_of(2, "window", to="2025-12-26"),
        ], ["p00"]),
        ("what was deleted stays deleted, until a newer completion has it", [
            FIRST, SNAPSHOT, completion_of(6, "delta", deleted=["p10"]), LAST,
            completion_of(8, "window", **{"from": "2025-12-25"}, records=paystubs("p26")),
            completion_of(9, None),
        ], ["p20", "p26"]),
        ("nothing is left of a deleted account, whatever comes later", [
            FIRST, completion_of(5, None, outcome="deleted"), SNAPSHOT, LAST,
        ], []),
        ("a notice is kept by the id of its completion", [
            completion_of(1, "delta", resource="notices", records=[{"account_id": "a-1"}]),
            completion_of(2, "delta", resource="notices", records=[{"account_id": "a-1"}]),
        ], [None, None]),
    )  # fmt: skip

    def test_every_order_gives_the_same_records(self) -> None:
        for promise, completions, want in self.ROWS:
            with self.subTest(promise):
                for seed in range(300):
                    order = completions * 2  # each comes twice
                    random.Random(seed).shuffle(order)
                    mirror = wagewire.Mirror()
                    for completion in order:
                        mirror.apply(completion, completion.data.get("records") or [])
                    resource = completions[0].resource
                    records = mirror.records("pinwheel", "a-1", resource)
                    self.assertEqual([record.get("id") for record in records], want)
                    is_deleted = any(c.outcome == "deleted" for c in completions)
                    self.assertEqual(mirror.is_deleted("pinwheel", "a-1"), is_deleted)

    def test_a_record_without_an_id_is_poison_and_changes_nothing(self) -> None:
        mirror = wagewire.Mirror()
        with self.assertRaises(wagewire.Poison):
            mirror.apply(self.FIRST, [{"id": "p10"}, {"pay_date": None}])
        self.assertEqual(mirror.records("pinwheel", "a-1", "paystubs"), [])

    def test_records_without_ids_are_those_of_the_newest_snapshot(self) -> None:
        for resource in ("bank_accounts", "identity", "shifts"):
            self.check_records_without_ids(resource)

    def check_records_without_ids(self, resource: str) -> None:
        def numbers(day: int, *numbers: str) -> wagewire.Completion:
            records = [{"account_number": number} for number in numbers]
            return completion_of(day, "snapshot", resource=resource, records=records)

        first, second, none = numbers(1, "01", "02", "02"), numbers(2, "03", "01"), numbers(3)
        for completions, want in (
            ([first], ["01", "02", "02"]),
            ([first, second], ["03", "01"]),
            ([second, first], ["03", "01"]),
            ([none, second, first], []),
        ):
            with self.subTest(resource=resource, want=want):
                mirror = wagewire.Mirror()
                for completion in completions * 2:
                    mirror.apply(completion, completion.data.get("records") or [])
                records = mirror.records("pinwheel", "a-1", resource)
                self.assertEqual([record["account_number"] for record in records], want)
        with self.assertRaises(wagewire.Poison):
            partial = completion_of(4, "delta", resource=resource)
            mirror.apply(partial, [{"account_number": "04"}])

    def test_a_mirror_says_whose_a_paystub_is(self) -> None:
        def of(employment: str, day: int, *ids: str, **data: Any) -> wagewire.Completion:
            data |= {"employment_id": employment, "records": paystubs(*ids)}
            return completion_of(day, "delta", **data)

        for promise, completions, resource, want in (
            ("each paystub is of the employment of its completion",
             [of("m-1", 1, "p10", "p24"), of("m-2", 2, "p11")], "paystubs",
             [("p10", "m-1"), ("p11", "m-2"), ("p24", "m-1")]),
            ("the newest completion counts, whatever the order",
             [of("m-2", 3, "p10"), of("m-1", 1, "p10")], "paystubs", [("p10", "m-2")]),
            ("a completion may name none",
             [completion_of(1, "delta", records=paystubs("p10"))], "paystubs", [("p10", None)]),
            ("of other resources it is the webhook's alone",
             [of("m-1", 1, "p10", resource="income")], "income", [("p10", None)]),
        ):  # fmt: skip
            with self.subTest(promise):
                mirror = wagewire.Mirror()
                for completion in completions * 2:
                    mirror.apply(completion, completion.data.get("records") or [])
                entries = mirror.entries("pinwheel", "a-1", resource)
                got = [(entry.record["id"], entry.employment_id) for entry in entries]
                self.assertEqual(got, want)

    def test_the_model_of_a_mirrored_statement_names_its_employment(self) -> None:
        mirror = wagewire.Mirror()
        statement = {"id": "s-1", "pay_date": "2026-01-30"}
        data = {"provider": "truv", "employment_id": "m-1", "records": [statement]}
        asyncio.run(mirror.store(completion_of(1, "delta", **data)))
        for entry in mirror.entries("truv", "a-1", "paystubs"):
            model = wagewire.normal_of("truv", "paystubs", entry.record, entry.employment_id)
            self.assertEqual(model["paystub"]["employment_id"], "m-1")
        self.assertEqual(mirror.records("truv", "a-1", "paystubs"), [statement])

    def test_a_mirror_is_a_handler(self) -> None:
        mirror = wagewire.Mirror()
        asyncio.run(mirror.store(self.SNAPSHOT))
        self.assertEqual(len(mirror.records("pinwheel", "a-1", "paystubs")), 2)
        asyncio.run(mirror.remove(completion_of(5, None, outcome="deleted")))
        self.assertEqual(mirror.records("pinwheel", "a-1", "paystubs"), [])


if __name__ == "__main__":
    unittest.main()
