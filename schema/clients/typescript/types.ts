// Generated from the JSON Schemas by make generate: do not edit.
//
// The types of all that a team reads. A number of a provider is a LosslessNumber with every digit
// of the provider. Wagewire's own counts, such as attempts, are of the type number, and the whole
// numbers of the normalised model of the type bigint. A field with a question mark may be absent.
// Expect other words than those of a type, and further fields.
import type { LosslessNumber } from "lossless-json";

/** Any JSON value. */
export type Json = null | boolean | string | LosslessNumber | Json[] | JsonObject;

/** Any JSON object. */
export interface JsonObject {
  [name: string]: Json;
}

export type CompletionOutcome =
  | "succeeded" | "pending" | "unavailable" | "failed" | "disconnected" | "deleted"
  | (string & {});

/** The event that ends with this completion. */
export interface CompletionEvent {
  /** The provider's id of the event, as received. */
  id: string;
  /** The provider's type, such as paystubs.added or link-deleted. */
  type: string;
  /**
   * The provider's time of the event, or received_at if the webhook has no time. Two completions
   * may have the same time, and completions may arrive in any order: order them by sequence.
   */
  occurred_at: string;
  /** The time when the webhook was received. */
  received_at: string;
}

export type CompletionScope = "snapshot" | "window" | "delta" | (string & {});

/**
 * The place of records too large for one message: a JSON array in a NATS object store. records_ref
 * replaces records.
 */
export interface CompletionRecordsRef {
  /** The object store's bucket. */
  bucket: string;
  /** The object's name in the bucket. */
  name: string;
  /** SHA-256 of the object's bytes, in lower-case hexadecimal. */
  sha256: string;
  /** The object's size. */
  bytes: number;
  /** The number of records in the object. */
  count: number;
  /**
   * The subject of the object's chunks. Chunk n has this subject with .n at its end, from 1.
   * Objects stored by an earlier release have no subject.
   */
  subject?: string;
  /** The number of chunks. */
  chunks?: number;
}

export type CompletionErrorClass =
  | "transient" | "not_ready" | "throttled" | "unauthorized" | "forbidden" | "permanent"
  | "contract" | "poison" | "provider" | "exhausted" | (string & {});

/** The reason if the outcome is not succeeded. With the outcome failed there is always a reason. */
export interface CompletionError {
  /**
   * provider: the provider's own job failed. exhausted: the event had too many deliveries.
   * not_ready: the provider had no such data at the last attempt (404, 409). forbidden: the
   * provider refuses the data to the credentials. permanent: the provider rejects the request, or
   * the data is gone. transient, contract: until the last attempt the provider failed, or sent what
   * no program can read. poison: the webhook cannot be read.
   */
  class: CompletionErrorClass;
  /** The provider's code of the error, or empty. */
  code: string;
  /** The provider's type of the error, or empty. */
  type: string;
  /** Wagewire's words, for people, without personal data. */
  message: string;
}

export interface CompletionData<R = JsonObject> {
  /** The provider of the webhook, such as pinwheel or truv. Wagewire may get more providers. */
  provider: string;
  /**
   * The kind of data: employment, identity, income, paystubs, shifts, verification_reports,
   * bank_accounts, tax_forms, link, notices. Wagewire may get more kinds.
   */
  resource: string;
  /**
   * The change of the resource, in the provider's words, such as added, fully_synced, refreshed or
   * deleted.
   */
  action: string;
  /**
   * succeeded: records holds the announced data. pending: the provider's job is not finished, and
   * another webhook follows within 24 hours. unavailable: the provider does not have the data.
   * failed: the provider's job failed or Wagewire gave up; error.class tells the two apart.
   * disconnected: the provider cannot reach the account until the person connects it again; the
   * data fetched before stays. deleted: the account's data was deleted at the provider and in
   * Wagewire; delete yours.
   */
  outcome: CompletionOutcome;
  /** The event that ends with this completion. */
  event: CompletionEvent;
  /**
   * The provider's id of the account: Pinwheel's account_id, Truv's link_id. null if the event
   * names only a person, and the provider knows no account of the person.
   */
  account_id: string | null;
  /**
   * Your own identifier of the person: Pinwheel's end_user_id, Truv's user_external_id. null if the
   * provider does not give one.
   */
  end_user_id: string | null;
  /**
   * How often an operator had sent the event through its queue again: 0 for the webhook itself, n
   * if the id has :r<n>. Completions stored by an earlier release lack the field.
   */
  redrive?: number;
  /**
   * The id of the object that the webhook names, such as an employment of Truv's. Absent if the
   * webhook names none.
   */
  object_id?: string;
  /**
   * The id of the employment that the webhook names. The records of Truv's paystubs are those of
   * this employment. Absent if the webhook names none.
   */
  employment_id?: string;
  /**
   * The resources that the account can have: those of the account's payroll platform in the
   * completion of a Pinwheel link, those with data in the completion of a Truv report. After a
   * failed task of Truv's: verification_reports alone. Absent if the provider does not say it.
   */
  supported?: string[];
  /**
   * The time of the provider's last look into the payroll system for these records. null if the
   * provider does not give the time.
   */
  refreshed_at: string | null;
  /** The number of attempts at the event: one more than its failures. */
  attempts: number;
  /**
   * The time when the broker stored the event. Completions stored by an earlier release lack the
   * field.
   */
  stored_at?: string;
  /**
   * The time when a worker took the event for the attempt that ended with this completion.
   * Completions stored by an earlier release lack the field.
   */
  taken_at?: string;
  /**
   * What records and deleted are. snapshot: all that the provider has of the resource; replace
   * yours. window: all within the dates from and to; replace yours within the dates. delta: new or
   * changed records; add or replace each by its id (a notice by the id of the completion), and
   * remove the ids in deleted. null if nothing was fetched. Completions stored by an earlier
   * release lack the field.
   */
  scope?: CompletionScope | null;
  /** The first date of a window, included. null: no bound. */
  from?: string | null;
  /** The last date of a window, included. null: no bound. */
  to?: string | null;
  /**
   * The provider's own objects, digit for digit and field for field. Read numbers as decimals, not
   * as floats. Empty if nothing was fetched.
   */
  records?: R[];
  /**
   * The place of records too large for one message: a JSON array in a NATS object store.
   * records_ref replaces records.
   */
  records_ref?: CompletionRecordsRef;
  /** Ids of records removed by the provider. Remove them too. */
  deleted: string[];
  /** Ids of records announced by the event but absent from the provider's API. */
  missing: string[];
  /**
   * Whether the provider's data was still older than the event at the last attempt, or fewer than
   * the provider says that there are.
   */
  stale: boolean;
  /**
   * The reason if the outcome is not succeeded. With the outcome failed there is always a reason.
   */
  error: CompletionError | null;
}

/**
 * The end of one webhook event: a CloudEvents 1.0 event in structured JSON. Each event has one
 * completion for each resource that is fetched for it, for ever. An event that names a person has
 * one for each account of the person. Version 1 may get more fields: ignore unknown fields.
 */
export interface Completion<R = JsonObject> {
  specversion: "1.0";
  /**
   * <provider>:<event id>:<resource>. Every delivery of a completion has the same id: use it as
   * your idempotency key. An event id with characters other than letters, digits, _ and -, or with
   * more than 64 characters, is replaced by its hash. :r1, :r2 and so on behind the event id means
   * that an operator sent the event through its queue again (redrive): a completion of its own,
   * with an id of its own. So succeeded may follow failed: compare sequence. :<account token> at
   * the end stands in the completions of an event that names a person: one for each account of the
   * person.
   */
  id: string;
  /** The worker that wrote the completion. */
  source: string;
  /** wagewire.<resource>.<outcome>.v1. */
  type: string;
  /**
   * The account token: the account's id, or _ if the event names no account. An id chosen by
   * people, and an id with characters other than letters, digits, _ and -, is replaced by its hash
   * (h_…).
   */
  subject: string;
  /** The time when the completion was written. */
  time: string;
  /**
   * The order of the completions of one account and resource: compare as text, and the greater has
   * the newer data. Of two completions of one event, the one with the greater data.redrive is the
   * newer outcome. The sequence begins with the time of the data, then comes the time of the fetch,
   * then the id. The time of the data is data.refreshed_at, or data.event.occurred_at if there is
   * none; for the data of a Truv link the time of the fetch; for a task of Truv's
   * data.event.occurred_at. Completions stored by an earlier release have no sequence.
   */
  sequence?: string;
  datacontenttype: "application/json";
  dataschema: "urn:wagewire:schema:completion:v1";
  data: CompletionData<R>;
}

export type AccountResources = string[];

export type AccountResourceOutcome =
  | "succeeded" | "pending" | "unavailable" | "failed" | "disconnected" | (string & {});

export type AccountResourceSynced =
  | "added" | "seven_days_synced" | "thirty_days_synced" | "ninety_days_synced" | "fully_synced"
  | (string & {});

/** The event of the completion. null before the first completion. */
export interface AccountResourceEvent {
  /** The provider's id of the event, as received. */
  id: string;
  /** The provider's type, such as paystubs.added. */
  type: string;
  /** The provider's time of the event, or received_at if the webhook has no time. */
  occurred_at: string;
  /** The time when the webhook was received. */
  received_at: string;
}

/**
 * Where the completion is on the stream of completions, as long as that stream keeps it. null
 * before the first completion.
 */
export interface AccountResourceCompletion {
  /** The completion's id. */
  id: string;
  /** The completion's subject. */
  subject: string;
}

export interface AccountResourceFailed {
  /**
   * The event's id. An id with characters other than letters, digits, _ and -, or with more than 64
   * characters, is replaced by its hash (h_…).
   */
  event_id: string;
  /** How often an operator sent the event through its queue again, in vain. */
  redrive: number;
  /** The sequence of the failed completion. */
  sequence: string;
}

export type AccountResourceError =
  | "transient" | "not_ready" | "throttled" | "unauthorized" | "forbidden" | "permanent"
  | "contract" | "poison" | "provider" | "exhausted" | (string & {});

export interface AccountResource {
  /**
   * The outcome of the newest completion that is not pending. pending while there is none. A
   * completion gives way to a later redrive of its event, and a failed one to a snapshot that
   * covers the event.
   */
  outcome: AccountResourceOutcome;
  /**
   * The greatest part of the past that was fetched: added < seven_days_synced < thirty_days_synced
   * < ninety_days_synced < fully_synced. null for a resource without a past, and before the first
   * success.
   */
  synced: AccountResourceSynced | null;
  /** The event of the completion. null before the first completion. */
  event: AccountResourceEvent | null;
  /** The time of the provider's last look into the payroll system, as in the completion. */
  refreshed_at: string | null;
  /**
   * The sequence of the completion: compare as text, and the greater is the newer. null before the
   * first completion.
   */
  sequence: string | null;
  /**
   * Where the completion is on the stream of completions, as long as that stream keeps it. null
   * before the first completion.
   */
  completion: AccountResourceCompletion | null;
  /**
   * The events whose last completion is failed, or unavailable with the class forbidden: newest
   * first, without those covered by a newer snapshot, or by newer statements of the same
   * employment. Of Truv's tasks only the newest end counts. At most 100: older ones are left out.
   */
  failed: AccountResourceFailed[];
  /** The class of the completion's error, as in the completion. null if it has none. */
  error: AccountResourceError | null;
}

export type AccountStatus =
  | "linking" | "ready" | "incomplete" | "disconnected" | "deleted" | (string & {});

