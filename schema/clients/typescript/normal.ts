// One model over the records of all providers, for programs that would rather not know how each
// provider spells a paystub. The form is that of schema/jsonschema/normal.v1.json. What the
// provider does not say is absent and not zero. What cannot be read is absent, and listed in
// unread.
//
// Amounts are bigints in minor units, so they are exact; rates and hours are decimals as text. The
// function stringify of the kit writes both as JSON.
import { isLosslessNumber } from "lossless-json";
import type {
  Json, JsonObject, NormalAddress, NormalEmployer, NormalEmployment, NormalIdentity, NormalIncome,
  NormalLine, NormalMoney, NormalPaystub, NormalPhone, NormalRate, NormalRecord, NormalReport,
  NormalShift, NormalSum, NormalTimeOff, NormalYear,
} from "./types.js";

/** There is no model for the provider's resource, such as link, notices and bank_accounts. */
export class NoModel extends Error {
  override readonly name = "NoModel";
}

/** The record is not a JSON object. */
export class NoObject extends Error {
  override readonly name = "NoObject";
}

/**
 * Returns a record that a completion of the provider's resource carries, in the normalised model.
 * The record is not changed. A value that the model cannot take is no error: it is absent, and is
 * listed in unread. employmentId is that of the completion: Truv's statements do not name their
 * employment. The error is NoModel or NoObject.
 */
export function normalOf(
  provider: string, resource: string, record: object, employmentId?: string,
): NormalRecord {
  const map = mappings.get(`${provider}.${resource}`);
  if (!map) throw new NoModel(`no normalised model of ${provider} ${resource}`);
  if (!isObject(record)) throw new NoObject("the record is no JSON object");
  const unread = new Set<string>();
  const [kind, model] = map(new Reader("$", record, unread));
  const normal: NormalRecord = { kind, [kind]: model };
  if (employmentId && normal.paystub) normal.paystub.employment_id ??= employmentId;
  if (unread.size > 0) normal.unread = [...unread].sort();
  return normal;
}

/** Reports whether there is a model for the provider's resource. */
export function hasNormal(provider: string, resource: string): boolean {
  return mappings.has(`${provider}.${resource}`);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !isLosslessNumber(value);
}

/** An object whose members may be undefined. */
type Loose<T> = { [K in keyof T]?: T[K] | undefined };

/** Leaves out the members that are undefined. */
function said<T extends object>(members: Loose<T>): T {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined)) as T;
}

/** Is said, but undefined if no member is left. */
function give<T extends object>(members: Loose<T>): T | undefined {
  const object = said<T>(members);
  return Object.keys(object).length > 0 ? object : undefined;
}

interface Word {
  kind: string;
  word: string;
}

/** Has the kinds of the words of a field. */
type Words = ReadonlyMap<string, string>;

const other = "other";
const wordOf = (table: Words, word: string): Word => ({ kind: table.get(word) ?? other, word });

/** Returns a table of words that mean what they say, and of others with their kinds. */
function words(same: string, others: Record<string, string> = {}): Words {
  const all = same.split(" ").filter(Boolean).map((word) => [word, word] as const);
  return new Map([...all, ...Object.entries(others)]);
}

/** The categories of Truv's deductions that are taxes: Truv lists taxes among the deductions. */
const truvTaxes = {
  federal: "federal_income", state: "state_income", local: "local_income",
  socialsec: "social_security", medicare: "medicare",
};

/**
 * The kinds of words, by field.
 *
 * @internal
 */
