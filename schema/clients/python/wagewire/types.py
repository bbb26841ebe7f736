# Generated from the JSON Schemas by make generate: do not edit.
"""The types of all that a team reads.

A number of a provider is an int or a Decimal with every digit of the provider. A field that is
NotRequired may be absent. Expect other words than those of a Literal, and further fields.
"""

from decimal import Decimal
from typing import Any, Generic, Literal, NotRequired, TypedDict, TypeVar, Union

# Any JSON object.
JsonObject = dict[str, Any]

# The type of the records of a completion.
R = TypeVar("R")


CompletionOutcome = Union[
    Literal[
        "succeeded", "pending", "unavailable", "failed", "disconnected", "deleted",
    ],
    str,
]


class CompletionEvent(TypedDict):
    """The event that ends with this completion."""

    # The provider's id of the event, as received.
    id: str
    # The provider's type, such as paystubs.added or link-deleted.
    type: str
    # The provider's time of the event, or received_at if the webhook has no time. Two completions
    # may have the same time, and completions may arrive in any order: order them by sequence.
    occurred_at: str
    # The time when the webhook was received.
    received_at: str


CompletionScope = Union[Literal["snapshot", "window", "delta"], str]


class CompletionRecordsRef(TypedDict):
    """The place of records too large for one message: a JSON array in a NATS object store.
    records_ref replaces records.
    """

    # The object store's bucket.
    bucket: str
    # The object's name in the bucket.
    name: str
    # SHA-256 of the object's bytes, in lower-case hexadecimal.
    sha256: str
    # The object's size.
    bytes: int
    # The number of records in the object.
    count: int
    # The subject of the object's chunks. Chunk n has this subject with .n at its end, from 1.
    # Objects stored by an earlier release have no subject.
    subject: NotRequired[str]
    # The number of chunks.
    chunks: NotRequired[int]


CompletionErrorClass = Union[
    Literal[
        "transient", "not_ready", "throttled", "unauthorized", "forbidden", "permanent", "contract",
        "poison", "provider", "exhausted",
    ],
    str,
]


_CompletionErrorReserved = TypedDict("_CompletionErrorReserved", {
    "class": CompletionErrorClass,
})


class CompletionError(_CompletionErrorReserved):
    """The reason if the outcome is not succeeded. With the outcome failed there is always a reason.
    """

    # The provider's code of the error, or empty.
    code: str
    # The provider's type of the error, or empty.
    type: str
    # Wagewire's words, for people, without personal data.
    message: str


_CompletionDataReserved = TypedDict("_CompletionDataReserved", {
    "from": NotRequired[Union[str, None]],
})


class CompletionData(_CompletionDataReserved, Generic[R]):
    # The provider of the webhook, such as pinwheel or truv. Wagewire may get more providers.
    provider: str
    # The kind of data: employment, identity, income, paystubs, shifts, verification_reports,
    # bank_accounts, tax_forms, link, notices. Wagewire may get more kinds.
    resource: str
    # The change of the resource, in the provider's words, such as added, fully_synced, refreshed or
    # deleted.
    action: str
    # succeeded: records holds the announced data. pending: the provider's job is not finished, and
    # another webhook follows within 24 hours. unavailable: the provider does not have the data.
    # failed: the provider's job failed or Wagewire gave up; error.class tells the two apart.
    # disconnected: the provider cannot reach the account until the person connects it again; the
    # data fetched before stays. deleted: the account's data was deleted at the provider and in
    # Wagewire; delete yours.
    outcome: CompletionOutcome
    # The event that ends with this completion.
    event: CompletionEvent
    # The provider's id of the account: Pinwheel's account_id, Truv's link_id. null if the event
    # names only a person, and the provider knows no account of the person.
    account_id: Union[str, None]
    # Your own identifier of the person: Pinwheel's end_user_id, Truv's user_external_id. null if
    # the provider does not give one.
    end_user_id: Union[str, None]
    # How often an operator had sent the event through its queue again: 0 for the webhook itself, n
    # if the id has :r<n>. Completions stored by an earlier release lack the field.
    redrive: NotRequired[int]
    # The id of the object that the webhook names, such as an employment of Truv's. Absent if the
    # webhook names none.
    object_id: NotRequired[str]
    # The id of the employment that the webhook names. The records of Truv's paystubs are those of
    # this employment. Absent if the webhook names none.
    employment_id: NotRequired[str]
    # The resources that the account can have: those of the account's payroll platform in the
    # completion of a Pinwheel link, those with data in the completion of a Truv report. After a
    # failed task of Truv's: verification_reports alone. Absent if the provider does not say it.
    supported: NotRequired[list[str]]
    # The time of the provider's last look into the payroll system for these records. null if the
    # provider does not give the time.
    refreshed_at: Union[str, None]
    # The number of attempts at the event: one more than its failures.
    attempts: int
    # The time when the broker stored the event. Completions stored by an earlier release lack the
    # field.
    stored_at: NotRequired[str]
    # The time when a worker took the event for the attempt that ended with this completion.
    # Completions stored by an earlier release lack the field.
    taken_at: NotRequired[str]
    # What records and deleted are. snapshot: all that the provider has of the resource; replace
    # yours. window: all within the dates from and to; replace yours within the dates. delta: new or
    # changed records; add or replace each by its id (a notice by the id of the completion), and
    # remove the ids in deleted. null if nothing was fetched. Completions stored by an earlier
    # release lack the field.
    scope: NotRequired[Union[CompletionScope, None]]
    # The last date of a window, included. null: no bound.
    to: NotRequired[Union[str, None]]
    # The provider's own objects, digit for digit and field for field. Read numbers as decimals, not
    # as floats. Empty if nothing was fetched.
    records: NotRequired[list[R]]
    # The place of records too large for one message: a JSON array in a NATS object store.
    # records_ref replaces records.
    records_ref: NotRequired[CompletionRecordsRef]
    # Ids of records removed by the provider. Remove them too.
    deleted: list[str]
    # Ids of records announced by the event but absent from the provider's API.
    missing: list[str]
    # Whether the provider's data was still older than the event at the last attempt, or fewer than
    # the provider says that there are.
    stale: bool
    # The reason if the outcome is not succeeded. With the outcome failed there is always a reason.
    error: Union[CompletionError, None]


class Completion(TypedDict, Generic[R]):
    """The end of one webhook event: a CloudEvents 1.0 event in structured JSON. Each event has one
    completion for each resource that is fetched for it, for ever. An event that names a person has
    one for each account of the person. Version 1 may get more fields: ignore unknown fields.
    """

    specversion: Literal["1.0"]
    # <provider>:<event id>:<resource>. Every delivery of a completion has the same id: use it as
    # your idempotency key. An event id with characters other than letters, digits, _ and -, or with
    # more than 64 characters, is replaced by its hash. :r1, :r2 and so on behind the event id means
    # that an operator sent the event through its queue again (redrive): a completion of its own,
    # with an id of its own. So succeeded may follow failed: compare sequence. :<account token> at
    # the end stands in the completions of an event that names a person: one for each account of the
    # person.
    id: str
    # The worker that wrote the completion.
    source: str
    # wagewire.<resource>.<outcome>.v1.
    type: str
    # The account token: the account's id, or _ if the event names no account. An id chosen by
    # people, and an id with characters other than letters, digits, _ and -, is replaced by its hash
    # (h_…).
    subject: str
    # The time when the completion was written.
    time: str
    # The order of the completions of one account and resource: compare as text, and the greater has
    # the newer data. Of two completions of one event, the one with the greater data.redrive is the
    # newer outcome. The sequence begins with the time of the data, then comes the time of the
    # fetch, then the id. The time of the data is data.refreshed_at, or data.event.occurred_at if
    # there is none; for the data of a Truv link the time of the fetch; for a task of Truv's
    # data.event.occurred_at. Completions stored by an earlier release have no sequence.
    sequence: NotRequired[str]
    datacontenttype: Literal["application/json"]
    dataschema: Literal["urn:wagewire:schema:completion:v1"]
    data: CompletionData[R]


AccountResources = list[str]


AccountResourceOutcome = Union[
    Literal[
        "succeeded", "pending", "unavailable", "failed", "disconnected",
    ],
    str,
]


AccountResourceSynced = Union[
    Literal[
        "added", "seven_days_synced", "thirty_days_synced", "ninety_days_synced", "fully_synced",
    ],
    str,
]


class AccountResourceEvent(TypedDict):
    """The event of the completion. null before the first completion."""

    # The provider's id of the event, as received.
    id: str
    # The provider's type, such as paystubs.added.
    type: str
    # The provider's time of the event, or received_at if the webhook has no time.
    occurred_at: str
    # The time when the webhook was received.
    received_at: str


class AccountResourceCompletion(TypedDict):
    """Where the completion is on the stream of completions, as long as that stream keeps it. null
    before the first completion.
    """

    # The completion's id.
    id: str
    # The completion's subject.
    subject: str


class AccountResourceFailed(TypedDict):
    # The event's id. An id with characters other than letters, digits, _ and -, or with more than
    # 64 characters, is replaced by its hash (h_…).
    event_id: str
    # How often an operator sent the event through its queue again, in vain.
    redrive: int
    # The sequence of the failed completion.
    sequence: str


AccountResourceError = Union[
    Literal[
        "transient", "not_ready", "throttled", "unauthorized", "forbidden", "permanent", "contract",
        "poison", "provider", "exhausted",
    ],
    str,
]


class AccountResource(TypedDict):
    # The outcome of the newest completion that is not pending. pending while there is none. A
    # completion gives way to a later redrive of its event, and a failed one to a snapshot that
    # covers the event.
    outcome: AccountResourceOutcome
    # The greatest part of the past that was fetched: added < seven_days_synced < thirty_days_synced
    # < ninety_days_synced < fully_synced. null for a resource without a past, and before the first
    # success.
    synced: Union[AccountResourceSynced, None]
    # The event of the completion. null before the first completion.
    event: Union[AccountResourceEvent, None]
    # The time of the provider's last look into the payroll system, as in the completion.
    refreshed_at: Union[str, None]
    # The sequence of the completion: compare as text, and the greater is the newer. null before the
    # first completion.
    sequence: Union[str, None]
    # Where the completion is on the stream of completions, as long as that stream keeps it. null
    # before the first completion.
    completion: Union[AccountResourceCompletion, None]
    # The events whose last completion is failed, or unavailable with the class forbidden: newest
    # first, without those covered by a newer snapshot, or by newer statements of the same
    # employment. Of Truv's tasks only the newest end counts. At most 100: older ones are left out.
    failed: list[AccountResourceFailed]
    # The class of the completion's error, as in the completion. null if it has none.
    error: Union[AccountResourceError, None]


AccountStatus = Union[Literal["linking", "ready", "incomplete", "disconnected", "deleted"], str]


class AccountData(TypedDict):
    # The provider of the account, such as pinwheel or truv. Wagewire may get more providers.
    provider: str
    # The provider's id of the account: Pinwheel's account_id, Truv's link_id.
    account_id: str
    # Your own identifier of the person, from the newest completion that has one. null if no
    # completion has one.
    end_user_id: Union[str, None]
    # linking: an awaited resource is not final yet. ready: all awaited resources are final and
    # good. incomplete: all awaited resources are final, and some are not good: see failed and error
    # of the resources. disconnected: the provider cannot reach the account until the person
    # connects it again; the data fetched before stays. deleted: the account's data was deleted at
    # the provider and in Wagewire; delete yours. deleted never ends.
    status: AccountStatus
    # The time when the status began.
    since: str
    # The resources that decide whether the account is ready, sorted: those of the operator's
    # ACCOUNT_READY_WHEN that Wagewire fetches from the provider, or if there is none of these, all
    # of the provider's except notices, reports of a person, bank accounts, tax forms and the link;
    # without those that the account cannot have: its payroll platform lacks them (Pinwheel), or its
    # report does not show them (Truv).
    awaited: AccountResources
    # The awaited resources that are not final yet. A resource with a past, such as paystubs, is
    # final when the provider says that the whole past is there (fully_synced), or when the newest
    # completion is failed or unavailable and is not about a part of the past, such as
    # seven_days_synced. Any other resource is final with the first completion that is not pending.
    # A final resource is good if failed is empty, and the outcome is succeeded or unavailable.
    waiting_for: AccountResources
    # The state of each resource that is awaited or has a completion, by its name. Empty if the
    # account is deleted.
    resources: dict[str, AccountResource]
    # What Wagewire needs to add the next completion. It is no part of the contract: ignore it.
    basis: NotRequired[JsonObject]