export interface AccountData {
  /** The provider of the account, such as pinwheel or truv. Wagewire may get more providers. */
  provider: string;
  /** The provider's id of the account: Pinwheel's account_id, Truv's link_id. */
  account_id: string;
  /**
   * Your own identifier of the person, from the newest completion that has one. null if no
   * completion has one.
   */
  end_user_id: string | null;
  /**
   * linking: an awaited resource is not final yet. ready: all awaited resources are final and good.
   * incomplete: all awaited resources are final, and some are not good: see failed and error of the
   * resources. disconnected: the provider cannot reach the account until the person connects it
   * again; the data fetched before stays. deleted: the account's data was deleted at the provider
   * and in Wagewire; delete yours. deleted never ends.
   */
  status: AccountStatus;
  /** The time when the status began. */
  since: string;
  /**
   * The resources that decide whether the account is ready, sorted: those of the operator's
   * ACCOUNT_READY_WHEN that Wagewire fetches from the provider, or if there is none of these, all
   * of the provider's except notices, reports of a person, bank accounts, tax forms and the link;
   * without those that the account cannot have: its payroll platform lacks them (Pinwheel), or its
   * report does not show them (Truv).
   */
  awaited: AccountResources;
  /**
   * The awaited resources that are not final yet. A resource with a past, such as paystubs, is
   * final when the provider says that the whole past is there (fully_synced), or when the newest
   * completion is failed or unavailable and is not about a part of the past, such as
   * seven_days_synced. Any other resource is final with the first completion that is not pending. A
   * final resource is good if failed is empty, and the outcome is succeeded or unavailable.
   */
  waiting_for: AccountResources;
  /**
   * The state of each resource that is awaited or has a completion, by its name. Empty if the
   * account is deleted.
   */
  resources: { [name: string]: AccountResource };
  /** What Wagewire needs to add the next completion. It is no part of the contract: ignore it. */
  basis?: JsonObject;
}

/**
 * The state of one account: a CloudEvents 1.0 event in structured JSON, and the last message on the
 * account's subject. It says whether the data of the account is complete, and where the newest
 * completion of each resource is. The state follows from the set of the account's completions,
 * whatever their order. Version 1 may get more fields: ignore unknown fields.
 */
export interface Account {
  specversion: "1.0";
  /** <provider>:<account token>:<time>. */
  id: string;
  source: "urn:wagewire:worker:accounts";
  /**
   * wagewire.account.<status>.v1 if this message changes the status, else
   * wagewire.account.updated.v1. So each change into ready is published once; to know whether the
   * account is ready, read data.status.
   */
  type: string;
  /**
   * The account token: the account's id, or its hash (h_…) if the id has characters other than
   * letters, digits, _ and -.
   */
  subject: string;
  /** The time when the state was written. */
  time: string;
  datacontenttype: "application/json";
  dataschema: "urn:wagewire:schema:account:v1";
  data: AccountData;
}

/** A postal address. */
export interface NormalAddress {
  /** The whole address in one line. */
  text?: string;
  /** Street and number. */
  line1?: string;
  /** Suite, apartment or the like. */
  line2?: string;
  /** City. */
  city?: string;
  /** State. */
  state?: string;
  /** Postal code, as text: it may begin with 0. */
  postal_code?: string;
  /** Country, in the provider's spelling; two letters in every sample. */
  country?: string;
}

export type NormalPhoneTypeKind = "home" | "mobile" | "other" | "work" | (string & {});

/** The kind of phone. */
export interface NormalPhoneType {
  /**
   * The meaning, the same for all providers; other if the model does not know the word. A later
   * release may know more.
   */
  kind: NormalPhoneTypeKind;
  /** The provider's word. */
  word: string;
}

/** A phone number. */
export interface NormalPhone {
  /** The number, as the provider writes it. */
  number?: string;
  /** The kind of phone. */
  type?: NormalPhoneType;
}

/** Who pays. Neither provider has an id of an employer. */
export interface NormalEmployer {
  /** The name. */
  name?: string;
  /** The address. */
  address?: NormalAddress;
  /** The phone number. */
  phone?: NormalPhone;
  /** The Employer Identification Number, as the provider writes it. */
  ein?: string;
}

export type NormalEmploymentStatusKind =
  | "employed" | "furloughed" | "inactive" | "other" | "terminated" | (string & {});

/**
 * Whether the person works there. inactive: no longer or not now, the provider does not say which.
 */
export interface NormalEmploymentStatus {
  /**
   * The meaning, the same for all providers; other if the model does not know the word. A later
   * release may know more.
   */
  kind: NormalEmploymentStatusKind;
  /** The provider's word. */
  word: string;
}

export type NormalEmploymentTypeKind =
  | "contract" | "full_time" | "other" | "part_time" | "per_diem" | "seasonal" | (string & {});

/** The kind of employment. */
export interface NormalEmploymentType {
  /**
   * The meaning, the same for all providers; other if the model does not know the word. A later
   * release may know more.
   */
  kind: NormalEmploymentTypeKind;
  /** The provider's word. */
  word: string;
}

/** An amount that may have parts of a minor unit. */
export interface NormalRate {
  /**
   * The amount in minor units of the currency, such as cents, a decimal number as text, exact,
   * without an exponent.
   */
  minor: string;
  /** ISO 4217 code. Absent if the provider does not say it. */
  currency?: string;
}

export type NormalIncomeUnitKind =
  | "biweekly" | "daily" | "hourly" | "monthly" | "other" | "per_mile" | "semimonthly"
  | "semiweekly" | "variable" | "weekly" | "yearly" | (string & {});

/** The unit of compensation. */
export interface NormalIncomeUnit {
  /**
   * The meaning, the same for all providers; other if the model does not know the word. A later
   * release may know more.
   */
  kind: NormalIncomeUnitKind;
  /** The provider's word. */
  word: string;
}

export type NormalIncomePayFrequencyKind =
  | "biweekly" | "commission" | "daily" | "monthly" | "other" | "semiannually" | "semimonthly"
  | "variable" | "weekly" | "yearly" | (string & {});

/** How often the person is paid. */
export interface NormalIncomePayFrequency {
  /**
   * The meaning, the same for all providers; other if the model does not know the word. A later
   * release may know more.
   */
  kind: NormalIncomePayFrequencyKind;
  /** The provider's word. */
  word: string;
}

/** An amount. */
export interface NormalMoney {
  /**
   * The amount in minor units of the currency, such as cents. It may be negative, and has up to 64
   * bits: more than a floating-point number holds exactly.
   */
  minor: bigint;
  /** ISO 4217 code. Absent if the provider does not say it. */
  currency?: string;
}

export type NormalSumCategoryKind =
  | "bereavement" | "bonus" | "commission" | "disability" | "double_overtime"
  | "employer_contribution" | "fare" | "holiday" | "hourly" | "life_insurance" | "meal_comp"
  | "medical" | "other" | "overtime" | "parental" | "premium" | "pto" | "regular" | "retirement"
  | "retro_pay" | "salary" | "shift_differential" | "sick" | "stock" | "tips" | "unpaid"
  | "vacation" | (string & {});

/** The kind of pay. */
export interface NormalSumCategory {
  /**
   * The meaning, the same for all providers; other if the model does not know the word. A later
   * release may know more.
   */
  kind: NormalSumCategoryKind;
  /** The provider's word. */
  word: string;
}

/** The pay of one kind. */
export interface NormalSum {
  /** The kind of pay. */
  category?: NormalSumCategory;
  /** The sum: of the pay period in a paystub, of the year in a year. */
  amount?: NormalMoney;
  /** The sum of the year up to the paystub. */
  ytd?: NormalMoney;
}

/** The income of a year. */
export interface NormalYear {
  /** The year. */
  year?: bigint;
  /** Gross pay. */
  gross_pay?: NormalMoney;
  /** Net pay. */
  net_pay?: NormalMoney;
  /** The sum of the taxes. */
  taxes?: NormalMoney;
  /** The sum of the deductions. */
  deductions?: NormalMoney;
  /** The sum of the reimbursements. */
  reimbursements?: NormalMoney;
  /** Pay by kind. */
  sums?: NormalSum[];
}

/** What an employment pays. */
export interface NormalIncome {
  /** The provider's id of the record. */
  id?: string;
  /** The provider's id of the account, if the record has it. */
  account_id?: string;
  /** Who pays, where the record of the income says it. */
  employer?: NormalEmployer;
  /** The pay for one unit. */
  compensation?: NormalRate;
  /** The unit of compensation. */
  unit?: NormalIncomeUnit;
  /** The pay for one pay period. */
  cycle_pay?: NormalRate;
  /** How often the person is paid. */
  pay_frequency?: NormalIncomePayFrequency;
  /** Income by year. */
  years?: NormalYear[];
  /**
   * When the provider made the record: RFC 3339 with T, with the offset that the provider writes, Z
   * for UTC.
   */
  created_at?: string;
  /**
   * When the record last changed at the provider: RFC 3339 with T, with the offset that the
   * provider writes, Z for UTC.
   */
  updated_at?: string;
}

export type NormalPaystubBasisKind =
  | "contract" | "daily" | "hourly" | "monthly" | "other" | "salary" | "weekly" | (string & {});

/** What the pay is counted by. */
export interface NormalPaystubBasis {
  /**
   * The meaning, the same for all providers; other if the model does not know the word. A later
   * release may know more.
   */
  kind: NormalPaystubBasisKind;
  /** The provider's word. */
  word: string;
}

export type NormalLineCategoryKind =
  | "benefit" | "bereavement" | "bonus" | "charity" | "child_support" | "commission" | "commuter"
  | "company_perk" | "dental" | "disability" | "double_overtime" | "employer_contribution"
  | "fare" | "federal_income" | "fees" | "fsa" | "holiday" | "hourly" | "hsa" | "job_expense"
  | "lending" | "life_insurance" | "loan" | "local_income" | "meal_comp" | "medical"
  | "medical_insurance" | "medicare" | "memo" | "other" | "overtime" | "parental" | "premium"
  | "pto" | "reallocation" | "regular" | "retirement" | "retro_pay" | "salary" | "savings"
  | "shift_differential" | "sick" | "social_security" | "state_income" | "stock" | "tax" | "tips"
  | "union_dues" | "unpaid" | "vacation" | "vision" | "wage_garnishment" | (string & {});

/** The kind of earning, tax or deduction. */
export interface NormalLineCategory {
  /**
   * The meaning, the same for all providers; other if the model does not know the word. A later
   * release may know more.
   */
  kind: NormalLineCategoryKind;
  /** The provider's word. */
  word: string;
}

export type NormalLineTimingKind = "other" | "post_tax" | "pre_tax" | "unknown" | (string & {});

/** Whether a deduction comes before or after taxes. Only of deductions. */
export interface NormalLineTiming {
  /**
   * The meaning, the same for all providers; other if the model does not know the word. A later
   * release may know more.
   */
  kind: NormalLineTimingKind;
  /** The provider's word. */
  word: string;
}

/** A line of a paystub or a shift: an earning, a tax or a deduction. */
export interface NormalLine {
  /** The employer's words. */
  name?: string;
  /** The kind of earning, tax or deduction. */
  category?: NormalLineCategory;
  /** The amount. */
  amount?: NormalMoney;
  /** The pay for one hour or unit. Only of earnings. */
  rate?: NormalRate;
  /**
   * Hours. Only of earnings. A line of kind premium repeats the hours of another line, a decimal
   * number as text, exact, without an exponent.
   */
  hours?: string;
  /**
   * Hours, or anything else that is paid by the piece; the provider does not say which. Only of
   * earnings, a decimal number as text, exact, without an exponent.
   */
  units?: string;
  /** Whether a deduction comes before or after taxes. Only of deductions. */
  timing?: NormalLineTiming;
}