export const tables = {
  "employment.status": words("employed terminated furloughed", {
    true: "employed", false: "inactive",
  }),
  "employment.type": words("seasonal contract", {
    F: "full_time", P: "part_time", S: "seasonal", D: "per_diem", C: "contract",
    "full time": "full_time", "part time": "part_time", "per diem": "per_diem",
  }),
  "income.unit": words("hourly daily weekly monthly variable per_mile", {
    "bi-weekly": "biweekly", "semi-weekly": "semiweekly", "semi-monthly": "semimonthly",
    annually: "yearly", YEARLY: "yearly", MONTHLY: "monthly", WEEKLY: "weekly", DAILY: "daily",
    HOURLY: "hourly",
  }),
  "income.pay_frequency": words("daily weekly monthly variable", {
    "bi-weekly": "biweekly", "semi-monthly": "semimonthly", M: "monthly", SM: "semimonthly",
    W: "weekly", BW: "biweekly", A: "yearly", SA: "semiannually", C: "commission",
  }),
  "paystub.basis": words("", {
    S: "salary", H: "hourly", D: "daily", W: "weekly", M: "monthly", C: "contract",
  }),
  "earning.category": words("salary hourly overtime double_overtime premium bonus commission " +
    "tips vacation holiday pto sick employer_contribution other fare unpaid parental " +
    "shift_differential bereavement life_insurance stock retirement medical meal_comp disability " +
    "retro_pay regular", {
    other_pay: other,
  }),
  "tax.category": words("federal_income social_security medicare state_income local_income other",
    truvTaxes),
  "deduction.category": words("retirement medical_insurance hsa fsa dental vision life_insurance " +
    "disability child_support commuter union_dues stock charity savings tips wage_garnishment " +
    "lending company_perk tax loan job_expense other fees reallocation retro_pay memo benefit", {
    garnishment: "wage_garnishment",
  }),
  "deduction.timing": words("pre_tax post_tax unknown"),
  "time_off.category": words("pto sick other"),
  "phone.type": words("home work mobile"),
  "shift.type": words("shift rideshare delivery other"),
  "report.type": words("voe voie base"),
};

/**
 * A decimal number: the digits, without zeros at either end, times ten to the power of exponent.
 */
interface Decimal {
  sign: string;
  digits: string;
  exponent: number;
}

/** A short text with an exponent could stand for gigabytes. */
const digitsMax = 100;
const exponentMax = 9999;

function parseDecimal(text: string): Decimal | undefined {
  const parts = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(text);
  if (!parts) return undefined;
  const [, sign = "", whole = "", fraction = "", power = "0"] = parts;
  if (!(Math.abs(Number(power)) <= exponentMax)) return undefined;
  const digits = trimLeft(whole + fraction);
  const short = trimRight(digits);
  if (short === "") return { sign: "", digits: "", exponent: 0 };
  const exponent = Number(power) + digits.length - short.length - fraction.length;
  return { sign, digits: short, exponent };
}

// A loop, because a regular expression for the zeros at the end takes squared time.
function trimLeft(digits: string): string {
  let begin = 0;
  while (digits[begin] === "0") begin++;
  return digits.slice(begin);
}

function trimRight(digits: string): string {
  let end = digits.length;
  while (digits[end - 1] === "0") end--;
  return digits.slice(0, end);
}

/** Writes a number without an exponent, or undefined if that takes too many digits. */
function spell({ sign, digits, exponent }: Decimal): string | undefined {
  if (digits === "") return "0";
  const whole = Math.max(digits.length + exponent, 1);
  if (whole + Math.max(-exponent, 0) > digitsMax) return undefined;
  let text = digits + "0".repeat(Math.max(exponent, 0));
  if (exponent < 0) {
    text = text.padStart(1 - exponent, "0");
    text = `${text.slice(0, exponent)}.${text.slice(exponent)}`;
  }
  return sign + text;
}

function wholeOf(number: Decimal): bigint | undefined {
  const text = spell(number);
  if (text === undefined || text.includes(".")) return undefined;
  const whole = BigInt(text);
  return BigInt.asIntN(64, whole) === whole ? whole : undefined;
}

const shift = (number: Decimal, places: number): Decimal =>
  number.digits === "" ? number : { ...number, exponent: number.exponent + places };

function parseDate(text: string): string | undefined {
  const parts = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/.exec(text);
  const [year, month, day] = (parts ?? []).slice(1).map(Number);
  if (!year || !month || !day || month > 12) return undefined;
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
  return day <= days ? text : undefined;
}

const clock = "(?:[01][0-9]|2[0-3]):[0-5][0-9]";
const timeForm = new RegExp(
  `^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ](${clock}:[0-5][0-9])(?:\\.([0-9]{1,9}))?(Z|[+-]${clock})$`);

