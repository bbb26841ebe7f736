"""One model over the records of all providers: no program needs to know how each spells a paystub.

The form is that of schema/jsonschema/normal.v1.json of Wagewire. What the provider does not say is
absent and not zero. What cannot be read is absent, and listed in unread.

Amounts are ints in minor units, so they are exact. Rates and hours are decimals as text, which
Decimal() reads. dumps() of the kit writes a normalised record as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeVar, cast

from .types import (
    JsonObject,
    NormalAddress,
    NormalEmployer,
    NormalEmployment,
    NormalIdentity,
    NormalIncome,
    NormalLine,
    NormalMoney,
    NormalPaystub,
    NormalPhone,
    NormalRate,
    NormalRecord,
    NormalReport,
    NormalShift,
    NormalSpan,
    NormalSum,
    NormalTimeOff,
    NormalYear,
)

__all__ = ["NoModel", "NoObject", "has_normal", "normal_of"]


class NoModel(Exception):
    """There is no model for the provider's resource, such as link, notices and bank_accounts."""


class NoObject(Exception):
    """The record is not a JSON object."""


def normal_of(
    provider: str, resource: str, record: object, employment_id: str | None = None
) -> NormalRecord:
    """Returns a record that a completion of the provider's resource carries, in the model.

    employment_id is that of the completion: Truv's statements do not name their employment.
    record is a record as loads() and Completion.records() return it, and is not changed. A value
    that the model cannot take is no error: it is absent, and is listed in unread. So is every
    float, because a float has lost digits.

    NoModel, NoObject: there is nothing to return.
    """
    read = _MAPPINGS.get((provider, resource))
    if read is None:
        raise NoModel(f"no normalised model of {provider} {resource}")
    if not isinstance(record, dict):
        raise NoObject("the record is no JSON object")
    unread: set[str] = set()
    kind, model = read(_Reader("$", record, unread))
    if kind == "paystub" and employment_id:
        cast(NormalPaystub, model).setdefault("employment_id", employment_id)
    normal: JsonObject = {"kind": kind, kind: model}
    if unread:
        normal["unread"] = sorted(unread)
    return cast(NormalRecord, normal)


def has_normal(provider: str, resource: str) -> bool:
    """Reports whether there is a model for the provider's resource."""
    return (provider, resource) in _MAPPINGS


_T = TypeVar("_T")


def _said(_type: type[_T], /, **members: object) -> _T:
    """Returns the members that are not None, as an object of the type."""
    return cast(_T, {name: value for name, value in members.items() if value is not None})


def _give(type_: type[_T], /, **members: object) -> _T | None:
    """Is _said, but None if no member is left."""
    return _said(type_, **members) or None


_Word = dict[str, str]
_Words = Mapping[str, str]

_OTHER = "other"


def _word_of(table: _Words, word: str) -> _Word:
    return {"kind": table.get(word, _OTHER), "word": word}


def _words(same: str, others: _Words = MappingProxyType({})) -> _Words:
    """Returns a table of words that mean what they say, and of others with their kinds."""
    return MappingProxyType({**{word: word for word in same.split()}, **others})


# The categories of Truv's deductions that are taxes: Truv lists taxes among the deductions.
_TRUV_TAXES: _Words = MappingProxyType(
    {
        "federal": "federal_income",
        "state": "state_income",
        "local": "local_income",
        "socialsec": "social_security",
        "medicare": "medicare",
    }
)

