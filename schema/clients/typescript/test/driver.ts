// Runs the kit for the Go tests. The only argument is a plan. Each event of the kit is a line of
// JSON on stdout, and the answers are lines of JSON on stdin.
import { createHash } from "node:crypto";
import { createInterface } from "node:readline";
import { mock } from "node:test";
import { inspect } from "node:util";
import {
  asideDirectory, Completion, configFromEnv, connect, Poison, stringify, token,
} from "../wagewire.js";
import type { Handler, Subscription } from "../wagewire.js";

interface Plan {
  mode: "subscribe" | "catchUp" | "account" | "retryAside" | "orders";
  team?: string;
  durable?: string;
  resources?: string[];
  accounts?: string[];
  hands?: number;
  attemptsMax?: number;
  /** The directory for poison. */
  aside?: string;
  /** Whether the handler waits for an answer. Else it takes everything. */
  asks?: boolean;
  /** Whether the answers move a clock for intervals. */
  hasClock?: boolean;
  /** Every how many records the memory is measured. 0: never. */
  measures?: number;
  account?: string;
  /** Messages, as base64, and ids. */
  messages?: string[];
  ids?: string[];
}

const plan = JSON.parse(process.argv[2] ?? "{}") as Plan;
const tell = (event: object) => process.stdout.write(JSON.stringify(event) + "\n");

const answers = new Map<string, (answer: string) => void>();
if (plan.asks) {
  createInterface({ input: process.stdin }).on("line", (line) => {
    const { id, answer, tick } = JSON.parse(line) as { id: string; answer: string; tick?: number };
    if (tick) mock.timers.tick(tick);
    else answers.get(id)?.(answer);
  });
}

async function obey(id: string): Promise<void> {
  if (!plan.asks) return;
  const answer = await new Promise<string>((resolve) => answers.set(id, resolve));
  if (answer === "poison") throw new Poison("the test says so");
  if (answer !== "ok") throw new RangeError("Jane Doe earns 1234.56");
}

// The memory that is in use, after what is free was collected.
function live(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

async function read(completion: Completion): Promise<object> {
  const digest = createHash("sha256");
  let count = 0;
  let first = "";
  const memory: number[] = [];
  try {
    for await (const record of completion.records()) {
      const text = stringify(record) ?? "";
      if (count === 0) first = text.slice(0, 1000);
      digest.update(text + "\n");
      count++;
      if (plan.measures && count % plan.measures === 0) memory.push(live());
    }
  } catch (error) {
    tell({ call: "fault", id: completion.id, fault: (error as Error).name, count });
    throw error;
  }
  // The least of the later half: what is free is not always collected, and what is kept always
  // counts.
  const later = memory.slice(memory.length / 2);
  const least = later.length > 0 ? Math.min(...later) : 0;
  return { count, first, memory: least, sha256: digest.digest("hex") };
}

const handler: Handler = {
  async store(completion) {
    const small = completion.raw.length < 10_000;
    tell({
      call: "store", id: completion.id, outcome: completion.data.outcome, order: completion.order,
      deliveries: completion.deliveries, ...(await read(completion)),
      raw: small ? Buffer.from(completion.raw).toString("base64") : "",
    });
    await obey(completion.id);
  },
  async remove(completion) {
    tell({ call: "remove", id: completion.id, outcome: completion.data.outcome });
    await obey(completion.id);
  },
};

async function run(): Promise<void> {
  if (plan.mode === "orders") {
    const none = () => Promise.resolve(undefined);
    for (const message of plan.messages ?? [])
      tell({ order: new Completion(Buffer.from(message, "base64"), 1, 1, none).order });
    for (const id of plan.ids ?? []) tell({ order: token(id) });
    return;
  }
  const client = await connect(configFromEnv(plan.team ?? "lending"));
  const stop = new AbortController();
  process.once("SIGTERM", () => stop.abort());
  if (plan.hasClock) mock.timers.enable({ apis: ["setInterval"] });
  const subscription: Subscription = {
    ...(plan.durable && { durable: plan.durable }),
    ...(plan.resources && { resources: plan.resources }),
    ...(plan.accounts && { accounts: plan.accounts }),
    ...(plan.hands && { hands: plan.hands }),
    ...(plan.attemptsMax && { attemptsMax: plan.attemptsMax }),
    ...(plan.aside && { aside: asideDirectory(plan.aside) }),
  };
  try {
    if (plan.mode === "subscribe") await client.subscribe(subscription, handler, stop.signal);
    else if (plan.mode === "catchUp") await client.catchUp(subscription, handler, stop.signal);
    else if (plan.mode === "account")
      tell({ state: await client.account("pinwheel", plan.account ?? "") });
    else tell(await client.retryAside(plan.aside ?? "", handler));
  } finally {
    await client.close();
  }
}

try {
  await run();
  tell({ call: "end" });
} catch (error) {
  const { name, message } = error as Error;
  tell({ call: "error", name, message, all: inspect(error) });
}
process.stdin.destroy();