/** Reads RFC 3339 with T or a space before the time of day. */
function parseTime(text: string): string | undefined {
  const [, date = "", time = "", digits = "", zone = ""] = timeForm.exec(text) ?? [];
  if (parseDate(date) === undefined) return undefined;
  const fraction = trimRight(digits);
  const isUTC = zone === "+00:00" || zone === "-00:00";
  return `${date}T${time}${fraction && "."}${fraction}${isUTC ? "Z" : zone}`;
}

/** How a number is written. */
type Form = "number" | "text";

/**
 * How a provider writes amounts: in which form and currency, and with how many digits of the minor
 * unit behind the point. A wrong form is not read, because it may tell of another unit.
 */
interface Unit {
  form: Form;
  currency: string | undefined;
  places: number;
}

/**
 * Reads the members of an object: null, an absent member and an empty text are the same. A member
 * that is something else than the method reads goes to unread, and counts as absent.
 */
class Reader {
  constructor(
    readonly path: string, readonly members: JsonObject, readonly unread: Set<string>,
  ) {}

  #reject(name: string): undefined {
    this.unread.add(`${this.path}.${name}`);
    return undefined;
  }

  /** Returns the value of a member, or undefined if there is none. */
  member(name: string): Json | undefined {
    return Object.hasOwn(this.members, name) ? this.members[name] ?? undefined : undefined;
  }

  text(name: string): string | undefined {
    const value = this.member(name);
    if (value === undefined || value === "") return undefined;
    return typeof value === "string" ? value : this.#reject(name);
  }

  /** Reads a text by a function that returns undefined for another form. */
  #read(name: string, parse: (text: string) => string | undefined): string | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : parse(text) ?? this.#reject(name);
  }

  date(name: string): string | undefined {
    return this.#read(name, parseDate);
  }

  time(name: string): string | undefined {
    return this.#read(name, parseTime);
  }

  currency(name: string): string | undefined {
    return this.#read(name, (text) => (/^[A-Z]{3}$/.test(text) ? text : undefined));
  }

  /** Reads the last four digits of a text that ends with four digits. */
  lastFour(name: string): string | undefined {
    return this.#read(name, (text) => /[0-9]{4}$/.exec(text)?.[0]);
  }

  word(name: string, table: Words): Word | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : wordOf(table, text);
  }

  /** Reads a text in the employer's words: "Full-Time" is looked up as "full time". */
  plainWord(name: string, table: Words): Word | undefined {
    const word = this.text(name);
    if (word === undefined) return undefined;
    const plain = word.replace(/[A-Z]/g, (letter) => letter.toLowerCase()).replace(/[-_]/g, " ");
    return { kind: wordOf(table, plain).kind, word };
  }

  /** Reads true or false as a word of the table. */
  flag(name: string, table: Words): Word | undefined {
    const value = this.member(name);
    if (value === undefined) return undefined;
    return typeof value === "boolean" ? wordOf(table, String(value)) : this.#reject(name);
  }

  /**
   * Reads a number by a function that returns undefined for a number that the model cannot take.
   */
  #number<T>(
    name: string, forms: Form[], take: (number: Decimal) => T | undefined,
  ): T | undefined {
    const value = this.member(name);
    if (value === undefined || value === "") return undefined;
    const form = typeof value === "string" ? "text" : "number";
    const isNumeral = typeof value === "string" || isLosslessNumber(value);
    const number = isNumeral && forms.includes(form) ? parseDecimal(String(value)) : undefined;
    return number ? take(number) ?? this.#reject(name) : this.#reject(name);
  }

  decimal(name: string): string | undefined {
    return this.#number(name, ["number", "text"], spell);
  }

  whole(name: string, form: Form): bigint | undefined {
    return this.#number(name, [form], wholeOf);
  }

  /** Reads an amount in whole minor units. */
  money(name: string, { form, currency, places }: Unit): NormalMoney | undefined {
    const minor = this.#number(name, [form], (number) => wholeOf(shift(number, places)));
    return minor === undefined ? undefined : said<NormalMoney>({ minor, currency });
  }

  /** Reads an amount that may have parts of a minor unit. */
  rate(name: string, { form, currency, places }: Unit): NormalRate | undefined {
    const minor = this.#number(name, [form], (number) => spell(shift(number, places)));
    return minor === undefined ? undefined : said<NormalRate>({ minor, currency });
  }

  object(name: string): Reader | undefined {
    const value = this.member(name);
    if (value === undefined) return undefined;
    return isObject(value) ? this.#open(name, value) : this.#reject(name);
  }

  #open(name: string, value: JsonObject): Reader {
    return new Reader(`${this.path}.${name}`, value, this.unread);
  }

  /** Reads a list. The function returns undefined for an element that is something else. */
  #list<T>(name: string, element: (value: Json, at: string) => T | undefined): T[] | undefined {
    const value = this.member(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) return this.#reject(name);
    return value.flatMap((one, i) => {
      if (one === null) return [];
      const at = `${name}[${i}]`;
      const read = element(one, at);
      if (read !== undefined) return [read];
      this.#reject(at);
      return [];
    });
  }

  objects<T>(name: string, read: (element: Reader) => T): T[] | undefined {
    return this.#list(name, (value, at) =>
      isObject(value) ? read(this.#open(at, value)) : undefined);
  }

  /** Reads a list of texts. Empty ones are left out. */
  texts(name: string): string[] | undefined {
    const read = this.#list(name, (value) => (typeof value === "string" ? value : undefined));
    return read?.filter((text) => text !== "");
  }
}

