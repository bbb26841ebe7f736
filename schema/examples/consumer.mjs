// Reads paystubs completions: npm install @nats-io/transport-node @nats-io/jetstream
import { connect } from "@nats-io/transport-node";
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";

// Yours. The same id may come again: store it once.
async function store(id, data) {
  console.log(id, data.outcome);
}

const nc = await connect({ servers: process.env.NATS_URL ?? "nats://127.0.0.1:4222" });
const manager = await jetstreamManager(nc);
await manager.consumers.add("WAGEWIRE_COMPLETIONS", {
  durable_name: "lending",
  filter_subject: "wagewire.completions.*.paystubs.>",
  ack_policy: AckPolicy.Explicit,
});
const consumer = await jetstream(nc).consumers.get("WAGEWIRE_COMPLETIONS", "lending");
for await (const msg of await consumer.consume()) {
  const completion = msg.json();
  await store(completion.id, completion.data);
  msg.ack();
}
