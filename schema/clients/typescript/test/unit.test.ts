// Tests without a broker: npm test.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  asideDirectory, checkDepth, checkGrant, Completion, Mirror, normalOf, Outcomes, pauseAfter,
  Poison, Splitter,
} from "../wagewire.js";
import type { LosslessNumber, PinwheelPaystub } from "../wagewire.js";

const bytes = (text: string) => new TextEncoder().encode(text);
const nothing = () => Promise.resolve(undefined);

test("a resource that the durable does not deliver is an error:", async (t) => {
  for (const [promise, filters, resources, want] of [
    ["what is granted is no error, at one provider or at all",
      ["wagewire.completions.truv.income.>", "wagewire.completions.*.shifts.>"],
      ["income", "shifts"], ""],
    ["a durable of another tool may have wildcards",
      ["wagewire.completions.*.*.a-1.>"], ["income"], ""],
    ["a wildcard may be the end", ["wagewire.completions.truv.>"], ["income"], ""],
    ["a durable may have no filter", undefined, ["income"], ""],
    ["a program without resources takes what comes",
      ["wagewire.completions.truv.income.>"], [], ""],
    ["each lacking resource is named once, behind what is granted; links come anyway",
      ["wagewire.completions.pinwheel.income.>", "wagewire.completions.truv.income.>",
        "wagewire.completions.truv.link.>"],
      ["shifts", "income", "bank_accounts", "shifts"],
      "durable small_2 does not deliver shifts, bank_accounts: the operator grants it with " +
      "`wagewire team add small --resources income,shifts,bank_accounts`"],
  ] as [string, string[] | undefined, string[], string][]) {
    await t.test(promise, () => {
      let got = "";
      try {
        checkGrant("small", "small_2", filters ? { filter_subjects: filters } : {}, resources);
      } catch (error) {
        got = (error as Error).message;
      }
      assert.equal(got, want);
    });
  }
});

test("a single filter of a durable counts too", () => {
  const config = { filter_subject: "wagewire.completions.truv.income.>" };
  checkGrant("small", "small", config, ["income"]);
  assert.throws(() => checkGrant("small", "small", config, ["shifts"]));
});

test("the pause grows from 1 s to 10 min", () => {
  const pauses = [1, 2, 3, 4, 10, 11, 20, 1_000_000].map(pauseAfter);
  assert.deepEqual(pauses, [1000, 2000, 4000, 8000, 512_000, 600_000, 600_000, 600_000]);
});

test("records are split alike, wherever the text is cut", () => {
  const records = ['{"a":"]},{[\\"\\\\"}', '{"b":[1,{"c":2}]}', '{}', ' 1.50 ', '"é, 𝄞"'];
  const text = bytes(` [${records.join(",")}] \n`);
  for (let cut = 0; cut <= text.length; cut++) {
    const splitter = new Splitter();
    const parts = [...splitter.add(text.slice(0, cut)), ...splitter.add(text.slice(cut))];
    splitter.end();
    assert.deepEqual(parts.map((part) => Buffer.from(part).toString()), records);
    assert.equal(splitter.count, records.length);
  }
});

test("an empty array has no records", () => {
  for (const text of ["[]", " [ ] "]) {
    const splitter = new Splitter();
    assert.deepEqual(splitter.add(bytes(text)), []);
    splitter.end();
    assert.equal(splitter.count, 0);
  }
});

test("a text is refused as records if it", async (t) => {
  for (const [promise, text] of [
    ["is an object", "{}"], ["ends early", '[{"a":1}'], ["goes on behind the array", "[1]2"],
    ["has two arrays", "[1][2]"], ["ends an object too often", "[1}"], ["is empty", ""],
    ["is nested too deep", "[".repeat(100_000)],
  ] as const) {
    await t.test(promise, () => {
      const splitter = new Splitter();
      assert.throws(() => {
        splitter.add(bytes(text));
        splitter.end();
      }, Poison);
    });
  }
});

test("a message may be nested in 100 levels, and no deeper", () => {
  const nested = (levels: number) => bytes("[".repeat(levels) + '"[\\"["' + "]".repeat(levels));
  checkDepth(nested(100));
  assert.throws(() => checkDepth(nested(101)), Poison);
  assert.throws(() => checkDepth(bytes("[".repeat(100_000))), Poison);
});