export type NormalTimeOffCategoryKind = "other" | "pto" | "sick" | (string & {});

/** The kind of time off. */
export interface NormalTimeOffCategory {
  /**
   * The meaning, the same for all providers; other if the model does not know the word. A later
   * release may know more.
   */
  kind: NormalTimeOffCategoryKind;
  /** The provider's word. */
  word: string;
}

/** A kind of time off. */
export interface NormalTimeOff {
  /** The employer's words. */
  name?: string;
  /** The kind of time off. */
  category?: NormalTimeOffCategory;
  /** Hours left, a decimal number as text, exact, without an exponent. */
  available_hours?: string;
  /** Hours earned, a decimal number as text, exact, without an exponent. */
  earned_hours?: string;
  /** Hours used, a decimal number as text, exact, without an exponent. */
  used_hours?: string;
}

/** A payment. */
export interface NormalPaystub {
  /** The provider's id of the record. */
  id?: string;
  /** The provider's id of the account, if the record has it. */
  account_id?: string;
  /** The id of the employment. */
  employment_id?: string;
  /** The id of the paystub at the payroll platform. */
  external_id?: string;
  /** Who pays. */
  employer?: NormalEmployer;
  /** The day of payment, YYYY-MM-DD. */
  pay_date?: string;
  /** The first day of the paid period, YYYY-MM-DD. */
  period_start?: string;
  /** The last day of the paid period, YYYY-MM-DD. */
  period_end?: string;
  /** Pay before taxes and deductions. */
  gross_pay?: NormalMoney;
  /** Pay after taxes and deductions. */
  net_pay?: NormalMoney;
  /** Gross pay of the year up to this paystub. */
  gross_pay_ytd?: NormalMoney;
  /** Net pay of the year up to this paystub. */
  net_pay_ytd?: NormalMoney;
  /** The amount paid out, with reimbursements. */
  check_amount?: NormalMoney;
  /** The sum of the taxes. */
  total_taxes?: NormalMoney;
  /** The sum of the deductions. */
  total_deductions?: NormalMoney;
  /** The sum of the reimbursements. */
  total_reimbursements?: NormalMoney;
  /** Hours in the paid period, a decimal number as text, exact, without an exponent. */
  hours?: string;
  /** What the pay is counted by. */
  basis?: NormalPaystubBasis;
  /** The earnings. */
  earnings?: NormalLine[];
  /** The earnings of the year up to this paystub. */
  earnings_ytd?: NormalLine[];
  /** The taxes. */
  taxes?: NormalLine[];
  /** The taxes of the year up to this paystub. */
  taxes_ytd?: NormalLine[];
  /** The deductions without taxes. */
  deductions?: NormalLine[];
  /** The deductions of the year up to this paystub, without taxes. */
  deductions_ytd?: NormalLine[];
  /** Pay by kind, as the provider sums it up beside the earnings. */
  sums?: NormalSum[];
  /** Time off. */
  time_off?: NormalTimeOff[];
  /**
   * When the provider made the record: RFC 3339 with T, with the offset that the provider writes, Z
   * for UTC.
   */
  created_at?: string;
}

/** A person, as the payroll platform knows them. */
export interface NormalIdentity {
  /** The provider's id of the record. */
  id?: string;
  /** The provider's id of the account, if the record has it. */
  account_id?: string;
  /** The whole name. */
  full_name?: string;
  /** First name. */
  first_name?: string;
  /** Middle name, or its initials. */
  middle_name?: string;
  /** Last name. */
  last_name?: string;
  /** The day of birth, YYYY-MM-DD. */
  date_of_birth?: string;
  /** The last four digits of the social security number. */
  last_four_ssn?: string;
  /** The home address. */
  address?: NormalAddress;
  /** The email addresses. */
  emails?: string[];
  /** The phone numbers. */
  phones?: NormalPhone[];
  /**
   * When the provider made the record: RFC 3339 with T, with the offset that the provider writes, Z
   * for UTC.
   */
  created_at?: string;
  /**
   * When the record last changed at the provider: RFC 3339 with T, with the offset that the
   * provider writes, Z for UTC.
   */
  updated_at?: string;
}

/** A person's work for one employer. */
export interface NormalEmployment {
  /** The provider's id of the record. */
  id?: string;
  /** The provider's id of the account, if the record has it. */
  account_id?: string;
  /** Who pays. */
  employer?: NormalEmployer;
  /**
   * Whether the person works there. inactive: no longer or not now, the provider does not say
   * which.
   */
  status?: NormalEmploymentStatus;
  /** The kind of employment. */
  type?: NormalEmploymentType;
  /** The job title. */
  title?: string;
  /** The name of the supervisor. */
  manager?: string;
  /** The first day of the employment, YYYY-MM-DD. */
  start_date?: string;
  /** The first day of the first employment, if there were several, YYYY-MM-DD. */
  first_hire_date?: string;
  /** The last day of the employment, YYYY-MM-DD. */
  end_date?: string;
  /** The day of the last payment, YYYY-MM-DD. */
  last_pay_date?: string;
  /** The length of the employment, in months. */
  duration_months?: bigint;
  /**
   * When the provider made the record: RFC 3339 with T, with the offset that the provider writes, Z
   * for UTC.
   */
  created_at?: string;
  /**
   * When the record last changed at the provider: RFC 3339 with T, with the offset that the
   * provider writes, Z for UTC.
   */
  updated_at?: string;
  /** The day of the last change in the payroll platform, YYYY-MM-DD. */
  updated_on?: string;
  /** The income, where the provider writes it into the employment. */
  income?: NormalIncome;
  /** Paystubs, where the provider writes them into the employment. */
  paystubs?: NormalPaystub[];
  /** The person, where the provider writes them into the employment. */
  identity?: NormalIdentity;
}

export type NormalReportTypeKind = "base" | "other" | "voe" | "voie" | (string & {});

/** The kind of report. */
export interface NormalReportType {
  /**
   * The meaning, the same for all providers; other if the model does not know the word. A later
   * release may know more.
   */
  kind: NormalReportTypeKind;
  /** The provider's word. */
  word: string;
}

/** A verification of employment, or of income and employment. */
export interface NormalReport {
  /** The provider's id of the record. */
  id?: string;
  /** The kind of report. */
  type?: NormalReportType;
  /**
   * The provider's word for the progress of the report. A report may be there before it is
   * complete.
   */
  status?: string;
  /** The person. */
  identity?: NormalIdentity;
  /** The employments. */
  employments?: NormalEmployment[];
  /**
   * When the record last changed at the provider: RFC 3339 with T, with the offset that the
   * provider writes, Z for UTC.
   */
  updated_at?: string;
  /**
   * When the provider last looked into the payroll platform: RFC 3339 with T, with the offset that
   * the provider writes, Z for UTC.
   */
  refreshed_at?: string;
  /**
   * When the report was finished: RFC 3339 with T, with the offset that the provider writes, Z for
   * UTC.
   */
  finished_at?: string;
}

export type NormalShiftTypeKind = "delivery" | "other" | "rideshare" | "shift" | (string & {});

/** The kind of work. */
export interface NormalShiftType {
  /**
   * The meaning, the same for all providers; other if the model does not know the word. A later
   * release may know more.
   */
  kind: NormalShiftTypeKind;
  /** The provider's word. */
  word: string;
}

/** A stretch of work without a break. */
export interface NormalSpan {
  /** The day under which the payroll platform has the span, YYYY-MM-DD. */
  date?: string;
  /** The begin: RFC 3339 with T, with the offset that the provider writes, Z for UTC. */
  from?: string;
  /** The end: RFC 3339 with T, with the offset that the provider writes, Z for UTC. */
  to?: string;
}

/** A shift, or a trip of a gig worker. */
export interface NormalShift {
  /** The provider's id of the record. */
  id?: string;
  /** The provider's id of the account, if the record has it. */
  account_id?: string;
  /** The id of the shift at the payroll platform. */
  external_id?: string;
  /** The kind of work. */
  type?: NormalShiftType;
  /** The day of the begin, in the time zone of the place, YYYY-MM-DD. */
  start_date?: string;
  /** The day of the end, in the time zone of the place, YYYY-MM-DD. */
  end_date?: string;
  /** The time zone of the place by its IANA name, such as America/New_York. */
  zone?: string;
  /** The stretches of work. Trips may have none. */
  spans?: NormalSpan[];
  /** The earnings. */
  earnings?: NormalLine[];
  /**
   * When the provider made the record: RFC 3339 with T, with the offset that the provider writes, Z
   * for UTC.
   */
  created_at?: string;
  /**
   * When the record last changed at the provider: RFC 3339 with T, with the offset that the
   * provider writes, Z for UTC.
   */
  updated_at?: string;
}

export type NormalRecordKind =
  | "employment" | "identity" | "income" | "paystub" | "report" | "shift" | (string & {});

/**
 * A record of any provider in one model. It is computed when a record is read, and is not on the
 * stream. What the provider does not say is absent: null never occurs. Version 1 may get more
 * fields, models and kinds: ignore unknown fields.
 */
export interface NormalRecord {
  /** The name of the only other field besides unread. */
  kind: NormalRecordKind;
  /** A person's work for one employer. */
  employment?: NormalEmployment;
  /** A person, as the payroll platform knows them. */
  identity?: NormalIdentity;
  /** What an employment pays. */
  income?: NormalIncome;
  /** A payment. */
  paystub?: NormalPaystub;
  /** A verification of employment, or of income and employment. */
  report?: NormalReport;
  /** A shift, or a trip of a gig worker. */
  shift?: NormalShift;
  /**
   * The JSONPath of each value of the record that the model could not take, sorted. Absent if
   * everything was read.
   */
  unread?: string[];
}

export type PinwheelAddressCountry = "US" | (string & {});

/** A postal address. */
export interface PinwheelAddress {
  /** The whole address in one line. */
  raw?: string | null;
  /** Street and number. */
  line1?: string | null;
  /** Suite, apartment or the like. */
  line2?: string | null;
  /** City. */
  city?: string | null;
  /** State. Two letters in every sample. */
  state?: string | null;
  /** ZIP code, as text: it may begin with 0. */
  postal_code?: string | null;
  /** ISO 3166 code of the country, two letters. */
  country?: PinwheelAddressCountry | null;
}

export type PinwheelPhoneType = "home" | "work" | "mobile" | (string & {});

/** A phone number. */
export interface PinwheelPhone {
  /** The number, with + and the country in every sample. */
  value?: string | null;
  /** The kind of phone. */
  type?: PinwheelPhoneType | null;
}

export type PinwheelEmploymentStatus = "employed" | "terminated" | "furloughed" | (string & {});

/**
 * A person's employment: GET /v1/accounts/{account_id}/employment. Only id is required: Wagewire
 * needs it. Every other field may be null or absent, and Pinwheel may add fields and values at any
 * time.
 */