class Account(TypedDict):
    """The state of one account: a CloudEvents 1.0 event in structured JSON, and the last message on
    the account's subject. It says whether the data of the account is complete, and where the newest
    completion of each resource is. The state follows from the set of the account's completions,
    whatever their order. Version 1 may get more fields: ignore unknown fields.
    """

    specversion: Literal["1.0"]
    # <provider>:<account token>:<time>.
    id: str
    source: Literal["urn:wagewire:worker:accounts"]
    # wagewire.account.<status>.v1 if this message changes the status, else
    # wagewire.account.updated.v1. So each change into ready is published once; to know whether the
    # account is ready, read data.status.
    type: str
    # The account token: the account's id, or its hash (h_…) if the id has characters other than
    # letters, digits, _ and -.
    subject: str
    # The time when the state was written.
    time: str
    datacontenttype: Literal["application/json"]
    dataschema: Literal["urn:wagewire:schema:account:v1"]
    data: AccountData


class NormalAddress(TypedDict):
    """A postal address."""

    # The whole address in one line.
    text: NotRequired[str]
    # Street and number.
    line1: NotRequired[str]
    # Suite, apartment or the like.
    line2: NotRequired[str]
    # City.
    city: NotRequired[str]
    # State.
    state: NotRequired[str]
    # Postal code, as text: it may begin with 0.
    postal_code: NotRequired[str]
    # Country, in the provider's spelling; two letters in every sample.
    country: NotRequired[str]


NormalPhoneTypeKind = Union[Literal["home", "mobile", "other", "work"], str]


class NormalPhoneType(TypedDict):
    """The kind of phone."""

    # The meaning, the same for all providers; other if the model does not know the word. A later
    # release may know more.
    kind: NormalPhoneTypeKind
    # The provider's word.
    word: str


class NormalPhone(TypedDict):
    """A phone number."""

    # The number, as the provider writes it.
    number: NotRequired[str]
    # The kind of phone.
    type: NotRequired[NormalPhoneType]


class NormalEmployer(TypedDict):
    """Who pays. Neither provider has an id of an employer."""

    # The name.
    name: NotRequired[str]
    # The address.
    address: NotRequired[NormalAddress]
    # The phone number.
    phone: NotRequired[NormalPhone]
    # The Employer Identification Number, as the provider writes it.
    ein: NotRequired[str]


NormalEmploymentStatusKind = Union[
    Literal[
        "employed", "furloughed", "inactive", "other", "terminated",
    ],
    str,
]


class NormalEmploymentStatus(TypedDict):
    """Whether the person works there. inactive: no longer or not now, the provider does not say
    which.
    """

    # The meaning, the same for all providers; other if the model does not know the word. A later
    # release may know more.
    kind: NormalEmploymentStatusKind
    # The provider's word.
    word: str


NormalEmploymentTypeKind = Union[
    Literal[
        "contract", "full_time", "other", "part_time", "per_diem", "seasonal",
    ],
    str,
]


class NormalEmploymentType(TypedDict):
    """The kind of employment."""

    # The meaning, the same for all providers; other if the model does not know the word. A later
    # release may know more.
    kind: NormalEmploymentTypeKind
    # The provider's word.
    word: str


class NormalRate(TypedDict):
    """An amount that may have parts of a minor unit."""

    # The amount in minor units of the currency, such as cents, a decimal number as text, exact,
    # without an exponent.
    minor: str
    # ISO 4217 code. Absent if the provider does not say it.
    currency: NotRequired[str]


NormalIncomeUnitKind = Union[
    Literal[
        "biweekly", "daily", "hourly", "monthly", "other", "per_mile", "semimonthly", "semiweekly",
        "variable", "weekly", "yearly",
    ],
    str,
]


class NormalIncomeUnit(TypedDict):
    """The unit of compensation."""

    # The meaning, the same for all providers; other if the model does not know the word. A later
    # release may know more.
    kind: NormalIncomeUnitKind
    # The provider's word.
    word: str


NormalIncomePayFrequencyKind = Union[
    Literal[
        "biweekly", "commission", "daily", "monthly", "other", "semiannually", "semimonthly",
        "variable", "weekly", "yearly",
    ],
    str,
]


class NormalIncomePayFrequency(TypedDict):
    """How often the person is paid."""

    # The meaning, the same for all providers; other if the model does not know the word. A later
    # release may know more.
    kind: NormalIncomePayFrequencyKind
    # The provider's word.
    word: str


class NormalMoney(TypedDict):
    """An amount."""

    # The amount in minor units of the currency, such as cents. It may be negative, and has up to 64
    # bits: more than a floating-point number holds exactly.
    minor: int
    # ISO 4217 code. Absent if the provider does not say it.
    currency: NotRequired[str]


NormalSumCategoryKind = Union[
    Literal[
        "bereavement", "bonus", "commission", "disability", "double_overtime",
        "employer_contribution", "fare", "holiday", "hourly", "life_insurance", "meal_comp",
        "medical", "other", "overtime", "parental", "premium", "pto", "regular", "retirement",
        "retro_pay", "salary", "shift_differential", "sick", "stock", "tips", "unpaid", "vacation",
    ],
    str,
]


class NormalSumCategory(TypedDict):
    """The kind of pay."""

    # The meaning, the same for all providers; other if the model does not know the word. A later
    # release may know more.
    kind: NormalSumCategoryKind
    # The provider's word.
    word: str


class NormalSum(TypedDict):
    """The pay of one kind."""

    # The kind of pay.
    category: NotRequired[NormalSumCategory]
    # The sum: of the pay period in a paystub, of the year in a year.
    amount: NotRequired[NormalMoney]
    # The sum of the year up to the paystub.
    ytd: NotRequired[NormalMoney]


class NormalYear(TypedDict):
    """The income of a year."""

    # The year.
    year: NotRequired[int]
    # Gross pay.
    gross_pay: NotRequired[NormalMoney]
    # Net pay.
    net_pay: NotRequired[NormalMoney]
    # The sum of the taxes.
    taxes: NotRequired[NormalMoney]
    # The sum of the deductions.
    deductions: NotRequired[NormalMoney]
    # The sum of the reimbursements.
    reimbursements: NotRequired[NormalMoney]
    # Pay by kind.
    sums: NotRequired[list[NormalSum]]


class NormalIncome(TypedDict):
    """What an employment pays."""

    # The provider's id of the record.
    id: NotRequired[str]
    # The provider's id of the account, if the record has it.
    account_id: NotRequired[str]
    # Who pays, where the record of the income says it.
    employer: NotRequired[NormalEmployer]
    # The pay for one unit.
    compensation: NotRequired[NormalRate]
    # The unit of compensation.
    unit: NotRequired[NormalIncomeUnit]
    # The pay for one pay period.
    cycle_pay: NotRequired[NormalRate]
    # How often the person is paid.
    pay_frequency: NotRequired[NormalIncomePayFrequency]
    # Income by year.
    years: NotRequired[list[NormalYear]]
    # When the provider made the record: RFC 3339 with T, with the offset that the provider writes,
    # Z for UTC.
    created_at: NotRequired[str]
    # When the record last changed at the provider: RFC 3339 with T, with the offset that the
    # provider writes, Z for UTC.
    updated_at: NotRequired[str]


NormalPaystubBasisKind = Union[
    Literal[
        "contract", "daily", "hourly", "monthly", "other", "salary", "weekly",
    ],
    str,
]


class NormalPaystubBasis(TypedDict):
    """What the pay is counted by."""

    # The meaning, the same for all providers; other if the model does not know the word. A later
    # release may know more.
    kind: NormalPaystubBasisKind
    # The provider's word.
    word: str


NormalLineCategoryKind = Union[
    Literal[
        "benefit", "bereavement", "bonus", "charity", "child_support", "commission", "commuter",
        "company_perk", "dental", "disability", "double_overtime", "employer_contribution", "fare",
        "federal_income", "fees", "fsa", "holiday", "hourly", "hsa", "job_expense", "lending",
        "life_insurance", "loan", "local_income", "meal_comp", "medical", "medical_insurance",
        "medicare", "memo", "other", "overtime", "parental", "premium", "pto", "reallocation",
        "regular", "retirement", "retro_pay", "salary", "savings", "shift_differential", "sick",
        "social_security", "state_income", "stock", "tax", "tips", "union_dues", "unpaid",
        "vacation", "vision", "wage_garnishment",
    ],
    str,
]


class NormalLineCategory(TypedDict):
    """The kind of earning, tax or deduction."""

    # The meaning, the same for all providers; other if the model does not know the word. A later
    # release may know more.
    kind: NormalLineCategoryKind
    # The provider's word.
    word: str


NormalLineTimingKind = Union[Literal["other", "post_tax", "pre_tax", "unknown"], str]


class NormalLineTiming(TypedDict):
    """Whether a deduction comes before or after taxes. Only of deductions."""

    # The meaning, the same for all providers; other if the model does not know the word. A later
    # release may know more.
    kind: NormalLineTimingKind
    # The provider's word.
    word: str


class NormalLine(TypedDict):
    """A line of a paystub or a shift: an earning, a tax or a deduction."""

    # The employer's words.
    name: NotRequired[str]
    # The kind of earning, tax or deduction.
    category: NotRequired[NormalLineCategory]
    # The amount.
    amount: NotRequired[NormalMoney]
    # The pay for one hour or unit. Only of earnings.
    rate: NotRequired[NormalRate]
    # Hours. Only of earnings. A line of kind premium repeats the hours of another line, a decimal
    # number as text, exact, without an exponent.
    hours: NotRequired[str]
    # Hours, or anything else that is paid by the piece; the provider does not say which. Only of
    # earnings, a decimal number as text, exact, without an exponent.
    units: NotRequired[str]
    # Whether a deduction comes before or after taxes. Only of deductions.
    timing: NotRequired[NormalLineTiming]


NormalTimeOffCategoryKind = Union[Literal["other", "pto", "sick"], str]


class NormalTimeOffCategory(TypedDict):
    """The kind of time off."""

    # The meaning, the same for all providers; other if the model does not know the word. A later
    # release may know more.
    kind: NormalTimeOffCategoryKind
    # The provider's word.
    word: str


class NormalTimeOff(TypedDict):
    """A kind of time off."""

    # The employer's words.
    name: NotRequired[str]
    # The kind of time off.
    category: NotRequired[NormalTimeOffCategory]
    # Hours left, a decimal number as text, exact, without an exponent.
    available_hours: NotRequired[str]
    # Hours earned, a decimal number as text, exact, without an exponent.
    earned_hours: NotRequired[str]
    # Hours used, a decimal number as text, exact, without an exponent.
    used_hours: NotRequired[str]


