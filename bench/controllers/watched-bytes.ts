/** What the API server sends to one who watches EndpointSlices, and to one who watches Endpoints, in bytes on the wire. */
import { request } from "node:https";
import { loadKubeconfig } from "../../src/client/kubeconfig.ts";
import type { Cluster } from "../../src/cmd/cluster-options.ts";

export interface Watched {
  readonly bytes: number;
  readonly events: number;
  /**
   * What the same changes would have cost had each been written to one object that holds all endpoints, as Endpoints were before they
   * were cut at 1,000 addresses.
   */
  readonly wholeBytes: number;
}

interface WatchLine {
  readonly type: string;
  readonly object: { readonly metadata: { readonly name: string }; readonly endpoints?: readonly unknown[] };
}

export async function watchedBytes(cluster: Cluster, namespace: string) {
  const config = await loadKubeconfig({ path: await cluster.listen() });
  const [slices, endpoints] = [
    await watch(config, `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`),
    await watch(config, `/api/v1/namespaces/${namespace}/endpoints`),
  ];
  return {
    async end(): Promise<{ readonly slices: Watched; readonly endpoints: Watched }> {
      // What is still on its way: nothing comes any more when nothing has come for a while.
      for (let last = -1; last !== slices.state.bytes + endpoints.state.bytes; await new Promise((resolve) => setTimeout(resolve, 1000)))
        last = slices.state.bytes + endpoints.state.bytes;
      slices.stop();
      endpoints.stop();
      return { slices: slices.state, endpoints: endpoints.state };
    },
  };
}

type Config = Awaited<ReturnType<typeof loadKubeconfig>>;

function watch(
  config: Config,
  path: string,
): Promise<{ readonly state: { bytes: number; events: number; wholeBytes: number }; stop(): void }> {
  const state = { bytes: 0, events: 0, wholeBytes: 0 };
  /** slice → the bytes of its endpoints */
  const held = new Map<string, number>();
  let whole = 0;
  let rest = "";
  const take = (line: string) => {
    state.bytes += Buffer.byteLength(line) + 1;
    state.events++;
    const { type, object } = JSON.parse(line) as WatchLine;
    const size = type === "DELETED" ? 0 : Buffer.byteLength(JSON.stringify(object.endpoints ?? []));
    whole += size - (held.get(object.metadata.name) ?? 0);
    held.set(object.metadata.name, size);
    state.wholeBytes += whole;
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `${config.server}${path}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
      { ca: config.ca, cert: config.clientCertificate, key: config.clientKey },
      (response) => {
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          const lines = `${rest}${chunk}`.split("\n");
          rest = lines.pop() ?? "";
          for (const line of lines) {
            if (!line.includes("k8s.io/initial-events-end")) {
              if (!line.startsWith('{"type":"BOOKMARK"')) take(line);
              continue;
            }
            // What was there before is not part of the update.
            Object.assign(state, { bytes: 0, events: 0, wholeBytes: 0 });
            resolve({ state, stop: () => outgoing.destroy() });
          }
        });
        response.on("error", () => undefined);
      },
    );
    outgoing.on("error", reject);
    outgoing.end();
  });
}