export interface PinwheelEmployment {
  /** Pinwheel's id of the employment. */
  id: string;
  /** When Pinwheel made the record: RFC 3339, in UTC in every sample. */
  created_at?: string | null;
  /** When the record last changed at Pinwheel: RFC 3339, in UTC in every sample. */
  updated_at?: string | null;
  /** Pinwheel's id of the account. */
  account_id?: string | null;
  /** Whether the person works there. */
  status?: PinwheelEmploymentStatus | null;
  /** The first day of the employment, YYYY-MM-DD. */
  start_date?: string | null;
  /** The last day of the employment, YYYY-MM-DD, or null. */
  termination_date?: string | null;
  /** The employer. Pinwheel has no id of an employer. */
  employer_name?: string | null;
  /** The employer's address. */
  employer_address?: PinwheelAddress | null;
  /** The employer's phone number. */
  employer_phone_number?: PinwheelPhone | null;
  /** The job title. */
  title?: string | null;
}

/**
 * A person, as the payroll platform knows them: GET /v1/accounts/{account_id}/identity. Only id is
 * required: Wagewire needs it. Every other field may be null or absent, and Pinwheel may add fields
 * and values at any time.
 */
export interface PinwheelIdentity {
  /** Pinwheel's id of the identity. */
  id: string;
  /** When Pinwheel made the record: RFC 3339, in UTC in every sample. */
  created_at?: string | null;
  /** When the record last changed at Pinwheel: RFC 3339, in UTC in every sample. */
  updated_at?: string | null;
  /** Pinwheel's id of the account. */
  account_id?: string | null;
  /** The whole name. */
  full_name?: string | null;
  /** The email addresses. */
  emails?: string[] | null;
  /** The date of birth, YYYY-MM-DD. */
  date_of_birth?: string | null;
  /** The last four digits of the social security number, as text: it may begin with 0. */
  last_four_ssn?: string | null;
  /** The home address. */
  address?: PinwheelAddress | null;
  /** The phone numbers. */
  phone_numbers?: PinwheelPhone[] | null;
}

export type PinwheelCurrency =
  | "AED" | "AFN" | "ALL" | "AMD" | "ANG" | "AOA" | "ARS" | "AUD" | "AWG" | "AZN" | "BAM" | "BBD"
  | "BDT" | "BGN" | "BHD" | "BIF" | "BMD" | "BND" | "BOB" | "BOV" | "BRL" | "BSD" | "BTN" | "BWP"
  | "BYR" | "BZD" | "CAD" | "CDF" | "CHE" | "CHF" | "CHW" | "CLF" | "CLP" | "CNY" | "COP" | "COU"
  | "CRC" | "CUC" | "CUP" | "CVE" | "CZK" | "DJF" | "DKK" | "DOP" | "DZD" | "EGP" | "ERN" | "ETB"
  | "EUR" | "FJD" | "FKP" | "GBP" | "GEL" | "GHS" | "GIP" | "GMD" | "GNF" | "GTQ" | "GYD" | "HKD"
  | "HNL" | "HRK" | "HTG" | "HUF" | "IDR" | "ILS" | "INR" | "IQD" | "IRR" | "ISK" | "JMD" | "JOD"
  | "JPY" | "KES" | "KGS" | "KHR" | "KMF" | "KPW" | "KRW" | "KWD" | "KYD" | "KZT" | "LAK" | "LBP"
  | "LKR" | "LRD" | "LSL" | "LTL" | "LVL" | "LYD" | "MAD" | "MDL" | "MGA" | "MKD" | "MMK" | "MNT"
  | "MOP" | "MRO" | "MUR" | "MVR" | "MWK" | "MXN" | "MXV" | "MYR" | "MZN" | "NAD" | "NGN" | "NIO"
  | "NOK" | "NPR" | "NZD" | "OMR" | "PAB" | "PEN" | "PGK" | "PHP" | "PKR" | "PLN" | "PYG" | "QAR"
  | "RON" | "RSD" | "RUB" | "RWF" | "SAR" | "SBD" | "SCR" | "SDG" | "SEK" | "SGD" | "SHP" | "SLL"
  | "SOS" | "SRD" | "SSP" | "STD" | "SYP" | "SZL" | "THB" | "TJS" | "TMT" | "TND" | "TOP" | "TRY"
  | "TTD" | "TWD" | "TZS" | "UAH" | "UGX" | "USD" | "USN" | "USS" | "UYI" | "UYU" | "UZS" | "VEF"
  | "VND" | "VUV" | "WST" | "XAF" | "XAG" | "XAU" | "XBA" | "XBB" | "XBC" | "XBD" | "XCD" | "XDR"
  | "XOF" | "XPD" | "XPF" | "XPT" | "XTS" | "XXX" | "YER" | "ZAR" | "ZMW" | (string & {});

export type PinwheelIncomeCompensationUnit =
  | "hourly" | "daily" | "weekly" | "bi-weekly" | "semi-weekly" | "monthly" | "semi-monthly"
  | "annually" | "variable" | "per_mile" | (string & {});

export type PinwheelIncomePayFrequency =
  | "daily" | "weekly" | "bi-weekly" | "monthly" | "semi-monthly" | "variable" | (string & {});

/**
 * A person's income: GET /v1/accounts/{account_id}/income. It may change when paystubs finish. Only
 * id is required: Wagewire needs it. Every other field may be null or absent, and Pinwheel may add
 * fields and values at any time.
 */
export interface PinwheelIncome {
  /** Pinwheel's id of the income. */
  id: string;
  /** When Pinwheel made the record: RFC 3339, in UTC in every sample. */
  created_at?: string | null;
  /** When the record last changed at Pinwheel: RFC 3339, in UTC in every sample. */
  updated_at?: string | null;
  /** Pinwheel's id of the account. */
  account_id?: string | null;
  /** The pay for one compensation_unit, in cents (the minor unit of currency). */
  compensation_amount?: LosslessNumber | null;
  /** The unit of compensation_amount. */
  compensation_unit?: PinwheelIncomeCompensationUnit | null;
  currency?: PinwheelCurrency | null;
  /** How often the person is paid. */
  pay_frequency?: PinwheelIncomePayFrequency | null;
}

export type PinwheelDeductionCategory =
  | "retirement" | "medical_insurance" | "hsa" | "fsa" | "dental" | "vision" | "life_insurance"
  | "disability" | "child_support" | "commuter" | "union_dues" | "stock" | "charity" | "savings"
  | "tips" | "wage_garnishment" | "lending" | "company_perk" | "tax" | "loan" | "job_expense"
  | "other" | "fees" | "reallocation" | "retro_pay" | (string & {});

export type PinwheelDeductionType = "pre_tax" | "post_tax" | "unknown" | (string & {});

/** A deduction of a paystub. */
export interface PinwheelDeduction {
  /** The employer's words. */
  name?: string | null;
  /** Pinwheel's kind of deduction. */
  category?: PinwheelDeductionCategory | null;
  /** The amount, in cents (the minor unit of the record's currency). */
  amount?: LosslessNumber | null;
  /** Whether the deduction comes before or after taxes. */
  type?: PinwheelDeductionType | null;
}

/** A PDF at Pinwheel. */
export interface PinwheelDocument {
  /** The id of the document. */
  id?: string | null;
  /**
   * A link that needs no password: keep it secret. It is good for 15 minutes after the fetch and is
   * new in every fetch, so leave it out of comparisons.
   */
  download_url?: string | null;
  /** When download_url ends: RFC 3339, in UTC in every sample. */
  download_url_expiration?: string | null;
}

export type PinwheelEarningCategory =
  | "salary" | "hourly" | "overtime" | "double_overtime" | "premium" | "bonus" | "commission"
  | "tips" | "vacation" | "holiday" | "pto" | "sick" | "employer_contribution" | "other" | "fare"
  | "unpaid" | "parental" | "shift_differential" | "bereavement" | "life_insurance" | "stock"
  | "retirement" | "medical" | "meal_comp" | "disability" | "retro_pay" | (string & {});

/**
 * A kind of pay. Hours may stand in two lines: a line of category premium repeats the hours of
 * another line, and a line of category overtime adds hours.
 */
export interface PinwheelEarning {
  /** The employer's words. */
  name?: string | null;
  /** Pinwheel's kind of pay. */
  category?: PinwheelEarningCategory | null;
  /**
   * The amount, in cents (the minor unit of the record's currency). Earnings of shifts often lack
   * it.
   */
  amount?: LosslessNumber | null;
  /** Cents per hour. */
  rate?: LosslessNumber | null;
  /** Decimal hours: 0.5 is 30 minutes. */
  hours?: LosslessNumber | null;
}

export type PinwheelTaxCategory =
  | "federal_income" | "social_security" | "medicare" | "state_income" | "local_income" | "other"
  | (string & {});

/** A tax of a paystub. */
export interface PinwheelTax {
  /** The employer's words. */
  name?: string | null;
  /** Pinwheel's kind of tax. */
  category?: PinwheelTaxCategory | null;
  /** The amount, in cents (the minor unit of the record's currency). */
  amount?: LosslessNumber | null;
}

export type PinwheelTimeOffCategory = "pto" | "sick" | "other" | (string & {});

/** A kind of time off. */
export interface PinwheelTimeOff {
  /** The employer's words. */
  name?: string | null;
  /** Pinwheel's kind of time off. */
  category?: PinwheelTimeOffCategory | null;
  /** Hours left, in decimal hours. */
  available_hours?: LosslessNumber | null;
  /** Hours earned, in decimal hours. */
  earned_hours?: LosslessNumber | null;
  /** Hours used, in decimal hours. */
  used_hours?: LosslessNumber | null;
}

/**
 * A paystub: GET /v1/accounts/{account_id}/paystubs. Only id is required: Wagewire needs it. Every
 * other field may be null or absent, and Pinwheel may add fields and values at any time.
 */
export interface PinwheelPaystub {
  /** Pinwheel's id of the paystub. */
  id: string;
  /**
   * When Pinwheel made the record: RFC 3339, in UTC in every sample. A paystub has no updated_at.
   */
  created_at?: string | null;
  /** Pinwheel's id of the account. */
  account_id?: string | null;
  /** The day of payment, YYYY-MM-DD. */
  pay_date?: string | null;
  /** The first day of the paid period, YYYY-MM-DD. */
  pay_period_start?: string | null;
  /** The last day of the paid period, YYYY-MM-DD. */
  pay_period_end?: string | null;
  currency?: PinwheelCurrency | null;
  /** Pay before taxes and deductions, in cents (the minor unit of currency). */
  gross_pay_amount?: LosslessNumber | null;
  /** Pay after taxes and deductions, in cents (the minor unit of currency). */
  net_pay_amount?: LosslessNumber | null;
  /** The amount paid out, with reimbursements, in cents (the minor unit of currency). */
  check_amount?: LosslessNumber | null;
  /** Gross pay of the year up to this paystub, in cents (the minor unit of currency). */
  gross_pay_ytd?: LosslessNumber | null;
  /** Net pay of the year up to this paystub, in cents (the minor unit of currency). */
  net_pay_ytd?: LosslessNumber | null;
  /** The sum of the taxes, in cents (the minor unit of currency). */
  total_taxes?: LosslessNumber | null;
  /** The sum of the deductions, in cents (the minor unit of currency). */
  total_deductions?: LosslessNumber | null;
  /** The sum of the reimbursements, in cents (the minor unit of currency). */
  total_reimbursements?: LosslessNumber | null;
  /** The id of the paystub at the payroll platform. */
  external_paystub_id?: string | null;
  /** The employer. Pinwheel has no id of an employer. */
  employer_name?: string | null;
  /** The taxes. */
  taxes?: PinwheelTax[] | null;
  /** The deductions. */
  deductions?: PinwheelDeduction[] | null;
  /** The kinds of pay. */
  earnings?: PinwheelEarning[] | null;
  /** The kinds of time off. */
  time_off?: PinwheelTimeOff[] | null;
  /** The paystub as PDF. It comes later than the paystub, and is null before. */
  document?: PinwheelDocument | null;
}