class NormalPaystub(TypedDict):
    """A payment."""

    # The provider's id of the record.
    id: NotRequired[str]
    # The provider's id of the account, if the record has it.
    account_id: NotRequired[str]
    # The id of the employment.
    employment_id: NotRequired[str]
    # The id of the paystub at the payroll platform.
    external_id: NotRequired[str]
    # Who pays.
    employer: NotRequired[NormalEmployer]
    # The day of payment, YYYY-MM-DD.
    pay_date: NotRequired[str]
    # The first day of the paid period, YYYY-MM-DD.
    period_start: NotRequired[str]
    # The last day of the paid period, YYYY-MM-DD.
    period_end: NotRequired[str]
    # Pay before taxes and deductions.
    gross_pay: NotRequired[NormalMoney]
    # Pay after taxes and deductions.
    net_pay: NotRequired[NormalMoney]
    # Gross pay of the year up to this paystub.
    gross_pay_ytd: NotRequired[NormalMoney]
    # Net pay of the year up to this paystub.
    net_pay_ytd: NotRequired[NormalMoney]
    # The amount paid out, with reimbursements.
    check_amount: NotRequired[NormalMoney]
    # The sum of the taxes.
    total_taxes: NotRequired[NormalMoney]
    # The sum of the deductions.
    total_deductions: NotRequired[NormalMoney]
    # The sum of the reimbursements.
    total_reimbursements: NotRequired[NormalMoney]
    # Hours in the paid period, a decimal number as text, exact, without an exponent.
    hours: NotRequired[str]
    # What the pay is counted by.
    basis: NotRequired[NormalPaystubBasis]
    # The earnings.
    earnings: NotRequired[list[NormalLine]]
    # The earnings of the year up to this paystub.
    earnings_ytd: NotRequired[list[NormalLine]]
    # The taxes.
    taxes: NotRequired[list[NormalLine]]
    # The taxes of the year up to this paystub.
    taxes_ytd: NotRequired[list[NormalLine]]
    # The deductions without taxes.
    deductions: NotRequired[list[NormalLine]]
    # The deductions of the year up to this paystub, without taxes.
    deductions_ytd: NotRequired[list[NormalLine]]
    # Pay by kind, as the provider sums it up beside the earnings.
    sums: NotRequired[list[NormalSum]]
    # Time off.
    time_off: NotRequired[list[NormalTimeOff]]
    # When the provider made the record: RFC 3339 with T, with the offset that the provider writes,
    # Z for UTC.
    created_at: NotRequired[str]


class NormalIdentity(TypedDict):
    """A person, as the payroll platform knows them."""

    # The provider's id of the record.
    id: NotRequired[str]
    # The provider's id of the account, if the record has it.
    account_id: NotRequired[str]
    # The whole name.
    full_name: NotRequired[str]
    # First name.
    first_name: NotRequired[str]
    # Middle name, or its initials.
    middle_name: NotRequired[str]
    # Last name.
    last_name: NotRequired[str]
    # The day of birth, YYYY-MM-DD.
    date_of_birth: NotRequired[str]
    # The last four digits of the social security number.
    last_four_ssn: NotRequired[str]
    # The home address.
    address: NotRequired[NormalAddress]
    # The email addresses.
    emails: NotRequired[list[str]]
    # The phone numbers.
    phones: NotRequired[list[NormalPhone]]
    # When the provider made the record: RFC 3339 with T, with the offset that the provider writes,
    # Z for UTC.
    created_at: NotRequired[str]
    # When the record last changed at the provider: RFC 3339 with T, with the offset that the
    # provider writes, Z for UTC.
    updated_at: NotRequired[str]


class NormalEmployment(TypedDict):
    """A person's work for one employer."""

    # The provider's id of the record.
    id: NotRequired[str]
    # The provider's id of the account, if the record has it.
    account_id: NotRequired[str]
    # Who pays.
    employer: NotRequired[NormalEmployer]
    # Whether the person works there. inactive: no longer or not now, the provider does not say
    # which.
    status: NotRequired[NormalEmploymentStatus]
    # The kind of employment.
    type: NotRequired[NormalEmploymentType]
    # The job title.
    title: NotRequired[str]
    # The name of the supervisor.
    manager: NotRequired[str]
    # The first day of the employment, YYYY-MM-DD.
    start_date: NotRequired[str]
    # The first day of the first employment, if there were several, YYYY-MM-DD.
    first_hire_date: NotRequired[str]
    # The last day of the employment, YYYY-MM-DD.
    end_date: NotRequired[str]
    # The day of the last payment, YYYY-MM-DD.
    last_pay_date: NotRequired[str]
    # The length of the employment, in months.
    duration_months: NotRequired[int]
    # When the provider made the record: RFC 3339 with T, with the offset that the provider writes,
    # Z for UTC.
    created_at: NotRequired[str]
    # When the record last changed at the provider: RFC 3339 with T, with the offset that the
    # provider writes, Z for UTC.
    updated_at: NotRequired[str]
    # The day of the last change in the payroll platform, YYYY-MM-DD.
    updated_on: NotRequired[str]
    # The income, where the provider writes it into the employment.
    income: NotRequired[NormalIncome]
    # Paystubs, where the provider writes them into the employment.
    paystubs: NotRequired[list[NormalPaystub]]
    # The person, where the provider writes them into the employment.
    identity: NotRequired[NormalIdentity]


NormalReportTypeKind = Union[Literal["base", "other", "voe", "voie"], str]


class NormalReportType(TypedDict):
    """The kind of report."""

    # The meaning, the same for all providers; other if the model does not know the word. A later
    # release may know more.
    kind: NormalReportTypeKind
    # The provider's word.
    word: str


class NormalReport(TypedDict):
    """A verification of employment, or of income and employment."""

    # The provider's id of the record.
    id: NotRequired[str]
    # The kind of report.
    type: NotRequired[NormalReportType]
    # The provider's word for the progress of the report. A report may be there before it is
    # complete.
    status: NotRequired[str]
    # The person.
    identity: NotRequired[NormalIdentity]
    # The employments.
    employments: NotRequired[list[NormalEmployment]]
    # When the record last changed at the provider: RFC 3339 with T, with the offset that the
    # provider writes, Z for UTC.
    updated_at: NotRequired[str]
    # When the provider last looked into the payroll platform: RFC 3339 with T, with the offset that
    # the provider writes, Z for UTC.
    refreshed_at: NotRequired[str]
    # When the report was finished: RFC 3339 with T, with the offset that the provider writes, Z for
    # UTC.
    finished_at: NotRequired[str]


NormalShiftTypeKind = Union[Literal["delivery", "other", "rideshare", "shift"], str]


class NormalShiftType(TypedDict):
    """The kind of work."""

    # The meaning, the same for all providers; other if the model does not know the word. A later
    # release may know more.
    kind: NormalShiftTypeKind
    # The provider's word.
    word: str


_NormalSpanReserved = TypedDict("_NormalSpanReserved", {
    "from": NotRequired[str],
})


class NormalSpan(_NormalSpanReserved):
    """A stretch of work without a break."""

    # The day under which the payroll platform has the span, YYYY-MM-DD.
    date: NotRequired[str]
    # The end: RFC 3339 with T, with the offset that the provider writes, Z for UTC.
    to: NotRequired[str]


class NormalShift(TypedDict):
    """A shift, or a trip of a gig worker."""

    # The provider's id of the record.
    id: NotRequired[str]
    # The provider's id of the account, if the record has it.
    account_id: NotRequired[str]
    # The id of the shift at the payroll platform.
    external_id: NotRequired[str]
    # The kind of work.
    type: NotRequired[NormalShiftType]
    # The day of the begin, in the time zone of the place, YYYY-MM-DD.
    start_date: NotRequired[str]
    # The day of the end, in the time zone of the place, YYYY-MM-DD.
    end_date: NotRequired[str]
    # The time zone of the place by its IANA name, such as America/New_York.
    zone: NotRequired[str]
    # The stretches of work. Trips may have none.
    spans: NotRequired[list[NormalSpan]]
    # The earnings.
    earnings: NotRequired[list[NormalLine]]
    # When the provider made the record: RFC 3339 with T, with the offset that the provider writes,
    # Z for UTC.
    created_at: NotRequired[str]
    # When the record last changed at the provider: RFC 3339 with T, with the offset that the
    # provider writes, Z for UTC.
    updated_at: NotRequired[str]


NormalRecordKind = Union[
    Literal[
        "employment", "identity", "income", "paystub", "report", "shift",
    ],
    str,
]


class NormalRecord(TypedDict):
    """A record of any provider in one model. It is computed when a record is read, and is not on
    the stream. What the provider does not say is absent: null never occurs. Version 1 may get more
    fields, models and kinds: ignore unknown fields.
    """

    # The name of the only other field besides unread.
    kind: NormalRecordKind
    # A person's work for one employer.
    employment: NotRequired[NormalEmployment]
    # A person, as the payroll platform knows them.
    identity: NotRequired[NormalIdentity]
    # What an employment pays.
    income: NotRequired[NormalIncome]
    # A payment.
    paystub: NotRequired[NormalPaystub]
    # A verification of employment, or of income and employment.
    report: NotRequired[NormalReport]
    # A shift, or a trip of a gig worker.
    shift: NotRequired[NormalShift]
    # The JSONPath of each value of the record that the model could not take, sorted. Absent if
    # everything was read.
    unread: NotRequired[list[str]]


PinwheelAddressCountry = Union[Literal["US"], str]


class PinwheelAddress(TypedDict):
    """A postal address."""

    # The whole address in one line.
    raw: NotRequired[Union[str, None]]
    # Street and number.
    line1: NotRequired[Union[str, None]]
    # Suite, apartment or the like.
    line2: NotRequired[Union[str, None]]
    # City.
    city: NotRequired[Union[str, None]]
    # State. Two letters in every sample.
    state: NotRequired[Union[str, None]]
    # ZIP code, as text: it may begin with 0.
    postal_code: NotRequired[Union[str, None]]
    # ISO 3166 code of the country, two letters.
    country: NotRequired[Union[PinwheelAddressCountry, None]]


PinwheelPhoneType = Union[Literal["home", "work", "mobile"], str]


class PinwheelPhone(TypedDict):
    """A phone number."""

    # The number, with + and the country in every sample.
    value: NotRequired[Union[str, None]]
    # The kind of phone.
    type: NotRequired[Union[PinwheelPhoneType, None]]


PinwheelEmploymentStatus = Union[Literal["employed", "terminated", "furloughed"], str]


class PinwheelEmployment(TypedDict):
    """A person's employment: GET /v1/accounts/{account_id}/employment. Only id is required:
    Wagewire needs it. Every other field may be null or absent, and Pinwheel may add fields and
    values at any time.
    """

    # Pinwheel's id of the employment.
    id: str
    # When Pinwheel made the record: RFC 3339, in UTC in every sample.
    created_at: NotRequired[Union[str, None]]
    # When the record last changed at Pinwheel: RFC 3339, in UTC in every sample.
    updated_at: NotRequired[Union[str, None]]
    # Pinwheel's id of the account.
    account_id: NotRequired[Union[str, None]]
    # Whether the person works there.
    status: NotRequired[Union[PinwheelEmploymentStatus, None]]
    # The first day of the employment, YYYY-MM-DD.
    start_date: NotRequired[Union[str, None]]
    # The last day of the employment, YYYY-MM-DD, or null.
    termination_date: NotRequired[Union[str, None]]
    # The employer. Pinwheel has no id of an employer.
    employer_name: NotRequired[Union[str, None]]
    # The employer's address.
    employer_address: NotRequired[Union[PinwheelAddress, None]]
    # The employer's phone number.
    employer_phone_number: NotRequired[Union[PinwheelPhone, None]]
    # The job title.
    title: NotRequired[Union[str, None]]


class PinwheelIdentity(TypedDict):
    """A person, as the payroll platform knows them: GET /v1/accounts/{account_id}/identity. Only id
    is required: Wagewire needs it. Every other field may be null or absent, and Pinwheel may add
    fields and values at any time.
    """

    # Pinwheel's id of the identity.
    id: str
    # When Pinwheel made the record: RFC 3339, in UTC in every sample.
    created_at: NotRequired[Union[str, None]]
    # When the record last changed at Pinwheel: RFC 3339, in UTC in every sample.
    updated_at: NotRequired[Union[str, None]]
    # Pinwheel's id of the account.
    account_id: NotRequired[Union[str, None]]
    # The whole name.
    full_name: NotRequired[Union[str, None]]
    # The email addresses.
    emails: NotRequired[Union[list[str], None]]
    # The date of birth, YYYY-MM-DD.
    date_of_birth: NotRequired[Union[str, None]]
    # The last four digits of the social security number, as text: it may begin with 0.
    last_four_ssn: NotRequired[Union[str, None]]
    # The home address.
    address: NotRequired[Union[PinwheelAddress, None]]
    # The phone numbers.
    phone_numbers: NotRequired[Union[list[PinwheelPhone], None]]


