/**
 * Kills an API server with SIGKILL again and again, at random moments under concurrent writers and with a watcher that resumes, each time
 * starting it on what it left: what was acknowledged must be there, and the watch must tell of each write once and in order.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { configMaps } from "../../../src/api/resources.ts";
import { StatusError } from "../../../src/api/status.ts";
import type { ConfigMap } from "../../../src/api/types.ts";
import type { Client } from "../../../src/client/client.ts";
import { httpsTransport } from "../../../src/client/https-transport.ts";
import { createClient } from "../../../src/client/rest.ts";
import { Ledger, WatchAccount, type Seen, type State } from "./ledger.ts";

export interface KillsOptions {
  /** Of the server's data; a new one. */
  readonly directory: string;
  /** What is run with DIRECTORY PORT TOKEN. */
  readonly program: string;
  readonly kills: number;
  readonly seed: number;
  readonly writers?: number;
  /** The longest life after the first write was acknowledged, in milliseconds. */
  readonly life?: number;
  readonly env?: NodeJS.ProcessEnv;
  readonly onRound?: (round: number) => void;
  /** Ends it after the round under way; the last look is taken all the same. */
  readonly signal?: AbortSignal;
}

export interface KillsReport {
  readonly kills: number;
  /** Killed before they answered. */
  readonly starting: number;
  readonly acknowledged: number;
  readonly unanswered: number;
  readonly events: number;
  readonly resumed: number;
  readonly relisted: number;
  /** Empty, or what was wrong. */
  readonly faults: readonly string[];
}

const token = "kills";
const namespace = "default";