// A word is what happened: + a completion was taken, a number failed, and -1 was settled.
test("a completion fails alone, twice in a row:", async (t) => {
  for (const [promise, story, want] of [
    ["not the first time", "+ 1", false],
    ["not the second time", "1 + 1", false],
    ["if others were taken before both of its last failures", "1 + 1 + 1", true],
    ["not if none was taken since its last failure", "1 + 1 + 1 1", false],
    ["not if it was not alone in between", "1 + 1 1 + 1", false],
    ["not if another one failed after that", "1 + 1 + 2 1", false],
    ["not if another one failed after that the time before", "1 + 2 1 + 1", false],
    ["also if another one failed before", "1 2 + 1 2 + 1", true],
    ["not if another one failed and was taken out", "1 2 + 1 -1 2 + 1 -1 2", false],
    ["if it was alone again after an outage", "1 2 3 + 3 1 2 + 1 + 1", true],
    ["not among those of an outage", "1 2 3 4 1 2 3 4 1 2 3 4", false],
    ["no one of those of an outage with one call in the middle", "1 2 3 + 1 2 3 + 2 1 3", false],
    ["no one of those of a database that is back again and again",
      "1 2 3 + 1 2 3 + 2 3 1 + 3 1 2 + 1", false],
  ] as const) {
    await t.test(promise, () => {
      const outcomes = new Outcomes();
      let last = false;
      for (const word of story.split(" ")) {
        if (word === "+") outcomes.take();
        else if (word.startsWith("-")) outcomes.forget(-Number(word));
        else last = outcomes.fail(Number(word));
      }
      assert.equal(last, want);
    });
  }
});

test("a message needs an id, a provider, a resource and an outcome, and no more", async () => {
  const data = { provider: "p", resource: "r", outcome: "o" };
  for (const message of [
    { data }, { id: "", data }, { id: "i" }, { id: "i", data: [] },
    ...Object.keys(data).map((name) => ({ id: "i", data: { ...data, [name]: null } })),
  ]) {
    const text = bytes(JSON.stringify(message));
    assert.throws(() => new Completion(text, 1, 1, nothing), Poison);
  }
  for (const [more, count] of [
    [{}, 0], [{ records: null, records_ref: null, deleted: null, error: null, redrive: "1" }, 0],
    [{ records: [null, 1, {}], from: 5 }, 3],
  ] as const) {
    const text = bytes(JSON.stringify({ id: "i", data: { ...data, ...more } }));
    const completion = new Completion(text, 1, 1, nothing);
    const records = [];
    for await (const record of completion.records()) records.push(record);
    assert.equal(records.length, count);
    const first = "0001-01-01T00:00:00.000000000Z";
    assert.equal(completion.order, `${first}/${first}/i`);
  }
});

test("of records that are no JSON none is handed out", async () => {
  const text = bytes('[{"id":"1"},{"id":nonsense}]');
  const ref = {
    subject: "s", chunks: 1, count: 2, bytes: text.length,
    sha256: createHash("sha256").update(text).digest("hex"),
  };
  const data = { provider: "p", resource: "r", outcome: "o", records_ref: ref };
  const message = bytes(JSON.stringify({ id: "i", data }));
  const completion = new Completion(message, 1, 1, () => Promise.resolve(text));
  await assert.rejects(completion.records().next(), Poison);
});

