// Answers the eight questions of a team that lends, with the kit alone. The questions come as JSON on
// standard input; the answers go as JSON to standard output.
import { text } from "node:stream/consumers";
import {
  type Client, type Completion, configFromEnv, connect, Mirror, normalOf,
} from "@wagewire/client";

interface Questions {
  paid: string;
  large: string;
  durable: string;
  changes: string;
}

const resources = ["employment", "identity", "income", "paystubs", "shifts"];

/** Keeps a copy of the records, and the accounts that lost their link or were deleted. */
class Lender {
  readonly mirror = new Mirror();
  readonly broken = new Map<string, string>();
  readonly deleted = new Map<string, string>();

  async store(completion: Completion): Promise<void> {
    const { outcome, provider, account_id: account } = completion.data;
    if (outcome === "disconnected" && account) this.broken.set(account, provider);
    const records = [];
    for await (const record of completion.records()) records.push(record);
    this.mirror.apply(completion, records);
  }

  remove(completion: Completion): void {
    const { provider, account_id: account } = completion.data;
    if (account) this.deleted.set(account, provider);
    this.mirror.apply(completion, []);
  }

  /** Asks for the present state: an account may have been connected again, or deleted. */
  async stillBroken(client: Client): Promise<string[]> {
    const broken = [];
    for (const [account, provider] of this.broken) {
      const state = await client.account(provider, account);
      if (state?.data.status === "disconnected") broken.push(account);
    }
    return broken.sort();
  }

  /** Counts the records of deleted accounts, of which none may be left. */
  left(): number {
    return [...this.deleted].reduce((sum, [account, provider]) => sum + [...resources, "link"]
      .reduce((of, r) => of + this.mirror.records(provider, account, r).length, 0), 0);
  }
}

/** Returns the completions of a durable that begins at the time in question. */
async function changes(client: Client, durable: string): Promise<string[]> {
  const ids: string[] = [];
  const note = (completion: Completion) => void ids.push(completion.id);
  await client.catchUp({ durable }, { store: note, remove: note });
  return ids.sort();
}

function latestIncome(lender: Lender, account: string) {
  const [record] = lender.mirror.records("pinwheel", account, "income");
  const { income } = normalOf("pinwheel", "income", record ?? {});
  return {
    amount: income?.compensation?.minor,
    unit: income?.unit?.word,
    currency: income?.compensation?.currency,
  };
}

function sumsOf(paystubs: object[]) {
  let net = 0n;
  const hours: string[] = [];
  for (const record of paystubs) {
    const { paystub } = normalOf("pinwheel", "paystubs", record);
    if (!paystub?.net_pay) throw new Error("a paystub does not say what was paid");
    net += paystub.net_pay.minor;
    for (const earning of paystub.earnings ?? []) hours.push(earning.hours ?? "0");
  }
  return { count: paystubs.length, net: String(net), hours: add(hours) };
}

/** Adds decimals as text: a float would change digits. */
function add(decimals: string[]): string {
  const places = Math.max(0, ...decimals.map((d) => d.split(".")[1]?.length ?? 0));
  const scaled = decimals.map((d) => {
    const [whole = "", fraction = ""] = d.split(".");
    return BigInt(whole + fraction.padEnd(places, "0"));
  });
  const digits = String(scaled.reduce((sum, d) => sum + d, 0n)).padStart(places + 1, "0");
  if (places === 0) return digits;
  return `${digits.slice(0, -places)}.${digits.slice(-places)}`.replace(/\.?0+$/, "");
}

const questions = JSON.parse(await text(process.stdin)) as Questions;
const client = await connect(configFromEnv("lending"));
try {
  const lender = new Lender();
  await client.catchUp({ durable: questions.durable }, lender);
  const paid = (resource: string) => lender.mirror.records("pinwheel", questions.paid, resource);
  console.log(JSON.stringify({
    complete: (await client.account("pinwheel", questions.paid))?.data.status,
    income: latestIncome(lender, questions.paid),
    paystubs: sumsOf(paid("paystubs")),
    account: Object.fromEntries(resources.map((r) => [r, paid(r).length])),
    changed: await changes(client, questions.changes),
    broken: await lender.stillBroken(client),
    large: sumsOf(lender.mirror.records("pinwheel", questions.large, "paystubs")),
    deleted: [...lender.deleted.keys()].sort(),
    left: lender.left(),
  }));
} finally {
  await client.close();
}
