/**
 * `import { startCluster } from "fairlead/testing"`: a real API server, controllers, proxy, DNS and a node in this process, for
 * tests. Objects live in memory, pods are functions (or processes), nothing listens outside loopback, and `stop` (or
 * `await using`) gives everything back. Many clusters may run side by side in one process.
 */
import { request as httpRequest } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { clusterPaths } from "../cli/paths.ts";
import { applyAll, problemText, readAll } from "../cli/apply.ts";
import { isPodReady, readyEndpoints } from "../cli/collect.ts";
import { servedResources } from "../cli/options.ts";
import { waitUntil } from "../cli/wait.ts";
import { deployments, endpointSlices, pods, services } from "../api/resources.ts";
import type { Client } from "../client/client.ts";
import type { InformerFactory } from "../client/informer.ts";
import type { Cluster, PodFunction } from "../cmd/cluster-options.ts";
import { createCluster } from "../cmd/cluster.ts";
import { explainService, type ServiceExplanation } from "../decide/explain/service.ts";
import { realClock } from "../lib/clock.ts";
import { FairleadError } from "../lib/errors.ts";
import { silentLogger, type Logger } from "../lib/log.ts";
import type { DnsQueryResult } from "../cmd/cluster-dns.ts";

export type { PodFunction, PodFunctionContext } from "../cmd/cluster-options.ts";
export type { Client } from "../client/client.ts";

export interface StartClusterOptions {
  /** Image name → what a container of it does. Images without an entry fail as an image that cannot be pulled does. */
  readonly functions?: Readonly<Record<string, PodFunction>>;
  /** `function` (default) runs pods in this process, `process` as child processes. */
  readonly runtime?: "function" | "process";
  /** YAML or JSON, applied before this resolves. */
  readonly manifests?: string;
  readonly log?: Logger;
  /** Objects cross the in-process transport as bytes, as they would over HTTPS. Slower; finds what only encoding breaks. */
  readonly encode?: boolean;
  /** Where objects are kept: `memory` (default) or `sqlite`, in a temporary directory that goes with the cluster. */
  readonly storage?: "memory" | "sqlite";
  readonly disable?: readonly string[];
}

export interface TestCluster {
  readonly client: Client;
  readonly informers: InformerFactory;
  /** Applies YAML or JSON (namespace `default` where none is named). Throws FL_MANIFEST with every problem. */
  apply(manifests: string): Promise<void>;
  /** The path of a kubeconfig with every right; the API server listens from the first call on. */
  kubeconfig(): Promise<string>;
  /** A request by a client in namespace `default`: `http://web`, `http://web.shop`, `http://10.96.0.7:8080`. */
  fetch(url: string, init?: FetchInit): Promise<Response>;
  /** What the cluster's DNS answers: `web.default.svc.cluster.local`, type `A` unless named. */
  resolve(name: string, type?: string): Promise<readonly string[]>;
  /** The whole DNS answer. */
  query(name: string, type: string): Promise<DnsQueryResult>;
  /** Resolves when `pod/NAME`, `deployment/NAME` or `service/NAME` (has a ready endpoint) is ready. Rejects with FL_TIMEOUT. */
  untilReady(target: string, options?: { readonly namespace?: string; readonly timeout?: number }): Promise<void>;
  explain(namespace: string, service: string): ServiceExplanation;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface FetchInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Milliseconds until it is given up; default 5000. */
  readonly timeout?: number;
}

export async function startCluster(options: StartClusterOptions = {}): Promise<TestCluster> {
  const root = mkdtempSync(join(tmpdir(), "fairlead-test-"));
  let cluster: Cluster;
  try {
    cluster = await createCluster({
      name: "test",
      paths: clusterPaths(root),
      clock: realClock,
      log: options.log ?? silentLogger,
      storage: options.storage ?? "memory",
      encode: options.encode ?? false,
      apiPort: 0,
      listen: false,
      disable: options.disable ?? [],
      runtime: options.runtime === "process" ? { kind: "process" } : { kind: "function", functions: options.functions ?? {} },
    });
  } catch (error) {
    rmSync(root, { recursive: true, force: true });
    throw error;
  }
  const test = testCluster(cluster, root);
  if (options.manifests !== undefined) {
    try {
      await test.apply(options.manifests);
    } catch (error) {
      await test.stop();
      throw error;
    }
  }
  return test;
}