type Kind = "employment" | "identity" | "income" | "paystub" | "report" | "shift";

/** Reads a record of a resource. */
type Mapping = (o: Reader) => [Kind, object];

// Pinwheel writes amounts as integers in cents. That cents are the minor unit of every currency,
// also of one without cents, is an inference.
const pinwheelUnit = (o: Reader): Unit =>
  ({ form: "number", currency: o.currency("currency"), places: 0 });

function pinwheelEmployment(o: Reader): NormalEmployment {
  return said<NormalEmployment>({
    id: o.text("id"),
    account_id: o.text("account_id"),
    employer: pinwheelEmployer(o),
    status: o.word("status", tables["employment.status"]),
    title: o.text("title"),
    start_date: o.date("start_date"),
    end_date: o.date("termination_date"),
    created_at: o.time("created_at"),
    updated_at: o.time("updated_at"),
  });
}

function pinwheelEmployer(o: Reader): NormalEmployer | undefined {
  const phone = o.object("employer_phone_number");
  return give<NormalEmployer>({
    name: o.text("employer_name"),
    address: pinwheelAddress(o, "employer_address"),
    phone: phone && give(pinwheelPhone(phone)),
  });
}

function pinwheelAddress(o: Reader, name: string): NormalAddress | undefined {
  const address = o.object(name);
  return address && give<NormalAddress>({
    text: address.text("raw"),
    line1: address.text("line1"),
    line2: address.text("line2"),
    city: address.text("city"),
    state: address.text("state"),
    postal_code: address.text("postal_code"),
    country: address.text("country"),
  });
}

function pinwheelPhone(o: Reader): NormalPhone {
  return said<NormalPhone>({ number: o.text("value"), type: o.word("type", tables["phone.type"]) });
}

function pinwheelIdentity(o: Reader): NormalIdentity {
  return said<NormalIdentity>({
    id: o.text("id"),
    account_id: o.text("account_id"),
    full_name: o.text("full_name"),
    date_of_birth: o.date("date_of_birth"),
    last_four_ssn: o.lastFour("last_four_ssn"),
    address: pinwheelAddress(o, "address"),
    emails: o.texts("emails"),
    phones: o.objects("phone_numbers", pinwheelPhone),
    created_at: o.time("created_at"),
    updated_at: o.time("updated_at"),
  });
}

function pinwheelIncome(o: Reader): NormalIncome {
  const unit = pinwheelUnit(o);
  return said<NormalIncome>({
    id: o.text("id"),
    account_id: o.text("account_id"),
    compensation: o.rate("compensation_amount", unit),
    unit: o.word("compensation_unit", tables["income.unit"]),
    pay_frequency: o.word("pay_frequency", tables["income.pay_frequency"]),
    years: o.objects("annual_incomes", (year) => pinwheelYear(year, unit)),
    created_at: o.time("created_at"),
    updated_at: o.time("updated_at"),
  });
}