PinwheelCurrency = Union[
    Literal[
        "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT",
        "BGN", "BHD", "BIF", "BMD", "BND", "BOB", "BOV", "BRL", "BSD", "BTN", "BWP", "BYR", "BZD",
        "CAD", "CDF", "CHE", "CHF", "CHW", "CLF", "CLP", "CNY", "COP", "COU", "CRC", "CUC", "CUP",
        "CVE", "CZK", "DJF", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP",
        "GEL", "GHS", "GIP", "GMD", "GNF", "GTQ", "GYD", "HKD", "HNL", "HRK", "HTG", "HUF", "IDR",
        "ILS", "INR", "IQD", "IRR", "ISK", "JMD", "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KPW",
        "KRW", "KWD", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "LTL", "LVL", "LYD", "MAD",
        "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRO", "MUR", "MVR", "MWK", "MXN", "MXV", "MYR",
        "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "OMR", "PAB", "PEN", "PGK", "PHP", "PKR",
        "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD",
        "SHP", "SLL", "SOS", "SRD", "SSP", "STD", "SYP", "SZL", "THB", "TJS", "TMT", "TND", "TOP",
        "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "USN", "USS", "UYI", "UYU", "UZS", "VEF",
        "VND", "VUV", "WST", "XAF", "XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XCD", "XDR", "XOF",
        "XPD", "XPF", "XPT", "XTS", "XXX", "YER", "ZAR", "ZMW",
    ],
    str,
]


PinwheelIncomeCompensationUnit = Union[
    Literal[
        "hourly", "daily", "weekly", "bi-weekly", "semi-weekly", "monthly", "semi-monthly",
        "annually", "variable", "per_mile",
    ],
    str,
]


PinwheelIncomePayFrequency = Union[
    Literal[
        "daily", "weekly", "bi-weekly", "monthly", "semi-monthly", "variable",
    ],
    str,
]


class PinwheelIncome(TypedDict):
    """A person's income: GET /v1/accounts/{account_id}/income. It may change when paystubs finish.
    Only id is required: Wagewire needs it. Every other field may be null or absent, and Pinwheel
    may add fields and values at any time.
    """

    # Pinwheel's id of the income.
    id: str
    # When Pinwheel made the record: RFC 3339, in UTC in every sample.
    created_at: NotRequired[Union[str, None]]
    # When the record last changed at Pinwheel: RFC 3339, in UTC in every sample.
    updated_at: NotRequired[Union[str, None]]
    # Pinwheel's id of the account.
    account_id: NotRequired[Union[str, None]]
    # The pay for one compensation_unit, in cents (the minor unit of currency).
    compensation_amount: NotRequired[Union[int, None]]
    # The unit of compensation_amount.
    compensation_unit: NotRequired[Union[PinwheelIncomeCompensationUnit, None]]
    currency: NotRequired[Union[PinwheelCurrency, None]]
    # How often the person is paid.
    pay_frequency: NotRequired[Union[PinwheelIncomePayFrequency, None]]


PinwheelDeductionCategory = Union[
    Literal[
        "retirement", "medical_insurance", "hsa", "fsa", "dental", "vision", "life_insurance",
        "disability", "child_support", "commuter", "union_dues", "stock", "charity", "savings",
        "tips", "wage_garnishment", "lending", "company_perk", "tax", "loan", "job_expense",
        "other", "fees", "reallocation", "retro_pay",
    ],
    str,
]


PinwheelDeductionType = Union[Literal["pre_tax", "post_tax", "unknown"], str]


class PinwheelDeduction(TypedDict):
    """A deduction of a paystub."""

    # The employer's words.
    name: NotRequired[Union[str, None]]
    # Pinwheel's kind of deduction.
    category: NotRequired[Union[PinwheelDeductionCategory, None]]
    # The amount, in cents (the minor unit of the record's currency).
    amount: NotRequired[Union[int, None]]
    # Whether the deduction comes before or after taxes.
    type: NotRequired[Union[PinwheelDeductionType, None]]


class PinwheelDocument(TypedDict):
    """A PDF at Pinwheel."""

    # The id of the document.
    id: NotRequired[Union[str, None]]
    # A link that needs no password: keep it secret. It is good for 15 minutes after the fetch and
    # is new in every fetch, so leave it out of comparisons.
    download_url: NotRequired[Union[str, None]]
    # When download_url ends: RFC 3339, in UTC in every sample.
    download_url_expiration: NotRequired[Union[str, None]]


PinwheelEarningCategory = Union[
    Literal[
        "salary", "hourly", "overtime", "double_overtime", "premium", "bonus", "commission", "tips",
        "vacation", "holiday", "pto", "sick", "employer_contribution", "other", "fare", "unpaid",
        "parental", "shift_differential", "bereavement", "life_insurance", "stock", "retirement",
        "medical", "meal_comp", "disability", "retro_pay",
    ],
    str,
]


class PinwheelEarning(TypedDict):
    """A kind of pay. Hours may stand in two lines: a line of category premium repeats the hours of
    another line, and a line of category overtime adds hours.
    """

    # The employer's words.
    name: NotRequired[Union[str, None]]
    # Pinwheel's kind of pay.
    category: NotRequired[Union[PinwheelEarningCategory, None]]
    # The amount, in cents (the minor unit of the record's currency). Earnings of shifts often lack
    # it.
    amount: NotRequired[Union[int, None]]
    # Cents per hour.
    rate: NotRequired[Union[int, None]]
    # Decimal hours: 0.5 is 30 minutes.
    hours: NotRequired[Union[int, Decimal, None]]


PinwheelTaxCategory = Union[
    Literal[
        "federal_income", "social_security", "medicare", "state_income", "local_income", "other",
    ],
    str,
]


class PinwheelTax(TypedDict):
    """A tax of a paystub."""

    # The employer's words.
    name: NotRequired[Union[str, None]]
    # Pinwheel's kind of tax.
    category: NotRequired[Union[PinwheelTaxCategory, None]]
    # The amount, in cents (the minor unit of the record's currency).
    amount: NotRequired[Union[int, None]]


PinwheelTimeOffCategory = Union[Literal["pto", "sick", "other"], str]


class PinwheelTimeOff(TypedDict):
    """A kind of time off."""

    # The employer's words.
    name: NotRequired[Union[str, None]]
    # Pinwheel's kind of time off.
    category: NotRequired[Union[PinwheelTimeOffCategory, None]]
    # Hours left, in decimal hours.
    available_hours: NotRequired[Union[int, Decimal, None]]
    # Hours earned, in decimal hours.
    earned_hours: NotRequired[Union[int, Decimal, None]]
    # Hours used, in decimal hours.
    used_hours: NotRequired[Union[int, Decimal, None]]


class PinwheelPaystub(TypedDict):
    """A paystub: GET /v1/accounts/{account_id}/paystubs. Only id is required: Wagewire needs it.
    Every other field may be null or absent, and Pinwheel may add fields and values at any time.
    """

    # Pinwheel's id of the paystub.
    id: str
    # When Pinwheel made the record: RFC 3339, in UTC in every sample. A paystub has no updated_at.
    created_at: NotRequired[Union[str, None]]
    # Pinwheel's id of the account.
    account_id: NotRequired[Union[str, None]]
    # The day of payment, YYYY-MM-DD.
    pay_date: NotRequired[Union[str, None]]
    # The first day of the paid period, YYYY-MM-DD.
    pay_period_start: NotRequired[Union[str, None]]
    # The last day of the paid period, YYYY-MM-DD.
    pay_period_end: NotRequired[Union[str, None]]
    currency: NotRequired[Union[PinwheelCurrency, None]]
    # Pay before taxes and deductions, in cents (the minor unit of currency).
    gross_pay_amount: NotRequired[Union[int, None]]
    # Pay after taxes and deductions, in cents (the minor unit of currency).
    net_pay_amount: NotRequired[Union[int, None]]
    # The amount paid out, with reimbursements, in cents (the minor unit of currency).
    check_amount: NotRequired[Union[int, None]]
    # Gross pay of the year up to this paystub, in cents (the minor unit of currency).
    gross_pay_ytd: NotRequired[Union[int, None]]
    # Net pay of the year up to this paystub, in cents (the minor unit of currency).
    net_pay_ytd: NotRequired[Union[int, None]]
    # The sum of the taxes, in cents (the minor unit of currency).
    total_taxes: NotRequired[Union[int, None]]
    # The sum of the deductions, in cents (the minor unit of currency).
    total_deductions: NotRequired[Union[int, None]]
    # The sum of the reimbursements, in cents (the minor unit of currency).
    total_reimbursements: NotRequired[Union[int, None]]
    # The id of the paystub at the payroll platform.
    external_paystub_id: NotRequired[Union[str, None]]
    # The employer. Pinwheel has no id of an employer.
    employer_name: NotRequired[Union[str, None]]
    # The taxes.
    taxes: NotRequired[Union[list[PinwheelTax], None]]
    # The deductions.
    deductions: NotRequired[Union[list[PinwheelDeduction], None]]
    # The kinds of pay.
    earnings: NotRequired[Union[list[PinwheelEarning], None]]
    # The kinds of time off.
    time_off: NotRequired[Union[list[PinwheelTimeOff], None]]
    # The paystub as PDF. It comes later than the paystub, and is null before.
    document: NotRequired[Union[PinwheelDocument, None]]


_PinwheelShiftSpanReserved = TypedDict("_PinwheelShiftSpanReserved", {
    "from": NotRequired[Union[str, None]],
})


class PinwheelShiftSpan(_PinwheelShiftSpanReserved):
    """A stretch of work without a break."""

    # The end, likewise.
    to: NotRequired[Union[str, None]]


PinwheelShiftType = Union[Literal["shift", "rideshare", "delivery", "other"], str]


class PinwheelShift(TypedDict):
    """A shift, or a trip of a gig worker: GET /v1/accounts/{account_id}/shifts. Only id is
    required: Wagewire needs it. Every other field may be null or absent, and Pinwheel may add
    fields and values at any time.
    """

    # Pinwheel's id of the shift.
    id: str
    # When Pinwheel made the record, in UTC. Shifts have a space in place of the T of RFC 3339:
    # 2026-01-29 22:06:06.920124+00:00.
    created_at: NotRequired[Union[str, None]]
    # Pinwheel's id of the account.
    account_id: NotRequired[Union[str, None]]
    # The day of the begin, YYYY-MM-DD, in the time zone of the shift.
    start_date: NotRequired[Union[str, None]]
    # The day of the end, YYYY-MM-DD, in the time zone of the shift.
    end_date: NotRequired[Union[str, None]]
    # The kind of work.
    type: NotRequired[Union[PinwheelShiftType, None]]
    # The time zone of the place, by its IANA name, such as America/New_York.
    timezone: NotRequired[Union[str, None]]
    # The stretches of work.
    timestamps: NotRequired[Union[list[PinwheelShiftSpan], None]]
    currency: NotRequired[Union[PinwheelCurrency, None]]
    # The kinds of pay.
    earnings: NotRequired[Union[list[PinwheelEarning], None]]


class PinwheelPersonName(TypedDict):
    """A name."""

    # First name.
    first_name: NotRequired[Union[str, None]]
    # Middle name, or empty.
    middle_name: NotRequired[Union[str, None]]
    # Last name.
    last_name: NotRequired[Union[str, None]]
    # The whole name.
    full_name: NotRequired[Union[str, None]]