# The kinds of words, by field.
_TABLES: Mapping[str, _Words] = MappingProxyType(
    {
        "employment.status": _words(
            "employed terminated furloughed", {"true": "employed", "false": "inactive"}
        ),
        "employment.type": _words(
            "seasonal contract",
            {
                "F": "full_time",
                "P": "part_time",
                "S": "seasonal",
                "D": "per_diem",
                "C": "contract",
                "full time": "full_time",
                "part time": "part_time",
                "per diem": "per_diem",
            },
        ),
        "income.unit": _words(
            "hourly daily weekly monthly variable per_mile",
            {
                "bi-weekly": "biweekly",
                "semi-weekly": "semiweekly",
                "semi-monthly": "semimonthly",
                "annually": "yearly",
                "YEARLY": "yearly",
                "MONTHLY": "monthly",
                "WEEKLY": "weekly",
                "DAILY": "daily",
                "HOURLY": "hourly",
            },
        ),
        "income.pay_frequency": _words(
            "daily weekly monthly variable",
            {
                "bi-weekly": "biweekly",
                "semi-monthly": "semimonthly",
                "M": "monthly",
                "SM": "semimonthly",
                "W": "weekly",
                "BW": "biweekly",
                "A": "yearly",
                "SA": "semiannually",
                "C": "commission",
            },
        ),
        "paystub.basis": _words(
            "",
            {
                "S": "salary",
                "H": "hourly",
                "D": "daily",
                "W": "weekly",
                "M": "monthly",
                "C": "contract",
            },
        ),
        "earning.category": _words(
            "salary hourly overtime double_overtime premium bonus commission tips vacation holiday "
            "pto sick employer_contribution other fare unpaid parental shift_differential "
            "bereavement life_insurance stock retirement medical meal_comp disability retro_pay "
            "regular",
            {"other_pay": _OTHER},
        ),
        "tax.category": _words(
            "federal_income social_security medicare state_income local_income other", _TRUV_TAXES
        ),
        "deduction.category": _words(
            "retirement medical_insurance hsa fsa dental vision life_insurance disability "
            "child_support commuter union_dues stock charity savings tips wage_garnishment lending "
            "company_perk tax loan job_expense other fees reallocation retro_pay memo benefit",
            {"garnishment": "wage_garnishment"},
        ),
        "deduction.timing": _words("pre_tax post_tax unknown"),
        "time_off.category": _words("pto sick other"),
        "phone.type": _words("home work mobile"),
        "shift.type": _words("shift rideshare delivery other"),
        "report.type": _words("voe voie base"),
    }
)


# A short text with an exponent could stand for gigabytes.
_DIGITS_MAX = 100
_EXPONENT_MAX = 9999
# The least int of too many digits. Python writes no int of more than 4300 digits.
_TOO_LONG = 10**_DIGITS_MAX


@dataclass(frozen=True)
class _Number:
    """A decimal number: the digits, without zeros at either end, times ten to the power of
    exponent. Zero has no digits.
    """

    sign: str
    digits: str
    exponent: int

    def shift(self, places: int) -> _Number:
        """Returns the number times ten to the power of places."""
        return replace(self, exponent=self.exponent + places) if self.digits else self

    def spell(self) -> str | None:
        """Writes the number without an exponent. None: that takes too many digits."""
        if not self.digits:
            return "0"
        whole = max(len(self.digits) + self.exponent, 1)
        if whole + max(-self.exponent, 0) > _DIGITS_MAX:
            return None
        text = self.digits + "0" * self.exponent
        if self.exponent < 0:
            text = text.rjust(1 - self.exponent, "0")
            text = f"{text[: self.exponent]}.{text[self.exponent :]}"
        return self.sign + text

    def whole(self) -> int | None:
        """Returns the number as an int. None: it has a fraction, or more than 64 bits."""
        text = self.spell()
        if text is None or "." in text:
            return None
        whole = int(text)
        return whole if -(1 << 63) <= whole < 1 << 63 else None


_NUMBER = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?")


def _parse_number(text: str) -> _Number | None:
    parts = _NUMBER.fullmatch(text)
    if parts is None:
        return None
    sign, whole, fraction, power_sign, power_digits = parts.groups(default="")
    power_digits = power_digits.lstrip("0")
    if len(power_digits) > len(str(_EXPONENT_MAX)):
        return None
    power = int(f"{power_sign}{power_digits or 0}")
    digits = (whole + fraction).lstrip("0")
    short = digits.rstrip("0")
    if not short:
        return _Number("", "", 0)
    exponent = power + len(digits) - len(short) - len(fraction)
    return _Number(sign, short, exponent)