function pinwheelYear(o: Reader, unit: Unit): NormalYear {
  return said<NormalYear>({
    year: o.whole("year", "text"),
    gross_pay: o.money("gross_pay_ytd", unit),
    net_pay: o.money("net_pay_ytd", unit),
    taxes: o.money("total_taxes_ytd", unit),
    deductions: o.money("total_deductions_ytd", unit),
    reimbursements: o.money("total_reimbursements_ytd", unit),
    sums: o.objects("earnings_ytds", (sum) => said<NormalSum>({
      category: sum.word("category", tables["earning.category"]),
      amount: sum.money("amount", unit),
    })),
  });
}

function pinwheelPaystub(o: Reader): NormalPaystub {
  const unit = pinwheelUnit(o);
  return said<NormalPaystub>({
    id: o.text("id"),
    account_id: o.text("account_id"),
    external_id: o.text("external_paystub_id"),
    employer: pinwheelEmployer(o),
    pay_date: o.date("pay_date"),
    period_start: o.date("pay_period_start"),
    period_end: o.date("pay_period_end"),
    gross_pay: o.money("gross_pay_amount", unit),
    net_pay: o.money("net_pay_amount", unit),
    gross_pay_ytd: o.money("gross_pay_ytd", unit),
    net_pay_ytd: o.money("net_pay_ytd", unit),
    check_amount: o.money("check_amount", unit),
    total_taxes: o.money("total_taxes", unit),
    total_deductions: o.money("total_deductions", unit),
    total_reimbursements: o.money("total_reimbursements", unit),
    earnings: o.objects("earnings", (line) => pinwheelEarning(line, unit)),
    taxes: o.objects("taxes", (line) => lineOf(line, tables["tax.category"], unit)),
    deductions: o.objects("deductions", (line) => said<NormalLine>({
      ...lineOf(line, tables["deduction.category"], unit),
      timing: line.word("type", tables["deduction.timing"]),
    })),
    time_off: o.objects("time_off", pinwheelTimeOff),
    created_at: o.time("created_at"),
  });
}

function lineOf(o: Reader, table: Words, unit: Unit): NormalLine {
  return said<NormalLine>({
    name: o.text("name"),
    category: o.word("category", table),
    amount: o.money("amount", unit),
  });
}

function pinwheelEarning(o: Reader, unit: Unit): NormalLine {
  return said<NormalLine>({
    ...lineOf(o, tables["earning.category"], unit),
    rate: o.rate("rate", unit),
    hours: o.decimal("hours"),
  });
}

function pinwheelTimeOff(o: Reader): NormalTimeOff {
  return said<NormalTimeOff>({
    name: o.text("name"),
    category: o.word("category", tables["time_off.category"]),
    available_hours: o.decimal("available_hours"),
    earned_hours: o.decimal("earned_hours"),
    used_hours: o.decimal("used_hours"),
  });
}

function pinwheelShift(o: Reader): NormalShift {
  const unit = pinwheelUnit(o);
  return said<NormalShift>({
    id: o.text("id"),
    account_id: o.text("account_id"),
    type: o.word("type", tables["shift.type"]),
    start_date: o.date("start_date"),
    end_date: o.date("end_date"),
    zone: o.text("timezone"),
    spans: o.objects("timestamps", (span) =>
      said({ from: span.time("from"), to: span.time("to") })),
    earnings: o.objects("earnings", (line) => pinwheelEarning(line, unit)),
    created_at: o.time("created_at"),
  });
}

function pinwheelReport(o: Reader): NormalReport {
  return said<NormalReport>({
    id: o.text("id"),
    type: o.word("report_type", tables["report.type"]),
    identity: pinwheelEmployee(o),
    employments: o.objects("employments", pinwheelReportEmployment),
    updated_at: o.time("updated_at"),
    refreshed_at: o.time("refreshed_at"),
  });
}

/** Reads the person of a report: an identity whose name has parts. */
function pinwheelEmployee(o: Reader): NormalIdentity | undefined {
  const person = o.object("employee");
  if (!person) return undefined;
  const identity = pinwheelIdentity(person);
  const name = person.object("name");
  return name ? said<NormalIdentity>({
    ...identity,
    full_name: name.text("full_name"),
    first_name: name.text("first_name"),
    middle_name: name.text("middle_name"),
    last_name: name.text("last_name"),
  }) : identity;
}