/** A stretch of work without a break. */
export interface PinwheelShiftSpan {
  /**
   * The begin: RFC 3339. Live data has the local offset, such as -04:00; samples have +00:00.
   * Compare instants, not texts.
   */
  from?: string | null;
  /** The end, likewise. */
  to?: string | null;
}

export type PinwheelShiftType = "shift" | "rideshare" | "delivery" | "other" | (string & {});

/**
 * A shift, or a trip of a gig worker: GET /v1/accounts/{account_id}/shifts. Only id is required:
 * Wagewire needs it. Every other field may be null or absent, and Pinwheel may add fields and
 * values at any time.
 */
export interface PinwheelShift {
  /** Pinwheel's id of the shift. */
  id: string;
  /**
   * When Pinwheel made the record, in UTC. Shifts have a space in place of the T of RFC 3339:
   * 2026-01-29 22:06:06.920124+00:00.
   */
  created_at?: string | null;
  /** Pinwheel's id of the account. */
  account_id?: string | null;
  /** The day of the begin, YYYY-MM-DD, in the time zone of the shift. */
  start_date?: string | null;
  /** The day of the end, YYYY-MM-DD, in the time zone of the shift. */
  end_date?: string | null;
  /** The kind of work. */
  type?: PinwheelShiftType | null;
  /** The time zone of the place, by its IANA name, such as America/New_York. */
  timezone?: string | null;
  /** The stretches of work. */
  timestamps?: PinwheelShiftSpan[] | null;
  currency?: PinwheelCurrency | null;
  /** The kinds of pay. */
  earnings?: PinwheelEarning[] | null;
}

/** A name. */
export interface PinwheelPersonName {
  /** First name. */
  first_name?: string | null;
  /** Middle name, or empty. */
  middle_name?: string | null;
  /** Last name. */
  last_name?: string | null;
  /** The whole name. */
  full_name?: string | null;
}

/** The person of the report. */
export interface PinwheelEmployee {
  /** The name. */
  name?: PinwheelPersonName | null;
  /** The date of birth, YYYY-MM-DD. */
  date_of_birth?: string | null;
  /** The last four digits of the social security number, as text: it may begin with 0. */
  last_four_ssn?: string | null;
  /** The home address. */
  address?: PinwheelAddress | null;
  /** The phone numbers. */
  phone_numbers?: PinwheelPhone[] | null;
}

export type PinwheelVoeEmploymentEmploymentStatus =
  | "employed" | "terminated" | "furloughed" | (string & {});

/** An employment in a verification of employment. */
export interface PinwheelVoeEmployment {
  /** The employer. */
  employer_name?: string | null;
  /** The employer's address. */
  employer_address?: PinwheelAddress | null;
  /** The first day of the employment, YYYY-MM-DD. */
  start_date?: string | null;
  /** The length of the employment, in months. */
  employment_duration_months?: LosslessNumber | null;
  /** Whether the person works there. */
  employment_status?: PinwheelVoeEmploymentEmploymentStatus | null;
  /** The employer's words, such as full time. */
  employment_type?: string | null;
  /** The last day of the employment, YYYY-MM-DD, or null. */
  termination_date?: string | null;
  /** The job title. */
  title?: string | null;
  /** The day of the last payment, YYYY-MM-DD. */
  most_recent_pay_date?: string | null;
}

export type PinwheelVoeReportType = "voe" | "voie" | "base" | (string & {});

/**
 * A verification of employment: GET /v1/end_users/{end_user_id}/verification_reports/voe. Only id
 * is required: Wagewire needs it. Every other field may be null or absent, and Pinwheel may add
 * fields and values at any time.
 */
export interface PinwheelVoe {
  /** Pinwheel's id of the report. */
  id: string;
  /** When the report last changed at Pinwheel: RFC 3339, in UTC in every sample. */
  updated_at?: string | null;
  /** When Pinwheel last looked into the payroll platform: RFC 3339, in UTC in every sample. */
  refreshed_at?: string | null;
  /** The kind of report: voe in records of this schema. */
  report_type?: PinwheelVoeReportType | null;
  /** The person. */
  employee?: PinwheelEmployee | null;
  /** The employments. */
  employments?: PinwheelVoeEmployment[] | null;
  /** The report as PDF. */
  document?: PinwheelDocument | null;
}

export type PinwheelAnnualEarningCategory =
  | "salary" | "hourly" | "overtime" | "double_overtime" | "premium" | "bonus" | "commission"
  | "tips" | "vacation" | "holiday" | "pto" | "sick" | "employer_contribution" | "other" | "fare"
  | "unpaid" | "parental" | "shift_differential" | "bereavement" | "life_insurance" | "stock"
  | "retirement" | "medical" | "meal_comp" | "disability" | "retro_pay" | (string & {});

/** A kind of pay in a year. */
export interface PinwheelAnnualEarning {
  /** The amount, in cents (the minor unit of the record's currency). */
  amount?: LosslessNumber | null;
  /** Pinwheel's kind of pay. */
  category?: PinwheelAnnualEarningCategory | null;
}

/** The income of a year. */
export interface PinwheelAnnualIncome {
  /** The year, as text. */
  year?: string | null;
  /** Gross pay of the year, in cents (the minor unit of the record's currency). */
  gross_pay_ytd?: LosslessNumber | null;
  /** Net pay of the year, in cents (the minor unit of the record's currency). */
  net_pay_ytd?: LosslessNumber | null;
  /** Deductions of the year, in cents (the minor unit of the record's currency). */
  total_deductions_ytd?: LosslessNumber | null;
  /** Reimbursements of the year, in cents (the minor unit of the record's currency). */
  total_reimbursements_ytd?: LosslessNumber | null;
  /** Taxes of the year, in cents (the minor unit of the record's currency). */
  total_taxes_ytd?: LosslessNumber | null;
  /** The year by kind of pay. */
  earnings_ytds?: PinwheelAnnualEarning[] | null;
}

export type PinwheelReportIncomeCompensationUnit =
  | "hourly" | "daily" | "weekly" | "bi-weekly" | "semi-weekly" | "monthly" | "semi-monthly"
  | "annually" | "variable" | "per_mile" | (string & {});

export type PinwheelReportIncomePayFrequency =
  | "daily" | "weekly" | "bi-weekly" | "monthly" | "semi-monthly" | "variable" | (string & {});

/** A paystub in a report, without taxes, deductions and time off. */
export interface PinwheelReportPaystub {
  /** Pinwheel's id of the paystub. */
  id?: string | null;
  /**
   * When Pinwheel made the record: RFC 3339, in UTC in every sample. A paystub has no updated_at.
   */
  created_at?: string | null;
  /** Pinwheel's id of the account. */
  account_id?: string | null;
  /** The day of payment, YYYY-MM-DD. */
  pay_date?: string | null;
  /** The first day of the paid period, YYYY-MM-DD. */
  pay_period_start?: string | null;
  /** The last day of the paid period, YYYY-MM-DD. */
  pay_period_end?: string | null;
  currency?: PinwheelCurrency | null;
  /** Pay before taxes and deductions, in cents (the minor unit of currency). */
  gross_pay_amount?: LosslessNumber | null;
  /** Pay after taxes and deductions, in cents (the minor unit of currency). */
  net_pay_amount?: LosslessNumber | null;
  /** The amount paid out, with reimbursements, in cents (the minor unit of currency). */
  check_amount?: LosslessNumber | null;
  /** Gross pay of the year up to this paystub, in cents (the minor unit of currency). */
  gross_pay_ytd?: LosslessNumber | null;
  /** Net pay of the year up to this paystub, in cents (the minor unit of currency). */
  net_pay_ytd?: LosslessNumber | null;
  /** The sum of the taxes, in cents (the minor unit of currency). */
  total_taxes?: LosslessNumber | null;
  /** The sum of the deductions, in cents (the minor unit of currency). */
  total_deductions?: LosslessNumber | null;
  /** The sum of the reimbursements, in cents (the minor unit of currency). */
  total_reimbursements?: LosslessNumber | null;
  /** The id of the paystub at the payroll platform. */
  external_paystub_id?: string | null;
  /** The employer. Pinwheel has no id of an employer. */
  employer_name?: string | null;
  /** The kinds of pay. */
  earnings?: PinwheelEarning[] | null;
}

/** The income from an employment. */
export interface PinwheelReportIncome {
  /** The pay for one compensation_unit, in cents (the minor unit of currency). */
  compensation_amount?: LosslessNumber | null;
  /** The unit of compensation_amount. */
  compensation_unit?: PinwheelReportIncomeCompensationUnit | null;
  currency?: PinwheelCurrency | null;
  /** How often the person is paid. */
  pay_frequency?: PinwheelReportIncomePayFrequency | null;
  /** The current year, and two years back at most. */
  annual_incomes?: PinwheelAnnualIncome[] | null;
  /** The two newest paystubs at most. */
  paystubs?: PinwheelReportPaystub[] | null;
}

export type PinwheelVoieEmploymentEmploymentStatus =
  | "employed" | "terminated" | "furloughed" | (string & {});

/** An employment in a verification of income and employment. */
export interface PinwheelVoieEmployment {
  /** The employer. */
  employer_name?: string | null;
  /** The employer's address. */
  employer_address?: PinwheelAddress | null;
  /** The first day of the employment, YYYY-MM-DD. */
  start_date?: string | null;
  /** The length of the employment, in months. */
  employment_duration_months?: LosslessNumber | null;
  /** Whether the person works there. */
  employment_status?: PinwheelVoieEmploymentEmploymentStatus | null;
  /** The employer's words, such as full time. */
  employment_type?: string | null;
  /** The last day of the employment, YYYY-MM-DD, or null. */
  termination_date?: string | null;
  /** The job title. */
  title?: string | null;
  /** The day of the last payment, YYYY-MM-DD. */
  most_recent_pay_date?: string | null;
  /** The income from the employment. */
  income?: PinwheelReportIncome | null;
}

export type PinwheelVoieReportType = "voe" | "voie" | "base" | (string & {});

/**
 * A verification of income and employment: GET
 * /v1/end_users/{end_user_id}/verification_reports/voie. Only id is required: Wagewire needs it.
 * Every other field may be null or absent, and Pinwheel may add fields and values at any time.
 */
export interface PinwheelVoie {
  /** Pinwheel's id of the report. */
  id: string;
  /** When the report last changed at Pinwheel: RFC 3339, in UTC in every sample. */
  updated_at?: string | null;
  /** When Pinwheel last looked into the payroll platform: RFC 3339, in UTC in every sample. */
  refreshed_at?: string | null;
  /** The kind of report: voie in records of this schema. */
  report_type?: PinwheelVoieReportType | null;
  /** The person. */
  employee?: PinwheelEmployee | null;
  /** The employments. */
  employments?: PinwheelVoieEmployment[] | null;
  /** The report as PDF. */
  document?: PinwheelDocument | null;
}

/**
 * A time for each product of the account: RFC 3339, in UTC in every sample. A product without data
 * is absent.
 */
export interface PinwheelTimesByProduct {
  /** The time for direct deposits. */
  direct_deposit_allocations?: string | null;
  /** The time for income. */
  income?: string | null;
  /** The time for employment. */
  employment?: string | null;
  /** The time for identity. */
  identity?: string | null;
  /** The time for shifts. */
  shifts?: string | null;
  /** The time for paystubs. */
  paystubs?: string | null;
}

