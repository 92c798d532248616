/** kube-proxy 1.36's metrics, by mode, against ours (upstream pkg/proxy/metrics/metrics.go `RegisterMetrics`). */
import { describe, expect, test } from "vitest";
import type { EndpointSlice, Service } from "../api/types.ts";
import { planService } from "../decide/proxy/index.ts";
import { fakeConntrack } from "../host/conntrack/fake.ts";
import { realClock } from "../lib/clock.ts";
import { MetricsRegistry } from "../lib/metrics.ts";
import { ProxyHealth } from "./health/proxy-health.ts";
import { meteredConntrack } from "./metered-conntrack.ts";
import { proxyMetrics } from "./metrics.ts";
import { conntrackMetrics, iptablesMetrics, nftablesMetrics, restoreFailures } from "./mode-metrics.ts";
import { healthz } from "./program/servers.ts";

const all = ["iptables", "ipvs", "nftables"] as const;
type Mode = (typeof all)[number];

/** Name below `kubeproxy_`, its labels, and the modes that have it. */
const upstream: readonly (readonly [string, readonly string[], readonly Mode[]])[] = [
  ["sync_proxy_rules_duration_seconds", ["ip_family"], all],
  ["sync_proxy_rules_last_queued_timestamp_seconds", ["ip_family"], all],
  ["sync_proxy_rules_last_timestamp_seconds", ["ip_family"], all],
  ["sync_proxy_rules_endpoint_changes_pending", [], all],
  ["sync_proxy_rules_endpoint_changes_total", [], all],
  ["sync_proxy_rules_service_changes_pending", [], all],
  ["sync_proxy_rules_service_changes_total", [], all],
  ["proxy_healthz_total", ["code"], all],
  ["proxy_livez_total", ["code"], all],
  ["network_programming_duration_seconds", ["ip_family"], all],
  ["sync_proxy_rules_no_local_endpoints_total", ["traffic_policy", "ip_family"], all],
  ["sync_full_proxy_rules_duration_seconds", ["ip_family"], ["iptables", "nftables"]],
  ["sync_partial_proxy_rules_duration_seconds", ["ip_family"], ["iptables", "nftables"]],
  ["sync_proxy_rules_iptables_restore_failures_total", ["ip_family"], ["iptables", "ipvs"]],
  ["sync_proxy_rules_iptables_partial_restore_failures_total", ["ip_family"], ["iptables"]],
  ["sync_proxy_rules_iptables_total", ["table", "ip_family"], ["iptables"]],
  ["sync_proxy_rules_iptables_last", ["table", "ip_family"], ["iptables"]],
  ["sync_proxy_rules_nftables_sync_failures_total", ["ip_family"], ["nftables"]],
  ["sync_proxy_rules_nftables_cleanup_failures_total", ["ip_family"], ["nftables"]],
  ["conntrack_reconciler_sync_duration_seconds", ["ip_family"], all],
  ["conntrack_reconciler_deleted_entries_total", ["ip_family"], all],
  ["iptables_ct_state_invalid_dropped_packets_total", [], ["iptables"]],
  ["iptables_localhost_nodeports_accepted_packets_total", [], ["iptables"]],
];

/** Why a name of theirs is not on our page; docs/cli/proxy.md says it too. */
const absent: Readonly<Record<string, string>> = {
  iptables_ct_state_invalid_dropped_packets_total:
    "counted by nfacct, a kernel module that is left out of many kernels; the rules are there",
  iptables_localhost_nodeports_accepted_packets_total: "the same",
};

function registryOf(mode: Mode): MetricsRegistry {
  const registry = new MetricsRegistry();
  proxyMetrics(registry);
  conntrackMetrics(registry);
  healthz({ health: new ProxyHealth({ clock: realClock, timeoutMs: 1, families: [4] }), eligible: () => true, metrics: registry });
  const own = { iptables: iptablesMetrics, ipvs: restoreFailures, nftables: nftablesMetrics };
  own[mode](registry);
  return registry;
}