function pinwheelReportEmployment(o: Reader): NormalEmployment {
  const income = o.object("income");
  return said<NormalEmployment>({
    ...pinwheelEmployment(o),
    status: o.word("employment_status", tables["employment.status"]),
    type: o.plainWord("employment_type", tables["employment.type"]),
    last_pay_date: o.date("most_recent_pay_date"),
    duration_months: o.whole("employment_duration_months", "number"),
    income: income && pinwheelIncome(income),
    paystubs: income?.objects("paystubs", pinwheelPaystub),
  });
}

// Truv writes amounts as text, in whole units with a point. That the currency is the US dollar is
// an inference: Truv states no currency, and its data has social security numbers and W-2 forms.
const truvUnit: Unit = { form: "text", currency: "USD", places: 2 };

/** Reads EmploymentLinked, and the Employment and EmploymentIncome of reports. */
function truvEmployment(o: Reader): NormalEmployment {
  const income = truvIncome(o);
  const profile = o.object("profile");
  return said<NormalEmployment>({
    id: o.text("id"),
    employer: truvEmployer(o),
    status: o.flag("is_active", tables["employment.status"]),
    type: o.word("job_type", tables["employment.type"]),
    title: o.text("job_title"),
    manager: o.text("manager_name"),
    start_date: o.date("start_date"),
    first_hire_date: o.date("original_hire_date"),
    end_date: o.date("end_date"),
    updated_on: o.date("external_last_updated"),
    income: give(income),
    paystubs: o.objects("statements", truvPaystub),
    identity: profile && truvIdentity(profile),
  });
}

function truvEmployer(o: Reader): NormalEmployer | undefined {
  const company = o.object("company");
  if (!company) return undefined;
  const number = company.text("phone");
  return give<NormalEmployer>({
    name: company.text("name"),
    address: truvAddress(company, "address"),
    phone: number === undefined ? undefined : { number },
    ein: company.text("ein"),
  });
}

function truvAddress(o: Reader, name: string): NormalAddress | undefined {
  const address = o.object(name);
  return address && give<NormalAddress>({
    line1: address.text("street"),
    city: address.text("city"),
    state: address.text("state"),
    postal_code: address.text("zip"),
    country: address.text("country"),
  });
}

/** Reads the members about income, of an employment. */
function truvIncome(o: Reader): NormalIncome {
  return said<NormalIncome>({
    compensation: o.rate("income", truvUnit),
    unit: o.word("income_unit", tables["income.unit"]),
    cycle_pay: o.rate("pay_rate", truvUnit),
    pay_frequency: o.word("pay_frequency", tables["income.pay_frequency"]),
    years: o.objects("annual_income_summary", (year) => said<NormalYear>({
      year: year.whole("year", "number"),
      gross_pay: year.money("gross_pay", truvUnit),
      net_pay: year.money("net_pay", truvUnit),
      sums: truvSums(year),
    })),
  });
}

/** Reads the sums by kind of pay, which stand beside the lines in members of their own. */
function truvSums(o: Reader): NormalSum[] | undefined {
  const sums = ["regular", "overtime", "bonus", "commission", "other_pay"].flatMap((name) => {
    const amount = o.money(name, truvUnit);
    const ytd = o.money(`${name}_ytd`, truvUnit);
    if (!amount && !ytd) return [];
    return [said<NormalSum>({ category: wordOf(tables["earning.category"], name), amount, ytd })];
  });
  return sums.length > 0 ? sums : undefined;
}

function truvPaystub(o: Reader): NormalPaystub {
  const lines = truvDeductions(o, "deductions");
  const linesYTD = truvDeductions(o, "deductions_ytd");
  return said<NormalPaystub>({
    id: o.text("id"),
    employment_id: o.text("employment_id"),
    external_id: o.text("check_number"),
    pay_date: o.date("pay_date"),
    period_start: o.date("period_start"),
    period_end: o.date("period_end"),
    gross_pay: o.money("gross_pay", truvUnit),
    net_pay: o.money("net_pay", truvUnit),
    gross_pay_ytd: o.money("gross_pay_ytd", truvUnit),
    net_pay_ytd: o.money("net_pay_ytd", truvUnit),
    hours: o.decimal("hours"),
    basis: o.word("basis_of_pay", tables["paystub.basis"]),
    earnings: o.objects("earnings", truvEarning),
    earnings_ytd: o.objects("earnings_ytd", truvEarning),
    taxes: lines?.taxes,
    taxes_ytd: linesYTD?.taxes,
    deductions: lines?.deductions,
    deductions_ytd: linesYTD?.deductions,
    sums: truvSums(o),
  });
}