def _text_of_number(value: object) -> str | None:
    """Returns a number of loads() as text. None: it is no number, or an int of too many digits."""
    if isinstance(value, Decimal):
        # The text of a Decimal has every digit, while arithmetic would round to 28 of them. A
        # Decimal does not keep the spelling: 0.0e10000 and 0e9999 are the same, and both are read.
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _TOO_LONG:
        return str(value)
    return None


_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _parse_date(text: str) -> str | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        date.fromisoformat(text)
    except ValueError:  # there is no such day
        return None
    return text


_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_TIME = re.compile(
    rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})[T ]({_CLOCK}:[0-5][0-9])(?:\.([0-9]{{1,9}}))?"
    rf"(Z|[+-]{_CLOCK})"
)


def _parse_time(text: str) -> str | None:
    """Reads RFC 3339 with T or a space before the time of day."""
    parts = _TIME.fullmatch(text)
    if parts is None or _parse_date(parts[1]) is None:
        return None
    day, time, fraction, zone = parts.groups(default="")
    fraction = fraction.rstrip("0")
    point = "." if fraction else ""
    is_utc = zone in ("+00:00", "-00:00")
    return f"{day}T{time}{point}{fraction}{'Z' if is_utc else zone}"


_CURRENCY = re.compile("[A-Z]{3}")
_FOUR_DIGITS = re.compile("[0-9]{4}")


def _parse_currency(text: str) -> str | None:
    return text if _CURRENCY.fullmatch(text) else None


def _parse_last_four(text: str) -> str | None:
    return text[-4:] if _FOUR_DIGITS.fullmatch(text[-4:]) else None


_LOWER_CASE = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_PLAIN = {**_LOWER_CASE, ord("-"): " ", ord("_"): " "}


# How a number may be written.
_AS_NUMBER = frozenset({"number"})
_AS_TEXT = frozenset({"text"})


@dataclass(frozen=True)
class _Unit:
    """How a provider writes amounts: in which forms and currency, and with how many digits of the
    minor unit behind the point. A wrong form is not read, because it may tell of another unit.
    """

    forms: frozenset[str]
    currency: str | None
    places: int


