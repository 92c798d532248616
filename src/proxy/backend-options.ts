/** What the backend of a proxy is made with: of the proxy's options those that concern a backend, with the metrics of its mode. */
import { sourceClassifier } from "../decide/proxy/index.ts";
import type { Conntrack } from "../host/conntrack/conntrack.ts";
import type { BackendOptions } from "./backends/index.ts";
import { meteredConntrack } from "./metered-conntrack.ts";
import type { ProxyMetrics } from "./metrics.ts";
import { conntrackMetrics, iptablesMetrics, nftablesMetrics, restoreFailures } from "./mode-metrics.ts";
import type { ProxyOptions } from "./proxy-options.ts";

export function backendOptions(options: ProxyOptions, metrics: ProxyMetrics): BackendOptions {
  const {
    clock,
    node,
    metrics: registry,
    transport,
    redirects,
    inherited,
    openHttpPool,
    localhostNodePorts,
    kernel,
    iptables,
    ipvs,
  } = options;
  const metered = ({ conntrack }: { readonly conntrack?: Conntrack }) =>
    conntrack === undefined ? {} : { conntrack: meteredConntrack(conntrack, conntrackMetrics(registry)) };
  return {
    clock,
    metrics,
    classify: sourceClassifier(node),
    hostAddresses: node.addresses,
    ...(transport === undefined ? {} : { transport }),
    ...(redirects === undefined ? {} : { redirects }),
    ...(inherited === undefined ? {} : { inherited }),
    ...(kernel === undefined ? {} : { nftables: { metrics: nftablesMetrics(registry), ...kernel, ...metered(kernel), node } }),
    ...(iptables === undefined ? {} : { iptables: { metrics: iptablesMetrics(registry), ...iptables, ...metered(iptables), node } }),
    ...(ipvs === undefined
      ? {}
      : {
          ipvs: { restoreFailures: restoreFailures(registry), ...ipvs, kernel: { ...ipvs.kernel, ...metered(ipvs.kernel) }, node },
        }),
    ...(openHttpPool === undefined ? {} : { openHttpPool }),
    ...(localhostNodePorts === undefined ? {} : { localhostNodePorts }),
  };
}