function truvEarning(o: Reader): NormalLine {
  return said<NormalLine>({
    ...lineOf(o, tables["earning.category"], truvUnit),
    rate: o.rate("rate", truvUnit),
    units: o.decimal("units"),
  });
}

const isTruvTax = (category: string | undefined): boolean =>
  category !== undefined && Object.hasOwn(truvTaxes, category);

/** Reads a list of deductions, and parts its taxes from the others. */
function truvDeductions(
  o: Reader, name: string,
): { taxes: NormalLine[]; deductions: NormalLine[] } | undefined {
  const lines = o.objects(name, (line) =>
    lineOf(line, tables[isTruvTax(line.text("category")) ? "tax.category" : "deduction.category"],
      truvUnit));
  return lines && {
    taxes: lines.filter((line) => isTruvTax(line.category?.word)),
    deductions: lines.filter((line) => !isTruvTax(line.category?.word)),
  };
}

function truvShift(o: Reader): NormalShift {
  return said<NormalShift>({
    id: o.text("id"),
    external_id: o.text("external_id"),
    type: o.word("type", tables["shift.type"]),
    start_date: o.date("start_date"),
    end_date: o.date("end_date"),
    spans: o.objects("time_entries", (entry) =>
      said({ date: entry.date("entry_date"), from: entry.time("start"), to: entry.time("end") })),
    earnings: o.objects("earnings", truvEarning),
    created_at: o.time("created_at"),
    updated_at: o.time("updated_at"),
  });
}

function truvIdentity(o: Reader): NormalIdentity {
  const email = o.text("email");
  return said<NormalIdentity>({
    id: o.text("id"),
    full_name: o.text("full_name"),
    first_name: o.text("first_name"),
    middle_name: o.text("middle_initials"),
    last_name: o.text("last_name"),
    date_of_birth: o.date("date_of_birth"),
    last_four_ssn: o.lastFour("ssn"),
    address: truvAddress(o, "home_address"),
    emails: email === undefined ? undefined : [email],
    created_at: o.time("created_at"),
    updated_at: o.time("updated_at"),
  });
}

/**
 * Reads EmploymentCheck and IncomeCheck. Each of their employments has a person of its own. The
 * deprecated completed_at counts if a report has no finished_at.
 */
function truvReport(o: Reader): NormalReport {
  const finished = o.member("finished_at") === undefined ? "completed_at" : "finished_at";
  return said<NormalReport>({
    id: o.text("id"),
    status: o.text("status"),
    employments: o.objects("employments", truvEmployment),
    finished_at: o.time(finished),
  });
}

/** Whether the record lists employments, and is not one employment. */
const isReport = (o: Reader): boolean => o.member("employments") !== undefined;

const mappings = new Map<string, Mapping>([
  ["pinwheel.employment", (o) => ["employment", pinwheelEmployment(o)]],
  ["pinwheel.identity", (o) => ["identity", pinwheelIdentity(o)]],
  ["pinwheel.income", (o) => ["income", pinwheelIncome(o)]],
  ["pinwheel.paystubs", (o) => ["paystub", pinwheelPaystub(o)]],
  ["pinwheel.shifts", (o) => ["shift", pinwheelShift(o)]],
  ["pinwheel.verification_reports", (o) => ["report", pinwheelReport(o)]],
  ["truv.employment", (o) =>
    isReport(o) ? ["report", truvReport(o)] : ["employment", truvEmployment(o)]],
  ["truv.identity", (o) => ["identity", truvIdentity(o)]],
  ["truv.income", (o) => isReport(o) ? ["report", truvReport(o)] : ["income",
    said({ ...truvIncome(o), id: o.text("id"), employer: truvEmployer(o) })]],
  ["truv.paystubs", (o) => ["paystub", truvPaystub(o)]],
  ["truv.shifts", (o) => ["shift", truvShift(o)]],
  ["truv.verification_reports", (o) => ["report", truvReport(o)]],
]);
