/** A cluster as a test sees it. */
import { applyAll, problemText, readAll } from "../cli/apply.ts";
import { servedResources } from "../cli/options.ts";
import { fromCluster } from "../cli/explain/read-snapshot.ts";
import { readSource, sourceFiles, type Source } from "../cli/sources.ts";
import type { Client } from "../client/client.ts";
import type { Cluster } from "../cmd/cluster-options.ts";
import { endpointSlices, nodes, pods, services } from "../api/resources.ts";
import { explain } from "../decide/explain/explain.ts";
import { explainService } from "../decide/explain/service.ts";
import { FairleadError } from "../lib/errors.ts";
import type { Faults } from "./faults/index.ts";
import { fetchThrough } from "./fetch.ts";
import type { TestClock } from "./test-clock.ts";
import type { TestCluster } from "./types.ts";
import { untilReady } from "./until-ready.ts";

/** The test's own client. */
export const testUser = "fairlead-test";

export interface TestClusterParts {
  readonly cluster: Cluster;
  readonly clock: TestClock;
  readonly faults: Faults;
  /** Gives back what the cluster itself does not. */
  readonly discard: () => void;
}

export function createTestCluster({ cluster, clock, faults, discard }: TestClusterParts): TestCluster {
  const { informers } = cluster;
  const client = cluster.clientOf(testUser, ["system:masters"]);
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= cluster.stop().finally(discard));
  return {
    client,
    informers,
    clock,
    faults,
    clientAs: (user, groups = []) => cluster.clientOf(user, groups),
    apply: (text) => applySources(client, [{ name: "manifests", text }]),
    applyFiles: (...paths) => applySources(client, sourceFiles(paths).map(readSource)),
    kubeconfig: () => cluster.listen(),
    fetch: (url, init = {}) => fetchThrough((host, port) => cluster.connect(host, port), url, init),
    resolve: async (name, type = "A") => (await cluster.query(name, type)).answers.map(({ text }) => text),
    query: (name, type) => cluster.query(name, type),
    untilReady: (target, options = {}) => untilReady(informers, target, options),
    async explain(question) {
      const snapshot = await fromCluster(client, {
        proxyMode: "userspace",
        networkPolicy: "ignored",
        clusterDomain: cluster.clusterDomain,
      });
      return explain(snapshot, typeof question === "string" ? { target: question } : question);
    },
    explainService: (namespace, service) =>
      explainService(
        {
          services: informers.informer(services).lister.list(),
          pods: informers.informer(pods).lister.list(),
          endpointSlices: informers.informer(endpointSlices).lister.list(),
          nodes: informers.informer(nodes).lister.list(),
        },
        namespace,
        service,
      ),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function applySources(client: Client, sources: readonly Source[]): Promise<void> {
  const { manifests, problems } = await readAll(sources);
  const result = await applyAll(client, servedResources(), manifests);
  const all = [...problems, ...result.problems];
  if (all.length > 0) throw new FairleadError("FL_MANIFEST", all.map(problemText).join("\n"));
}
