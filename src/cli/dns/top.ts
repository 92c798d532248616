/** `fairlead dns top`: who asks for what, how much of it the search path wastes, and what another `ndots` would do. */
import { pods } from "../../api/resources.ts";
import type { Client } from "../../client/client.ts";
import { ndotsAdvice, type NdotsAdvice } from "../../decide/dns/top/ndots-advice.ts";
import type { ClientReport, TopReport } from "../../decide/dns/top/query-tally.ts";
import { realClock } from "../../lib/clock.ts";
import { errorMessage, FairleadError } from "../../lib/errors.ts";
import { connect, findCluster } from "../connect.ts";
import type { Terminal } from "../terminal.ts";
import { parseFlags } from "./flags.ts";
import { topText, type ShownClient } from "./top-text.ts";

const table = { values: ["name", "kubeconfig", "url", "clients", "names", "o", "output"], switches: [] };
const page = "/debug/dns/top";
const advised = [2, 1];
const [defaultClients, defaultNames] = [10, 3];

interface Top {
  readonly report: TopReport;
  /** Address → `namespace/name` of the pod. */
  readonly pods: ReadonlyMap<string, string>;
}

export async function top(words: readonly string[], terminal: Terminal): Promise<number> {
  const { values } = parseFlags(words, table);
  const url = values.get("url");
  const found = url === undefined ? await ofCluster(values) : { report: await ofServer(url), pods: new Map<string, string>() };
  const count = (flag: string, usual: number) => countFlag(flag, values.get(flag), usual);
  const clients = found.report.clients.slice(0, count("clients", defaultClients)).map((client) => shown(client, found.pods));
  const output = values.get("o") ?? values.get("output") ?? "text";
  if (output === "json") terminal.print(JSON.stringify({ ...found.report, clients }, null, 2));
  else if (output !== "text") throw new FairleadError("FL_USAGE", `-o ${output}: expected text or json`);
  else
    for (const line of topText(found.report, clients, { names: count("names", defaultNames), now: realClock.now() })) terminal.print(line);
  return 0;
}

function countFlag(flag: string, text: string | undefined, usual: number): number {
  if (text === undefined) return usual;
  if (!/^\d{1,4}$/.test(text)) throw new FairleadError("FL_USAGE", `--${flag} ${text}: expected a number`);
  return Number(text);
}

function shown(client: ClientReport, byAddress: ReadonlyMap<string, string>): ShownClient {
  const advice: readonly NdotsAdvice[] = advised.map((ndots) => ndotsAdvice(client, ndots));
  return { ...client, pod: byAddress.get(client.address), advice };
}

async function ofCluster(values: ReadonlyMap<string, string>): Promise<Top> {
  const connection = await connect(
    values.get("kubeconfig") ?? findCluster({ name: values.get("name") ?? process.env["FAIRLEAD_NAME"] ?? "default" }).kubeconfig,
  );
  try {
    const report = (await connection.client.raw(page)) as TopReport;
    return { report, pods: await podsByAddress(connection.client) };
  } finally {
    await connection.close();
  }
}

async function podsByAddress(client: Client): Promise<ReadonlyMap<string, string>> {
  const { items } = await client.list(pods);
  return new Map(
    items.flatMap(({ metadata, status }) =>
      (status?.podIPs ?? []).map(({ ip }): [string, string] => [ip, `${metadata.namespace ?? ""}/${metadata.name ?? ""}`]),
    ),
  );
}

async function ofServer(url: string): Promise<TopReport> {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`it answers ${response.status}`);
    return (await response.json()) as TopReport;
  } catch (error) {
    throw new FairleadError("FL_CONNECT", `${url} does not show who asks for what: ${errorMessage(error)}`, {
      cause: error,
      hint: "A Corefile with the directive top shows it at http://localhost:6054/top.",
    });
  }
}