class _Reader:
    """Reads the members of an object: null, an absent member and an empty text are the same.

    A member that is something else than the method reads goes to unread, and counts as absent.
    """

    def __init__(self, path: str, members: JsonObject, unread: set[str]) -> None:
        self._path = path
        self._members = members
        self._unread = unread

    def _reject(self, name: str) -> None:
        self._unread.add(f"{self._path}.{name}")

    def member(self, name: str) -> Any:
        """Returns the value of a member. None: there is none."""
        return self._members.get(name)

    def text(self, name: str) -> str | None:
        value = self.member(name)
        if value is None or value == "":
            return None
        if isinstance(value, str):
            return value
        self._reject(name)
        return None

    def _read(self, name: str, parse: Callable[[str], str | None]) -> str | None:
        """Reads a text by a function that returns None for another form."""
        text = self.text(name)
        if text is None:
            return None
        parsed = parse(text)
        if parsed is None:
            self._reject(name)
        return parsed

    def date(self, name: str) -> str | None:
        return self._read(name, _parse_date)

    def time(self, name: str) -> str | None:
        return self._read(name, _parse_time)

    def currency(self, name: str) -> str | None:
        return self._read(name, _parse_currency)

    def last_four(self, name: str) -> str | None:
        """Reads the last four digits of a text that ends with four digits."""
        return self._read(name, _parse_last_four)

    def word(self, name: str, field: str) -> _Word | None:
        text = self.text(name)
        return None if text is None else _word_of(_TABLES[field], text)

    def plain_word(self, name: str, field: str) -> _Word | None:
        """Reads a text in the employer's words: "Full-Time" is looked up as "full time"."""
        word = self.text(name)
        if word is None:
            return None
        plain = _word_of(_TABLES[field], word.translate(_PLAIN))
        return {"kind": plain["kind"], "word": word}

    def flag(self, name: str, field: str) -> _Word | None:
        """Reads true or false as a word of the field."""
        value = self.member(name)
        if value is None:
            return None
        if isinstance(value, bool):
            return _word_of(_TABLES[field], "true" if value else "false")
        self._reject(name)
        return None

    def _number(
        self, name: str, forms: frozenset[str], take: Callable[[_Number], _T | None]
    ) -> _T | None:
        """Reads a number by a function that returns None for one that the model cannot take."""
        value = self.member(name)
        if value is None or value == "":
            return None
        form = "text" if isinstance(value, str) else "number"
        text = value if isinstance(value, str) else _text_of_number(value)
        number = _parse_number(text) if text is not None and form in forms else None
        taken = take(number) if number is not None else None
        if taken is None:
            self._reject(name)
        return taken

    def decimal(self, name: str) -> str | None:
        return self._number(name, _AS_NUMBER | _AS_TEXT, _Number.spell)

    def whole(self, name: str, forms: frozenset[str]) -> int | None:
        return self._number(name, forms, _Number.whole)

    def money(self, name: str, unit: _Unit) -> NormalMoney | None:
        """Reads an amount in whole minor units."""
        minor = self._number(name, unit.forms, lambda number: number.shift(unit.places).whole())
        if minor is None:
            return None
        return _said(NormalMoney, minor=minor, currency=unit.currency)

    def rate(self, name: str, unit: _Unit) -> NormalRate | None:
        """Reads an amount that may have parts of a minor unit."""
        minor = self._number(name, unit.forms, lambda number: number.shift(unit.places).spell())
        if minor is None:
            return None
        return _said(NormalRate, minor=minor, currency=unit.currency)

    def object(self, name: str) -> _Reader | None:
        value = self.member(name)
        if value is None:
            return None
        if isinstance(value, dict):
            return self._open(name, value)
        self._reject(name)
        return None

    def _open(self, name: str, value: JsonObject) -> _Reader:
        return _Reader(f"{self._path}.{name}", value, self._unread)

    def _elements(self, name: str, type_: type[_T]) -> list[tuple[str, _T]] | None:
        """Returns the elements of a list that have the type, each with its place."""
        value = self.member(name)
        if value is None:
            return None
        if not isinstance(value, list):
            self._reject(name)
            return None
        elements: list[tuple[str, _T]] = []
        for i, element in enumerate(value):
            place = f"{name}[{i}]"
            if isinstance(element, type_):
                elements.append((place, element))
            elif element is not None:
                self._reject(place)
        return elements

    def objects(self, name: str, read: Callable[[_Reader], _T]) -> list[_T] | None:
        """Reads each object of a list by the function."""
        elements = self._elements(name, dict)
        if elements is None:
            return None
        return [read(self._open(place, element)) for place, element in elements]

    def texts(self, name: str) -> list[str] | None:
        """Reads a list of texts. Empty ones are left out."""
        elements = self._elements(name, str)
        return None if elements is None else [text for _, text in elements if text]


def _pinwheel_unit(o: _Reader) -> _Unit:
    # Pinwheel writes amounts as integers in cents. That cents are the minor unit of every currency,
    # also of one without cents, is an inference.
    return _Unit(forms=_AS_NUMBER, currency=o.currency("currency"), places=0)


def _pinwheel_employment(o: _Reader) -> NormalEmployment:
    return _said(
        NormalEmployment,
        id=o.text("id"),
        account_id=o.text("account_id"),
        employer=_pinwheel_employer(o),
        status=o.word("status", "employment.status"),
        title=o.text("title"),
        start_date=o.date("start_date"),
        end_date=o.date("termination_date"),
        created_at=o.time("created_at"),
        updated_at=o.time("updated_at"),
    )


def _pinwheel_employer(o: _Reader) -> NormalEmployer | None:
    phone = o.object("employer_phone_number")
    return _give(
        NormalEmployer,
        name=o.text("employer_name"),
        address=_pinwheel_address(o, "employer_address"),
        phone=phone and (_pinwheel_phone(phone) or None),
    )