export type PinwheelAccountMonitoringStatus =
  | "active" | "degraded" | "user_action_required" | "customer_disabled" | "unavailable"
  | (string & {});

/**
 * A person's payroll account: GET /v1/accounts/{account_id}. Only id is required: Wagewire needs
 * it. Every other field may be null or absent, and Pinwheel may add fields and values at any time.
 */
export interface PinwheelAccount {
  /** Pinwheel's id of the account. */
  id: string;
  /** When the person linked the account: RFC 3339, in UTC in every sample. */
  created_at?: string | null;
  /** The id of the link token. */
  link_token_id?: string | null;
  /** Pinwheel's id of the payroll platform. */
  platform_id?: string | null;
  /** Whether Pinwheel may look into the account. false after a disconnect, which is final. */
  connected?: boolean | null;
  /** Whether Pinwheel keeps the data fresh. */
  monitoring_status?: PinwheelAccountMonitoringStatus | null;
  /** When the data last changed. */
  data_updated_at?: PinwheelTimesByProduct | null;
  /** When Pinwheel last looked into the payroll platform. */
  data_refreshed_at?: PinwheelTimesByProduct | null;
  /** Your own identifier of the person. */
  end_user_id?: string | null;
  /** The id of a customer of a banking platform. */
  customer_id?: string | null;
  /** The id of a customer of a reseller. */
  reseller_customer_id?: string | null;
  /** Names and values that you gave to the link token. Any member is fine. */
  tags?: JsonObject | null;
}

/**
 * The payload of a webhook, without the data that it announces: data.event.type of the completion
 * says what it is about. Only account_id is always there. Every other field may be null or absent,
 * and Pinwheel may add fields at any time.
 */
export interface PinwheelNotice {
  /** The payroll account, a UUID. Use it as the main identifier. */
  account_id: string;
  /** Your own identifier of the person, if one was given when the account was connected. */
  end_user_id?: string | null;
  /** Deprecated: the job's id. Two notices of one job have the same id. */
  id?: string | null;
  /**
   * The token with which Link was opened. Absent if the job was a refresh, such as one of
   * Monitoring.
   */
  link_token_id?: string | null;
  /** The payroll platform, a UUID. */
  platform_id?: string | null;
  /** The name of the payroll platform. */
  platform_name?: string | null;
  /** The job's name, such as tax_forms or document_uploads. */
  name?: string | null;
  /**
   * The time when the job completed, ISO 8601: usually with an offset and six digits of fraction,
   * but the fraction may be missing and a space may stand for the T.
   */
  timestamp?: string | null;
  /**
   * success, or absent if the webhook tells of no job. Completions of other jobs have no record.
   */
  outcome?: string | null;
  /** The fault of a failed job. Completions of failed jobs have no record. */
  error_code?: string | null;
  /** The kind of fault of a failed job. Completions of failed jobs have no record. */
  error_type?: string | null;
  /** Parameters of the job. They differ between the types of webhooks. */
  params?: JsonObject | null;
  /** The uploaded document, in a notice of documents.added. */
  document_id?: string | null;
  /** The records that the job found, as objects: an id, or the metadata of a tax form. */
  added?: Json[] | null;
  /** The records that the provider removed, as objects. */
  deleted?: Json[] | null;
}

export type PinwheelTaxFormFormType = "W-2" | (string & {});

/**
 * The metadata of a tax form: GET /v1/accounts/{account_id}/tax_forms. The form itself and its
 * document are not fetched. Only id is required: Wagewire needs it. Every other field may be null
 * or absent, and Pinwheel may add fields and values at any time.
 */
export interface PinwheelTaxForm {
  /** Pinwheel's id of the tax form. */
  id: string;
  /** When Pinwheel made the record: RFC 3339, in UTC in every sample. */
  created_at?: string | null;
  /** Pinwheel's id of the account. */
  account_id?: string | null;
  /** The kind of form, such as W-2. */
  form_type?: PinwheelTaxFormFormType | null;
  /** The year of the form, as text. */
  year?: string | null;
}

export type PinwheelAllocationAccountType =
  | "checking" | "savings" | "debit_card" | "pay_card" | (string & {});

export type PinwheelAllocationAllocationType =
  | "amount" | "percentage" | "remainder" | (string & {});

/** A bank account with its part of the pay. */
export interface PinwheelAllocation {
  /** A name of the bank account for people. */
  account_name?: string | null;
  /** The kind of the bank account. */
  account_type?: PinwheelAllocationAccountType | null;
  /** How the part of the pay is said: an amount, a percentage, or what is left. */
  allocation_type?: PinwheelAllocationAllocationType | null;
  /** The amount, in cents (the minor unit of currency). */
  amount?: LosslessNumber | null;
  /** The name of the bank. */
  bank_name?: string | null;
  currency?: PinwheelCurrency | null;
  /** The last 2 or 4 digits of the account number. */
  masked_account_number?: string | null;
  /** The percentage of the pay. */
  percentage?: LosslessNumber | null;
  /** The place of the allocation in the order of payment. */
  priority?: LosslessNumber | null;
  /** The number of the bank. */
  routing_number?: string | null;
}

/**
 * Where the person's pay goes: GET /v1/accounts/{account_id}/direct_deposit_allocations. The record
 * is the whole list. Only id is required: Wagewire needs it. Every other field may be null or
 * absent, and Pinwheel may add fields and values at any time.
 */
export interface PinwheelDirectDepositAllocations {
  /** Pinwheel's id of the record. */
  id: string;
  /** When Pinwheel made the record: RFC 3339, in UTC in every sample. */
  created_at?: string | null;
  /** When the data last changed: RFC 3339, in UTC in every sample. */
  updated_at?: string | null;
  /** Pinwheel's id of the account. */
  account_id?: string | null;
  /** The bank accounts, each with its part of the pay. */
  allocations?: PinwheelAllocation[] | null;
}

/** A postal address. */
export interface TruvAddress {
  /** The street with the number. */
  street?: string | null;
  /** The city. */
  city?: string | null;
  /** The state, two letters. */
  state?: string | null;
  /** The postal code. */
  zip?: string | null;
  /** The country, two letters. */
  country?: string | null;
}

/** An employer. */
export interface TruvCompany {
  /** The name. */
  name?: string | null;
  /** Where the employer is. */
  address?: TruvAddress | null;
  /** The phone number. */
  phone?: string | null;
  /** The Employer Identification Number. */
  ein?: string | null;
}

export type TruvEmploymentIncomeUnit =
  | "YEARLY" | "MONTHLY" | "WEEKLY" | "DAILY" | "HOURLY" | (string & {});

export type TruvEmploymentPayFrequency = "M" | "SM" | "W" | "BW" | "A" | "SA" | "C" | (string & {});

export type TruvEmploymentJobType = "F" | "P" | "S" | "D" | "C" | (string & {});

/**
 * An employment with its income: one of GET /v1/links/{link_id}/employments/. The resources
 * employment and income have the same records. Truv writes money as a decimal string in dollars,
 * without a currency. Only id is required: Wagewire needs it. Every other field may be null or
 * absent, and Truv may add fields and values at any time.
 */
export interface TruvEmployment {
  /** Truv's id of the employment. */
  id: string;
  /**
   * What the employment pays for one income_unit, without commission and bonus, dollars as a
   * decimal string.
   */
  income?: string | null;
  /** The unit of income. */
  income_unit?: TruvEmploymentIncomeUnit | null;
  /** The pay for one pay period, dollars as a decimal string. */
  pay_rate?: string | null;
  /**
   * How often the person is paid: monthly, twice a month, weekly, every two weeks, yearly, twice a
   * year, by commission.
   */
  pay_frequency?: TruvEmploymentPayFrequency | null;
  /** Whether the person works there now. */
  is_active?: boolean | null;
  /** The employer's name of the job. */
  job_title?: string | null;
  /** Full time, part time, seasonal, daily, contract. */
  job_type?: TruvEmploymentJobType | null;
  /** The first day of the employment, YYYY-MM-DD. */
  start_date?: string | null;
  /** The first day of the first employment there, if there were several, YYYY-MM-DD. */
  original_hire_date?: string | null;
  /** The last day of the employment, YYYY-MM-DD. */
  end_date?: string | null;
  /** The day of the last change in the payroll platform, YYYY-MM-DD. */
  external_last_updated?: string | null;
  /** The names of those fields that Truv worked out from other data. */
  derived_fields?: string[] | null;
  /** The names of those fields that the payroll platform does not give. */
  missing_data_fields?: string[] | null;
  /** The name of the person's manager. */
  manager_name?: string | null;
  /** The employer. Truv has no id of an employer. */
  company?: TruvCompany | null;
}

/**
 * Who the person is: GET /v1/links/{link_id}/identity/. No field is required, because Truv promises
 * none, not even id: every field may be null or absent, and Truv may add fields and values at any
 * time.
 */
export interface TruvProfile {
  /** Truv's id of the profile. */
  id?: string | null;
  /**
   * When Truv first read the profile, in UTC: RFC 3339, with Z or +00:00, also with a space in
   * place of the T.
   */
  created_at?: string | null;
  /**
   * When Truv last read the profile, in UTC: RFC 3339, with Z or +00:00, also with a space in place
   * of the T.
   */
  updated_at?: string | null;
  /** The first name. */
  first_name?: string | null;
  /** The last name. */
  last_name?: string | null;
  /** The whole name. */
  full_name?: string | null;
  /** The initials of the middle names. */
  middle_initials?: string | null;
  /** The address for mail. */
  email?: string | null;
  /** The social security number, whole or its last four digits. Keep it secret. */
  ssn?: string | null;
  /** The day of birth, YYYY-MM-DD. */
  date_of_birth?: string | null;
  /** Where the person lives. */
  home_address?: TruvAddress | null;
}

export type TruvDeductionCategory =
  | "memo" | "medicare" | "retirement" | "socialsec" | "federal" | "state" | "benefit"
  | "garnishment" | "local" | "other" | (string & {});

/** A deduction or a tax. */
export interface TruvDeduction {
  /** The employer's words. */
  name?: string | null;
  /** The amount, dollars as a decimal string. */
  amount?: string | null;
  /** Truv's kind of deduction: medicare, socialsec, federal, state and local are taxes. */
  category?: TruvDeductionCategory | null;
}

export type TruvEarningCategory =
  | "regular" | "overtime" | "bonus" | "commission" | "other_pay" | (string & {});

/** A kind of pay. */
export interface TruvEarning {
  /** The employer's words. */
  name?: string | null;
  /** The amount, dollars as a decimal string. */
  amount?: string | null;
  /** Truv's kind of pay. */
  category?: TruvEarningCategory | null;
  /** The pay for one unit, dollars as a decimal string. */
  rate?: string | null;
  /** How many units, such as hours, as a decimal string. */
  units?: string | null;
}

export type TruvStatementBasisOfPay = "S" | "H" | "D" | "W" | "M" | "C" | (string & {});

/**
 * A pay statement: one of GET /v1/links/{link_id}/statements/. The record does not say its
 * employment: employment_id of the completion does. Truv writes money as a decimal string in
 * dollars, without a currency. No field is required, because Truv promises none, not even id: every
 * field may be null or absent, and Truv may add fields and values at any time.
 */
