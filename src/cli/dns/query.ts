/** `fairlead dns query`: asks as a pod would, through its search path, and tells how each answer came to be. */
import { configMaps, pods } from "../../api/resources.ts";
import type { Pod } from "../../api/types.ts";
import { isNotFound } from "../../api/status.ts";
import type { Client } from "../../client/client.ts";
import { rcodeName, rcodes, typeCode, typeName } from "../../decide/dns/records.ts";
import { isDomainName } from "../../decide/dns/name.ts";
import type { KeptState } from "../../dns/plugin.ts";
import { exchangeUdp } from "../../dns/client/exchange.ts";
import { parseServer } from "../../dns/corefile/servers.ts";
import { createQuery, type Message } from "../../dns/wire/message.ts";
import { extendedErrorsOf } from "../../dns/wire/extended-error.ts";
import { recordText } from "../../dns/wire/text.ts";
import { realClock, sleep } from "../../lib/clock.ts";
import { FairleadError } from "../../lib/errors.ts";
import { connect, findCluster } from "../connect.ts";
import type { Terminal } from "../terminal.ts";
import { parseFlags, type Flags } from "./flags.ts";
import { searchList, type PodResolver } from "./search-list.ts";
import { createTracedServer, type TraceStep } from "./trace.ts";

const table = {
  values: ["from", "n", "namespace", "conf", "server", "name", "kubeconfig"],
  switches: ["explain"],
};
const syncMs = 10_000;

/** Exit code 0: there is an answer; 1: there is none. */
export async function query(words: readonly string[], terminal: Terminal): Promise<number> {
  const flags = parseFlags(words, table);
  const [name, type = "A"] = flags.rest;
  if (name === undefined || !isDomainName(name))
    throw new FairleadError("FL_USAGE", "fairlead dns query NAME [TYPE]: a domain name is missing");
  const code = typeCode(type);
  if (code === undefined) throw new FairleadError("FL_USAGE", `${type} is no DNS record type`);
  const server = flags.values.get("server");
  return server === undefined ? await askCluster(flags, name, code, terminal) : await askServer(server, name, code, terminal);
}

async function askServer(text: string, name: string, type: number, terminal: Terminal): Promise<number> {
  const server = parseServer(text);
  if (server === undefined) throw new FairleadError("FL_USAGE", `${text} is no IP address, with or without a port`);
  const id = Math.floor(Math.random() * 65_536);
  const [full = name] = searchList(name, undefined);
  const message = await exchangeUdp(createQuery(full, type, { id }), { ...server, clock: realClock, timeoutMs: 5000 });
  show(message, terminal);
  return message.answers.length > 0 ? 0 : 1;
}

/** With the live Corefile and the live objects, in this process: the running server's cache is not this one's. */
async function askCluster({ values, switches }: Flags, name: string, type: number, terminal: Terminal): Promise<number> {
  const kubeconfig =
    values.get("kubeconfig") ?? findCluster({ name: values.get("name") ?? process.env["FAIRLEAD_NAME"] ?? "default" }).kubeconfig;
  const connection = await connect(kubeconfig);
  const steps: TraceStep[] = [];
  try {
    const from = await resolverOf(connection.client, values.get("from"), values.get("n") ?? values.get("namespace") ?? "default");
    const server = await createTracedServer({ corefile: await corefileOf(connection.client, values.get("conf")), kubeconfig, steps });
    await server.start();
    try {
      await waitUntilReady(() => server.ready().ready);
      const explain = switches.has("explain") ? { kept: (asked: string) => keptText(connection.client, asked, type) } : undefined;
      return await walk(name, type, from, server, steps, explain, terminal);
    } finally {
      await server.stop();
    }
  } finally {
    await connection.close();
  }
}

async function waitUntilReady(ready: () => boolean): Promise<void> {
  for (const end = realClock.monotonic() + syncMs; !ready() && realClock.monotonic() < end;) await sleep(realClock, 20);
}

interface Asked {
  exchange(query: Message, from?: string): Promise<Message | undefined>;
}

async function walk(
  name: string,
  type: number,
  from: PodResolver | undefined,
  server: Asked,
  steps: TraceStep[],
  explain: { readonly kept: (name: string) => Promise<string> } | undefined,
  terminal: Terminal,
): Promise<number> {
  const candidates = searchList(name, from);
  for (const [i, candidate] of candidates.entries()) {
    steps.length = 0;
    const message = await server.exchange(createQuery(candidate, type), from?.address);
    if (explain !== undefined)
      terminal.print(
        terminal.paint.bold(`${candidate} ${typeName(type)}`) +
          (candidates.length > 1 ? `  (${i + 1} of ${candidates.length} in the search path)` : ""),
      );
    for (const step of explain === undefined ? [] : steps) terminal.print(`  ${"  ".repeat(step.depth)}${step.text}`);
    if (explain !== undefined) terminal.print(`  the running server's cache: ${await explain.kept(candidate)}`);
    if (message === undefined) {
      terminal.print("no answer is given");
      return 1;
    }
    if (message.rcode === rcodes.NXDOMAIN && i + 1 < candidates.length) continue;
    show(message, terminal);
    return message.answers.length > 0 ? 0 : 1;
  }
  return 1;
}

/** Of the server that runs, which this process is not. */
async function keptText(client: Client, name: string, type: number): Promise<string> {
  try {
    const page = `/debug/dns/cache?name=${encodeURIComponent(name)}&type=${encodeURIComponent(typeName(type))}`;
    const { kept } = (await client.raw(page)) as { readonly kept: readonly KeptState[] };
    return kept.length === 0 ? "keeps nothing" : kept.map(stateText).join("; ");
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return "not told by this cluster";
  }
}

const stateText = ({ rcode, records, secondsLeft }: KeptState): string =>
  `${rcodeName(rcode)} with ${records} ${records === 1 ? "record" : "records"}, ${secondsLeft > 0 ? `for ${secondsLeft} s more` : `${-secondsLeft} s too old`}`;

function show(message: Message, terminal: Terminal): void {
  const reasons = extendedErrorsOf(message).map(({ code, text = "" }) => `EDE ${code}${text === "" ? "" : ` (${text})`}`);
  terminal.print([rcodeName(message.rcode), message.authoritative ? "aa" : "", ...reasons].filter(Boolean).join(" "));
  for (const record of message.answers) terminal.print(recordText(record));
}

async function corefileOf(client: Client, named: string | undefined): Promise<string> {
  if (named !== undefined) return (await import("./corefile.ts")).findCorefile(named).text;
  const config = await client.get(configMaps, { namespace: "kube-system", name: "coredns" });
  const text = config.data?.["Corefile"];
  if (text === undefined)
    throw new FairleadError("FL_COREFILE", "ConfigMap kube-system/coredns has no key Corefile", { hint: "Name a file: -conf FILE" });
  return text;
}

/** `pod/web-0` or `web-0`. */
async function resolverOf(client: Client, from: string | undefined, namespace: string): Promise<PodResolver | undefined> {
  if (from === undefined) return { address: "127.0.0.1", namespace, ndots: 5, searches: undefined };
  const pod: Pod = await client.get(pods, { namespace, name: from.replace(/^pods?\//, "") });
  const { dnsConfig } = pod.spec ?? {};
  const ndots = Number(dnsConfig?.options?.find((option) => option.name === "ndots")?.value ?? 5);
  return { address: pod.status?.podIP ?? "127.0.0.1", namespace, ndots, searches: dnsConfig?.searches };
}