class PinwheelEmployee(TypedDict):
    """The person of the report."""

    # The name.
    name: NotRequired[Union[PinwheelPersonName, None]]
    # The date of birth, YYYY-MM-DD.
    date_of_birth: NotRequired[Union[str, None]]
    # The last four digits of the social security number, as text: it may begin with 0.
    last_four_ssn: NotRequired[Union[str, None]]
    # The home address.
    address: NotRequired[Union[PinwheelAddress, None]]
    # The phone numbers.
    phone_numbers: NotRequired[Union[list[PinwheelPhone], None]]


PinwheelVoeEmploymentEmploymentStatus = Union[Literal["employed", "terminated", "furloughed"], str]


class PinwheelVoeEmployment(TypedDict):
    """An employment in a verification of employment."""

    # The employer.
    employer_name: NotRequired[Union[str, None]]
    # The employer's address.
    employer_address: NotRequired[Union[PinwheelAddress, None]]
    # The first day of the employment, YYYY-MM-DD.
    start_date: NotRequired[Union[str, None]]
    # The length of the employment, in months.
    employment_duration_months: NotRequired[Union[int, None]]
    # Whether the person works there.
    employment_status: NotRequired[Union[PinwheelVoeEmploymentEmploymentStatus, None]]
    # The employer's words, such as full time.
    employment_type: NotRequired[Union[str, None]]
    # The last day of the employment, YYYY-MM-DD, or null.
    termination_date: NotRequired[Union[str, None]]
    # The job title.
    title: NotRequired[Union[str, None]]
    # The day of the last payment, YYYY-MM-DD.
    most_recent_pay_date: NotRequired[Union[str, None]]


PinwheelVoeReportType = Union[Literal["voe", "voie", "base"], str]


class PinwheelVoe(TypedDict):
    """A verification of employment: GET /v1/end_users/{end_user_id}/verification_reports/voe. Only
    id is required: Wagewire needs it. Every other field may be null or absent, and Pinwheel may add
    fields and values at any time.
    """

    # Pinwheel's id of the report.
    id: str
    # When the report last changed at Pinwheel: RFC 3339, in UTC in every sample.
    updated_at: NotRequired[Union[str, None]]
    # When Pinwheel last looked into the payroll platform: RFC 3339, in UTC in every sample.
    refreshed_at: NotRequired[Union[str, None]]
    # The kind of report: voe in records of this schema.
    report_type: NotRequired[Union[PinwheelVoeReportType, None]]
    # The person.
    employee: NotRequired[Union[PinwheelEmployee, None]]
    # The employments.
    employments: NotRequired[Union[list[PinwheelVoeEmployment], None]]
    # The report as PDF.
    document: NotRequired[Union[PinwheelDocument, None]]


PinwheelAnnualEarningCategory = Union[
    Literal[
        "salary", "hourly", "overtime", "double_overtime", "premium", "bonus", "commission", "tips",
        "vacation", "holiday", "pto", "sick", "employer_contribution", "other", "fare", "unpaid",
        "parental", "shift_differential", "bereavement", "life_insurance", "stock", "retirement",
        "medical", "meal_comp", "disability", "retro_pay",
    ],
    str,
]


class PinwheelAnnualEarning(TypedDict):
    """A kind of pay in a year."""

    # The amount, in cents (the minor unit of the record's currency).
    amount: NotRequired[Union[int, None]]
    # Pinwheel's kind of pay.
    category: NotRequired[Union[PinwheelAnnualEarningCategory, None]]


class PinwheelAnnualIncome(TypedDict):
    """The income of a year."""

    # The year, as text.
    year: NotRequired[Union[str, None]]
    # Gross pay of the year, in cents (the minor unit of the record's currency).
    gross_pay_ytd: NotRequired[Union[int, None]]
    # Net pay of the year, in cents (the minor unit of the record's currency).
    net_pay_ytd: NotRequired[Union[int, None]]
    # Deductions of the year, in cents (the minor unit of the record's currency).
    total_deductions_ytd: NotRequired[Union[int, None]]
    # Reimbursements of the year, in cents (the minor unit of the record's currency).
    total_reimbursements_ytd: NotRequired[Union[int, None]]
    # Taxes of the year, in cents (the minor unit of the record's currency).
    total_taxes_ytd: NotRequired[Union[int, None]]
    # The year by kind of pay.
    earnings_ytds: NotRequired[Union[list[PinwheelAnnualEarning], None]]


PinwheelReportIncomeCompensationUnit = Union[
    Literal[
        "hourly", "daily", "weekly", "bi-weekly", "semi-weekly", "monthly", "semi-monthly",
        "annually", "variable", "per_mile",
    ],
    str,
]


PinwheelReportIncomePayFrequency = Union[
    Literal[
        "daily", "weekly", "bi-weekly", "monthly", "semi-monthly", "variable",
    ],
    str,
]


class PinwheelReportPaystub(TypedDict):
    """A paystub in a report, without taxes, deductions and time off."""

    # Pinwheel's id of the paystub.
    id: NotRequired[Union[str, None]]
    # When Pinwheel made the record: RFC 3339, in UTC in every sample. A paystub has no updated_at.
    created_at: NotRequired[Union[str, None]]
    # Pinwheel's id of the account.
    account_id: NotRequired[Union[str, None]]
    # The day of payment, YYYY-MM-DD.
    pay_date: NotRequired[Union[str, None]]
    # The first day of the paid period, YYYY-MM-DD.
    pay_period_start: NotRequired[Union[str, None]]
    # The last day of the paid period, YYYY-MM-DD.
    pay_period_end: NotRequired[Union[str, None]]
    currency: NotRequired[Union[PinwheelCurrency, None]]
    # Pay before taxes and deductions, in cents (the minor unit of currency).
    gross_pay_amount: NotRequired[Union[int, None]]
    # Pay after taxes and deductions, in cents (the minor unit of currency).
    net_pay_amount: NotRequired[Union[int, None]]
    # The amount paid out, with reimbursements, in cents (the minor unit of currency).
    check_amount: NotRequired[Union[int, None]]
    # Gross pay of the year up to this paystub, in cents (the minor unit of currency).
    gross_pay_ytd: NotRequired[Union[int, None]]
    # Net pay of the year up to this paystub, in cents (the minor unit of currency).
    net_pay_ytd: NotRequired[Union[int, None]]
    # The sum of the taxes, in cents (the minor unit of currency).
    total_taxes: NotRequired[Union[int, None]]
    # The sum of the deductions, in cents (the minor unit of currency).
    total_deductions: NotRequired[Union[int, None]]
    # The sum of the reimbursements, in cents (the minor unit of currency).
    total_reimbursements: NotRequired[Union[int, None]]
    # The id of the paystub at the payroll platform.
    external_paystub_id: NotRequired[Union[str, None]]
    # The employer. Pinwheel has no id of an employer.
    employer_name: NotRequired[Union[str, None]]
    # The kinds of pay.
    earnings: NotRequired[Union[list[PinwheelEarning], None]]


class PinwheelReportIncome(TypedDict):
    """The income from an employment."""

    # The pay for one compensation_unit, in cents (the minor unit of currency).
    compensation_amount: NotRequired[Union[int, None]]
    # The unit of compensation_amount.
    compensation_unit: NotRequired[Union[PinwheelReportIncomeCompensationUnit, None]]
    currency: NotRequired[Union[PinwheelCurrency, None]]
    # How often the person is paid.
    pay_frequency: NotRequired[Union[PinwheelReportIncomePayFrequency, None]]
    # The current year, and two years back at most.
    annual_incomes: NotRequired[Union[list[PinwheelAnnualIncome], None]]
    # The two newest paystubs at most.
    paystubs: NotRequired[Union[list[PinwheelReportPaystub], None]]


PinwheelVoieEmploymentEmploymentStatus = Union[Literal["employed", "terminated", "furloughed"], str]


class PinwheelVoieEmployment(TypedDict):
    """An employment in a verification of income and employment."""

    # The employer.
    employer_name: NotRequired[Union[str, None]]
    # The employer's address.
    employer_address: NotRequired[Union[PinwheelAddress, None]]
    # The first day of the employment, YYYY-MM-DD.
    start_date: NotRequired[Union[str, None]]
    # The length of the employment, in months.
    employment_duration_months: NotRequired[Union[int, None]]
    # Whether the person works there.
    employment_status: NotRequired[Union[PinwheelVoieEmploymentEmploymentStatus, None]]
    # The employer's words, such as full time.
    employment_type: NotRequired[Union[str, None]]
    # The last day of the employment, YYYY-MM-DD, or null.
    termination_date: NotRequired[Union[str, None]]
    # The job title.
    title: NotRequired[Union[str, None]]
    # The day of the last payment, YYYY-MM-DD.
    most_recent_pay_date: NotRequired[Union[str, None]]
    # The income from the employment.
    income: NotRequired[Union[PinwheelReportIncome, None]]


PinwheelVoieReportType = Union[Literal["voe", "voie", "base"], str]


class PinwheelVoie(TypedDict):
    """A verification of income and employment: GET
    /v1/end_users/{end_user_id}/verification_reports/voie. Only id is required: Wagewire needs it.
    Every other field may be null or absent, and Pinwheel may add fields and values at any time.
    """

    # Pinwheel's id of the report.
    id: str
    # When the report last changed at Pinwheel: RFC 3339, in UTC in every sample.
    updated_at: NotRequired[Union[str, None]]
    # When Pinwheel last looked into the payroll platform: RFC 3339, in UTC in every sample.
    refreshed_at: NotRequired[Union[str, None]]
    # The kind of report: voie in records of this schema.
    report_type: NotRequired[Union[PinwheelVoieReportType, None]]
    # The person.
    employee: NotRequired[Union[PinwheelEmployee, None]]
    # The employments.
    employments: NotRequired[Union[list[PinwheelVoieEmployment], None]]
    # The report as PDF.
    document: NotRequired[Union[PinwheelDocument, None]]


class PinwheelTimesByProduct(TypedDict):
    """A time for each product of the account: RFC 3339, in UTC in every sample. A product without
    data is absent.
    """

    # The time for direct deposits.
    direct_deposit_allocations: NotRequired[Union[str, None]]
    # The time for income.
    income: NotRequired[Union[str, None]]
    # The time for employment.
    employment: NotRequired[Union[str, None]]
    # The time for identity.
    identity: NotRequired[Union[str, None]]
    # The time for shifts.
    shifts: NotRequired[Union[str, None]]
    # The time for paystubs.
    paystubs: NotRequired[Union[str, None]]


PinwheelAccountMonitoringStatus = Union[
    Literal[
        "active", "degraded", "user_action_required", "customer_disabled", "unavailable",
    ],
    str,
]


class PinwheelAccount(TypedDict):
    """A person's payroll account: GET /v1/accounts/{account_id}. Only id is required: Wagewire
    needs it. Every other field may be null or absent, and Pinwheel may add fields and values at any
    time.
    """

    # Pinwheel's id of the account.
    id: str
    # When the person linked the account: RFC 3339, in UTC in every sample.
    created_at: NotRequired[Union[str, None]]
    # The id of the link token.
    link_token_id: NotRequired[Union[str, None]]
    # Pinwheel's id of the payroll platform.
    platform_id: NotRequired[Union[str, None]]
    # Whether Pinwheel may look into the account. false after a disconnect, which is final.
    connected: NotRequired[Union[bool, None]]
    # Whether Pinwheel keeps the data fresh.
    monitoring_status: NotRequired[Union[PinwheelAccountMonitoringStatus, None]]
    # When the data last changed.
    data_updated_at: NotRequired[Union[PinwheelTimesByProduct, None]]
    # When Pinwheel last looked into the payroll platform.
    data_refreshed_at: NotRequired[Union[PinwheelTimesByProduct, None]]
    # Your own identifier of the person.
    end_user_id: NotRequired[Union[str, None]]
    # The id of a customer of a banking platform.
    customer_id: NotRequired[Union[str, None]]
    # The id of a customer of a reseller.
    reseller_customer_id: NotRequired[Union[str, None]]
    # Names and values that you gave to the link token. Any member is fine.
    tags: NotRequired[Union[JsonObject, None]]