test("poison goes to files of its own, whatever lies in the directory", async () => {
  const dir = await mkdtemp(join(tmpdir(), "wagewire-aside-"));
  try {
    const elsewhere = join(dir, "elsewhere");
    await writeFile(elsewhere, "before", { mode: 0o644 });
    await symlink(elsewhere, join(dir, "S-1.json"));
    await symlink(elsewhere, join(dir, "S-1.json.tmp"));
    await writeFile(join(dir, "S-1.why.txt.tmp"), "", { mode: 0o644 });
    await writeFile(join(dir, "S-1.why.txt"), "", { mode: 0o644 });
    const before = (await readdir(dir)).sort();
    await asideDirectory(dir)({ stream: "S", sequence: 1, raw: bytes("pay"), reason: "why" });
    for (const [name, want] of [["S-1.json", "pay"], ["S-1.why.txt", "why\n"]] as const) {
      assert.equal(await readFile(join(dir, name), "utf8"), want);
      assert.equal((await stat(join(dir, name))).mode & 0o777, 0o600);
    }
    assert.equal(await readFile(elsewhere, "utf8"), "before");
    assert.deepEqual((await readdir(dir)).sort(), before);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test("poison that cannot be written leaves no file behind", async () => {
  const dir = await mkdtemp(join(tmpdir(), "wagewire-aside-"));
  try {
    await mkdir(join(dir, "S-1.why.txt"));
    const aside = asideDirectory(dir);
    await assert.rejects(aside({ stream: "S", sequence: 1, raw: bytes("pay"), reason: "why" }));
    assert.deepEqual(await readdir(dir), ["S-1.why.txt"]);
  } finally {
    await rm(dir, { recursive: true });
  }
});

interface Words {
  day: number;
  scope: string | null;
  records?: string[];
  deleted?: string[];
  from?: string;
  to?: string;
  outcome?: string;
  provider?: string;
  resource?: string;
  employment_id?: string;
  records_raw?: object[];
}

// A completion of a day of January 2026. A record is an id of a paystub, paid on the day in its
// name.
function completionOf(words: Words): Completion {
  const { day, scope, records = [], deleted = [], from = null, to = null } = words;
  const at = `2026-01-${String(day).padStart(2, "0")}T00:00:00.000000000Z`;
  const { provider = "pinwheel", resource = "paystubs", employment_id } = words;
  const id = `${provider}:${scope}-${day}:${resource}`;
  return new Completion(bytes(JSON.stringify({
    id, subject: "a-1", time: at, sequence: `${at}/${at}/${id}`,
    data: {
      provider, resource, outcome: words.outcome ?? "succeeded", event: {},
      scope, from, to, deleted, employment_id,
      records: words.records_raw ??
        records.map((id) => ({ id, pay_date: `2025-12-${id.slice(1)}` })),
    },
  })), day, 1, nothing);
}

// A shuffle that gives the same order for the same seed.
function shuffled<T>(list: T[], seed: number): T[] {
  const copy = [...list];
  let state = seed + 1;
  for (let i = copy.length - 1; i > 0; i--) {
    state = (state * 48271) % 2147483647;
    const j = state % (i + 1);
    [copy[i], copy[j]] = [copy[j] as T, copy[i] as T];
  }
  return copy;
}

const window = {
  day: 2, scope: "window", records: ["p20", "p24"], from: "2025-12-19", to: "2025-12-26",
};
const first = { day: 1, scope: "delta", records: ["p10", "p11"] };
const snapshot = { day: 4, scope: "snapshot", records: ["p10", "p20"] };

test("completions give the same records in every order:", async (t) => {
  for (const [promise, all, want] of [
    ["a delta adds and replaces", [
      { day: 1, scope: "delta", records: ["p10", "p20"] },
      { day: 3, scope: "delta", records: ["p20", "p30"] },
    ], "p10 p20 p30"],
    ["a window replaces what it covers", [
      { day: 1, scope: "delta", records: ["p18", "p22"] }, window,
    ], "p18 p20 p24"],
    ["a snapshot replaces everything older, and nothing newer", [
      first, window, snapshot, { day: 5, scope: "delta", records: ["p30"] },
    ], "p10 p20 p30"],
    ["statements of one employment leave those of the other", [
      { day: 1, scope: "delta", records: ["p10", "p24"] },
      { day: 2, scope: "delta", records: ["p11", "p25"] },
      { day: 3, scope: "delta", records: ["p10", "p31"] },
    ], "p10 p11 p24 p25 p31"],
    ["a record without a date is in no window", [
      { day: 1, scope: "delta", records_raw: [
        { id: "p00", pay_date: null }, { id: "p01", pay_date: "" }, { id: "p02" },
      ] },
      { day: 2, scope: "window", to: "2025-12-26" },
    ], "p00 p01 p02"],
    ["what was deleted stays deleted, until a newer completion has it", [
      first, snapshot, { day: 6, scope: "delta", deleted: ["p10"] },
      { day: 7, scope: "delta", records: ["p31"] },
      { day: 8, scope: "window", records: ["p26"], from: "2025-12-25" },
      { day: 9, scope: null, records: ["p27"] },
    ], "p20 p26"],
    ["nothing is left of a deleted account, whatever comes later", [
      first, { day: 5, scope: null, outcome: "deleted", resource: "link" }, snapshot,
      { day: 7, scope: "delta", records: ["p31"] },
    ], ""],
  ] as [string, Words[], string][]) {
    await t.test(promise, async () => {
      const completions = all.map(completionOf);
      const records = new Map<Completion, object[]>();
      for (const completion of completions) {
        const list: object[] = [];
        for await (const record of completion.records()) list.push(record);
        records.set(completion, list);
      }
      for (let seed = 0; seed < 1000; seed++) {
        const mirror = new Mirror();
        for (const completion of shuffled([...completions, ...completions], seed))
          mirror.apply(completion, records.get(completion) ?? []);
        const ids = mirror.records("pinwheel", "a-1", "paystubs").map((record) => record["id"]);
        assert.equal(ids.join(" "), want, `order ${seed}`);
        assert.equal(mirror.isDeleted("pinwheel", "a-1"), want === "");
      }
    });
  }
});

test("two notices of one job are both kept", () => {
  const mirror = new Mirror();
  for (const day of [1, 2]) {
    const notice = completionOf({ day, scope: "delta", resource: "notices" });
    mirror.apply(notice, [{ id: "one-job", day }]);
  }
  assert.equal(mirror.records("pinwheel", "a-1", "notices").length, 2);
});

for (const resource of ["bank_accounts", "identity", "shifts"])
test(`${resource} without ids are those of the newest snapshot`, () => {
  const list = (day: number, ...numbers: string[]): [Completion, object[]] => [
    completionOf({ day, scope: "snapshot", resource }),
    numbers.map((number) => ({ account_number: number })),
  ];
  const first = list(1, "01", "02", "02");
  const second = list(2, "03", "01");
  const none = list(3);
  for (const [lists, want] of [
    [[first], "01 02 02"], [[first, second], "03 01"], [[second, first], "03 01"],
    [[none, second, first], ""],
  ] as [[Completion, object[]][], string][]) {
    const mirror = new Mirror();
    for (const [completion, records] of [...lists, ...lists]) mirror.apply(completion, records);
    const numbers = mirror.records("pinwheel", "a-1", resource)
      .map((record) => record["account_number"]);
    assert.equal(numbers.join(" "), want);
  }
  const partial = completionOf({ day: 4, scope: "delta", resource });
  assert.throws(() => new Mirror().apply(partial, [{ account_number: "04" }]), Poison);
});

test("a record without an id is poison, and changes nothing", () => {
  const mirror = new Mirror();
  const completion = completionOf({ day: 1, scope: "delta" });
  for (const bad of [{ id: 7 }, {}, { id: "" }, null as unknown as object])
    assert.throws(() => mirror.apply(completion, [{ id: "p10" }, bad]), Poison);
  assert.deepEqual(mirror.records("pinwheel", "a-1", "paystubs"), []);
});

test("a mirror says whose a paystub is:", async (t) => {
  const of = (employment_id: string, day: number, ...records: string[]): Words =>
    ({ day, scope: "delta", records, employment_id });
  for (const [promise, all, want] of [
    ["each paystub is of the employment of its completion",
      [of("m-1", 1, "p10", "p24"), of("m-2", 2, "p11")], "p10 m-1, p11 m-2, p24 m-1"],
    ["the newest completion counts, whatever the order",
      [of("m-2", 3, "p10"), of("m-1", 1, "p10")], "p10 m-2"],
    ["a completion may name none", [{ day: 1, scope: "delta", records: ["p10"] }], "p10 none"],
    ["of other resources it is the webhook's alone",
      [{ ...of("m-1", 1, "p10"), resource: "income" }], "p10 none"],
  ] as [string, Words[], string][]) {
    await t.test(promise, async () => {
      const mirror = new Mirror();
      for (const words of [...all, ...all]) await mirror.store(completionOf(words));
      const entries = mirror.entries("pinwheel", "a-1", all[0]?.resource ?? "paystubs");
      const got = entries.map(
        ({ record, employmentId }) => `${record["id"]} ${employmentId ?? "none"}`);
      assert.equal(got.join(", "), want);
    });
  }
});

test("the model of a mirrored statement names its employment", () => {
  const mirror = new Mirror();
  const words = { day: 1, scope: "delta", provider: "truv", employment_id: "m-1" };
  mirror.apply(completionOf(words), [{ id: "s-1", pay_date: "2026-01-30" }]);
  const models = mirror.entries("truv", "a-1", "paystubs").map(({ record, employmentId }) =>
    normalOf("truv", "paystubs", record, employmentId).paystub?.employment_id);
  assert.deepEqual(models, ["m-1"]);
});

test("a mirror is a handler", async () => {
  const mirror = new Mirror();
  await mirror.store(completionOf({ day: 1, scope: "delta", records: ["p10"] }));
  assert.equal(mirror.records("pinwheel", "a-1", "paystubs").length, 1);
  mirror.remove(completionOf({ day: 2, scope: null, outcome: "deleted", resource: "link" }));
  assert.ok(mirror.isDeleted("pinwheel", "a-1"));
});

test("a number of a record is no float, also for the compiler", async () => {
  const message = '{"id":"p:e:r","subject":"a","time":"t","data":{"provider":"p","resource":"r",' +
    '"outcome":"o","event":{},"attempts":2,"records":[{"id":"1","net_pay_amount":-100,' +
    '"gross_pay_ytd":123456789012345678901234567890}]}}';
  const completion = new Completion(bytes(message), 1, 1, nothing);
  for await (const record of completion.records<PinwheelPaystub>()) {
    const digits: LosslessNumber | null | undefined = record.gross_pay_ytd;
    assert.equal(String(digits), "123456789012345678901234567890");
    // @ts-expect-error An amount cannot be taken for a number by mistake.
    const amount: number | null | undefined = record.net_pay_amount;
    assert.notEqual(typeof amount, "number");
  }
  const attempts: number = completion.data.attempts;
  assert.equal(attempts, 2);
});