export interface TruvStatement {
  /** Truv's id of the statement. */
  id?: string | null;
  /** The id of the statement at the payroll platform. */
  check_number?: string | null;
  /** The day of payment, YYYY-MM-DD. */
  pay_date?: string | null;
  /** Pay after taxes and deductions, dollars as a decimal string. */
  net_pay?: string | null;
  /** Net pay of the year up to this statement, dollars as a decimal string. */
  net_pay_ytd?: string | null;
  /** Pay before taxes and deductions, dollars as a decimal string. */
  gross_pay?: string | null;
  /** Gross pay of the year up to this statement, dollars as a decimal string. */
  gross_pay_ytd?: string | null;
  /** The regular part of the pay, dollars as a decimal string. */
  regular?: string | null;
  /** The regular part, of the year up to this statement, dollars as a decimal string. */
  regular_ytd?: string | null;
  /** The overtime part of the pay, dollars as a decimal string. */
  overtime?: string | null;
  /** The overtime part, of the year up to this statement, dollars as a decimal string. */
  overtime_ytd?: string | null;
  /** The bonus part of the pay, dollars as a decimal string. */
  bonus?: string | null;
  /** The bonus part, of the year up to this statement, dollars as a decimal string. */
  bonus_ytd?: string | null;
  /** The commission part of the pay, dollars as a decimal string. */
  commission?: string | null;
  /** The commission part, of the year up to this statement, dollars as a decimal string. */
  commission_ytd?: string | null;
  /** Every other part of the pay, dollars as a decimal string. */
  other_pay?: string | null;
  /** Every other part, of the year up to this statement, dollars as a decimal string. */
  other_pay_ytd?: string | null;
  /** The hours of work in the period, as a decimal string. */
  hours?: string | null;
  /** What the pay goes by: salary, hours, days, weeks, months, a contract. */
  basis_of_pay?: TruvStatementBasisOfPay | null;
  /** The first day of the paid period, YYYY-MM-DD. */
  period_start?: string | null;
  /** The last day of the paid period, YYYY-MM-DD. */
  period_end?: string | null;
  /** The kinds of pay in the period. */
  earnings?: TruvEarning[] | null;
  /** The kinds of pay of the year up to this statement. */
  earnings_ytd?: TruvEarning[] | null;
  /** The deductions in the period. Taxes are among them. */
  deductions?: TruvDeduction[] | null;
  /** The deductions of the year up to this statement. */
  deductions_ytd?: TruvDeduction[] | null;
  /** The MD5 sum of the file. */
  md5sum?: string | null;
  /**
   * A link to the statement's file, which needs no password: keep it secret. Truv does not say how
   * long it is good.
   */
  file?: string | null;
  /** The names of those fields that Truv worked out from other data. */
  derived_fields?: string[] | null;
  /** The names of those fields that the payroll platform does not give. */
  missing_data_fields?: string[] | null;
}

/** A span of time in which a person worked. */
export interface TruvTimeEntry {
  /** Truv's id of the span. */
  id?: string | null;
  /** The id of the span at the payroll platform. */
  external_id?: string | null;
  /**
   * When Truv made the span, in UTC: RFC 3339, with Z or +00:00, also with a space in place of the
   * T.
   */
  created_at?: string | null;
  /**
   * When Truv last changed the span, in UTC: RFC 3339, with Z or +00:00, also with a space in place
   * of the T.
   */
  updated_at?: string | null;
  /** The day of the span, YYYY-MM-DD. */
  entry_date?: string | null;
  /** When the work began: RFC 3339. */
  start?: string | null;
  /** When the work ended: RFC 3339. */
  end?: string | null;
}

export type TruvShiftType = "other" | "delivery" | "rideshare" | "shift" | (string & {});

/**
 * A shift: one of GET /v1/links/{link_id}/shifts/, of any employment of the link. Truv writes money
 * as a decimal string in dollars, without a currency. No field is required, because Truv promises
 * none, not even id: every field may be null or absent, and Truv may add fields and values at any
 * time.
 */
export interface TruvShift {
  /** Truv's id of the shift. */
  id?: string | null;
  /** The id of the shift at the payroll platform. */
  external_id?: string | null;
  /**
   * When Truv made the record, in UTC: RFC 3339, with Z or +00:00, also with a space in place of
   * the T.
   */
  created_at?: string | null;
  /**
   * When Truv last changed the record, in UTC: RFC 3339, with Z or +00:00, also with a space in
   * place of the T.
   */
  updated_at?: string | null;
  /** The first day of the shift, YYYY-MM-DD. */
  start_date?: string | null;
  /** The last day of the shift, YYYY-MM-DD. */
  end_date?: string | null;
  /** The kind of work. */
  type?: TruvShiftType | null;
  /** The spans of time in which the person worked. */
  time_entries?: TruvTimeEntry[] | null;
  /** The pay for the shift, by kind. */
  earnings?: TruvEarning[] | null;
}

export type TruvBankAccountAccountType = "C" | "S" | (string & {});

export type TruvBankAccountDepositType = "E" | "P" | "A" | (string & {});

/**
 * A bank account to which pay goes: one of GET /v1/links/{link_id}/bank_accounts/. Truv writes
 * money as a decimal string in dollars, without a currency. Only account_number is required: Truv
 * documents it as always there. Every other field may be null or absent, and Truv may add fields
 * and values at any time.
 */
export interface TruvBankAccount {
  /**
   * The whole number of the account. Keep it secret. It names the account: the record has no id.
   */
  account_number: string;
  /** The number of the bank. */
  routing_number?: string | null;
  /** A name of the account for people. */
  account_name?: string | null;
  /** Checking or savings. */
  account_type?: TruvBankAccountAccountType | null;
  /** Which part of the pay goes to the account: all of it, a percentage, an amount. */
  deposit_type?: TruvBankAccountDepositType | null;
  /** The percentage, or the amount in dollars, as a decimal string. */
  deposit_value?: string | null;
  /** The name of the bank. */
  bank_name?: string | null;
}

/** The income of one year. */
export interface TruvAnnualIncome {
  /** Truv's id of the summary. */
  id?: string | null;
  /** The year. */
  year?: LosslessNumber | null;
  /** Gross pay of the year, dollars as a decimal string. */
  gross_pay?: string | null;
  /** Net pay of the year, dollars as a decimal string. */
  net_pay?: string | null;
  /** The regular part of the pay, dollars as a decimal string. */
  regular?: string | null;
  /** The overtime part of the pay, dollars as a decimal string. */
  overtime?: string | null;
  /** The bonus part of the pay, dollars as a decimal string. */
  bonus?: string | null;
  /** The commission part of the pay, dollars as a decimal string. */
  commission?: string | null;
  /** Every other part of the pay, dollars as a decimal string. */
  other_pay?: string | null;
}

export type TruvReportEmploymentIncomeUnit =
  | "YEARLY" | "MONTHLY" | "WEEKLY" | "DAILY" | "HOURLY" | (string & {});

export type TruvReportEmploymentPayFrequency =
  | "M" | "SM" | "W" | "BW" | "A" | "SA" | "C" | (string & {});

export type TruvReportEmploymentJobType = "F" | "P" | "S" | "D" | "C" | (string & {});

/** The person of an employment, as the record profile. */
export interface TruvReportProfile {
  /** Truv's id of the profile. */
  id?: string | null;
  /**
   * When Truv first read the profile, in UTC: RFC 3339, with Z or +00:00, also with a space in
   * place of the T.
   */
  created_at?: string | null;
  /**
   * When Truv last read the profile, in UTC: RFC 3339, with Z or +00:00, also with a space in place
   * of the T.
   */
  updated_at?: string | null;
  /** The first name. */
  first_name?: string | null;
  /** The last name. */
  last_name?: string | null;
  /** The whole name. */
  full_name?: string | null;
  /** The initials of the middle names. */
  middle_initials?: string | null;
  /** The address for mail. */
  email?: string | null;
  /** The social security number, whole or its last four digits. Keep it secret. */
  ssn?: string | null;
  /** The day of birth, YYYY-MM-DD. */
  date_of_birth?: string | null;
  /** Where the person lives. */
  home_address?: TruvAddress | null;
}

export type TruvReportStatementBasisOfPay = "S" | "H" | "D" | "W" | "M" | "C" | (string & {});

/** A pay statement, as the record statement. */
export interface TruvReportStatement {
  /** Truv's id of the statement. */
  id?: string | null;
  /** The id of the statement at the payroll platform. */
  check_number?: string | null;
  /** The day of payment, YYYY-MM-DD. */
  pay_date?: string | null;
  /** Pay after taxes and deductions, dollars as a decimal string. */
  net_pay?: string | null;
  /** Net pay of the year up to this statement, dollars as a decimal string. */
  net_pay_ytd?: string | null;
  /** Pay before taxes and deductions, dollars as a decimal string. */
  gross_pay?: string | null;
  /** Gross pay of the year up to this statement, dollars as a decimal string. */
  gross_pay_ytd?: string | null;
  /** The regular part of the pay, dollars as a decimal string. */
  regular?: string | null;
  /** The regular part, of the year up to this statement, dollars as a decimal string. */
  regular_ytd?: string | null;
  /** The overtime part of the pay, dollars as a decimal string. */
  overtime?: string | null;
  /** The overtime part, of the year up to this statement, dollars as a decimal string. */
  overtime_ytd?: string | null;
  /** The bonus part of the pay, dollars as a decimal string. */
  bonus?: string | null;
  /** The bonus part, of the year up to this statement, dollars as a decimal string. */
  bonus_ytd?: string | null;
  /** The commission part of the pay, dollars as a decimal string. */
  commission?: string | null;
  /** The commission part, of the year up to this statement, dollars as a decimal string. */
  commission_ytd?: string | null;
  /** Every other part of the pay, dollars as a decimal string. */
  other_pay?: string | null;
  /** Every other part, of the year up to this statement, dollars as a decimal string. */
  other_pay_ytd?: string | null;
  /** The hours of work in the period, as a decimal string. */
  hours?: string | null;
  /** What the pay goes by: salary, hours, days, weeks, months, a contract. */
  basis_of_pay?: TruvReportStatementBasisOfPay | null;
  /** The first day of the paid period, YYYY-MM-DD. */
  period_start?: string | null;
  /** The last day of the paid period, YYYY-MM-DD. */
  period_end?: string | null;
  /** The kinds of pay in the period. */
  earnings?: TruvEarning[] | null;
  /** The kinds of pay of the year up to this statement. */
  earnings_ytd?: TruvEarning[] | null;
  /** The deductions in the period. Taxes are among them. */
  deductions?: TruvDeduction[] | null;
  /** The deductions of the year up to this statement. */
  deductions_ytd?: TruvDeduction[] | null;
  /** The MD5 sum of the file. */
  md5sum?: string | null;
  /**
   * A link to the statement's file, which needs no password: keep it secret. Truv does not say how
   * long it is good.
   */
  file?: string | null;
  /** The names of those fields that Truv worked out from other data. */
  derived_fields?: string[] | null;
  /** The names of those fields that the payroll platform does not give. */
  missing_data_fields?: string[] | null;
}

