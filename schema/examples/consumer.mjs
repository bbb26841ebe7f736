// Reads the completions of team lending:
// npm install @nats-io/transport-node @nats-io/jetstream lossless-json
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";
import { jetstream } from "@nats-io/jetstream";
import { parse } from "lossless-json";

const chunks = "$JS.wagewire.API.DIRECT.GET.OBJ_WAGEWIRE_RECORDS.";

// Yours. The same id may come again: store it once.
async function store(id, data, records) {
  console.log(id, data.outcome, records.length);
}

// Yours. Delete what you have of the account.
async function remove(id, data) {
  console.log(id, data.outcome);
}

// Numbers stay the provider's digits, as text: a float changes some.
const decode = (text) => parse(text, null, (digits) => digits);

// Reads the records of a large completion, chunk by chunk.
async function fetchRecords(nc, ref) {
  const parts = [];
  for (let n = 1; n <= Number(ref.chunks); n++) {
    const chunk = await nc.request(`${chunks}${ref.subject}.${n}`, "", { timeout: 5000 });
    if (chunk.headers?.code) throw new Error(`chunk ${n} of ${ref.subject}: ${chunk.headers.code}`);
    parts.push(chunk.data);
  }
  const text = Buffer.concat(parts);
  if (createHash("sha256").update(text).digest("hex") !== ref.sha256)
    throw new Error(`the chunks of ${ref.subject} do not have its sha256`);
  return decode(text.toString());
}

async function handle(nc, completion) {
  const { id, data } = completion;
  if (data.outcome === "deleted") return remove(id, data);
  await store(id, data, data.records_ref ? await fetchRecords(nc, data.records_ref) : data.records);
}

const seed = process.env.NATS_SEED_FILE; // the sandbox needs none
const nc = await connect({
  servers: process.env.NATS_URL ?? "nats://127.0.0.1:4222",
  maxReconnectAttempts: -1, // the broker may be away for long
  authenticator: seed && nkeyAuthenticator(Buffer.from(readFileSync(seed, "utf8").trim())),
});
const js = jetstream(nc, { domain: "wagewire" });
const consumer = await js.consumers.get("WAGEWIRE_COMPLETIONS", "lending");
for await (const msg of await consumer.consume({ max_messages: 10 })) {
  try {
    await handle(nc, decode(msg.string()));
    msg.ack();
  } catch (error) {
    console.error("again in a minute:", error.message);
    msg.nak(60_000);
  }
}