def _pinwheel_address(o: _Reader, name: str) -> NormalAddress | None:
    address = o.object(name)
    return address and _give(
        NormalAddress,
        text=address.text("raw"),
        line1=address.text("line1"),
        line2=address.text("line2"),
        city=address.text("city"),
        state=address.text("state"),
        postal_code=address.text("postal_code"),
        country=address.text("country"),
    )


def _pinwheel_phone(o: _Reader) -> NormalPhone:
    return _said(NormalPhone, number=o.text("value"), type=o.word("type", "phone.type"))


def _pinwheel_identity(o: _Reader) -> NormalIdentity:
    return _said(
        NormalIdentity,
        id=o.text("id"),
        account_id=o.text("account_id"),
        full_name=o.text("full_name"),
        date_of_birth=o.date("date_of_birth"),
        last_four_ssn=o.last_four("last_four_ssn"),
        address=_pinwheel_address(o, "address"),
        emails=o.texts("emails"),
        phones=o.objects("phone_numbers", _pinwheel_phone),
        created_at=o.time("created_at"),
        updated_at=o.time("updated_at"),
    )


def _pinwheel_income(o: _Reader) -> NormalIncome:
    unit = _pinwheel_unit(o)
    return _said(
        NormalIncome,
        id=o.text("id"),
        account_id=o.text("account_id"),
        compensation=o.rate("compensation_amount", unit),
        unit=o.word("compensation_unit", "income.unit"),
        pay_frequency=o.word("pay_frequency", "income.pay_frequency"),
        years=o.objects("annual_incomes", lambda year: _pinwheel_year(year, unit)),
        created_at=o.time("created_at"),
        updated_at=o.time("updated_at"),
    )


def _pinwheel_year(o: _Reader, unit: _Unit) -> NormalYear:
    return _said(
        NormalYear,
        year=o.whole("year", _AS_TEXT),
        gross_pay=o.money("gross_pay_ytd", unit),
        net_pay=o.money("net_pay_ytd", unit),
        taxes=o.money("total_taxes_ytd", unit),
        deductions=o.money("total_deductions_ytd", unit),
        reimbursements=o.money("total_reimbursements_ytd", unit),
        sums=o.objects("earnings_ytds", lambda one: _pinwheel_sum(one, unit)),
    )


def _pinwheel_sum(o: _Reader, unit: _Unit) -> NormalSum:
    return _said(
        NormalSum,
        category=o.word("category", "earning.category"),
        amount=o.money("amount", unit),
    )


def _pinwheel_paystub(o: _Reader) -> NormalPaystub:
    unit = _pinwheel_unit(o)
    return _said(
        NormalPaystub,
        id=o.text("id"),
        account_id=o.text("account_id"),
        external_id=o.text("external_paystub_id"),
        employer=_pinwheel_employer(o),
        pay_date=o.date("pay_date"),
        period_start=o.date("pay_period_start"),
        period_end=o.date("pay_period_end"),
        gross_pay=o.money("gross_pay_amount", unit),
        net_pay=o.money("net_pay_amount", unit),
        gross_pay_ytd=o.money("gross_pay_ytd", unit),
        net_pay_ytd=o.money("net_pay_ytd", unit),
        check_amount=o.money("check_amount", unit),
        total_taxes=o.money("total_taxes", unit),
        total_deductions=o.money("total_deductions", unit),
        total_reimbursements=o.money("total_reimbursements", unit),
        earnings=o.objects("earnings", lambda line: _pinwheel_earning(line, unit)),
        taxes=o.objects("taxes", lambda line: _line(line, "tax.category", unit)),
        deductions=o.objects("deductions", lambda line: _pinwheel_deduction(line, unit)),
        time_off=o.objects("time_off", _pinwheel_time_off),
        created_at=o.time("created_at"),
    )


def _line(o: _Reader, field: str, unit: _Unit) -> NormalLine:
    return _said(
        NormalLine,
        name=o.text("name"),
        category=o.word("category", field),
        amount=o.money("amount", unit),
    )


