/** `fairlead diff --since 5m`: what changed in routing, and which object's write did it. Reads the history that a Fairlead keeps. */
import { routingDiff, type RoutingChange } from "../../decide/explain/history/routing-diff.ts";
import { refText } from "../../decide/explain/snapshot.ts";
import { isGone } from "../../api/status.ts";
import type { Client } from "../../client/client.ts";
import { FairleadError } from "../../lib/errors.ts";
import { connect, findCluster, type ClusterChoice } from "../connect.ts";
import { readPast, readWrites, type PastState } from "../explain/read-history.ts";
import type { Output } from "../options.ts";
import type { Paint, Terminal } from "../terminal.ts";

export interface DiffOptions extends ClusterChoice {
  readonly since: string;
  readonly to?: string;
  readonly namespace?: string;
  readonly kubeconfig?: string;
  readonly output: Output;
}

/** Exit code 0, as changes are no fault. Throws FL_UNSUPPORTED for a cluster without history. */
export async function diff(options: DiffOptions, terminal: Terminal): Promise<number> {
  const { client, close } = await connect(options.kubeconfig ?? findCluster(options).kubeconfig);
  try {
    const before = await pastOrOldest(client, options.since, terminal);
    const writes = await readWrites(client, before.revision, options.to);
    const changes = routingDiff(before.versions, writes).filter(
      ({ subject }) => options.namespace === undefined || subject.namespace === options.namespace,
    );
    terminal.print(
      options.output === "json"
        ? JSON.stringify({ since: { revision: before.revision, time: new Date(before.time).toISOString() }, changes }, null, 2)
        : diffText(changes, terminal.paint),
    );
    return 0;
  } finally {
    await close();
  }
}

/** Who asks for the last hour of a cluster that began a minute ago wants that minute. */
async function pastOrOldest(client: Client, since: string, terminal: Terminal): Promise<PastState> {
  try {
    return await readPast(client, since);
  } catch (error) {
    if (!(error instanceof FairleadError && isGone(error.cause))) throw error;
    const oldest = await readPast(client, "oldest");
    terminal.note(`history begins at ${new Date(oldest.time).toISOString()}`);
    return oldest;
  }
}

function diffText(changes: readonly RoutingChange[], paint: Paint): string {
  if (changes.length === 0) return "nothing changed in routing";
  return changes
    .map(({ revision, time, subject, added, removed, by, because }) => {
      const writer = by.writer === undefined ? "" : ` by ${by.writer}`;
      return [
        `${paint.dim(new Date(time).toISOString())} ${paint.bold(refText(subject))} ${paint.dim(`revision ${revision}`)}`,
        ...removed.map((line) => `  ${paint.red("-")} ${line}`),
        ...added.map((line) => `  ${paint.green("+")} ${line}`),
        `  ${refText(by.ref)} was ${by.verb}${writer}`,
        ...because.map((text) => `  because ${text}`),
      ].join("\n");
    })
    .join("\n\n");
}
