/** In a network namespace of its own: what `proxy-takeover.test.ts` looks at, as one line of JSON. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { endpointSlices, nodes, services } from "../../src/api/resources.ts";
import { untilSynced, startProxy, createWorld, nodeIP } from "../support/proxy-world/world.ts";

const run = (program: string, args: readonly string[], input = "") => {
  const done = spawnSync(program, [...args], { encoding: "utf8", input });
  return { status: done.status, out: done.stdout, said: done.stderr };
};
const main = join(import.meta.dirname, "../../src/cmd/fairlead.ts");
const status = async (url: string) => (await fetch(url)).status;
const untilEqual = async <T>(read: () => Promise<T> | T, wanted: (value: T) => boolean): Promise<T> => {
  for (let tries = 0; ; tries++) {
    const value = await read();
    if (wanted(value) || tries > 400) return value;
    await new Promise((next) => setTimeout(next, 50));
  }
};

// What a kube-proxy of either mode leaves behind, and somebody else's table.
run("nft", ["-f", "-"], "table ip kube-proxy {\n chain services { }\n}\ntable ip foreign {\n chain mine { }\n}\n");
run(
  "iptables-restore",
  ["--noflush"],
  '*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-SVC-AAAAAAAAAAAAAAAA - [0:0]\n-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES\nCOMMIT\n',
);

const world = await createWorld();
const { client } = world.api;
const lb = await client.create(services, {
  metadata: { namespace: "default", name: "lb" },
  spec: {
    type: "LoadBalancer",
    externalTrafficPolicy: "Local",
    healthCheckNodePort: 31_900,
    ports: [{ port: 80, protocol: "TCP", targetPort: 8080 }],
  },
} as never);
await world.endpoints(["10.244.1.10"]);
await client.create(endpointSlices, {
  metadata: { namespace: "default", name: "lb-1", labels: { "kubernetes.io/service-name": lb.metadata.name ?? "" } },
  addressType: "IPv4",
  endpoints: [{ addresses: ["10.244.1.10"], nodeName: "node-1", conditions: { ready: true } }],
  ports: [{ name: "", port: 8080, protocol: "TCP" }],
});
const proxy = startProxy(world.api.kubeconfig, "nftables");
try {
  await untilSynced(proxy.child);
  const leftovers = await untilEqual(
    () => (run("nft", ["list", "tables"]).out.includes("kube-proxy") || run("iptables-save", []).out.includes("KUBE-S") ? "there" : ""),
    (value) => value === "",
  );
  const metrics = await (await fetch("http://127.0.0.1:10249/metrics")).text();
  const wanted = [
    'kubeproxy_sync_proxy_rules_duration_seconds_count{ip_family="IPv4"}',
    'kubeproxy_network_programming_duration_seconds_count{ip_family="IPv4"}',
    'kubeproxy_sync_proxy_rules_no_local_endpoints_total{traffic_policy="external",ip_family="IPv4"}',
    "kubeproxy_sync_proxy_rules_endpoint_changes_total",
    'kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds{ip_family="IPv4"}',
  ];
  const proxyMode = await (await fetch("http://127.0.0.1:10249/proxyMode")).text();
  const second = run(process.execPath, [
    main,
    "proxy",
    `--kubeconfig=${world.api.kubeconfig}`,
    "--proxy-mode=nftables",
    "--healthz-bind-address=",
    "--metrics-bind-address=",
  ]);
  const check = await fetch(`http://${nodeIP}:31900/anything`);
  const health = [await status("http://127.0.0.1:10256/healthz"), await status("http://127.0.0.1:10256/livez")];
  const node = await client.get(nodes, { name: "node-1" });
  await client.update(nodes, {
    ...node,
    spec: { ...node.spec, taints: [{ key: "ToBeDeletedByClusterAutoscaler", effect: "NoSchedule" }] },
  });
  const deleted = [
    await untilEqual(
      () => status("http://127.0.0.1:10256/healthz"),
      (code) => code === 503,
    ),
    await status("http://127.0.0.1:10256/livez"),
  ];
  const served = run("nft", ["list", "map", "ip", "fairlead", "service-ips"]).out;
  await proxy.end("SIGTERM");
  run(process.execPath, [main, "proxy", "--cleanup"]);
  const tables = run("nft", ["list", "ruleset"]).out;
  console.log(
    JSON.stringify({
      health,
      mode: proxyMode,
      metrics: wanted.filter((line) => !metrics.includes(line)),
      second: { status: second.status, said: second.said },
      leftovers,
      served,
      cleaned: /fairlead|KUBE-S/.exec(tables)?.[0] ?? "",
      foreign: tables,
      healthCheck: [check.status, check.headers.get("x-load-balancing-endpoint-weight")],
      deleted,
    }),
  );
} finally {
  await proxy.end("SIGKILL");
  await world.stop();
}
process.exit(0);