def _pinwheel_earning(o: _Reader, unit: _Unit) -> NormalLine:
    more = {"rate": o.rate("rate", unit), "hours": o.decimal("hours")}
    return _said(NormalLine, **{**_line(o, "earning.category", unit), **more})


def _pinwheel_deduction(o: _Reader, unit: _Unit) -> NormalLine:
    more = {"timing": o.word("type", "deduction.timing")}
    return _said(NormalLine, **{**_line(o, "deduction.category", unit), **more})


def _pinwheel_time_off(o: _Reader) -> NormalTimeOff:
    return _said(
        NormalTimeOff,
        name=o.text("name"),
        category=o.word("category", "time_off.category"),
        available_hours=o.decimal("available_hours"),
        earned_hours=o.decimal("earned_hours"),
        used_hours=o.decimal("used_hours"),
    )


def _pinwheel_shift(o: _Reader) -> NormalShift:
    unit = _pinwheel_unit(o)
    return _said(
        NormalShift,
        id=o.text("id"),
        account_id=o.text("account_id"),
        type=o.word("type", "shift.type"),
        start_date=o.date("start_date"),
        end_date=o.date("end_date"),
        zone=o.text("timezone"),
        spans=o.objects("timestamps", _pinwheel_span),
        earnings=o.objects("earnings", lambda line: _pinwheel_earning(line, unit)),
        created_at=o.time("created_at"),
    )


def _pinwheel_span(o: _Reader) -> NormalSpan:
    return _said(NormalSpan, **{"from": o.time("from"), "to": o.time("to")})


def _pinwheel_report(o: _Reader) -> NormalReport:
    return _said(
        NormalReport,
        id=o.text("id"),
        type=o.word("report_type", "report.type"),
        identity=_pinwheel_employee(o),
        employments=o.objects("employments", _pinwheel_report_employment),
        updated_at=o.time("updated_at"),
        refreshed_at=o.time("refreshed_at"),
    )


def _pinwheel_employee(o: _Reader) -> NormalIdentity | None:
    """Reads the person of a report: an identity whose name has parts."""
    person = o.object("employee")
    if person is None:
        return None
    identity = _pinwheel_identity(person)
    name = person.object("name")
    if name is None:
        return identity
    parts = {
        "full_name": name.text("full_name"),
        "first_name": name.text("first_name"),
        "middle_name": name.text("middle_name"),
        "last_name": name.text("last_name"),
    }
    return _said(NormalIdentity, **{**identity, **parts})


def _pinwheel_report_employment(o: _Reader) -> NormalEmployment:
    income = o.object("income")
    more = {
        "status": o.word("employment_status", "employment.status"),
        "type": o.plain_word("employment_type", "employment.type"),
        "last_pay_date": o.date("most_recent_pay_date"),
        "duration_months": o.whole("employment_duration_months", _AS_NUMBER),
        "income": income and _pinwheel_income(income),
        "paystubs": income and income.objects("paystubs", _pinwheel_paystub),
    }
    return _said(NormalEmployment, **{**_pinwheel_employment(o), **more})


# Truv writes amounts as text, in whole units with a point. That the currency is the US dollar is an
# inference: Truv states no currency, and its data has social security numbers and W-2 forms.
_TRUV_UNIT = _Unit(forms=_AS_TEXT, currency="USD", places=2)


def _truv_employment(o: _Reader) -> NormalEmployment:
    """Reads EmploymentLinked, and the Employment and EmploymentIncome of reports."""
    profile = o.object("profile")
    return _said(
        NormalEmployment,
        id=o.text("id"),
        employer=_truv_employer(o),
        status=o.flag("is_active", "employment.status"),
        type=o.word("job_type", "employment.type"),
        title=o.text("job_title"),
        manager=o.text("manager_name"),
        start_date=o.date("start_date"),
        first_hire_date=o.date("original_hire_date"),
        end_date=o.date("end_date"),
        updated_on=o.date("external_last_updated"),
        income=_truv_income(o) or None,
        paystubs=o.objects("statements", _truv_paystub),
        identity=profile and _truv_identity(profile),
    )


