/**
 * What kube-proxy serves on a node, on each node of ours: `/healthz` and `/livez` to whoever balances over nodes (port 10256), `/proxyMode`
 * and the rest to the node itself (127.0.0.1:10249).
 */
import { isReady, type Component } from "../../component/component.ts";
import type { NodeNetwork } from "../../host/namespaces/namespaces.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { MetricsRegistry } from "../../lib/metrics.ts";
import { serve, type Answering, type OpenServer } from "../../proxy/health/http.ts";
import type { ProxyHealth } from "../../proxy/health/proxy-health.ts";
import { healthz, metricsPages } from "../../proxy/program/servers.ts";

const healthzPort = 10256;
const metricsPort = 10249;

export interface ProxyPagesOptions {
  readonly network: Pick<NodeNetwork, "listen" | "name">;
  readonly families: readonly (4 | 6)[];
  readonly health: ProxyHealth;
  readonly mode: string;
  readonly metrics: MetricsRegistry;
  readonly log: Logger;
}

export function createProxyPages({ network, families, health, mode, metrics, log }: ProxyPagesOptions): Component {
  const servers: OpenServer[] = [];
  const open = async (address: string, port: number, answering: Answering) => {
    try {
      servers.push(await serve(await network.listen(address, port), answering));
    } catch (error) {
      // A pod of the node's network has the port: Services are carried all the same.
      log.warn("a page of the proxy cannot be served", { node: network.name, address, port, error: errorMessage(error) });
    }
  };
  return {
    name: `proxy-pages ${network.name}`,
    async start() {
      const answering = healthz({ health, eligible: () => true, metrics });
      for (const family of families) await open(family === 4 ? "0.0.0.0" : "::", healthzPort, answering);
      await open("127.0.0.1", metricsPort, metricsPages({ metrics, mode, configuration: { mode } }));
    },
    async stop() {
      await Promise.all(servers.splice(0).map((server) => server.close()));
    },
    ready: () => isReady,
  };
}