class PinwheelNotice(TypedDict):
    """The payload of a webhook, without the data that it announces: data.event.type of the
    completion says what it is about. Only account_id is always there. Every other field may be null
    or absent, and Pinwheel may add fields at any time.
    """

    # The payroll account, a UUID. Use it as the main identifier.
    account_id: str
    # Your own identifier of the person, if one was given when the account was connected.
    end_user_id: NotRequired[Union[str, None]]
    # Deprecated: the job's id. Two notices of one job have the same id.
    id: NotRequired[Union[str, None]]
    # The token with which Link was opened. Absent if the job was a refresh, such as one of
    # Monitoring.
    link_token_id: NotRequired[Union[str, None]]
    # The payroll platform, a UUID.
    platform_id: NotRequired[Union[str, None]]
    # The name of the payroll platform.
    platform_name: NotRequired[Union[str, None]]
    # The job's name, such as tax_forms or document_uploads.
    name: NotRequired[Union[str, None]]
    # The time when the job completed, ISO 8601: usually with an offset and six digits of fraction,
    # but the fraction may be missing and a space may stand for the T.
    timestamp: NotRequired[Union[str, None]]
    # success, or absent if the webhook tells of no job. Completions of other jobs have no record.
    outcome: NotRequired[Union[str, None]]
    # The fault of a failed job. Completions of failed jobs have no record.
    error_code: NotRequired[Union[str, None]]
    # The kind of fault of a failed job. Completions of failed jobs have no record.
    error_type: NotRequired[Union[str, None]]
    # Parameters of the job. They differ between the types of webhooks.
    params: NotRequired[Union[JsonObject, None]]
    # The uploaded document, in a notice of documents.added.
    document_id: NotRequired[Union[str, None]]
    # The records that the job found, as objects: an id, or the metadata of a tax form.
    added: NotRequired[Union[list[Any], None]]
    # The records that the provider removed, as objects.
    deleted: NotRequired[Union[list[Any], None]]


PinwheelTaxFormFormType = Union[Literal["W-2"], str]


class PinwheelTaxForm(TypedDict):
    """The metadata of a tax form: GET /v1/accounts/{account_id}/tax_forms. The form itself and its
    document are not fetched. Only id is required: Wagewire needs it. Every other field may be null
    or absent, and Pinwheel may add fields and values at any time.
    """

    # Pinwheel's id of the tax form.
    id: str
    # When Pinwheel made the record: RFC 3339, in UTC in every sample.
    created_at: NotRequired[Union[str, None]]
    # Pinwheel's id of the account.
    account_id: NotRequired[Union[str, None]]
    # The kind of form, such as W-2.
    form_type: NotRequired[Union[PinwheelTaxFormFormType, None]]
    # The year of the form, as text.
    year: NotRequired[Union[str, None]]


PinwheelAllocationAccountType = Union[Literal["checking", "savings", "debit_card", "pay_card"], str]


PinwheelAllocationAllocationType = Union[Literal["amount", "percentage", "remainder"], str]


class PinwheelAllocation(TypedDict):
    """A bank account with its part of the pay."""

    # A name of the bank account for people.
    account_name: NotRequired[Union[str, None]]
    # The kind of the bank account.
    account_type: NotRequired[Union[PinwheelAllocationAccountType, None]]
    # How the part of the pay is said: an amount, a percentage, or what is left.
    allocation_type: NotRequired[Union[PinwheelAllocationAllocationType, None]]
    # The amount, in cents (the minor unit of currency).
    amount: NotRequired[Union[int, None]]
    # The name of the bank.
    bank_name: NotRequired[Union[str, None]]
    currency: NotRequired[Union[PinwheelCurrency, None]]
    # The last 2 or 4 digits of the account number.
    masked_account_number: NotRequired[Union[str, None]]
    # The percentage of the pay.
    percentage: NotRequired[Union[int, Decimal, None]]
    # The place of the allocation in the order of payment.
    priority: NotRequired[Union[int, None]]
    # The number of the bank.
    routing_number: NotRequired[Union[str, None]]


class PinwheelDirectDepositAllocations(TypedDict):
    """Where the person's pay goes: GET /v1/accounts/{account_id}/direct_deposit_allocations. The
    record is the whole list. Only id is required: Wagewire needs it. Every other field may be null
    or absent, and Pinwheel may add fields and values at any time.
    """

    # Pinwheel's id of the record.
    id: str
    # When Pinwheel made the record: RFC 3339, in UTC in every sample.
    created_at: NotRequired[Union[str, None]]
    # When the data last changed: RFC 3339, in UTC in every sample.
    updated_at: NotRequired[Union[str, None]]
    # Pinwheel's id of the account.
    account_id: NotRequired[Union[str, None]]
    # The bank accounts, each with its part of the pay.
    allocations: NotRequired[Union[list[PinwheelAllocation], None]]


class TruvAddress(TypedDict):
    """A postal address."""

    # The street with the number.
    street: NotRequired[Union[str, None]]
    # The city.
    city: NotRequired[Union[str, None]]
    # The state, two letters.
    state: NotRequired[Union[str, None]]
    # The postal code.
    zip: NotRequired[Union[str, None]]
    # The country, two letters.
    country: NotRequired[Union[str, None]]


class TruvCompany(TypedDict):
    """An employer."""

    # The name.
    name: NotRequired[Union[str, None]]
    # Where the employer is.
    address: NotRequired[Union[TruvAddress, None]]
    # The phone number.
    phone: NotRequired[Union[str, None]]
    # The Employer Identification Number.
    ein: NotRequired[Union[str, None]]


TruvEmploymentIncomeUnit = Union[Literal["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY"], str]


TruvEmploymentPayFrequency = Union[Literal["M", "SM", "W", "BW", "A", "SA", "C"], str]


TruvEmploymentJobType = Union[Literal["F", "P", "S", "D", "C"], str]


class TruvEmployment(TypedDict):
    """An employment with its income: one of GET /v1/links/{link_id}/employments/. The resources
    employment and income have the same records. Truv writes money as a decimal string in dollars,
    without a currency. Only id is required: Wagewire needs it. Every other field may be null or
    absent, and Truv may add fields and values at any time.
    """

    # Truv's id of the employment.
    id: str
    # What the employment pays for one income_unit, without commission and bonus, dollars as a
    # decimal string.
    income: NotRequired[Union[str, None]]
    # The unit of income.
    income_unit: NotRequired[Union[TruvEmploymentIncomeUnit, None]]
    # The pay for one pay period, dollars as a decimal string.
    pay_rate: NotRequired[Union[str, None]]
    # How often the person is paid: monthly, twice a month, weekly, every two weeks, yearly, twice a
    # year, by commission.
    pay_frequency: NotRequired[Union[TruvEmploymentPayFrequency, None]]
    # Whether the person works there now.
    is_active: NotRequired[Union[bool, None]]
    # The employer's name of the job.
    job_title: NotRequired[Union[str, None]]
    # Full time, part time, seasonal, daily, contract.
    job_type: NotRequired[Union[TruvEmploymentJobType, None]]
    # The first day of the employment, YYYY-MM-DD.
    start_date: NotRequired[Union[str, None]]
    # The first day of the first employment there, if there were several, YYYY-MM-DD.
    original_hire_date: NotRequired[Union[str, None]]
    # The last day of the employment, YYYY-MM-DD.
    end_date: NotRequired[Union[str, None]]
    # The day of the last change in the payroll platform, YYYY-MM-DD.
    external_last_updated: NotRequired[Union[str, None]]
    # The names of those fields that Truv worked out from other data.
    derived_fields: NotRequired[Union[list[str], None]]
    # The names of those fields that the payroll platform does not give.
    missing_data_fields: NotRequired[Union[list[str], None]]
    # The name of the person's manager.
    manager_name: NotRequired[Union[str, None]]
    # The employer. Truv has no id of an employer.
    company: NotRequired[Union[TruvCompany, None]]


class TruvProfile(TypedDict):
    """Who the person is: GET /v1/links/{link_id}/identity/. No field is required, because Truv
    promises none, not even id: every field may be null or absent, and Truv may add fields and
    values at any time.
    """

    # Truv's id of the profile.
    id: NotRequired[Union[str, None]]
    # When Truv first read the profile, in UTC: RFC 3339, with Z or +00:00, also with a space in
    # place of the T.
    created_at: NotRequired[Union[str, None]]
    # When Truv last read the profile, in UTC: RFC 3339, with Z or +00:00, also with a space in
    # place of the T.
    updated_at: NotRequired[Union[str, None]]
    # The first name.
    first_name: NotRequired[Union[str, None]]
    # The last name.
    last_name: NotRequired[Union[str, None]]
    # The whole name.
    full_name: NotRequired[Union[str, None]]
    # The initials of the middle names.
    middle_initials: NotRequired[Union[str, None]]
    # The address for mail.
    email: NotRequired[Union[str, None]]
    # The social security number, whole or its last four digits. Keep it secret.
    ssn: NotRequired[Union[str, None]]
    # The day of birth, YYYY-MM-DD.
    date_of_birth: NotRequired[Union[str, None]]
    # Where the person lives.
    home_address: NotRequired[Union[TruvAddress, None]]


TruvDeductionCategory = Union[
    Literal[
        "memo", "medicare", "retirement", "socialsec", "federal", "state", "benefit", "garnishment",
        "local", "other",
    ],
    str,
]


class TruvDeduction(TypedDict):
    """A deduction or a tax."""

    # The employer's words.
    name: NotRequired[Union[str, None]]
    # The amount, dollars as a decimal string.
    amount: NotRequired[Union[str, None]]
    # Truv's kind of deduction: medicare, socialsec, federal, state and local are taxes.
    category: NotRequired[Union[TruvDeductionCategory, None]]


TruvEarningCategory = Union[Literal["regular", "overtime", "bonus", "commission", "other_pay"], str]


class TruvEarning(TypedDict):
    """A kind of pay."""

    # The employer's words.
    name: NotRequired[Union[str, None]]
    # The amount, dollars as a decimal string.
    amount: NotRequired[Union[str, None]]
    # Truv's kind of pay.
    category: NotRequired[Union[TruvEarningCategory, None]]
    # The pay for one unit, dollars as a decimal string.
    rate: NotRequired[Union[str, None]]
    # How many units, such as hours, as a decimal string.
    units: NotRequired[Union[str, None]]


TruvStatementBasisOfPay = Union[Literal["S", "H", "D", "W", "M", "C"], str]