def _truv_employer(o: _Reader) -> NormalEmployer | None:
    company = o.object("company")
    if company is None:
        return None
    return _give(
        NormalEmployer,
        name=company.text("name"),
        address=_truv_address(company, "address"),
        phone=_give(NormalPhone, number=company.text("phone")),
        ein=company.text("ein"),
    )


def _truv_address(o: _Reader, name: str) -> NormalAddress | None:
    address = o.object(name)
    return address and _give(
        NormalAddress,
        line1=address.text("street"),
        city=address.text("city"),
        state=address.text("state"),
        postal_code=address.text("zip"),
        country=address.text("country"),
    )


def _truv_income(o: _Reader) -> NormalIncome:
    """Reads the members about income, of an employment."""
    return _said(
        NormalIncome,
        compensation=o.rate("income", _TRUV_UNIT),
        unit=o.word("income_unit", "income.unit"),
        cycle_pay=o.rate("pay_rate", _TRUV_UNIT),
        pay_frequency=o.word("pay_frequency", "income.pay_frequency"),
        years=o.objects("annual_income_summary", _truv_year),
    )


def _truv_year(o: _Reader) -> NormalYear:
    return _said(
        NormalYear,
        year=o.whole("year", _AS_NUMBER),
        gross_pay=o.money("gross_pay", _TRUV_UNIT),
        net_pay=o.money("net_pay", _TRUV_UNIT),
        sums=_truv_sums(o),
    )


def _truv_sums(o: _Reader) -> list[NormalSum] | None:
    """Reads the sums by kind of pay, which stand beside the lines in members of their own."""
    sums: list[NormalSum] = []
    for name in ("regular", "overtime", "bonus", "commission", "other_pay"):
        amount = o.money(name, _TRUV_UNIT)
        ytd = o.money(f"{name}_ytd", _TRUV_UNIT)
        if amount or ytd:
            category = _word_of(_TABLES["earning.category"], name)
            sums.append(_said(NormalSum, category=category, amount=amount, ytd=ytd))
    return sums or None


def _truv_paystub(o: _Reader) -> NormalPaystub:
    taxes, deductions = _truv_deductions(o, "deductions")
    taxes_ytd, deductions_ytd = _truv_deductions(o, "deductions_ytd")
    return _said(
        NormalPaystub,
        id=o.text("id"),
        employment_id=o.text("employment_id"),
        external_id=o.text("check_number"),
        pay_date=o.date("pay_date"),
        period_start=o.date("period_start"),
        period_end=o.date("period_end"),
        gross_pay=o.money("gross_pay", _TRUV_UNIT),
        net_pay=o.money("net_pay", _TRUV_UNIT),
        gross_pay_ytd=o.money("gross_pay_ytd", _TRUV_UNIT),
        net_pay_ytd=o.money("net_pay_ytd", _TRUV_UNIT),
        hours=o.decimal("hours"),
        basis=o.word("basis_of_pay", "paystub.basis"),
        earnings=o.objects("earnings", _truv_earning),
        earnings_ytd=o.objects("earnings_ytd", _truv_earning),
        taxes=taxes,
        taxes_ytd=taxes_ytd,
        deductions=deductions,
        deductions_ytd=deductions_ytd,
        sums=_truv_sums(o),
    )


def _truv_earning(o: _Reader) -> NormalLine:
    more = {"rate": o.rate("rate", _TRUV_UNIT), "units": o.decimal("units")}
    return _said(NormalLine, **{**_line(o, "earning.category", _TRUV_UNIT), **more})


def _truv_deductions(
    o: _Reader, name: str
) -> tuple[list[NormalLine] | None, list[NormalLine] | None]:
    """Reads a list of deductions, and parts its taxes from the others. None: there is no list."""
    lines = o.objects(name, _truv_deduction)
    if lines is None:
        return None, None
    taxes = [line for is_tax, line in lines if is_tax]
    deductions = [line for is_tax, line in lines if not is_tax]
    return taxes, deductions


