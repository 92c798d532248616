/** `fairlead logs`: the output of a pod, or of every pod of a Deployment, each line with its pod's name. */
import { pods, deployments, resourcePath } from "../../api/resources.ts";
import type { Pod } from "../../api/types.ts";
import { FairleadError, errorMessage } from "../../lib/errors.ts";
import { matchesLabels, selectorOf } from "../../api/selectors.ts";
import type { Client } from "../../client/client.ts";
import { connect, findCluster, type ClusterChoice } from "../connect.ts";
import type { Terminal } from "../terminal.ts";

export interface LogsOptions extends ClusterChoice {
  /** `POD`, `pod/NAME` or `deployment/NAME` */
  readonly target: string;
  readonly namespace: string;
  readonly container?: string;
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly tail?: number;
}

export async function logs(options: LogsOptions, terminal: Terminal): Promise<number> {
  const connection = await connect(findCluster(options).kubeconfig);
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  try {
    const found = await podsOf(connection.client, options);
    const prefixed = found.length > 1;
    await Promise.all(found.map((pod) => stream(connection.client, pod, options, prefixed, terminal, stop.signal)));
  } finally {
    await connection.close();
  }
  return 0;
}

async function podsOf(client: Client, { target, namespace }: LogsOptions): Promise<readonly Pod[]> {
  const [kind, name] = target.includes("/") ? (target.split("/", 2) as [string, string]) : ["pod", target];
  if (["pod", "pods", "po"].includes(kind)) return [await client.get(pods, { namespace, name })];
  if (!["deployment", "deployments", "deploy"].includes(kind)) {
    throw new FairleadError("FL_USAGE", `logs of ${target}: unknown kind ${JSON.stringify(kind)}`, {
      hint: "Name a pod (logs web-1) or a Deployment (logs deployment/web).",
    });
  }
  const deployment = await client.get(deployments, { namespace, name });
  const selector = selectorOf(deployment.spec?.selector);
  const { items } = await client.list(pods, { namespace });
  const found = items.filter((pod) => matchesLabels(selector, pod.metadata.labels ?? {}));
  if (found.length === 0) throw new FairleadError("FL_NOT_RUNNING", `deployment ${namespace}/${name} has no pods`);
  return found;
}

async function stream(
  client: Client,
  pod: Pod,
  options: LogsOptions,
  prefixed: boolean,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  const { namespace, name = "" } = pod.metadata;
  const query = new URLSearchParams();
  if (options.container !== undefined) query.set("container", options.container);
  if (options.follow) query.set("follow", "true");
  if (options.previous) query.set("previous", "true");
  if (options.timestamps) query.set("timestamps", "true");
  if (options.tail !== undefined) query.set("tailLines", String(options.tail));
  const prefix = prefixed ? terminal.paint.dim(`${name} `) : "";
  try {
    for await (const line of lines(client.stream(`${resourcePath(pods, namespace, name, "log")}?${query}`, signal)))
      terminal.print(`${prefix}${line}`);
  } catch (error) {
    if (!signal.aborted) terminal.note(`${name}: ${errorMessage(error)}`);
  }
}

async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() as string;
    yield* parts;
  }
  if (rest !== "") yield rest;
}
