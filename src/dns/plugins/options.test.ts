/** Every directive and every property of CoreDNS 1.14.7 is taken, or refused by its name with what to do instead. */
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { rig } from "./plugin-rig.cases.ts";

const folder = mkdtempSync(join(tmpdir(), "fairlead-dns-options-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Directive with its arguments → properties (`plugin/NAME/setup.go` of CoreDNS 1.14.7). */
const properties: Readonly<Record<string, readonly string[]>> = {
  acl: ["allow", "block", "filter", "drop"],
  auto: ["directory", "reload", "upstream"],
  bind: ["except"],
  cache: ["success", "denial", "prefetch", "serve_stale", "serve_stale_policy", "servfail", "disable", "keepttl"],
  dns64: ["prefix", "translate_all", "allow_ipv4"],
  erratic: ["drop", "delay", "truncate", "large"],
  errors: ["stacktrace", "consolidate"],
  etcd: ["stubzones", "fallthrough", "debug", "path", "endpoint", "upstream", "tls", "credentials", "min-lease-ttl", "max-lease-ttl"],
  "file /nowhere/zone": ["fallthrough", "reload", "reload_by_mtime", "upstream"],
  "forward . 127.0.0.1": [
    ...["except", "max_fails", "max_connect_attempts", "health_check", "force_tcp", "prefer_udp", "tls", "tls_servername", "expire"],
    ...["max_age", "max_idle_conns", "read_timeout", "doh_method", "policy", "max_concurrent", "next", "next_on_nodata"],
    ...["failfast_all_unhealthy_upstreams", "failover", "resolver", "source_address"],
  ],
  "grpc . 127.0.0.1": ["except", "tls", "tls_servername", "policy", "fallthrough"],
  grpc_server: ["max_streams", "max_connections"],
  header: ["query set", "response set"],
  health: ["lameduck"],
  hosts: ["fallthrough", "fallthrough_unsupported", "no_reverse", "ttl", "reload"],
  https: ["max_connections"],
  k8s_external: ["ttl", "apex", "headless", "fallthrough"],
  kubernetes: [
    ...["endpoint_pod_names", "pods", "namespaces", "endpoint", "tls", "labels", "namespace_labels", "fallthrough", "ttl", "noendpoints"],
    ...["zonal", "ignore", "kubeconfig", "multicluster", "startup_timeout", "apiserver_qps", "apiserver_burst", "apiserver_max_inflight"],
  ],
  loadbalance: ["prefer"],
  "loadbalance weighted /nowhere/weights": ["reload"],
  local: ["localhost_prefix"],
  log: ["class"],
  pprof: ["block"],
  prometheus: ["runtime_metrics", "tls"],
  proxyproto: ["allow", "default", "udp_session_tracking"],
  ready: ["monitor"],
  secondary: ["transfer", "catalog", "fallthrough"],
  "template IN A": ["match", "answer", "additional", "authority", "rcode", "ederror", "fallthrough", "upstream"],
  timeouts: ["read", "write", "idle", "maxtcpqueries"],
  "tls cert key": ["client_auth", "keylog"],
  tls: ["acme", "email", "ca", "storage", "ca_root", "resolver"],
  transfer: ["to", "source"],
  "view name": ["expr"],
};

const without = [
  "any",
  "autopath .",
  "bufsize",
  "cancel",
  "chaos",
  "debug",
  "loop",
  "metadata",
  "minimal",
  "multisocket",
  "nsid",
  "reload",
  "root .",
  "shed",
  "whoami",
];
const refused = ["dnssec", "sign", "tsig", "trace", "dnstap", "quic", "https3", "geoip", "nomad", "route53", "azure", "clouddns", "on"];

async function complaint(block: string): Promise<string> {
  try {
    await (await rig(block)).stop();
    return "";
  } catch (error) {
    return String(error);
  }
}

describe("CoreDNS's options", () => {
  test("each property is known", async () => {
    for (const [directive, names] of Object.entries(properties)) {
      for (const name of names) {
        const said = await complaint(`${directive} {\n${name}\n}`);
        expect(said, `${directive} { ${name} }`).not.toMatch(/unknown (property|option)|unexpected token/i);
      }
      expect(await complaint(`${directive} {\nno_such_property\n}`), directive).not.toBe("");
    }
  });

  test("each directive is here, or refused by name with what to do instead", async () => {
    for (const directive of without) expect(await complaint(directive), directive).not.toMatch(/unknown directive/i);
    for (const directive of refused)
      expect(await complaint(directive)).toMatch(new RegExp(`directive '${directive}' is CoreDNS's, but not supported here: \\w`));
  });

  test("what is left out says so", async () => {
    for (const block of ["tls cert key {\nkeylog file\n}", "tls {\nacme example.org\n}", "kubernetes {\nmulticluster clusterset.local\n}"])
      expect(await complaint(block)).toMatch(/is not supported here: \w/);
  });
});

test("a zone is read again when its file was written, whatever its serial, if it is to be", async () => {
  const path = join(folder, "db.example.org");
  const write = (address: string, seconds: number) => {
    writeFileSync(path, `@ 60 SOA ns admin 1 2 3 4 5\nwww 60 A ${address}\n`);
    utimesSync(path, seconds, seconds);
  };
  write("10.0.0.1", 1000);
  const byTime = await rig(`file ${path} example.org {\nreload 1s\nreload_by_mtime\n}`);
  const bySerial = await rig(`file ${path} example.org {\nreload 1s\n}`);
  const address = async ({ ask }: typeof byTime) => (await ask("www.example.org."))?.answers[0]?.data;
  write("10.0.0.2", 2000);
  for (const { clock } of [byTime, bySerial]) clock.advance(1100);
  expect(await address(byTime)).toEqual({ kind: "address", address: "10.0.0.2" });
  expect(await address(bySerial)).toEqual({ kind: "address", address: "10.0.0.1" });
  for (const one of [byTime, bySerial]) await one.stop();
});