def _truv_deduction(o: _Reader) -> tuple[bool, NormalLine]:
    """Returns whether the line is a tax, and the line."""
    is_tax = o.text("category") in _TRUV_TAXES
    return is_tax, _line(o, "tax.category" if is_tax else "deduction.category", _TRUV_UNIT)


def _truv_shift(o: _Reader) -> NormalShift:
    return _said(
        NormalShift,
        id=o.text("id"),
        external_id=o.text("external_id"),
        type=o.word("type", "shift.type"),
        start_date=o.date("start_date"),
        end_date=o.date("end_date"),
        spans=o.objects("time_entries", _truv_span),
        earnings=o.objects("earnings", _truv_earning),
        created_at=o.time("created_at"),
        updated_at=o.time("updated_at"),
    )


def _truv_span(o: _Reader) -> NormalSpan:
    return _said(
        NormalSpan,
        **{"date": o.date("entry_date"), "from": o.time("start"), "to": o.time("end")},
    )


def _truv_identity(o: _Reader) -> NormalIdentity:
    email = o.text("email")
    return _said(
        NormalIdentity,
        id=o.text("id"),
        full_name=o.text("full_name"),
        first_name=o.text("first_name"),
        middle_name=o.text("middle_initials"),
        last_name=o.text("last_name"),
        date_of_birth=o.date("date_of_birth"),
        last_four_ssn=o.last_four("ssn"),
        address=_truv_address(o, "home_address"),
        emails=None if email is None else [email],
        created_at=o.time("created_at"),
        updated_at=o.time("updated_at"),
    )


def _truv_report(o: _Reader) -> NormalReport:
    """Reads EmploymentCheck and IncomeCheck. Each of their employments has a person of its own.

    The deprecated completed_at counts if a report has no finished_at.
    """
    finished = "finished_at" if o.member("finished_at") is not None else "completed_at"
    return _said(
        NormalReport,
        id=o.text("id"),
        status=o.text("status"),
        employments=o.objects("employments", _truv_employment),
        finished_at=o.time(finished),
    )


def _is_truv_report(o: _Reader) -> bool:
    """Reports whether the record lists employments, and is not one employment."""
    return o.member("employments") is not None


def _truv_employment_or_report(o: _Reader) -> tuple[str, object]:
    if _is_truv_report(o):
        return "report", _truv_report(o)
    return "employment", _truv_employment(o)


def _truv_income_or_report(o: _Reader) -> tuple[str, object]:
    if _is_truv_report(o):
        return "report", _truv_report(o)
    more = {"id": o.text("id"), "employer": _truv_employer(o)}
    return "income", _said(NormalIncome, **{**_truv_income(o), **more})


# A mapping reads a record of a resource. It returns the kind of model, and the model.
_Mapping = Callable[[_Reader], tuple[str, object]]

_MAPPINGS: Mapping[tuple[str, str], _Mapping] = MappingProxyType(
    {
        ("pinwheel", "employment"): lambda o: ("employment", _pinwheel_employment(o)),
        ("pinwheel", "identity"): lambda o: ("identity", _pinwheel_identity(o)),
        ("pinwheel", "income"): lambda o: ("income", _pinwheel_income(o)),
        ("pinwheel", "paystubs"): lambda o: ("paystub", _pinwheel_paystub(o)),
        ("pinwheel", "shifts"): lambda o: ("shift", _pinwheel_shift(o)),
        ("pinwheel", "verification_reports"): lambda o: ("report", _pinwheel_report(o)),
        ("truv", "employment"): _truv_employment_or_report,
        ("truv", "identity"): lambda o: ("identity", _truv_identity(o)),
        ("truv", "income"): _truv_income_or_report,
        ("truv", "paystubs"): lambda o: ("paystub", _truv_paystub(o)),
        ("truv", "shifts"): lambda o: ("shift", _truv_shift(o)),
        ("truv", "verification_reports"): lambda o: ("report", _truv_report(o)),
    }
)