describe.each(all)("mode %s", (mode) => {
  test("has kube-proxy's metrics, and no others by that prefix", () => {
    const names = [
      ...registryOf(mode)
        .text()
        .matchAll(/^# TYPE kubeproxy_(\S+)/gm),
    ].map(([, name]) => name as string);
    const wanted = upstream.filter(([name, , modes]) => modes.includes(mode) && !(name in absent)).map(([name]) => name);
    expect(names.sort()).toEqual([...wanted].sort());
  });

  test.each(upstream.filter(([name, , modes]) => modes.includes(mode) && !(name in absent)))("%s has the labels %j", (name, labels) => {
    // A registry refuses the same name with other labels.
    const registry = registryOf(mode);
    const type = new RegExp(`^# TYPE kubeproxy_${name} (\\w+)`, "m").exec(registry.text())?.[1] as "gauge" | "counter" | "histogram";
    expect(() => registry[type](`kubeproxy_${name}`, "", labels)).not.toThrow();
  });
});

test("ports with policy Local and no endpoint here are counted as they come and go", () => {
  const registry = new MetricsRegistry();
  const { planned } = proxyMetrics(registry);
  const node = { name: "node-1", addresses: ["10.250.0.1"], nodePortAddresses: ["10.250.0.1"] };
  const plan = (nodeName: string, spec: Partial<Service["spec"] & object>) => {
    const slice: EndpointSlice = {
      metadata: { namespace: "shop", name: "web-1", labels: { "kubernetes.io/service-name": "web" } },
      addressType: "IPv4",
      endpoints: [{ addresses: ["10.244.1.1"], nodeName, conditions: { ready: true } }],
      ports: [{ name: "", port: 8080, protocol: "TCP" }],
    };
    const ports = [{ port: 80, nodePort: 30080 }];
    return planService(
      { metadata: { namespace: "shop", name: "web" }, spec: { clusterIP: "10.96.0.9", ports, ...spec } } as Service,
      [slice],
      node,
    );
  };
  const counts = () =>
    ["internal", "external"].map((policy) =>
      Number(new RegExp(`no_local_endpoints_total{traffic_policy="${policy}",ip_family="IPv4"} (\\S+)`).exec(registry.text())?.[1]),
    );
  const [far, near] = [
    plan("node-2", { internalTrafficPolicy: "Local", externalTrafficPolicy: "Local" }),
    plan("node-1", { externalTrafficPolicy: "Local" }),
  ];
  planned(undefined, far);
  expect(counts()).toEqual([1, 1]);
  planned(far, near);
  expect(counts()).toEqual([0, 0]);
  planned(near, far);
  planned(far, undefined);
  expect(counts()).toEqual([0, 0]);
});

test("flows that are forgotten are counted, by family", () => {
  const tuple = (source: string, destination: string) => ({
    protocol: 17,
    source: { ip: source, port: 1000 },
    destination: { ip: destination, port: 53 },
  });
  const flow = (client: string, service: string, pod: string) => ({ original: tuple(client, service), reply: tuple(pod, client) });
  const conntrack = fakeConntrack([flow("10.9.0.1", "10.96.0.10", "10.244.1.1"), flow("fd00::9", "fd00:10:96::a", "fd00:10:244::1")]);
  const registry = new MetricsRegistry();
  meteredConntrack(conntrack, conntrackMetrics(registry)).removeMatching("udp", [
    { destination: { ip: "10.96.0.10", port: 53 } },
    { destination: { ip: "10.96.0.11", port: 53 } },
  ]);
  expect(conntrack.count()).toBe(1);
  expect(registry.text()).toContain('kubeproxy_conntrack_reconciler_deleted_entries_total{ip_family="IPv4"} 1\n');
  expect(registry.text()).toContain('kubeproxy_conntrack_reconciler_sync_duration_seconds_count{ip_family="IPv4"} 1\n');
  expect(registry.text()).not.toContain('entries_total{ip_family="IPv6"}');
});