/** [0, 1), the same sequence for the same seed (xorshift32). */
function sequence(seed: number): () => number {
  let state = seed * 2654435761 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

interface Round {
  readonly client: Client;
  readonly random: () => number;
  readonly ledger: Ledger;
  readonly watch: WatchAccount;
  readonly faults: string[];
  /** True from the kill on. */
  dead: boolean;
}

export async function killRounds(options: KillsOptions): Promise<KillsReport> {
  const { directory, kills, seed, life = 120 } = options;
  mkdirSync(directory, { recursive: true });
  const random = sequence(seed);
  const [ledger, watch] = [new Ledger(), new WatchAccount()];
  const faults: string[] = [];
  let starting = 0;
  let done = 0;
  for (; done < kills && faults.length === 0 && options.signal?.aborted !== true; done++) {
    const child = start(options);
    // Some die before they have answered anybody.
    if (random() < 0.1) {
      await delay(random() * 150);
      starting += 1;
      await kill(child);
    } else {
      await oneRound({ client: await connected(child, directory), random, ledger, watch, faults, dead: false }, child, options, life);
    }
    options.onRound?.(done + 1);
  }
  // One more life to look at what is there.
  const child = start(options);
  const client = await connected(child, directory);
  const { objects, revision } = await listed(client);
  faults.push(...ledger.settle(objects), ...watch.missed(ledger.revisions).map((one) => `the watch never told of revision ${one}`));
  if (watch.revision === revision) faults.push(...watch.compare(objects));
  await kill(child);
  const { acknowledged, unanswered } = ledger;
  return {
    kills: done,
    starting,
    acknowledged,
    unanswered,
    events: watch.events,
    resumed: watch.resumed,
    relisted: watch.relisted.length,
    faults,
  };
}

async function oneRound(round: Round, child: ChildProcess, { writers = 8 }: KillsOptions, life: number): Promise<void> {
  const { client, ledger, faults, random } = round;
  const { objects } = await listed(client);
  faults.push(...ledger.settle(objects));
  const following = follow(round);
  const before = ledger.acknowledged;
  const writing = Array.from({ length: writers }, (_, writer) => write(round, writer));
  while (ledger.acknowledged === before && child.exitCode === null && faults.length === 0) await delay(1);
  await delay(random() * life);
  round.dead = true;
  await kill(child);
  await Promise.all([following, ...writing]);
}

function start({ program, directory, env }: KillsOptions): ChildProcess {
  return spawn(process.execPath, [program, directory, "0", token], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
}

async function connected(child: ChildProcess, directory: string): Promise<Client> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const gone = once(child, "exit").then(() => Promise.reject(new Error("the server ended by itself")));
  gone.catch(() => undefined);
  const [line] = (await Promise.race([once(lines, "line"), gone])) as [string];
  const { port } = JSON.parse(line) as { readonly port: number };
  const ca = readFileSync(join(directory, "ca.crt"), "utf8");
  return createClient(httpsTransport({ server: `https://127.0.0.1:${port}`, ca, token, namespace, context: "" }), {
    fieldManager: "kills",
  });
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = child.exitCode !== null || child.signalCode !== null ? undefined : once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

const delay = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

const stateOf = ({ metadata, data }: ConfigMap): State => ({
  number: Number(data?.["number"]),
  revision: Number(metadata?.resourceVersion),
});

async function listed(client: Client): Promise<{ readonly objects: ReadonlyMap<string, State>; readonly revision: number }> {
  const { items, metadata } = await client.list(configMaps, { namespace });
  const own = items.filter(({ data }) => data?.["number"] !== undefined);
  return { objects: new Map(own.map((item) => [item.metadata?.name ?? "", stateOf(item)])), revision: Number(metadata.resourceVersion) };
}

/** Creates, updates and deletes objects of its own until the server is dead. Objects of earlier lives are used further. */
async function write(round: Round, writer: number): Promise<void> {
  const { ledger, random } = round;
  while (!round.dead) {
    const name = `w${writer}-${Math.floor(random() * 12)}`;
    if (ledger.isUnsure(name)) continue;
    const known = ledger.get(name);
    const number = known !== undefined && random() < 0.25 ? undefined : Math.floor(random() * 2 ** 31);
    try {
      await writeOnce(round, name, number);
    } catch (error) {
      // A Status is an answer: the write was not done. Anything else leaves open whether it was.
      if (error instanceof StatusError && !round.dead) round.faults.push(`${name}: ${error.message}`);
      ledger.leaveOpen(name, number);
      if (round.dead) return;
      await delay(1);
    }
  }
}

async function writeOnce({ client, ledger }: Round, name: string, number: number | undefined): Promise<void> {
  const known = ledger.get(name);
  if (number === undefined) {
    await client.delete(configMaps, { namespace, name });
    return ledger.acknowledge(name, undefined);
  }
  const metadata = { name, namespace, ...(known === undefined ? {} : { resourceVersion: String(known.revision) }) };
  const object: ConfigMap = { kind: "ConfigMap", apiVersion: "v1", metadata, data: { number: String(number), padding: "x".repeat(300) } };
  const written = known === undefined ? await client.create(configMaps, object) : await client.update(configMaps, object);
  ledger.acknowledge(name, stateOf(written));
}

/** Watches from where the watcher was until the server is dead. */
async function follow(round: Round): Promise<void> {
  const { watch, faults } = round;
  try {
    if (watch.revision === 0) await relist(round, 0);
    else watch.resumed += 1;
    for (;;) {
      const expired = await watchOnce(round);
      if (!expired) return;
      watch.resumed -= 1;
      await relist(round, watch.revision);
    }
  } catch (error) {
    // A connection that breaks with the server is what this is about.
    if (!round.dead) faults.push(`the watch failed while the server lived: ${String(error)}`);
  }
}

async function relist({ client, watch }: Round, since: number): Promise<void> {
  const { objects, revision } = await listed(client);
  watch.list(objects, revision, since);
}

/** True when the server no longer knows what was after the watcher's revision. */
async function watchOnce({ client, watch, faults }: Round): Promise<boolean> {
  try {
    for await (const { type, object } of client.watch(configMaps, {
      namespace,
      resourceVersion: String(watch.revision),
      allowWatchBookmarks: true,
    })) {
      if (type !== "BOOKMARK" && object.data?.["number"] === undefined) continue;
      const fault = watch.take({ type, name: object.metadata?.name ?? "", ...stateOf(object) } as Seen);
      if (fault !== undefined) faults.push(fault);
    }
    return false;
  } catch (error) {
    if (error instanceof StatusError && error.status.code === 410) return true;
    throw error;
  }
}
