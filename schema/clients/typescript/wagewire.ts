// The kit for programs in TypeScript and JavaScript that read the completions of Wagewire. It keeps
// the promises of schema/README.md: each completion is acknowledged after the handler's own work,
// large records are checked before the first is handed out, numbers keep every digit, and a
// deletion reaches the handler whatever the subscription filters.
import { createHash, randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { mkdir, open, readdir, readFile, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { JetStreamApiCodes, JetStreamApiError, jetstreamManager } from "@nats-io/jetstream";
import type { ConsumerInfo, JetStreamManager } from "@nats-io/jetstream";
import {
  connect as dial, createInbox, errors, nanos, nkeyAuthenticator,
} from "@nats-io/transport-node";
import type { Authenticator, Msg, NatsConnection } from "@nats-io/transport-node";
import { isLosslessNumber, parse } from "lossless-json";
import { resources as knownResources } from "./types.js";
import type { Account, Completion as Envelope, CompletionData, Json, JsonObject } from "./types.js";

export * from "./types.js";
export type { Completion as Envelope } from "./types.js";
export { hasNormal, NoModel, NoObject, normalOf } from "./normal.js";
export { isLosslessNumber, LosslessNumber, stringify } from "lossless-json";

/**
 * How many levels objects and arrays may be nested: in the message of a completion, and in the list
 * of the records elsewhere.
 */
export const depthMax = 100;

const completionsStream = "WAGEWIRE_COMPLETIONS";
const recordsStream = "OBJ_WAGEWIRE_RECORDS";
const accountsStream = "WAGEWIRE_ACCOUNTS";

// Times are in milliseconds.
const second = 1000;
/** How long a request waits for the answer of the broker. */
const answerFor = 5 * second;
/** How often the broker learns that a completion is still in work. The lease is a minute. */
const renewEvery = 20 * second;
/** The pause before the second delivery. Each pause is twice the one before. */
const pauseMin = second;
const pauseMax = 600 * second;
/**
 * How long a request for a completion waits at the broker, and the pause between its signs of life.
 */
const requestFor = 30 * second;
const beatEvery = 5 * second;
/** The pause after a request that the broker refused. */
const refusedFor = second;
/** Of how many such requests one is logged. */
const refusalsPerLine = 60;
/** How often catchUp asks the broker what is left. */
const lookEvery = 5 * second;
/** How often the broker is told that a completion is done. Then the completion may come again. */
const settleTries = 3;
/** Each hand is a request that waits at the broker. */
const handsMax = 100;
/** The size of the records that stay in memory between their check and their use, in bytes. */
const keptBytesMax = 8 * 1024 * 1024;
/** After how many completions that the filter left out a line says how many these are. */
const leftOutPerLine = 1000;
/** Of how many completions that nothing helps one asks whether the durable stands still. */
const latePerLook = 100;
/** Bounds the memory for completions that fail: more than a durable hands out at a time. */
const failuresMax = 10_000;

/** Where the broker is, and who connects. */
export interface Config {
  /** A server, or several separated by commas. Default: nats://127.0.0.1:4222. */
  url?: string;
  /** The name of the team, and of the durable of a subscription that names none. */
  team: string;
  /**
   * The file with the seed of the team's key. Without it no key is sent: the sandbox needs none.
   */
  seedFile?: string;
  /** The file with the certificates to check the broker's certificate against. */
  caFile?: string;
  /** The JetStream domain. Default: wagewire. */
  domain?: string;
  /** Gets the kit's own lines. Default: a line of JSON on stderr. */
  log?: Log;
}

/**
 * Gets a line of the kit. No line has a body, a name, an amount or the text of a handler's error:
 * completions are named by their place on the stream.
 */
export type Log = (
  level: "info" | "warn" | "error", message: string, fields: Record<string, string | number>,
) => void;

/**
 * Returns the configuration of a team's program: NATS_URL, NATS_SEED_FILE and NATS_CA_FILE of the
 * environment.
 */
export function configFromEnv(
  team: string, env: Record<string, string | undefined> = process.env,
): Config {
  const config: Config = { team };
  if (env["NATS_URL"]) config.url = env["NATS_URL"];
  if (env["NATS_SEED_FILE"]) config.seedFile = env["NATS_SEED_FILE"];
  if (env["NATS_CA_FILE"]) config.caFile = env["NATS_CA_FILE"];
  return config;
}

/**
 * Says which completions a program takes, and how. A subscription without fields takes everything
 * of the team's first durable.
 *
 * The kit acknowledges completions outside of resources and accounts, and nobody sees them again.
 * So use one filter for one durable. A deletion reaches the handler whatever the filter. A line of
 * level info says how many completions the filter left out.
 */
export interface Subscription {
  /** The name of the durable. Default: the name of the team. */
  durable?: string;
  /**
   * The resources to take, of those in the list resources. Default: all. Links come only with all,
   * or if link is among them. Another name, or a resource that the durable does not deliver, is an
   * error of subscribe.
   */
  resources?: readonly string[];
  /** The provider's ids of the accounts to take. Default: all. */
  accounts?: readonly string[];
  /**
   * How many completions are in work at the same time, from 1 to 100. Default: 4. A hand waits with
   * its completion while another one works for the same account, so many completions of one account
   * in a row take all hands. More hands let other accounts pass.
   */
  hands?: number;
  /**
   * Gets the completions that no delivery helps, and then they do not come again. asideDirectory is
   * ready-made. Without it nothing is set aside: such a completion comes again every 10 minutes,
   * and a line of level error says so.
   *
   * What it keeps are whole completions with names and pay, also of accounts that are deleted
   * later.
   */
  aside?: (poisoned: Poisoned) => void | Promise<void>;
  /**
   * How often a completion is delivered before its errors make it poison. An error of the handler
   * counts only if the completion failed alone twice in a row: since its failure before, the
   * handler took another one that has records to store or is a deletion, and none failed after
   * that. So a database that is down sets nothing aside, also if it comes back for a moment. A
   * deletion is never poison by its errors: it comes again until the handler takes it. Default: 20.
   */
  attemptsMax?: number;
}

/**
 * Stores what comes. Both methods may get the same completion again, and the completions of an
 * account in any order: see Mirror. Completions of one account never come at the same time within a
 * client.
 *
 * The broker learns that a completion is done after the method returned. After an exception the
 * completion comes again, after 1 s, then 2 s, and so on up to 10 minutes. The kit does not log the
 * exception's text, which may have personal data.
 */
export interface Handler {
  /** Stores the completion. The outcome may be one that this release does not know. */
  store(completion: Completion): void | Promise<void>;
  /**
   * Deletes everything of the account of the completion: the provider has deleted the account. The
   * deletion comes again until remove takes it. What was set aside of the account is still there:
   * retryAside removes the files that asideDirectory wrote.
   */
  remove(completion: Completion): void | Promise<void>;
}

/** A completion that no delivery helps. */
export interface Poisoned {
  /** The stream of the message. */
  stream: string;
  /** The place of the message on the stream. */
  sequence: number;
  /** All bytes of the message, which may be anything. */
  raw: Uint8Array;
  /** The kit's own text, or that of a Poison. */
  reason: string;
}

/**
 * Throw it from a handler if no delivery helps: the completion is set aside at once. The text
 * becomes the reason, so it must have no personal data.
 */
export class Poison extends Error {
  override readonly name: string = "Poison";
}

/** The records of a large completion are not in the store. A replica of the store may lag. */
export class RecordsGone extends Error {
  override readonly name = "RecordsGone";
}

/** The records of a large completion have another hash, size or number than the reference says. */
export class RecordsChanged extends Error {
  override readonly name = "RecordsChanged";
}

/** The durable is not there, or is not of this team. */
export class NoDurable extends Error {
  override readonly name = "NoDurable";
}

/** Connects to the broker. The error names the variable to change. */
export async function connect(config: Config): Promise<Client> {
  const domain = config.domain ?? "wagewire";
  if (token(domain) !== domain) throw new Error(`${domain} is not the name of a JetStream domain`);
  const authenticator = config.seedFile ? await keyOf(config.seedFile) : undefined;
  if (config.caFile) await readable("NATS_CA_FILE", config.caFile);
  const servers = (config.url ?? "nats://127.0.0.1:4222").split(",");
  // Without tls the client would also speak to a tls:// server that does not ask for it, in plain
  // text.
  const isEncrypted = config.caFile || servers.some((url) => url.trim().startsWith("tls:"));
  let nats: NatsConnection;
  try {
    nats = await dial({
      servers,
      name: `wagewire-kit-typescript ${config.team}`,
      maxReconnectAttempts: -1,
      reconnectTimeWait: second / 4,
      reconnectJitter: second,
      reconnectJitterTLS: second,
      pingInterval: 10 * second,
      // Otherwise the client gives up when the broker refuses the key twice, as a broker does while
      // an operator changes its configuration.
      ignoreAuthErrorAbort: true,
      ...(authenticator && { authenticator }),
      ...(isEncrypted && { tls: config.caFile ? { caFile: config.caFile } : {} }),
    });
  } catch (error) {
    throw explainConnect(error);
  }
  try {
    const manager = await jetstreamManager(nats, { domain, checkAPI: false, timeout: answerFor });
    return new Client(nats, manager, config.team, domain, config.log ?? logJson);
  } catch (error) {
    await nats.close();
    throw error;
  }
}

async function readable(variable: string, file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new Error(`${variable}: ${file} cannot be read: ${codeOf(error)}`, { cause: error });
  }
}

async function keyOf(file: string): Promise<Authenticator> {
  const seed = (await readable("NATS_SEED_FILE", file)).trim();
  if (!/^SU[A-Z2-7]{56}$/.test(seed))
    throw new Error(`NATS_SEED_FILE: ${file} holds no seed of a team's key`);
  return nkeyAuthenticator(new TextEncoder().encode(seed));
}

function explainConnect(error: unknown): Error {
  if (hasCause(error, errors.AuthorizationError))
    return new Error("NATS_SEED_FILE: the broker refuses the key, or wants one: the file must " +
      "have the seed that the operator gave to the team", { cause: error });
  if (codeOf(error) === "ERR_INVALID_URL")
    return new Error("NATS_URL is not a URL"); // the cause has the URL with its password
  return new Error(`NATS_URL: no broker answers there: ${codeOf(error)}`, { cause: error });
}

/** A connection to the broker. A broken connection is opened again without end. */
export class Client {
  readonly #nats: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #team: string;
  readonly #domain: string;
  readonly #log: Log;
  readonly #accounts = new Locks();
  /** Is true while the connection is open, and wakes its listeners when that changes. */
  #isOnline = true;
  readonly #changes = new EventTarget();

  /** @internal */
  constructor(
    nats: NatsConnection, manager: JetStreamManager, team: string, domain: string, log: Log,
  ) {
    this.#nats = nats;
    this.#manager = manager;
    this.#team = team;
    this.#domain = domain;
    this.#log = log;
    setMaxListeners(0, this.#changes);
    void this.#watch();
  }

  async #watch(): Promise<void> {
    const change = (isOnline: boolean) => {
      this.#isOnline = isOnline;
      this.#changes.dispatchEvent(new Event("change"));
    };
    for await (const status of this.#nats.status()) {
      if (status.type === "disconnect") {
        this.#log("warn", "the broker is away", {});
        change(false);
      } else if (status.type === "reconnect") {
        this.#log("info", "the broker is there again", {});
        change(true);
      } else if (status.type === "error") {
        this.#log("warn", "the broker reports an error", { error_type: typeOf(status.error) });
      }
    }
    change(false);
  }

  /** Closes the connection. A subscribe that still runs ends with an error. */
  async close(): Promise<void> {
    await this.#nats.close();
  }

  /**
   * Hands the completions of a durable to the handler until the signal aborts, and then returns.
   * First it takes no more, waits for the handlers at work, tells the broker about them, and gives
   * back what no handler has begun.
   *
   * The error is NoDurable if the durable is not there, or is deleted meanwhile. A broker that is
   * away is no error: subscribe goes on when the broker is there again.
   */
  async subscribe(
    subscription: Subscription, handler: Handler, signal?: AbortSignal,
  ): Promise<void> {
    const run = await this.#begin(subscription, handler);
    const stop = new Stop(signal);
    try {
      await this.#take(run, stop);
    } finally {
      stop.forget();
    }
  }

  /**
   * Is subscribe until the durable has nothing left: everything since its position was handed over
   * and acknowledged. A completion that comes again and again is left, and so catchUp waits until
   * it is set aside. If the signal aborts before, the error is the signal's reason.
   */
  async catchUp(subscription: Subscription, handler: Handler, signal?: AbortSignal): Promise<void> {
    const run = await this.#begin(subscription, handler);
    const stop = new Stop(signal);
    const looking = this.#waitForNothing(run, stop);
    try {
      await this.#take(run, stop);
    } finally {
      stop.now();
      await looking;
      stop.forget();
    }
    if (!run.hasNothing) signal?.throwIfAborted();
  }

  /**
   * Returns the last state of an account: whether its data is complete, and how new each part is.
   * accountId is the provider's own id. It returns undefined if nothing is known of the account.
   */
  async account(provider: string, accountId: string): Promise<Account | undefined> {
    const subject = `wagewire.accounts.${provider}.${token(accountId)}`;
    const text = await this.#directGet(accountsStream, subject);
    if (text === undefined) return undefined;
    checkDepth(text);
    const account = parseJson(text) as unknown as Account;
    for (const resource of Object.values(account.data?.resources ?? {}))
      for (const failed of resource.failed ?? []) countsOf(failed, "redrive");
    return account;
  }

  /**
   * Feeds the files that asideDirectory wrote to the handler, the oldest first, and removes those
   * that the handler took. Files of an account that the provider has deleted are removed too, and
   * never come to store. It returns how many the handler took, and how many are left. A directory
   * that is not there has none.
   */
  async retryAside(dir: string, handler: Handler): Promise<{ taken: number; left: number }> {
    const count = { taken: 0, left: 0 };
    for (const { name, sequence } of await listAside(dir)) {
      const file = join(dir, name);
      let isTaken: boolean;
      try {
        isTaken = await this.#retry(await readFile(file), sequence, handler);
      } catch (error) {
        const fields = { sequence, error_type: typeOf(error), error_at: placeOf(error) };
        this.#log("warn", "a completion stays aside", fields);
        count.left++;
        continue;
      }
      await unlink(file);
      await unlink(reasonFile(file)).catch(() => undefined);
      if (isTaken) count.taken++;
      else this.#log("info", "a completion of a deleted account was removed", { sequence });
    }
    return count;
  }

  /** Feeds a message to the handler. It returns false if the account is deleted since. */
  async #retry(raw: Uint8Array, sequence: number, handler: Handler): Promise<boolean> {
    const completion = this.#decode(raw, sequence, 0);
    const account = `${completion.data.provider}.${completion.subject}`;
    await this.#accounts.lock(account, new Stop(undefined));
    try {
      if (!completion.isDeletion && await this.#isDeleted(completion.data)) return false;
      await call(handler, completion);
      return true;
    } finally {
      this.#accounts.unlock(account);
    }
  }

  /** Reports whether the account of a completion is deleted by now. */
  async #isDeleted({ provider, account_id: accountId }: CompletionData): Promise<boolean> {
    // No account has another name. The name of a provider becomes a part of a subject.
    if (token(provider) !== provider || typeof accountId !== "string") return false;
    const account = await this.account(provider, accountId);
    return account?.data?.status === "deleted";
  }

  async #begin(subscription: Subscription, handler: Handler): Promise<Run> {
    const run = new Run(subscription, handler, this.#team);
    let info: ConsumerInfo;
    try {
      info = await this.#info(run);
    } catch (error) {
      if (!isMissing(error))
        throw new Error(`look up durable ${run.durable}: ${codeOf(error)}`, { cause: error });
      throw new NoDurable(`durable ${run.durable}: no such durable for the key of this program: ` +
        "a further durable of a team is named <team>_<name>; check the names and NATS_SEED_FILE, or " +
        "ask the operator: wagewire team list, wagewire team add",
        { cause: error });
    }
    checkGrant(this.#team, run.durable, info.config, run.resources);
    return run;
  }

  #info(run: Run): Promise<ConsumerInfo> {
    return this.#manager.consumers.info(completionsStream, run.durable);
  }

  /** Runs the hands until stop, or until the first hand fails. */
  async #take(run: Run, stop: Stop): Promise<void> {
    const failed: unknown[] = [];
    const hands = Array.from({ length: run.hands }, () =>
      this.#serve(run, stop).catch((error: unknown) => {
        failed.push(error);
        stop.now();
      }));
    await Promise.all(hands);
    if (run.leftOut > 0) this.#logLeftOut(run);
    if (this.#isOnline) await this.#nats.flush().catch(() => undefined);
    if (failed.length > 0) throw failed[0];
  }

  /**
   * Is the work of one hand. A completion is asked for when the one before is settled, so none
   * waits inside of the program.
   */
  async #serve(run: Run, stop: Stop): Promise<void> {
    while (!stop.isStopped) {
      if (!(await this.#waitForBroker(stop))) return;
      const pulled = await this.#pull(run, stop);
      if (pulled.message || pulled.isOver) run.refusals = 0;
      if (pulled.message) {
        if (stop.isStopped) this.#tell(pulled.message, "-NAK");
        else await this.#work(run, pulled.message, stop);
      } else if (pulled.isOver) {
        continue;
      } else {
        await this.#lookForDurable(run);
        if (run.refusals++ % refusalsPerLine === 0)
          this.#log("warn", "the broker gives no completions", { status: pulled.status });
        await stop.wait(refusedFor);
      }
    }
  }

  /** Waits until the connection is open. It returns false if stop comes first. */
  async #waitForBroker(stop: Stop): Promise<boolean> {
    while (!this.#isOnline && !stop.isStopped) {
      if (this.#nats.isClosed()) throw new Error("the connection to the broker is closed");
      await stop.event(this.#changes, "change");
    }
    return !stop.isStopped;
  }

  /**
   * Asks for a completion. The client library takes completions ahead, or loses those that are on
   * their way when it stops: they would come again after a minute. So the kit asks by itself, and
   * what comes after the end of the request is still handed over.
   */
  async #pull(run: Run, stop: Stop): Promise<Pulled> {
    const inbox = createInbox();
    const pulled: Pulled = { isOver: false, status: 0 };
    const ended = new EventTarget();
    const end = () => ended.dispatchEvent(new Event("end"));
    let isWaiting = true;
    const silence = setTimeout(end, 2.5 * beatEvery);
    const subscribed = this.#nats.subscribe(inbox, {
      callback: (error, message) => {
        if (error === null && message.subject !== inbox) pulled.message = message;
        else if (error === null && message.headers?.code === 100) { // a sign of life
          silence.refresh();
          return;
        } else if (error === null && isWaiting) {
          pulled.status = message.headers?.code ?? 0;
          pulled.isOver = pulled.status === 404 || pulled.status === 408;
        }
        end();
      },
    });
    const request = { batch: 1, expires: nanos(requestFor), idle_heartbeat: nanos(beatEvery) };
    this.#ask(run, JSON.stringify(request), inbox);
    const offline = () => { if (!this.#isOnline) end(); };
    this.#changes.addEventListener("change", offline);
    await stop.event(ended, "end");
    clearTimeout(silence);
    isWaiting = false;
    const isOpen = !pulled.message && pulled.status === 0;
    if (isOpen && this.#isOnline) await this.#waitForTurn(run, inbox, ended);
    this.#changes.removeEventListener("change", offline);
    if (pulled.message || !this.#isOnline) subscribed.unsubscribe();
    else await subscribed.drain().catch(() => undefined);
    // A request ends with its connection, and is made again on the next.
    pulled.isOver ||= !this.#isOnline || stop.isStopped;
    return pulled;
  }

  #ask(run: Run, request: string, inbox: string): void {
    const subject = this.#api(`CONSUMER.MSG.NEXT.${completionsStream}.${run.durable}`);
    this.#nats.publish(subject, request, { reply: inbox });
  }

  /**
   * Waits until the broker has looked at the request of an inbox, or has answered it. A request
   * that the broker looks at when the inbox is gone would get a completion that nobody receives.
   * The broker looks at requests in turn, and refuses at once what begins like JSON and is none.
   */
  async #waitForTurn(run: Run, inbox: string, ended: EventTarget): Promise<void> {
    this.#ask(run, "{", inbox);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, answerFor);
      ended.addEventListener("end", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Throws if the durable is certainly not there. A broker that is away gives no answer. */
  async #lookForDurable(run: Run): Promise<void> {
    try {
      await this.#info(run);
    } catch (error) {
      if (apiCode(error) === JetStreamApiCodes.ConsumerNotFound)
        throw new NoDurable(`durable ${run.durable} was deleted`, { cause: error });
    }
  }

  /** Is the life of a delivery: one account at a time, read, filter, handle, settle. */
  async #work(run: Run, message: Msg, stop: Stop): Promise<void> {
    const renewing = setInterval(() => this.#tell(message, "+WPI"), renewEvery);
    try {
      const account = accountOf(message.subject);
      if (!(await this.#accounts.lock(account, stop))) {
        this.#tell(message, "-NAK");
        return;
      }
      try {
        await this.#handle(run, message);
      } finally {
        this.#accounts.unlock(account);
      }
    } finally {
      clearInterval(renewing);
    }
  }

  async #handle(run: Run, message: Msg): Promise<void> {
    const delivery = deliveryOf(message);
    let failure: { error: unknown } | undefined;
    let isDeletion = false;
    try {
      const completion = this.#decode(message.data, delivery.sequence, delivery.count);
      isDeletion = completion.isDeletion;
      if (isDeletion || run.includes(message.subject)) {
        await call(run.handler, completion);
        if (isDeletion || completion.data.scope) run.outcomes.take();
      } else if (++run.leftOut % leftOutPerLine === 0) {
        this.#logLeftOut(run);
      }
    } catch (error) {
      failure = { error };
    }
    if (failure) await this.#fail(run, message, delivery, failure.error, isDeletion);
    else {
      run.outcomes.forget(delivery.sequence);
      await this.#confirm(message, "+ACK", delivery);
    }
    run.noteEnd(delivery);
  }

  #logLeftOut(run: Run): void {
    this.#log("info", "the filter left completions out", { completions: run.leftOut });
  }

  /** Gives a completion back, or sets it aside. */
  async #fail(
    run: Run, message: Msg, delivery: Delivery, error: unknown, isDeletion: boolean,
  ): Promise<void> {
    const fields = { sequence: delivery.sequence, delivery: delivery.count };
    const reason = run.judge(error, delivery, isDeletion);
    if (reason === undefined) {
      const about = { ...fields, error_type: typeOf(error), error_at: placeOf(error) };
      this.#log("warn", "a completion comes again", about);
      this.#nak(message, pauseAfter(delivery.count));
      if (run.isLate(delivery)) await this.#tellOfStandstill(run);
      return;
    }
    if (!run.aside) {
      const why = "no delivery helps a completion, and subscription.aside is not set";
      this.#log("error", why, fields);
      this.#nak(message, pauseMax);
      await this.#tellOfStandstill(run);
      return;
    }
    try {
      const { stream, sequence } = delivery;
      await run.aside({ stream, sequence, raw: message.data, reason });
    } catch (fault) {
      const about = { ...fields, error_type: typeOf(fault) };
      this.#log("error", "a completion cannot be set aside", about);
      this.#nak(message, pauseMax);
      return;
    }
    this.#log("error", "a completion was set aside", fields);
    run.outcomes.forget(delivery.sequence);
    await this.#confirm(message, "+TERM", delivery);
  }

  /** Logs that the broker lends no more completions, because too many come again and again. */
  async #tellOfStandstill(run: Run): Promise<void> {
    if (run.late++ % latePerLook !== 0) return;
    const info = await this.#info(run).catch(() => undefined);
    const lent = info?.num_ack_pending ?? 0;
    if (!info || lent < info.config.max_ack_pending!) return;
    this.#log("error", "the durable stands still: no completion can be taken, because as many as " +
      "the broker lends come again and again", { completions: lent });
  }

  #nak(message: Msg, pause: number): void {
    this.#tell(message, `-NAK ${JSON.stringify({ delay: nanos(pause) })}`);
  }

  /** Tells the broker about a delivery. If the connection is closed, the delivery comes again. */
  #tell(message: Msg, word: string): void {
    try {
      message.respond(word);
    } catch {
      // The lease ends by itself.
    }
  }

  /** Tells the broker that a delivery is over, and waits for the confirmation. */
  async #confirm(message: Msg, word: string, delivery: Delivery): Promise<void> {
    let fault: unknown;
    for (let i = 0; i < settleTries; i++) {
      try {
        await this.#nats.request(message.reply ?? "", word, { timeout: answerFor });
        return;
      } catch (error) {
        fault = error;
      }
    }
    this.#log("warn", "the broker does not confirm: a completion may come again",
      { sequence: delivery.sequence, error_type: typeOf(fault) });
  }

  /** Waits until the durable has nothing left, and then stops the hands. */
  async #waitForNothing(run: Run, stop: Stop): Promise<void> {
    while (!stop.isStopped) {
      const info = await this.#info(run).catch(() => undefined);
      if (info?.num_pending === 0 && info.num_ack_pending === 0) {
        run.hasNothing = true;
        stop.now();
        return;
      }
      await run.waitToLook(stop);
    }
  }

  #decode(raw: Uint8Array, streamSequence: number, deliveries: number): Completion {
    const get = (subject: string) => this.#directGet(recordsStream, subject);
    return new Completion(raw, streamSequence, deliveries, get);
  }

  #api(request: string): string {
    return `$JS.${this.#domain}.API.${request}`;
  }

  /** Returns the last message of a subject, or undefined if there is none. */
  async #directGet(stream: string, subject: string): Promise<Uint8Array | undefined> {
    let answer: Msg;
    try {
      const request = this.#api(`DIRECT.GET.${stream}.${subject}`);
      answer = await this.#nats.request(request, "", { timeout: answerFor });
    } catch (error) {
      if (!hasCause(error, errors.NoRespondersError)) throw error;
      throw new Error("the team has no right to read there: ask the operator for the resources " +
        "of the team", { cause: error });
    }
    const status = answer.headers?.code ?? 0;
    if (status === 404) return undefined;
    if (status !== 0) throw new Error(`the broker answers with status ${status}`);
    return answer.data;
  }
}

