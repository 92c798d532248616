/** What a Corefile says that decides which names the cluster answers: the zone and the option `pods` of its `kubernetes` directive. */
import type { SnapshotConfig } from "../../decide/explain/snapshot.ts";
import { parseCorefile } from "../../dns/corefile/parse.ts";
import type { CorefileSources } from "../../dns/corefile/sources.ts";
import { FairleadError } from "../../lib/errors.ts";

/** A ConfigMap of somebody's cluster gets to see no file of this machine. */
const noSources: CorefileSources = {
  env: {},
  readFile: (path) => {
    throw new FairleadError("FL_COREFILE", `${path} is not read`);
  },
  glob: () => [],
};

/** Nothing for a Corefile that cannot be read or that imports files: the usual domain is then taken. */
export function dnsFacts(corefile: string): Partial<SnapshotConfig> {
  try {
    const blocks = parseCorefile(corefile, "Corefile", { sources: noSources });
    const tokens = blocks.flatMap(({ directives }) => directives.get("kubernetes") ?? []).map(({ text }) => text);
    return factsOf(tokens);
  } catch (error) {
    if (error instanceof FairleadError) return {};
    throw error;
  }
}

/** `kubernetes cluster.local in-addr.arpa ip6.arpa { pods verified … }` */
function factsOf(tokens: readonly string[]): Partial<SnapshotConfig> {
  const zone = tokens.find((text) => text.includes(".") && !text.endsWith(".arpa"));
  const pods = tokens[tokens.indexOf("pods") + 1];
  const known = tokens.includes("kubernetes") || zone !== undefined;
  return {
    ...(zone === undefined ? {} : { clusterDomain: zone.replace(/\.$/, "") }),
    // Without the option there are no names of pods.
    ...(known ? { dnsPods: pods === "insecure" || pods === "verified" ? pods : "disabled" } : {}),
  };
}