/** A W-2 form. */
export interface TruvWageForm {
  /** The year of the form. */
  year?: LosslessNumber | null;
  /** A link to the form's file, which needs no password: keep it secret. */
  file?: string | null;
  /** The MD5 sum of the file. */
  md5sum?: string | null;
  /** Wages, box 1, dollars as a decimal string. */
  wages?: string | null;
  /** Federal income tax withheld, box 2, dollars as a decimal string. */
  federal_tax?: string | null;
  /** Social security wages, box 3, dollars as a decimal string. */
  social_security_wages?: string | null;
  /** Social security tax withheld, box 4, dollars as a decimal string. */
  social_security_tax?: string | null;
  /** Medicare wages, box 5, dollars as a decimal string. */
  medicare_wages?: string | null;
  /** Medicare tax withheld, box 6, dollars as a decimal string. */
  medicare_tax?: string | null;
  /** Gross pay of the year, dollars as a decimal string. */
  gross_pay?: string | null;
}

/** An employment of a report. */
export interface TruvReportEmployment {
  /** Truv's id of the employment. */
  id?: string | null;
  /**
   * What the employment pays for one income_unit, without commission and bonus, dollars as a
   * decimal string.
   */
  income?: string | null;
  /** The unit of income. */
  income_unit?: TruvReportEmploymentIncomeUnit | null;
  /** The pay for one pay period, dollars as a decimal string. */
  pay_rate?: string | null;
  /**
   * How often the person is paid: monthly, twice a month, weekly, every two weeks, yearly, twice a
   * year, by commission.
   */
  pay_frequency?: TruvReportEmploymentPayFrequency | null;
  /** Whether the person works there now. */
  is_active?: boolean | null;
  /** The employer's name of the job. */
  job_title?: string | null;
  /** Full time, part time, seasonal, daily, contract. */
  job_type?: TruvReportEmploymentJobType | null;
  /** The first day of the employment, YYYY-MM-DD. */
  start_date?: string | null;
  /** The first day of the first employment there, if there were several, YYYY-MM-DD. */
  original_hire_date?: string | null;
  /** The last day of the employment, YYYY-MM-DD. */
  end_date?: string | null;
  /** The day of the last change in the payroll platform, YYYY-MM-DD. */
  external_last_updated?: string | null;
  /** Whether Truv took the dates from the first and the last statement. Deprecated by Truv. */
  dates_from_statements?: boolean | null;
  /** The names of those fields that Truv worked out from other data. */
  derived_fields?: string[] | null;
  /** The names of those fields that the payroll platform does not give. */
  missing_data_fields?: string[] | null;
  /** The name of the person's manager. */
  manager_name?: string | null;
  /** The employer. Truv has no id of an employer. */
  company?: TruvCompany | null;
  /** The person. */
  profile?: TruvReportProfile | null;
  /** The pay statements, as far as your template allows. */
  statements?: TruvReportStatement[] | null;
  /** The income by year. */
  annual_income_summary?: TruvAnnualIncome[] | null;
  /** The W-2 forms. */
  w2s?: TruvWageForm[] | null;
}

export type TruvReportStatus =
  | "new" | "login" | "mfa" | "parse" | "base_parse" | "full_parse" | "switch_deposit" | "done"
  | "login_error" | "mfa_error" | "config_error" | "account_locked" | "unable_to_reset"
  | "no_data" | "unavailable" | "error" | "not_supported" | (string & {});

export type TruvReportDataSource = "payroll" | "docs" | "financial_accounts" | (string & {});

/**
 * What Truv knows of the link: GET /v1/links/{link_id}/income/report/ or …/employment/report/, by
 * the product of the task. A report of the product employment has no income, statements and forms.
 * Wagewire cuts out access_token and bank_accounts. Truv writes money as a decimal string in
 * dollars, without a currency. No field is required, because Truv promises none, not even id: every
 * field may be null or absent, and Truv may add fields and values at any time.
 */
export interface TruvReport {
  /** Truv's id of the report. */
  id?: string | null;
  /** The status of the task behind the report. Only done is final and good. */
  status?: TruvReportStatus | null;
  /**
   * The status of the newest refresh, of the same words as status. Only a report of the product
   * income has it.
   */
  refresh_status?: string | null;
  /**
   * When the report was finished, in UTC: RFC 3339, with Z or +00:00, also with a space in place of
   * the T.
   */
  finished_at?: string | null;
  /** The same with a space in place of the T. Deprecated by Truv. */
  completed_at?: string | null;
  /** The text that you passed when the link was opened. */
  tracking_info?: string | null;
  /** Whether Truv suspects the data, such as a forged document. */
  is_suspicious?: boolean | null;
  /** The id of the payroll provider, such as adp. */
  provider?: string | null;
  /** Where the data comes from. */
  data_source?: TruvReportDataSource | null;
  /** A link to the report as PDF, which needs no password: keep it secret. */
  pdf_report?: string | null;
  /** The employments, each with its person. */
  employments?: TruvReportEmployment[] | null;
}

/** A name with its logo. */
export interface TruvNameAndLogo {
  /** Truv's id, such as adp. */
  id?: string | null;
  /** The name. */
  name?: string | null;
  /** The address of the logo. */
  logo_url?: string | null;
}

export type TruvLinkStatus =
  | "new" | "login" | "mfa" | "parse" | "base_parse" | "full_parse" | "switch_deposit" | "done"
  | "login_error" | "mfa_error" | "config_error" | "account_locked" | "unable_to_reset"
  | "no_data" | "unavailable" | "error" | "not_supported" | (string & {});

export type TruvLinkAllowedProducts =
  | "income" | "employment" | "deposit_switch" | "pll" | "insurance" | "transactions" | "assets"
  | "admin" | (string & {});

export type TruvLinkInitialProductType =
  | "income" | "employment" | "deposit_switch" | "pll" | "insurance" | "transactions" | "assets"
  | "admin" | (string & {});

export type TruvLinkDataSource =
  | "payroll" | "docs" | "insurance" | "financial_accounts" | "tax" | "scoring_attributes"
  | (string & {});

/**
 * A link, one person's connection to one payroll account: GET /v1/links/{link_id}/. A link has no
 * money. Elsewhere Truv writes money as a decimal string in dollars, without a currency. Only id is
 * required: Wagewire needs it. Every other field may be null or absent, and Truv may add fields and
 * values at any time.
 */
export interface TruvLink {
  /** Truv's id of the link. The field link_id of webhooks. */
  id: string;
  /** The token of the link. Truv masks all but the last digits. */
  access_token?: string | null;
  /**
   * When the link was made, in UTC: RFC 3339, with Z or +00:00, also with a space in place of the
   * T.
   */
  created_at?: string | null;
  /**
   * When the link last changed, in UTC: RFC 3339, with Z or +00:00, also with a space in place of
   * the T.
   */
  updated_at?: string | null;
  /**
   * When the link was deleted, in UTC: RFC 3339, with Z or +00:00, also with a space in place of
   * the T, or null.
   */
  deleted_at?: string | null;
  /** The text that you passed when the link was opened. */
  tracking_info?: string | null;
  /** The status of the last task: a link has no field for connected or not. */
  status?: TruvLinkStatus | null;
  /** Your own identifier of the person. */
  user_external_id?: string | null;
  /** The id of the payroll provider, such as adp. */
  provider_id?: string | null;
  /** The payroll provider. */
  provider?: TruvNameAndLogo | null;
  /** The employer. */
  company_mapping?: TruvNameAndLogo | null;
  /** The same for the same credentials of the same person. */
  link_hash?: string | null;
  /** The products of the link. */
  allowed_products?: TruvLinkAllowedProducts[] | null;
  /** The first product of the link. */
  initial_product_type?: TruvLinkInitialProductType | null;
  /** Where the data comes from. */
  data_source?: TruvLinkDataSource | null;
  /** Whether Truv suspects the data, such as a forged document. */
  is_suspicious?: boolean | null;
  /** Whether the direct deposit can be switched. null: unknown. */
  is_dds_available?: boolean | null;
}

/** The resources that completions are about, as far as this release knows. */
export const resources: readonly string[] = [
  "employment", "identity", "income", "paystubs", "shifts", "verification_reports", "link",
  "notices", "tax_forms", "bank_accounts",
];

/** The records of each provider's resources. */
export interface Records {
  "pinwheel.employment": PinwheelEmployment;
  "pinwheel.identity": PinwheelIdentity;
  "pinwheel.income": PinwheelIncome;
  "pinwheel.paystubs": PinwheelPaystub;
  "pinwheel.shifts": PinwheelShift;
  "pinwheel.verification_reports": PinwheelVoe | PinwheelVoie;
  "pinwheel.link": PinwheelAccount;
  "pinwheel.notices": PinwheelNotice;
  "pinwheel.tax_forms": PinwheelTaxForm;
  "pinwheel.bank_accounts": PinwheelDirectDepositAllocations;
  "truv.employment": TruvEmployment;
  "truv.income": TruvEmployment;
  "truv.identity": TruvProfile;
  "truv.paystubs": TruvStatement;
  "truv.shifts": TruvShift;
  "truv.bank_accounts": TruvBankAccount;
  "truv.verification_reports": TruvReport;
  "truv.link": TruvLink;
}

/** A completion of the provider pinwheel and the resource employment. */
export type PinwheelEmploymentCompletion =
  Completion<Records["pinwheel.employment"]>;

/** A completion of the provider pinwheel and the resource identity. */
export type PinwheelIdentityCompletion =
  Completion<Records["pinwheel.identity"]>;

/** A completion of the provider pinwheel and the resource income. */
export type PinwheelIncomeCompletion =
  Completion<Records["pinwheel.income"]>;

/** A completion of the provider pinwheel and the resource paystubs. */
export type PinwheelPaystubsCompletion =
  Completion<Records["pinwheel.paystubs"]>;

/** A completion of the provider pinwheel and the resource shifts. */
export type PinwheelShiftsCompletion =
  Completion<Records["pinwheel.shifts"]>;

/** A completion of the provider pinwheel and the resource verification_reports. */
export type PinwheelVerificationReportsCompletion =
  Completion<Records["pinwheel.verification_reports"]>;

/** A completion of the provider pinwheel and the resource link. */
export type PinwheelLinkCompletion =
  Completion<Records["pinwheel.link"]>;

/** A completion of the provider pinwheel and the resource notices. */
export type PinwheelNoticesCompletion =
  Completion<Records["pinwheel.notices"]>;

/** A completion of the provider pinwheel and the resource tax_forms. */
export type PinwheelTaxFormsCompletion =
  Completion<Records["pinwheel.tax_forms"]>;

/** A completion of the provider pinwheel and the resource bank_accounts. */
export type PinwheelBankAccountsCompletion =
  Completion<Records["pinwheel.bank_accounts"]>;

/** A completion of the provider truv and the resource employment. */
export type TruvEmploymentCompletion =
  Completion<Records["truv.employment"]>;

/** A completion of the provider truv and the resource income. */
export type TruvIncomeCompletion =
  Completion<Records["truv.income"]>;

/** A completion of the provider truv and the resource identity. */
export type TruvIdentityCompletion =
  Completion<Records["truv.identity"]>;

/** A completion of the provider truv and the resource paystubs. */
export type TruvPaystubsCompletion =
  Completion<Records["truv.paystubs"]>;

/** A completion of the provider truv and the resource shifts. */
export type TruvShiftsCompletion =
  Completion<Records["truv.shifts"]>;

/** A completion of the provider truv and the resource bank_accounts. */
export type TruvBankAccountsCompletion =
  Completion<Records["truv.bank_accounts"]>;

/** A completion of the provider truv and the resource verification_reports. */
export type TruvVerificationReportsCompletion =
  Completion<Records["truv.verification_reports"]>;

/** A completion of the provider truv and the resource link. */
export type TruvLinkCompletion =
  Completion<Records["truv.link"]>;