/** What came of a request for a completion. */
interface Pulled {
  message?: Msg;
  /** The request ended as it should, without a completion. */
  isOver: boolean;
  /** The status of the broker's answer, 0 if there was none. */
  status: number;
}

/** A delivery of a completion, as the broker names it. */
interface Delivery {
  stream: string;
  sequence: number;
  /** How often the completion was delivered, this time included. */
  count: number;
  /** How many completions of the durable were not delivered yet. */
  pending: number;
}

/** Reads $JS.ACK.<domain>.<account>.<stream>.<durable>.<count>.<sequence>.<n>.<time>.<pending>. */
function deliveryOf(message: Msg): Delivery {
  let tokens = (message.reply ?? "").split(".");
  if (tokens.length === 9) tokens = ["", "", ...tokens]; // without a domain and an account
  return {
    stream: tokens[4] ?? "",
    count: Number(tokens[6]),
    sequence: Number(tokens[7]),
    pending: Number(tokens[10]),
  };
}

/**
 * Throws if the durable delivers no completion of some of the resources. Without the error, the kit
 * would acknowledge everything that the durable delivers, and hand over nothing.
 *
 * @internal
 */
export function checkGrant(
  team: string, durable: string,
  config: Pick<ConsumerInfo["config"], "filter_subject" | "filter_subjects">,
  resources: readonly string[],
): void {
  // One filter, or none: every completion.
  const filters = config.filter_subjects ?? [config.filter_subject || ">"];
  const granted = resourcesOf(filters);
  if (granted.has("*")) return;
  const lacking = new Set(resources.filter((resource) => !granted.has(resource)));
  if (lacking.size === 0) return;
  granted.delete("link");
  throw new Error(`durable ${durable} does not deliver ${[...lacking].join(", ")}: the operator ` +
    `grants it with \`wagewire team add ${team} --resources ${[...granted, ...lacking].join()}\``);
}