class TruvStatement(TypedDict):
    """A pay statement: one of GET /v1/links/{link_id}/statements/. The record does not say its
    employment: employment_id of the completion does. Truv writes money as a decimal string in
    dollars, without a currency. No field is required, because Truv promises none, not even id:
    every field may be null or absent, and Truv may add fields and values at any time.
    """

    # Truv's id of the statement.
    id: NotRequired[Union[str, None]]
    # The id of the statement at the payroll platform.
    check_number: NotRequired[Union[str, None]]
    # The day of payment, YYYY-MM-DD.
    pay_date: NotRequired[Union[str, None]]
    # Pay after taxes and deductions, dollars as a decimal string.
    net_pay: NotRequired[Union[str, None]]
    # Net pay of the year up to this statement, dollars as a decimal string.
    net_pay_ytd: NotRequired[Union[str, None]]
    # Pay before taxes and deductions, dollars as a decimal string.
    gross_pay: NotRequired[Union[str, None]]
    # Gross pay of the year up to this statement, dollars as a decimal string.
    gross_pay_ytd: NotRequired[Union[str, None]]
    # The regular part of the pay, dollars as a decimal string.
    regular: NotRequired[Union[str, None]]
    # The regular part, of the year up to this statement, dollars as a decimal string.
    regular_ytd: NotRequired[Union[str, None]]
    # The overtime part of the pay, dollars as a decimal string.
    overtime: NotRequired[Union[str, None]]
    # The overtime part, of the year up to this statement, dollars as a decimal string.
    overtime_ytd: NotRequired[Union[str, None]]
    # The bonus part of the pay, dollars as a decimal string.
    bonus: NotRequired[Union[str, None]]
    # The bonus part, of the year up to this statement, dollars as a decimal string.
    bonus_ytd: NotRequired[Union[str, None]]
    # The commission part of the pay, dollars as a decimal string.
    commission: NotRequired[Union[str, None]]
    # The commission part, of the year up to this statement, dollars as a decimal string.
    commission_ytd: NotRequired[Union[str, None]]
    # Every other part of the pay, dollars as a decimal string.
    other_pay: NotRequired[Union[str, None]]
    # Every other part, of the year up to this statement, dollars as a decimal string.
    other_pay_ytd: NotRequired[Union[str, None]]
    # The hours of work in the period, as a decimal string.
    hours: NotRequired[Union[str, None]]
    # What the pay goes by: salary, hours, days, weeks, months, a contract.
    basis_of_pay: NotRequired[Union[TruvStatementBasisOfPay, None]]
    # The first day of the paid period, YYYY-MM-DD.
    period_start: NotRequired[Union[str, None]]
    # The last day of the paid period, YYYY-MM-DD.
    period_end: NotRequired[Union[str, None]]
    # The kinds of pay in the period.
    earnings: NotRequired[Union[list[TruvEarning], None]]
    # The kinds of pay of the year up to this statement.
    earnings_ytd: NotRequired[Union[list[TruvEarning], None]]
    # The deductions in the period. Taxes are among them.
    deductions: NotRequired[Union[list[TruvDeduction], None]]
    # The deductions of the year up to this statement.
    deductions_ytd: NotRequired[Union[list[TruvDeduction], None]]
    # The MD5 sum of the file.
    md5sum: NotRequired[Union[str, None]]
    # A link to the statement's file, which needs no password: keep it secret. Truv does not say how
    # long it is good.
    file: NotRequired[Union[str, None]]
    # The names of those fields that Truv worked out from other data.
    derived_fields: NotRequired[Union[list[str], None]]
    # The names of those fields that the payroll platform does not give.
    missing_data_fields: NotRequired[Union[list[str], None]]


class TruvTimeEntry(TypedDict):
    """A span of time in which a person worked."""

    # Truv's id of the span.
    id: NotRequired[Union[str, None]]
    # The id of the span at the payroll platform.
    external_id: NotRequired[Union[str, None]]
    # When Truv made the span, in UTC: RFC 3339, with Z or +00:00, also with a space in place of the
    # T.
    created_at: NotRequired[Union[str, None]]
    # When Truv last changed the span, in UTC: RFC 3339, with Z or +00:00, also with a space in
    # place of the T.
    updated_at: NotRequired[Union[str, None]]
    # The day of the span, YYYY-MM-DD.
    entry_date: NotRequired[Union[str, None]]
    # When the work began: RFC 3339.
    start: NotRequired[Union[str, None]]
    # When the work ended: RFC 3339.
    end: NotRequired[Union[str, None]]


TruvShiftType = Union[Literal["other", "delivery", "rideshare", "shift"], str]


class TruvShift(TypedDict):
    """A shift: one of GET /v1/links/{link_id}/shifts/, of any employment of the link. Truv writes
    money as a decimal string in dollars, without a currency. No field is required, because Truv
    promises none, not even id: every field may be null or absent, and Truv may add fields and
    values at any time.
    """

    # Truv's id of the shift.
    id: NotRequired[Union[str, None]]
    # The id of the shift at the payroll platform.
    external_id: NotRequired[Union[str, None]]
    # When Truv made the record, in UTC: RFC 3339, with Z or +00:00, also with a space in place of
    # the T.
    created_at: NotRequired[Union[str, None]]
    # When Truv last changed the record, in UTC: RFC 3339, with Z or +00:00, also with a space in
    # place of the T.
    updated_at: NotRequired[Union[str, None]]
    # The first day of the shift, YYYY-MM-DD.
    start_date: NotRequired[Union[str, None]]
    # The last day of the shift, YYYY-MM-DD.
    end_date: NotRequired[Union[str, None]]
    # The kind of work.
    type: NotRequired[Union[TruvShiftType, None]]
    # The spans of time in which the person worked.
    time_entries: NotRequired[Union[list[TruvTimeEntry], None]]
    # The pay for the shift, by kind.
    earnings: NotRequired[Union[list[TruvEarning], None]]


TruvBankAccountAccountType = Union[Literal["C", "S"], str]


TruvBankAccountDepositType = Union[Literal["E", "P", "A"], str]


class TruvBankAccount(TypedDict):
    """A bank account to which pay goes: one of GET /v1/links/{link_id}/bank_accounts/. Truv writes
    money as a decimal string in dollars, without a currency. Only account_number is required: Truv
    documents it as always there. Every other field may be null or absent, and Truv may add fields
    and values at any time.
    """

    # The whole number of the account. Keep it secret. It names the account: the record has no id.
    account_number: str
    # The number of the bank.
    routing_number: NotRequired[Union[str, None]]
    # A name of the account for people.
    account_name: NotRequired[Union[str, None]]
    # Checking or savings.
    account_type: NotRequired[Union[TruvBankAccountAccountType, None]]
    # Which part of the pay goes to the account: all of it, a percentage, an amount.
    deposit_type: NotRequired[Union[TruvBankAccountDepositType, None]]
    # The percentage, or the amount in dollars, as a decimal string.
    deposit_value: NotRequired[Union[str, None]]
    # The name of the bank.
    bank_name: NotRequired[Union[str, None]]


class TruvAnnualIncome(TypedDict):
    """The income of one year."""

    # Truv's id of the summary.
    id: NotRequired[Union[str, None]]
    # The year.
    year: NotRequired[Union[int, None]]
    # Gross pay of the year, dollars as a decimal string.
    gross_pay: NotRequired[Union[str, None]]
    # Net pay of the year, dollars as a decimal string.
    net_pay: NotRequired[Union[str, None]]
    # The regular part of the pay, dollars as a decimal string.
    regular: NotRequired[Union[str, None]]
    # The overtime part of the pay, dollars as a decimal string.
    overtime: NotRequired[Union[str, None]]
    # The bonus part of the pay, dollars as a decimal string.
    bonus: NotRequired[Union[str, None]]
    # The commission part of the pay, dollars as a decimal string.
    commission: NotRequired[Union[str, None]]
    # Every other part of the pay, dollars as a decimal string.
    other_pay: NotRequired[Union[str, None]]


TruvReportEmploymentIncomeUnit = Union[
    Literal[
        "YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY",
    ],
    str,
]


TruvReportEmploymentPayFrequency = Union[Literal["M", "SM", "W", "BW", "A", "SA", "C"], str]


TruvReportEmploymentJobType = Union[Literal["F", "P", "S", "D", "C"], str]


class TruvReportProfile(TypedDict):
    """The person of an employment, as the record profile."""

    # Truv's id of the profile.
    id: NotRequired[Union[str, None]]
    # When Truv first read the profile, in UTC: RFC 3339, with Z or +00:00, also with a space in
    # place of the T.
    created_at: NotRequired[Union[str, None]]
    # When Truv last read the profile, in UTC: RFC 3339, with Z or +00:00, also with a space in
    # place of the T.
    updated_at: NotRequired[Union[str, None]]
    # The first name.
    first_name: NotRequired[Union[str, None]]
    # The last name.
    last_name: NotRequired[Union[str, None]]
    # The whole name.
    full_name: NotRequired[Union[str, None]]
    # The initials of the middle names.
    middle_initials: NotRequired[Union[str, None]]
    # The address for mail.
    email: NotRequired[Union[str, None]]
    # The social security number, whole or its last four digits. Keep it secret.
    ssn: NotRequired[Union[str, None]]
    # The day of birth, YYYY-MM-DD.
    date_of_birth: NotRequired[Union[str, None]]
    # Where the person lives.
    home_address: NotRequired[Union[TruvAddress, None]]


TruvReportStatementBasisOfPay = Union[Literal["S", "H", "D", "W", "M", "C"], str]


class TruvReportStatement(TypedDict):
    """A pay statement, as the record statement."""

    # Truv's id of the statement.
    id: NotRequired[Union[str, None]]
    # The id of the statement at the payroll platform.
    check_number: NotRequired[Union[str, None]]
    # The day of payment, YYYY-MM-DD.
    pay_date: NotRequired[Union[str, None]]
    # Pay after taxes and deductions, dollars as a decimal string.
    net_pay: NotRequired[Union[str, None]]
    # Net pay of the year up to this statement, dollars as a decimal string.
    net_pay_ytd: NotRequired[Union[str, None]]
    # Pay before taxes and deductions, dollars as a decimal string.
    gross_pay: NotRequired[Union[str, None]]
    # Gross pay of the year up to this statement, dollars as a decimal string.
    gross_pay_ytd: NotRequired[Union[str, None]]
    # The regular part of the pay, dollars as a decimal string.
    regular: NotRequired[Union[str, None]]
    # The regular part, of the year up to this statement, dollars as a decimal string.
    regular_ytd: NotRequired[Union[str, None]]
    # The overtime part of the pay, dollars as a decimal string.
    overtime: NotRequired[Union[str, None]]
    # The overtime part, of the year up to this statement, dollars as a decimal string.
    overtime_ytd: NotRequired[Union[str, None]]
    # The bonus part of the pay, dollars as a decimal string.
    bonus: NotRequired[Union[str, None]]
    # The bonus part, of the year up to this statement, dollars as a decimal string.
    bonus_ytd: NotRequired[Union[str, None]]
    # The commission part of the pay, dollars as a decimal string.
    commission: NotRequired[Union[str, None]]
    # The commission part, of the year up to this statement, dollars as a decimal string.
    commission_ytd: NotRequired[Union[str, None]]
    # Every other part of the pay, dollars as a decimal string.
    other_pay: NotRequired[Union[str, None]]
    # Every other part, of the year up to this statement, dollars as a decimal string.
    other_pay_ytd: NotRequired[Union[str, None]]
    # The hours of work in the period, as a decimal string.
    hours: NotRequired[Union[str, None]]
    # What the pay goes by: salary, hours, days, weeks, months, a contract.
    basis_of_pay: NotRequired[Union[TruvReportStatementBasisOfPay, None]]
    # The first day of the paid period, YYYY-MM-DD.
    period_start: NotRequired[Union[str, None]]
    # The last day of the paid period, YYYY-MM-DD.
    period_end: NotRequired[Union[str, None]]
    # The kinds of pay in the period.
    earnings: NotRequired[Union[list[TruvEarning], None]]
    # The kinds of pay of the year up to this statement.
    earnings_ytd: NotRequired[Union[list[TruvEarning], None]]
    # The deductions in the period. Taxes are among them.
    deductions: NotRequired[Union[list[TruvDeduction], None]]
    # The deductions of the year up to this statement.
    deductions_ytd: NotRequired[Union[list[TruvDeduction], None]]
    # The MD5 sum of the file.
    md5sum: NotRequired[Union[str, None]]
    # A link to the statement's file, which needs no password: keep it secret. Truv does not say how
    # long it is good.
    file: NotRequired[Union[str, None]]
    # The names of those fields that Truv worked out from other data.
    derived_fields: NotRequired[Union[list[str], None]]
    # The names of those fields that the payroll platform does not give.
    missing_data_fields: NotRequired[Union[list[str], None]]


class TruvWageForm(TypedDict):
    """A W-2 form."""

    # The year of the form.
    year: NotRequired[Union[int, None]]
    # A link to the form's file, which needs no password: keep it secret.
    file: NotRequired[Union[str, None]]
    # The MD5 sum of the file.
    md5sum: NotRequired[Union[str, None]]
    # Wages, box 1, dollars as a decimal string.
    wages: NotRequired[Union[str, None]]
    # Federal income tax withheld, box 2, dollars as a decimal string.
    federal_tax: NotRequired[Union[str, None]]
    # Social security wages, box 3, dollars as a decimal string.
    social_security_wages: NotRequired[Union[str, None]]
    # Social security tax withheld, box 4, dollars as a decimal string.
    social_security_tax: NotRequired[Union[str, None]]
    # Medicare wages, box 5, dollars as a decimal string.
    medicare_wages: NotRequired[Union[str, None]]
    # Medicare tax withheld, box 6, dollars as a decimal string.
    medicare_tax: NotRequired[Union[str, None]]
    # Gross pay of the year, dollars as a decimal string.
    gross_pay: NotRequired[Union[str, None]]


