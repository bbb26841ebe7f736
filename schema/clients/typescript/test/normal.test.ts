// Runs the vectors that the implementations of the normalised model share.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { NoModel, NoObject, normalOf, tables } from "../normal.js";
import { isLosslessNumber, parseJson } from "../wagewire.js";
import type { Json, JsonObject } from "../wagewire.js";

const vectors = process.env["WAGEWIRE_VECTORS"] ?? "../../normal/testdata";
const read = (path: string) => parseJson(readFileSync(join(vectors, path))) as JsonObject;

// Makes bigints and numbers alike, to compare values.
function plain(value: unknown): unknown {
  if (isLosslessNumber(value)) return BigInt(value.value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

function result(
  provider: string, resource: string, record: Json, employmentId?: string,
): object {
  try {
    return { normal: normalOf(provider, resource, record as object, employmentId) };
  } catch (error) {
    if (error instanceof NoModel) return { error: "no model" };
    if (error instanceof NoObject) return { error: "no object" };
    throw error;
  }
}

const names = readdirSync(vectors).filter((name) => name.endsWith(".json"));

test("every vector gives its model", async (t) => {
  assert.ok(names.length > 50, `there are ${names.length} vectors in ${vectors}`);
  for (const name of names) {
    await t.test(name, () => {
      const { provider, resource, record, normal, error, employment_id: id } = read(name);
      const want = error === undefined ? { normal: plain(normal) } : { error };
      const employmentId = id === undefined ? undefined : String(id);
      assert.deepEqual(
        result(String(provider), String(resource), record as Json, employmentId), want);
    });
  }
});

test("every word has the kind of the table", () => {
  const all = Object.entries(tables).map(([field, table]) => [field, Object.fromEntries(table)]);
  assert.deepEqual(Object.fromEntries(all), { ...read("words/words.json") });
});
