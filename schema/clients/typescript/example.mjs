// Reads the completions of team lending until SIGTERM or SIGINT.
import { asideDirectory, configFromEnv, connect } from "@wagewire/client";

// Yours. The same completion may come again, and completions of an account come in any order.
async function store(completion) {
  const records = [];
  for await (const record of completion.records()) records.push(record);
  console.log(completion.id, completion.data.outcome, records.length);
}

// Yours. Delete what you have of completion.data.account_id.
async function remove(completion) {
  console.log(completion.id, completion.data.outcome);
}

const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort());

const client = await connect(configFromEnv("lending")); // NATS_URL, NATS_SEED_FILE, NATS_CA_FILE
await client.subscribe({ aside: asideDirectory("aside") }, { store, remove }, stop.signal);
await client.close();