class TruvReportEmployment(TypedDict):
    """An employment of a report."""

    # Truv's id of the employment.
    id: NotRequired[Union[str, None]]
    # What the employment pays for one income_unit, without commission and bonus, dollars as a
    # decimal string.
    income: NotRequired[Union[str, None]]
    # The unit of income.
    income_unit: NotRequired[Union[TruvReportEmploymentIncomeUnit, None]]
    # The pay for one pay period, dollars as a decimal string.
    pay_rate: NotRequired[Union[str, None]]
    # How often the person is paid: monthly, twice a month, weekly, every two weeks, yearly, twice a
    # year, by commission.
    pay_frequency: NotRequired[Union[TruvReportEmploymentPayFrequency, None]]
    # Whether the person works there now.
    is_active: NotRequired[Union[bool, None]]
    # The employer's name of the job.
    job_title: NotRequired[Union[str, None]]
    # Full time, part time, seasonal, daily, contract.
    job_type: NotRequired[Union[TruvReportEmploymentJobType, None]]
    # The first day of the employment, YYYY-MM-DD.
    start_date: NotRequired[Union[str, None]]
    # The first day of the first employment there, if there were several, YYYY-MM-DD.
    original_hire_date: NotRequired[Union[str, None]]
    # The last day of the employment, YYYY-MM-DD.
    end_date: NotRequired[Union[str, None]]
    # The day of the last change in the payroll platform, YYYY-MM-DD.
    external_last_updated: NotRequired[Union[str, None]]
    # Whether Truv took the dates from the first and the last statement. Deprecated by Truv.
    dates_from_statements: NotRequired[Union[bool, None]]
    # The names of those fields that Truv worked out from other data.
    derived_fields: NotRequired[Union[list[str], None]]
    # The names of those fields that the payroll platform does not give.
    missing_data_fields: NotRequired[Union[list[str], None]]
    # The name of the person's manager.
    manager_name: NotRequired[Union[str, None]]
    # The employer. Truv has no id of an employer.
    company: NotRequired[Union[TruvCompany, None]]
    # The person.
    profile: NotRequired[Union[TruvReportProfile, None]]
    # The pay statements, as far as your template allows.
    statements: NotRequired[Union[list[TruvReportStatement], None]]
    # The income by year.
    annual_income_summary: NotRequired[Union[list[TruvAnnualIncome], None]]
    # The W-2 forms.
    w2s: NotRequired[Union[list[TruvWageForm], None]]


TruvReportStatus = Union[
    Literal[
        "new", "login", "mfa", "parse", "base_parse", "full_parse", "switch_deposit", "done",
        "login_error", "mfa_error", "config_error", "account_locked", "unable_to_reset", "no_data",
        "unavailable", "error", "not_supported",
    ],
    str,
]


TruvReportDataSource = Union[Literal["payroll", "docs", "financial_accounts"], str]


class TruvReport(TypedDict):
    """What Truv knows of the link: GET /v1/links/{link_id}/income/report/ or …/employment/report/,
    by the product of the task. A report of the product employment has no income, statements and
    forms. Wagewire cuts out access_token and bank_accounts. Truv writes money as a decimal string
    in dollars, without a currency. No field is required, because Truv promises none, not even id:
    every field may be null or absent, and Truv may add fields and values at any time.
    """

    # Truv's id of the report.
    id: NotRequired[Union[str, None]]
    # The status of the task behind the report. Only done is final and good.
    status: NotRequired[Union[TruvReportStatus, None]]
    # The status of the newest refresh, of the same words as status. Only a report of the product
    # income has it.
    refresh_status: NotRequired[Union[str, None]]
    # When the report was finished, in UTC: RFC 3339, with Z or +00:00, also with a space in place
    # of the T.
    finished_at: NotRequired[Union[str, None]]
    # The same with a space in place of the T. Deprecated by Truv.
    completed_at: NotRequired[Union[str, None]]
    # The text that you passed when the link was opened.
    tracking_info: NotRequired[Union[str, None]]
    # Whether Truv suspects the data, such as a forged document.
    is_suspicious: NotRequired[Union[bool, None]]
    # The id of the payroll provider, such as adp.
    provider: NotRequired[Union[str, None]]
    # Where the data comes from.
    data_source: NotRequired[Union[TruvReportDataSource, None]]
    # A link to the report as PDF, which needs no password: keep it secret.
    pdf_report: NotRequired[Union[str, None]]
    # The employments, each with its person.
    employments: NotRequired[Union[list[TruvReportEmployment], None]]


class TruvNameAndLogo(TypedDict):
    """A name with its logo."""

    # Truv's id, such as adp.
    id: NotRequired[Union[str, None]]
    # The name.
    name: NotRequired[Union[str, None]]
    # The address of the logo.
    logo_url: NotRequired[Union[str, None]]


TruvLinkStatus = Union[
    Literal[
        "new", "login", "mfa", "parse", "base_parse", "full_parse", "switch_deposit", "done",
        "login_error", "mfa_error", "config_error", "account_locked", "unable_to_reset", "no_data",
        "unavailable", "error", "not_supported",
    ],
    str,
]


TruvLinkAllowedProducts = Union[
    Literal[
        "income", "employment", "deposit_switch", "pll", "insurance", "transactions", "assets",
        "admin",
    ],
    str,
]


TruvLinkInitialProductType = Union[
    Literal[
        "income", "employment", "deposit_switch", "pll", "insurance", "transactions", "assets",
        "admin",
    ],
    str,
]


TruvLinkDataSource = Union[
    Literal[
        "payroll", "docs", "insurance", "financial_accounts", "tax", "scoring_attributes",
    ],
    str,
]


class TruvLink(TypedDict):
    """A link, one person's connection to one payroll account: GET /v1/links/{link_id}/. A link has
    no money. Elsewhere Truv writes money as a decimal string in dollars, without a currency. Only
    id is required: Wagewire needs it. Every other field may be null or absent, and Truv may add
    fields and values at any time.
    """

    # Truv's id of the link. The field link_id of webhooks.
    id: str
    # The token of the link. Truv masks all but the last digits.
    access_token: NotRequired[Union[str, None]]
    # When the link was made, in UTC: RFC 3339, with Z or +00:00, also with a space in place of the
    # T.
    created_at: NotRequired[Union[str, None]]
    # When the link last changed, in UTC: RFC 3339, with Z or +00:00, also with a space in place of
    # the T.
    updated_at: NotRequired[Union[str, None]]
    # When the link was deleted, in UTC: RFC 3339, with Z or +00:00, also with a space in place of
    # the T, or null.
    deleted_at: NotRequired[Union[str, None]]
    # The text that you passed when the link was opened.
    tracking_info: NotRequired[Union[str, None]]
    # The status of the last task: a link has no field for connected or not.
    status: NotRequired[Union[TruvLinkStatus, None]]
    # Your own identifier of the person.
    user_external_id: NotRequired[Union[str, None]]
    # The id of the payroll provider, such as adp.
    provider_id: NotRequired[Union[str, None]]
    # The payroll provider.
    provider: NotRequired[Union[TruvNameAndLogo, None]]
    # The employer.
    company_mapping: NotRequired[Union[TruvNameAndLogo, None]]
    # The same for the same credentials of the same person.
    link_hash: NotRequired[Union[str, None]]
    # The products of the link.
    allowed_products: NotRequired[Union[list[TruvLinkAllowedProducts], None]]
    # The first product of the link.
    initial_product_type: NotRequired[Union[TruvLinkInitialProductType, None]]
    # Where the data comes from.
    data_source: NotRequired[Union[TruvLinkDataSource, None]]
    # Whether Truv suspects the data, such as a forged document.
    is_suspicious: NotRequired[Union[bool, None]]
    # Whether the direct deposit can be switched. null: unknown.
    is_dds_available: NotRequired[Union[bool, None]]


# The resources that completions are about, as far as this release knows.
RESOURCES: tuple[str, ...] = (
    "employment", "identity", "income", "paystubs", "shifts", "verification_reports", "link",
    "notices", "tax_forms", "bank_accounts",
)

# The records of each provider's resources.
RECORDS: dict[tuple[str, str], tuple[type, ...]] = {
    ("pinwheel", "employment"): (PinwheelEmployment,),
    ("pinwheel", "identity"): (PinwheelIdentity,),
    ("pinwheel", "income"): (PinwheelIncome,),
    ("pinwheel", "paystubs"): (PinwheelPaystub,),
    ("pinwheel", "shifts"): (PinwheelShift,),
    ("pinwheel", "verification_reports"): (PinwheelVoe, PinwheelVoie,),
    ("pinwheel", "link"): (PinwheelAccount,),
    ("pinwheel", "notices"): (PinwheelNotice,),
    ("pinwheel", "tax_forms"): (PinwheelTaxForm,),
    ("pinwheel", "bank_accounts"): (PinwheelDirectDepositAllocations,),
    ("truv", "employment"): (TruvEmployment,),
    ("truv", "income"): (TruvEmployment,),
    ("truv", "identity"): (TruvProfile,),
    ("truv", "paystubs"): (TruvStatement,),
    ("truv", "shifts"): (TruvShift,),
    ("truv", "bank_accounts"): (TruvBankAccount,),
    ("truv", "verification_reports"): (TruvReport,),
    ("truv", "link"): (TruvLink,),
}

# A completion of the provider pinwheel and the resource employment.
PinwheelEmploymentCompletion = Completion[PinwheelEmployment]

# A completion of the provider pinwheel and the resource identity.
PinwheelIdentityCompletion = Completion[PinwheelIdentity]

# A completion of the provider pinwheel and the resource income.
PinwheelIncomeCompletion = Completion[PinwheelIncome]

# A completion of the provider pinwheel and the resource paystubs.
PinwheelPaystubsCompletion = Completion[PinwheelPaystub]

# A completion of the provider pinwheel and the resource shifts.
PinwheelShiftsCompletion = Completion[PinwheelShift]

# A completion of the provider pinwheel and the resource verification_reports.
PinwheelVerificationReportsCompletion = Completion[Union[PinwheelVoe, PinwheelVoie]]

# A completion of the provider pinwheel and the resource link.
PinwheelLinkCompletion = Completion[PinwheelAccount]

# A completion of the provider pinwheel and the resource notices.
PinwheelNoticesCompletion = Completion[PinwheelNotice]

# A completion of the provider pinwheel and the resource tax_forms.
PinwheelTaxFormsCompletion = Completion[PinwheelTaxForm]

# A completion of the provider pinwheel and the resource bank_accounts.
PinwheelBankAccountsCompletion = Completion[PinwheelDirectDepositAllocations]

# A completion of the provider truv and the resource employment.
TruvEmploymentCompletion = Completion[TruvEmployment]

# A completion of the provider truv and the resource income.
TruvIncomeCompletion = Completion[TruvEmployment]

# A completion of the provider truv and the resource identity.
TruvIdentityCompletion = Completion[TruvProfile]

# A completion of the provider truv and the resource paystubs.
TruvPaystubsCompletion = Completion[TruvStatement]

# A completion of the provider truv and the resource shifts.
TruvShiftsCompletion = Completion[TruvShift]

# A completion of the provider truv and the resource bank_accounts.
TruvBankAccountsCompletion = Completion[TruvBankAccount]

# A completion of the provider truv and the resource verification_reports.
TruvVerificationReportsCompletion = Completion[TruvReport]

# A completion of the provider truv and the resource link.
TruvLinkCompletion = Completion[TruvLink]