function testCluster(cluster: Cluster, root: string): TestCluster {
  const { client, informers } = cluster;
  const stop = async () => {
    await cluster.stop();
    rmSync(root, { recursive: true, force: true });
  };
  return {
    client,
    informers,
    async apply(text) {
      const { manifests, problems } = await readAll([{ name: "manifests", text }]);
      const result = await applyAll(client, servedResources(), manifests);
      const all = [...problems, ...result.problems];
      if (all.length > 0) throw new FairleadError("FL_MANIFEST", all.map(problemText).join("\n"));
    },
    kubeconfig: () => cluster.listen(),
    fetch: (url, init = {}) => fetchThrough(cluster, url, init),
    async resolve(name, type = "A") {
      return (await cluster.query(name, type)).answers.map(({ text }) => text);
    },
    query: (name, type) => cluster.query(name, type),
    untilReady: (target, { namespace = "default", timeout = 10_000 } = {}) => untilReady(informers, target, namespace, timeout),
    explain: (namespace, service) =>
      explainService(
        {
          services: informers.informer(services).lister.list(),
          pods: informers.informer(pods).lister.list(),
          endpointSlices: informers.informer(endpointSlices).lister.list(),
          nodes: [],
        },
        namespace,
        service,
      ),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Node's own `fetch` takes no socket; this sends one request on the socket that the cluster's proxy gives. */
async function fetchThrough(cluster: Cluster, text: string, init: FetchInit): Promise<Response> {
  const url = new URL(text);
  if (url.protocol !== "http:") throw new FairleadError("FL_UNSUPPORTED", `fetch ${text}: only http: URLs lead into the cluster`);
  const socket: Duplex = await cluster.connect(url.hostname.replace(/^\[|\]$/g, ""), Number(url.port || 80));
  return await new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      {
        createConnection: () => socket,
        host: url.hostname,
        path: `${url.pathname}${url.search}`,
        method: init.method ?? "GET",
        headers: { host: url.host, connection: "close", ...init.headers },
        timeout: init.timeout ?? 5000,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const status = response.statusCode ?? 502;
          const bodyless = status === 204 || status === 205 || status === 304;
          const headers = Object.entries(response.headersDistinct).flatMap(([name, list = []]) =>
            list.map((value): [string, string] => [name, value]),
          );
          resolve(new Response(bodyless ? null : Buffer.concat(chunks), { status, headers }));
        });
      },
    );
    outgoing.on("timeout", () =>
      outgoing.destroy(new FairleadError("FL_TIMEOUT", `fetch ${text}: no answer within ${init.timeout ?? 5000} ms`)),
    );
    outgoing.on("error", reject);
    outgoing.end(init.body);
  });
}

async function untilReady(informers: InformerFactory, target: string, namespace: string, timeout: number): Promise<void> {
  const [kind = "", name = ""] = target.split("/");
  const watched = [
    informers.informer(pods),
    informers.informer(deployments),
    informers.informer(endpointSlices),
    informers.informer(services),
  ];
  const ready = await waitUntil(watched, readiness(informers, kind, namespace, name, target), { clock: realClock, timeout });
  if (!ready) throw new FairleadError("FL_TIMEOUT", `${target} in ${namespace} is not ready after ${timeout} ms`);
}

function readiness(informers: InformerFactory, kind: string, namespace: string, name: string, target: string): () => boolean {
  switch (kind) {
    case "pod":
      return () => {
        const pod = informers.informer(pods).lister.get(namespace, name);
        return pod !== undefined && isPodReady(pod);
      };
    case "deployment":
      return () => {
        const { metadata, spec, status } = informers.informer(deployments).lister.get(namespace, name) ?? {};
        const wanted = spec?.replicas ?? 1;
        if (status === undefined || status.observedGeneration !== metadata?.generation) return false;
        return [status.replicas, status.updatedReplicas, status.availableReplicas].every((count) => (count ?? 0) === wanted);
      };
    case "service":
      return () => {
        const service = informers.informer(services).lister.get(namespace, name);
        return (
          service !== undefined && readyEndpoints({ slices: informers.informer(endpointSlices).lister.list(namespace) }, service).length > 0
        );
      };
    default:
      throw new FairleadError("FL_USAGE", `untilReady(${JSON.stringify(target)}): name a pod, deployment or service, such as service/web`);
  }
}