/** Returns the resources that filters of a durable name. A wildcard is "*". */
function resourcesOf(filters: readonly string[]): Set<string> {
  return new Set(filters.map((filter) => {
    const [, , , resource = ">"] = filter.split(".");
    return resource === ">" ? "*" : resource;
  }));
}

/** One call of subscribe. */
class Run {
  readonly durable: string;
  readonly hands: number;
  readonly handler: Handler;
  readonly aside: Subscription["aside"];
  readonly #attemptsMax: number;
  readonly resources: readonly string[];
  readonly #accounts: Set<string>;
  readonly outcomes = new Outcomes();
  /** Counts the completions outside of the filter. */
  leftOut = 0;
  /** Counts the failures of completions that nothing helps. */
  late = 0;
  hasNothing = false;
  /** Counts the requests that were refused, or not answered, since the last good one. */
  refusals = 0;
  readonly #looks = new EventTarget();
  #isNearEnd = false;

  constructor(subscription: Subscription, handler: Handler, team: string) {
    this.durable = subscription.durable ?? team;
    this.hands = subscription.hands ?? 4;
    this.#attemptsMax = subscription.attemptsMax ?? 20;
    this.resources = namesOf("resources", subscription.resources ?? []);
    this.#accounts = new Set(namesOf("accounts", subscription.accounts ?? []).map(token));
    this.aside = subscription.aside;
    this.handler = handler;
    if (!/^[^.*>\s]+$/.test(this.durable))
      throw new Error(`"${this.durable}" is not the name of a durable: set subscription.durable, ` +
        "or the team");
    if (!(this.hands >= 1 && this.hands <= handsMax))
      throw new Error(`subscription.hands is ${this.hands}: want 1 to ${handsMax}`);
    if (!(this.#attemptsMax >= 1))
      throw new Error(`subscription.attemptsMax is ${this.#attemptsMax}: want 1 or more`);
    for (const resource of this.resources)
      if (!knownResources.includes(resource))
        throw new Error(`subscription.resources has "${resource}": want some of ` +
          knownResources.join(", "));
    if (typeof handler?.store !== "function" || typeof handler.remove !== "function")
      throw new Error("the handler has no function store or none remove");
  }

  /** Reports whether the filter has the subject of a completion. */
  includes(subject: string): boolean {
    const tokens = subject.split(".");
    if (tokens.length !== 6) return true; // a later release may have other subjects
    const [, , , resource = "", account = ""] = tokens;
    if (this.resources.length > 0 && !this.resources.includes(resource)) return false;
    return this.#accounts.size === 0 || this.#accounts.has(account);
  }

  /** Returns why no delivery helps, or undefined if one may. */
  judge(error: unknown, delivery: Delivery, isDeletion: boolean): string | undefined {
    const poison = causeOf(error, Poison);
    if (poison && !isDeletion) return poison.message;
    const isAlone = this.outcomes.fail(delivery.sequence);
    if (isDeletion || !this.isLate(delivery)) return undefined; // a deletion comes until it is taken
    const broken = causeOf(error, RecordsGone) ?? causeOf(error, RecordsChanged);
    if (broken) return `${delivery.count} deliveries: ${broken.message}`;
    return isAlone
      ? `${delivery.count} deliveries: the handler threw a ${typeOf(error)}, and took others`
      : undefined;
  }

  /** Reports whether an error of the delivery may be one that no further delivery helps. */
  isLate(delivery: Delivery): boolean {
    return delivery.count >= this.#attemptsMax;
  }

  /**
   * Tells catchUp to look if a delivery said that the broker has no other one to deliver. Several
   * hands have their last deliveries then, in any order.
   */
  noteEnd(delivery: Delivery): void {
    this.#isNearEnd ||= delivery.pending === 0;
    if (this.#isNearEnd) this.#lookNow();
  }

  #lookNow(): void {
    this.#looks.dispatchEvent(new Event("look"));
  }

  async waitToLook(stop: Stop): Promise<void> {
    const timer = setTimeout(() => this.#lookNow(), lookEvery);
    await stop.event(this.#looks, "look");
    clearTimeout(timer);
  }
}

/** Returns a list of a subscription. A text has letters, which would be taken for names. */
function namesOf(field: string, names: unknown): string[] {
  if (Array.isArray(names) && names.every((name) => typeof name === "string")) return names;
  throw new TypeError(`subscription.${field} is not a list of texts`);
}

/** A failure of the completion at a place of the stream. Turns order what happened. */
interface Failure {
  sequence: number;
  turn: number;
  /** The completion failed, and the others did not. */
  wasAlone: boolean;
}

/**
 * What became of the completions of a program, to tell a completion that fails alone from a
 * database that is down.
 *
 * @internal
 */
export class Outcomes {
  #turn = 0;
  /** The turn of the last completion that the handler took. */
  #taken = 0;
  /** The last failure of each completion that fails. */
  readonly #failed = new Map<number, Failure>();
  /** The newest failure, and the newest of another completion than that. */
  #newest: Failure | undefined;
  #other: Failure | undefined;

  /** Notes that the handler took a completion, and used its database for it. */
  take(): void {
    this.#taken = ++this.#turn;
  }

  /**
   * Notes that a completion failed. It reports whether the completion failed alone twice in a row:
   * each time since its failure before, the handler took others, and none of the others failed
   * after that. Once is not enough: of an outage with a pause, one completion is the first to fail
   * again.
   */
  fail(sequence: number): boolean {
    const before = this.#failed.get(sequence);
    if (this.#newest && this.#newest.sequence !== sequence) this.#other = this.#newest;
    const others = this.#other?.turn ?? 0;
    const wasAlone = before !== undefined && this.#taken > before.turn && this.#taken > others;
    const failure = { sequence, turn: ++this.#turn, wasAlone };
    this.#newest = failure;
    if (this.#failed.size >= failuresMax) this.#failed.clear();
    this.#failed.set(sequence, failure);
    return wasAlone && before.wasAlone;
  }

  /** Forgets a completion that was settled. Its failure still counts for the others. */
  forget(sequence: number): void {
    this.#failed.delete(sequence);
  }
}

async function call(handler: Handler, completion: Completion): Promise<void> {
  if (completion.isDeletion) await handler.remove(completion);
  else await handler.store(completion);
}

/** The pause after a delivery, in milliseconds. Deliveries are numbered from 1. */
export function pauseAfter(deliveries: number): number {
  return Math.min(pauseMin * 2 ** (deliveries - 1), pauseMax);
}

/**
 * Ends the waits of a subscription: after the caller's signal, a failure, or the last completion.
 */
class Stop {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal | undefined;
  readonly now = (): void => this.#controller.abort();

  constructor(caller: AbortSignal | undefined) {
    setMaxListeners(0, this.#controller.signal);
    this.#caller = caller;
    caller?.addEventListener("abort", this.now);
    if (caller?.aborted) this.now();
  }

  /** Lets go of the caller's signal, which may live longer. */
  forget(): void {
    this.#caller?.removeEventListener("abort", this.now);
  }

  get isStopped(): boolean {
    return this.#controller.signal.aborted;
  }

  /** Waits for an event or the stop. */
  event(of: EventTarget, name: string): Promise<void> {
    const { signal } = this.#controller;
    return new Promise((resolve) => {
      const done = () => {
        of.removeEventListener(name, done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      if (signal.aborted) return resolve();
      of.addEventListener(name, done);
      signal.addEventListener("abort", done);
    });
  }

  /** Waits for a time in milliseconds or the stop. */
  async wait(time: number): Promise<void> {
    const over = new EventTarget();
    const timer = setTimeout(() => over.dispatchEvent(new Event("over")), time);
    await this.event(over, "over");
    clearTimeout(timer);
  }
}

/** Lets one hand at a time work for an account. */
class Locks {
  /** Has a target for each locked account, which tells of the unlock. */
  readonly #busy = new Map<string, EventTarget>();

  /** Waits for the account. It returns false if stop comes first. */
  async lock(account: string, stop: Stop): Promise<boolean> {
    for (;;) {
      const busy = this.#busy.get(account);
      if (!busy) break;
      await stop.event(busy, "unlock");
      if (stop.isStopped) return false;
    }
    const target = new EventTarget();
    setMaxListeners(0, target);
    this.#busy.set(account, target);
    return true;
  }

  unlock(account: string): void {
    const target = this.#busy.get(account);
    this.#busy.delete(account);
    target?.dispatchEvent(new Event("unlock"));
  }
}

/** The provider and the account's token of a completion's subject. */
function accountOf(subject: string): string {
  const [, , provider = "", , account = ""] = subject.split(".");
  return `${provider}.${account}`;
}

/** Returns a chunk of the records in the store, or undefined if it is not there. */
type Get = (subject: string) => Promise<Uint8Array | undefined>;

/** A completion as it came. The outcome may be one that this release does not know. */
export class Completion {
  /** All bytes of the message, with every field, also fields that the types do not know. */
  readonly raw: Uint8Array;
  /** The message. Its numbers within data.records are LosslessNumbers. */
  readonly envelope: Envelope;
  /** The place of the message on the stream. Do not order completions by it: see order. */
  readonly streamSequence: number;
  /** How often the broker delivered the completion, this time included. 0 from retryAside. */
  readonly deliveries: number;
  readonly #get: Get;

  /** @internal */
  constructor(raw: Uint8Array, streamSequence: number, deliveries: number, get: Get) {
    this.raw = raw;
    this.envelope = decode(raw);
    this.streamSequence = streamSequence;
    this.deliveries = deliveries;
    this.#get = get;
  }

  /** The same for every delivery of the completion: your idempotency key. */
  get id(): string {
    return this.envelope.id;
  }

  /** wagewire.<resource>.<outcome>.v1. */
  get type(): string {
    return this.envelope.type;
  }

  /** The token of the account. */
  get subject(): string {
    return this.envelope.subject;
  }

  /** When the completion was written. */
  get time(): string {
    return this.envelope.time;
  }

  /** Absent in completions of earlier releases: see order. */
  get sequence(): string | undefined {
    return this.envelope.sequence;
  }

  get data(): CompletionData {
    return this.envelope.data;
  }

  /** Whether the provider has deleted the account. */
  get isDeletion(): boolean {
    return this.data.outcome === "deleted";
  }

  /**
   * The order of the completions of one account and resource, also for completions of earlier
   * releases: compare as text, and the greater is the newer.
   */
  get order(): string {
    if (this.sequence) return this.sequence;
    const time = this.data.refreshed_at ?? this.data.event?.occurred_at;
    return `${sortable(time)}/${sortable(this.time)}/${this.id}`;
  }

  /**
   * Returns the records of the completion, wherever they are. R is their type, such as
   * PinwheelPaystub. Every number is a LosslessNumber.
   *
   * Records of a large completion are read from the store, and none comes before the SHA-256 of all
   * is right. The memory holds one chunk and its records, or all if they have up to 8 MiB. Let
   * RecordsGone and RecordsChanged pass through the handler: the kit knows them.
   */
  async *records<R extends object = JsonObject>(): AsyncGenerator<R, void, undefined> {
    const ref = this.data.records_ref;
    if (!ref) {
      yield* (this.data.records ?? []) as unknown as R[];
      return;
    }
    if (!ref.subject || !ref.chunks)
      throw new RecordsGone("the records are of an earlier release, which only a client of the " +
        "object store can read");
    const { subject, chunks, sha256, bytes, count } = ref;
    const reading = new Reading(this.#get, subject, chunks, sha256, bytes, count);
    // The first pass checks everything, and hands nothing out.
    for await (const _ of reading.pass(parseRecord));
    for await (const records of reading.pass())
      for (const record of records) yield parseRecord(record) as R;
  }
}

function parseRecord(text: Uint8Array): Json {
  try {
    return parseJson(text);
  } catch {
    throw new Poison("a record is not JSON"); // the error may quote the text
  }
}

/** Reads the records of a reference, in one or two passes over the chunks. */
class Reading {
  /** Has the chunks between two passes, if all of them are small. */
  readonly #kept: Uint8Array[] = [];
  constructor(
    readonly get: Get, readonly subject: string, readonly chunks: number, readonly sha256: string,
    readonly bytes: number, readonly count: number,
  ) {}

  /**
   * Reads every chunk, and yields the texts of the records that end in it. check throws for a text
   * that is no record. A wrong hash counts more than such a fault: a changed text may be anything.
   */
  async *pass(
    check?: (record: Uint8Array) => void,
  ): AsyncGenerator<Uint8Array[], void, undefined> {
    const digest = createHash("sha256");
    const splitter = new Splitter();
    let size = 0;
    let fault: unknown;
    for (let n = 1; n <= this.chunks; n++) {
      const chunk = await this.#chunk(n);
      size += chunk.length;
      if (size > this.bytes)
        throw new RecordsChanged("the records have more bytes than they should");
      digest.update(chunk);
      if (fault !== undefined) continue;
      let records: Uint8Array[] = [];
      try {
        records = splitter.add(chunk);
        if (check) records.forEach(check);
      } catch (error) {
        fault = error;
      }
      yield records;
    }
    if (size !== this.bytes)
      throw new RecordsChanged("the records have fewer bytes than they should");
    if (digest.digest("hex") !== this.sha256)
      throw new RecordsChanged("the records have another SHA-256 than they should");
    if (fault !== undefined) throw fault;
    splitter.end();
    if (splitter.count !== this.count)
      throw new RecordsChanged(`there are ${splitter.count} records, and should be ${this.count}`);
  }

  async #chunk(n: number): Promise<Uint8Array> {
    const kept = this.#kept[n - 1];
    if (kept) return kept;
    const chunk = await this.get(`${this.subject}.${n}`);
    if (!chunk) throw new RecordsGone(`chunk ${n} of ${this.chunks} of the records is gone`);
    if (this.bytes <= keptBytesMax) this.#kept.push(chunk);
    return chunk;
  }
}

// The bytes that the structure of JSON is made of.
const quote = 0x22;
const comma = 0x2c;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const isSpace = (byte: number) => byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;

/**
 * Cuts the text of a JSON array into the texts of its elements, while the text comes in parts. It
 * keeps one element in memory.
 *
 * @internal
 */
export class Splitter {
  /** Counts the elements so far. */
  count = 0;
  /** Has the parts of the present element, with the white space around it. */
  #parts: Uint8Array[] = [];
  /** The number of open objects and arrays, the outer one included. */
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #hasEnded = false;

  /** Reads the next part, and returns the elements that end in it. */
  add(text: Uint8Array): Uint8Array[] {
    const elements: Uint8Array[] = [];
    let begin = 0;
    for (let i = 0; i < text.length; i++) {
      const byte = text[i] as number;
      if (this.#isInString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === backslash) this.#isEscaped = true;
        else if (byte === quote) this.#isInString = false;
      } else if (this.#depth === 0) {
        this.#outside(byte);
        begin = i + 1;
      } else if (byte === quote) {
        this.#isInString = true;
      } else if (byte === openBrace || byte === openBracket) {
        if (++this.#depth > depthMax) throw new Poison("a record is nested too deep");
      } else if (byte === closeBrace || (byte === closeBracket && this.#depth > 1)) {
        if (--this.#depth === 0) throw noArray();
      } else if (this.#depth === 1 && (byte === comma || byte === closeBracket)) {
        this.#parts.push(text.subarray(begin, i));
        begin = i + 1;
        this.#hand(byte, elements);
      }
    }
    // A copy, because the rest of the part should not stay in memory.
    if (this.#depth > 0) this.#parts.push(text.slice(begin));
    return elements;
  }

  /** Throws if the text has not ended with the array. */
  end(): void {
    if (!this.#hasEnded) throw noArray();
  }

  /** Reads a byte before or behind the array. */
  #outside(byte: number): void {
    if (isSpace(byte)) return;
    if (byte !== openBracket || this.#hasEnded) throw noArray();
    this.#depth = 1;
  }

  /** Hands the element out, before a comma or the last bracket. */
  #hand(byte: number, elements: Uint8Array[]): void {
    const element = Buffer.concat(this.#parts);
    this.#parts = [];
    if (byte === closeBracket) {
      this.#depth = 0;
      this.#hasEnded = true;
      if (this.count === 0 && element.every(isSpace)) return; // an empty array
    }
    this.count++;
    elements.push(element);
  }
}

const noArray = () => new Poison("the records are not a JSON array");

/**
 * Throws a Poison if a JSON text is nested too deep for a parser that calls itself.
 *
 * @internal
 */
export function checkDepth(text: Uint8Array): void {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const byte = text[i];
    if (byte === quote) {
      for (i++; i < text.length && text[i] !== quote; i++) if (text[i] === backslash) i++;
    } else if (byte === openBrace || byte === openBracket) {
      if (++depth > depthMax) throw new Poison("the message is nested too deep");
    } else if (byte === closeBrace || byte === closeBracket) {
      depth--;
    }
  }
}

/**
 * Reads JSON with every digit: each number is a LosslessNumber. Of two members with one name the
 * last counts.
 */
export function parseJson(text: Uint8Array): Json {
  return parse(new TextDecoder().decode(text), null, {
    onDuplicateKey: ({ newValue }) => newValue,
  }) as Json;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !isLosslessNumber(value);
}

/** Reads a completion. The error is a Poison. */
function decode(raw: Uint8Array): Envelope {
  checkDepth(raw);
  let message: Json;
  try {
    message = parseJson(raw);
  } catch {
    throw new Poison("the message is not JSON"); // the error may quote the text
  }
  if (!isCompletion(message)) throw new Poison("the message is not a completion");
  countsOf(message.data, "redrive", "attempts");
  countsOf(message.data.records_ref, "bytes", "count", "chunks");
  return message;
}

/** Without these the kit does not know what to do with a message. All else is kept as it comes. */
function isCompletion(message: unknown): message is Envelope {
  if (!isObject(message) || !isObject(message["data"])) return false;
  const { provider, resource, outcome } = message["data"];
  return [message["id"], provider, resource, outcome].every(
    (text) => typeof text === "string" && text !== "");
}

/** Makes numbers of Wagewire's own counts. */
function countsOf(object: unknown, ...names: string[]): void {
  if (!isObject(object)) return;
  const members = object as Record<string, unknown>;
  for (const name of names) {
    const value = members[name];
    if (isLosslessNumber(value)) members[name] = Number(value.value);
  }
}

/**
 * Returns the token of a provider's id in subjects: the id itself if it is plain, else its hash.
 *
 * @internal
 */
export function token(id: string): string {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(id) && id !== "_" && !id.startsWith("h_")) return id;
  return "h_" + base32(createHash("sha256").update(id).digest());
}

function base32(bytes: Uint8Array): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) text += alphabet[(value >> (bits - 5)) & 31];
  }
  return bits > 0 ? text + alphabet[(value << (5 - bits)) & 31] : text;
}

/**
 * Returns a time as text that sorts like the time, with nine digits of a second, in UTC. Without a
 * time it is the first of the year 1.
 */
function sortable(time = "0001-01-01T00:00:00Z"): string {
  const [, whole = "", digits = "", zone = "Z"] = /^(.{19})(?:\.(\d+))?(.*)$/.exec(time) ?? [];
  const fraction = digits.slice(0, 9).padEnd(9, "0");
  const at = new Date(whole.replace(" ", "T") + zone);
  if (Number.isNaN(at.getTime())) throw new Poison("a time of the completion is none");
  const utc = at.toISOString().replace(/\..*$/, "").replace(/^\+0/, "");
  return utc.startsWith("-") ? "0000-01-01T00:00:00.000000000Z" : `${utc}.${fraction}Z`;
}

/**
 * Returns a function that writes poison to a directory, as <stream>-<sequence>.json with all bytes
 * of the message, and the reason in <stream>-<sequence>.why.txt. Only the owner can read the files.
 *
 * The directory has whole completions with names and pay, also of accounts that are deleted later.
 * They stay until Client.retryAside removes them, or the program does.
 */
export function asideDirectory(dir: string): (poisoned: Poisoned) => Promise<void> {
  return async ({ stream, sequence, raw, reason }) => {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const file = join(dir, `${token(stream)}-${sequence}.json`);
    await writeDurably(dir, reasonFile(file), new TextEncoder().encode(reason + "\n"));
    await writeDurably(dir, file, raw);
  };
}

/** Lists the completions in a directory in the order of the stream. */
async function listAside(dir: string): Promise<{ name: string; sequence: number }[]> {
  const names = await readdir(dir).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  });
  const files = names.flatMap((name) => {
    const place = /^[^.].*-([0-9]+)\.json$/.exec(name);
    return place ? [{ name, sequence: Number(place[1]) }] : [];
  });
  return files.sort((a, b) => a.sequence - b.sequence);
}

const reasonFile = (file: string) => file.replace(/\.json$/, ".why.txt");

/** Writes a file that survives a power cut, or no file. */
async function writeDurably(dir: string, file: string, text: Uint8Array): Promise<void> {
  // A name that nobody knows: others may have put a link or a readable file at another one.
  const draft = `${file}.${randomUUID()}.tmp`;
  try {
    await writeNew(draft, text);
    await rename(draft, file);
  } catch (error) {
    await unlink(draft).catch(() => undefined);
    throw error;
  }
  const folder = await open(dir);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Writes a file that is not there yet to the disk. */
async function writeNew(file: string, text: Uint8Array): Promise<void> {
  const opened = await open(file, "wx", 0o600);
  try {
    await opened.writeFile(text);
    await opened.sync();
  } finally {
    await opened.close();
  }
}

/** Returns the error or the first of its causes that is of the class. */
function causeOf<E extends Error>(
  error: unknown, of: abstract new (...args: never[]) => E,
): E | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (cause instanceof of) return cause;
  return undefined;
}

function hasCause(error: unknown, of: abstract new (...args: never[]) => Error): boolean {
  return causeOf(error, of) !== undefined;
}

function apiCode(error: unknown): number | undefined {
  return causeOf(error, JetStreamApiError)?.code;
}

/**
 * Reports whether the broker has no such durable for this key. A broker does not tell a team
 * whether the durable of another team is there.
 */
function isMissing(error: unknown): boolean {
  const codes: (number | undefined)[] = [JetStreamApiCodes.ConsumerNotFound,
    JetStreamApiCodes.StreamNotFound, JetStreamApiCodes.JetStreamNotEnabledForAccount];
  return codes.includes(apiCode(error)) || hasCause(error, errors.NoRespondersError) ||
    (error instanceof Error && error.name === "JetStreamNotEnabled");
}

/** The class of an error. The text of a handler's error may have personal data. */
function typeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return /^[A-Za-z0-9_$.]{1,64}$/.test(error.name) ? error.name : "Error";
}

/** The first line of an error's stack behind its text: a place in the code. */
function placeOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const { stack = "", message } = error;
  const text = stack.indexOf(message);
  const place = text >= 0 ? /^ {4}at .*$/m.exec(stack.slice(text + message.length)) : null;
  return place ? place[0].trim() : "";
}

/** The code of an error of the system or of the broker, such as ECONNREFUSED, or its class. */
function codeOf(error: unknown): string {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown };
    if (typeof code === "string" || typeof code === "number") return String(code);
  }
  return error instanceof Error ? error.message : typeof error;
}

const logJson: Log = (level, message, fields) => {
  process.stderr.write(JSON.stringify({ level, message, ...fields }) + "\n");
};

/** What a team has of a resource of an account. */
interface Shelf {
  /** The last word about each id since the newest snapshot, also about removed records. */
  kept: Map<string, Kept>;
  /** The order of the newest snapshot. */
  snapshot: string;
  /** The windows newer than the snapshot. */
  windows: { from: string | null; to: string | null; order: string }[];
}

/** A record of a Mirror, with what the record itself does not say. */
export interface Entry<R extends object = JsonObject> {
  record: R;
  /**
   * Whose a paystub is, as its newest completion says: Truv's statements do not name their
   * employment. Absent if the completion names none, and in other resources, where employment_id
   * says nothing of the records.
   */
  employmentId?: string;
}

interface Kept {
  /** Absent: removed. */
  record?: object;
  employmentId?: string;
  payDate?: string;
  order: string;
}

/**
 * A copy of the records in memory, by the five rules of schema/README.md "Ordering": the same
 * whatever the order of the completions, and however often each comes. A notice is kept under the
 * id of its completion. For programs that keep records in a database, Mirror is the example to
 * follow.
 */
export class Mirror implements Handler {
  readonly #shelves = new Map<string, Map<string, Shelf>>();
  readonly #deleted = new Set<string>();

  /** Applies a completion with its records, wherever these are. */
  async store(completion: Completion): Promise<void> {
    const records: object[] = [];
    for await (const record of completion.records()) records.push(record);
    this.apply(completion, records);
  }

  /** Removes everything of the completion's account, for good. */
  remove(completion: Completion): void {
    this.apply(completion, []);
  }

  /**
   * Applies a completion with its records, of which it keeps the objects. The error, about a record
   * without an id in a completion that is no snapshot, is a Poison, and nothing is changed then.
   */
  apply(completion: Completion, records: Iterable<object>): void {
    const { data, order } = completion;
    const words = wordsOf(completion, records);
    const account = `${data.provider}.${completion.subject}`;
    if (completion.isDeletion) {
      this.#shelves.delete(account);
      this.#deleted.add(account);
    }
    if (this.#deleted.has(account) || !data.scope) return;
    const shelf = this.#shelf(account, data.resource);
    if (order < shelf.snapshot) return;
    if (data.scope === "snapshot") {
      shelf.snapshot = order;
      shelf.windows = shelf.windows.filter((window) => window.order > order);
      for (const [id, kept] of shelf.kept) if (kept.order < order) shelf.kept.delete(id);
    } else if (data.scope === "window") {
      if (!shelf.windows.some((window) => window.order === order))
        shelf.windows.push({ from: data.from ?? null, to: data.to ?? null, order });
    }
    for (const [id, word] of words) {
      const before = shelf.kept.get(id);
      if (!before || before.order < order) shelf.kept.set(id, word);
    }
  }

  /**
   * Returns the present records, sorted by their ids, or without ids in the provider's order.
   * accountId is the provider's own id.
   */
  records<R extends object = JsonObject>(
    provider: string, accountId: string, resource: string,
  ): R[] {
    return this.entries<R>(provider, accountId, resource).map(({ record }) => record);
  }

  /** Returns what records returns, and says of each paystub whose it is. */
  entries<R extends object = JsonObject>(
    provider: string, accountId: string, resource: string,
  ): Entry<R>[] {
    const shelf = this.#shelves.get(`${provider}.${token(accountId)}`)?.get(resource);
    if (!shelf) return [];
    const ids = [...shelf.kept.keys()].sort();
    return ids.map((id) => shelf.kept.get(id) as Kept).filter((kept) => isPresent(shelf, kept))
      .map(({ record, employmentId }) => ({
        record: record as R, ...(employmentId && { employmentId }),
      }));
  }

  /** Reports whether the provider has deleted the account. */
  isDeleted(provider: string, accountId: string): boolean {
    return this.#deleted.has(`${provider}.${token(accountId)}`);
  }

  #shelf(account: string, resource: string): Shelf {
    const shelves = this.#shelves.get(account) ?? new Map<string, Shelf>();
    this.#shelves.set(account, shelves);
    const shelf = shelves.get(resource) ?? { kept: new Map(), snapshot: "", windows: [] };
    shelves.set(resource, shelf);
    return shelf;
  }
}

/**
 * Returns what the completion says about each id. A record counts more than the same id among the
 * deleted. The id of a notice is that of its completion, because a webhook's payload may have none.
 */
function wordsOf(completion: Completion, records: Iterable<object>): Map<string, Kept> {
  const { data, order } = completion;
  const words = new Map<string, Kept>(data.deleted?.map((id) => [id, { order }]));
  // Truv's bank accounts have no ids, and Truv promises none of other records. A snapshot has all of
  // them, so the place will do.
  const mayLackIds = data.scope === "snapshot";
  const employmentId = data.resource === "paystubs" ? data.employment_id : undefined;
  let place = 0;
  for (const record of records) {
    const { id, pay_date: payDate } = isObject(record) ? record : {};
    let key = data.resource === "notices" ? completion.id : id;
    const isNameless = typeof key !== "string" || key === "";
    if (isNameless && mayLackIds) key = String(place).padStart(6, "0");
    place++;
    if (typeof key !== "string" || key === "") throw new Poison("a record has no id");
    words.set(key, {
      record, order, ...(employmentId && { employmentId }),
      ...(payDate && typeof payDate === "string" && { payDate }),
    });
  }
  return words;
}

/** A record older than a window around the record is not there any more. */
function isPresent(shelf: Shelf, { record, payDate, order }: Kept): boolean {
  if (!record) return false;
  return !shelf.windows.some((window) =>
    payDate !== undefined && (window.from === null || window.from <= payDate) &&
    (window.to === null || payDate <= window.to) && order < window.order);
}
