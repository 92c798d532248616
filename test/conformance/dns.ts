/** test/e2e/network/dns.go and dns_common.go: pods ask, write what they got to files, and serve those. */
import { expect } from "vitest";
import { agnhostPod, container, glibcDnsTesting, podOf } from "./pods.ts";
import type { Json } from "./api.ts";
import type { Case, Framework } from "./framework.ts";
import { createService, updateService } from "./jig.ts";

const domain = "cluster.local";
const querier = { hostname: "dns-querier-1", subdomain: "dns-test-service" };
const ports = [{ name: "http", port: 80, protocol: "TCP" }];

interface Probe {
  readonly script: string;
  readonly files: readonly string[];
}

/** By UDP and TCP for each name (SRV for names of ports), `getent hosts` for each host, PTR for the address. */
function probe(prefix: string, names: readonly string[], hosts: readonly string[] = [], reverseIP?: string): Probe {
  const files: string[] = [];
  const dig = (file: string, transport: string, question: string) => {
    files.push(file);
    return `check="$$(dig ${transport} +noall +answer +search ${question})" && test -n "$$check" && echo OK > /results/${file};`;
  };
  const both = (base: string, question: string) =>
    dig(base.replace("@", "_udp@"), "+notcp", question) + dig(base.replace("@", "_tcp@"), "+tcp", question);
  let script = "";
  for (const name of names) script += both(`${prefix}@${name}`, `${name} ${name.startsWith("_") ? "SRV" : "A"}`);
  for (const name of hosts) {
    files.push(`${prefix}_hosts@${name}`);
    script += `test -n "$$(getent hosts ${name})" && echo OK > /results/${prefix}_hosts@${name};`;
  }
  if (reverseIP !== undefined) script += both(`${reverseIP}@PTR`, `${reverseIP.split(".").reverse().join(".")}.in-addr.arpa. PTR`);
  return { script: "for i in `seq 1 600`; do " + script + "sleep 1; done", files };
}

/** The first container serves what the others find out. */
function dnsPod(name: string, probes: readonly Probe[], spec: Json = querier, labels: Json = {}): Json {
  const volumeMounts = [{ name: "results", mountPath: "/results" }];
  const images = [undefined, glibcDnsTesting];
  const queriers = probes.map(({ script }, index) => ({
    ...container(`querier-${index}`, [], { command: ["sh", "-c", script], volumeMounts }),
    ...(images[index] === undefined ? {} : { image: images[index] }),
  }));
  const webserver = container("webserver", ["test-webserver"], { volumeMounts });
  return podOf(name, [webserver, ...queriers], { volumes: [{ name: "results", emptyDir: {} }], ...spec }, labels);
}

async function validate(f: Framework, pod: Json, files: readonly string[], content?: string): Promise<void> {
  await f.createPod(pod);
  const { name } = pod.metadata;
  await f.untilPod(name, "runs", ({ status }) => status.phase === "Running");
  const end = performance.now() + 90_000;
  for (const file of files) {
    for (;;) {
      const { status, body } = await f.api.ask("GET", f.core(`pods/${name}/proxy/results/${file}`));
      if (status === 200 && (content === undefined || body.trim() === content)) break;
      if (performance.now() > end) expect([file, status, body.trim()]).toEqual([file, 200, content ?? "OK\n"]);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  await f.deletePod(name);
}

/** Asks in both images. */
async function validateAll(
  f: Framework,
  names: readonly string[],
  hosts: readonly string[] = [],
  rest: { readonly spec?: Json; readonly labels?: Json; readonly reverseIP?: string } = {},
): Promise<void> {
  const probes = ["agnhost", "jessie"].map((prefix) => probe(prefix, names, hosts, rest.reverseIP));
  await validate(
    f,
    dnsPod("dns-test", probes, rest.spec, rest.labels),
    probes.flatMap(({ files }) => files),
  );
}

const fqdn = (f: Framework, name: string) => `${name}.${f.namespace}.svc.${domain}`;

const cluster: Case = (f) => validateAll(f, [`kubernetes.default.svc.${domain}`]);

const etcHosts: Case = (f) => validateAll(f, [], [fqdn(f, "dns-querier-1.dns-test-service"), "dns-querier-1"]);

async function headlessAndRegular(f: Framework): Promise<{ labels: Json; reverseIP: string }> {
  const selector = { "dns-test": "true" };
  await createService(f, "dns-test-service", { selector, clusterIP: "None", ports });
  const { spec } = await createService(f, "test-service-2", { selector, ports });
  return { labels: selector, reverseIP: spec.clusterIP };
}

const services: Case = async (f) => {
  const rest = await headlessAndRegular(f);
  const headless = fqdn(f, "dns-test-service");
  await validateAll(f, [headless, `_http._tcp.${headless}`, `_http._tcp.${fqdn(f, "test-service-2")}`], [], rest);
};

const partialNames: Case = async (f) => {
  const rest = await headlessAndRegular(f);
  const headless = `dns-test-service.${f.namespace}`;
  const ports80 = [`_http._tcp.${headless}.svc`, `_http._tcp.test-service-2.${f.namespace}.svc`];
  await validateAll(f, ["dns-test-service", headless, `${headless}.svc`, ...ports80], [], rest);
};

async function headlessWithHostname(f: Framework): Promise<{ labels: Json; spec: Json }> {
  const labels = { "dns-test-hostname-attribute": "true" };
  await createService(f, "dns-test-service-2", { selector: labels, clusterIP: "None", ports });
  return { labels, spec: { hostname: "dns-querier-2", subdomain: "dns-test-service-2" } };
}

const hostnames: Case = async (f) => {
  const rest = await headlessWithHostname(f);
  await validateAll(f, [], [fqdn(f, "dns-querier-2.dns-test-service-2"), "dns-querier-2"], rest);
};

const subdomains: Case = async (f) => {
  const rest = await headlessWithHostname(f);
  await validateAll(f, [fqdn(f, "dns-querier-2.dns-test-service-2"), fqdn(f, "dns-test-service-2")], [], rest);
};

const externalName: Case = async (f) => {
  const name = "dns-test-service-3";
  await createService(f, name, { type: "ExternalName", externalName: "foo.example.com" });
  let round = 0;
  const answers = async (type: string, value: string) => {
    const probes = ["agnhost", "jessie"].map((prefix) => {
      const file = `${prefix}_udp@${fqdn(f, name)}`;
      return { script: `for i in \`seq 1 30\`; do dig +short ${fqdn(f, name)} ${type} > /results/${file}; sleep 1; done`, files: [file] };
    });
    await validate(
      f,
      dnsPod(`dns-test-${++round}`, probes),
      probes.flatMap(({ files }) => files),
      value,
    );
  };
  await answers("CNAME", "foo.example.com.");
  await updateService(f, name, (spec) => (spec.externalName = "bar.example.com"));
  await answers("CNAME", "bar.example.com.");
  const { spec } = await updateService(f, name, (changed) => {
    changed.type = "ClusterIP";
    changed.ports = ports;
  });
  await answers("A", spec.clusterIP);
};

const nameservers: Case = async (f) => {
  const spec = { dnsPolicy: "None", dnsConfig: { nameservers: ["1.1.1.1"], searches: ["resolv.conf.local"] } };
  await f.createReadyPod(agnhostPod("test-dns-nameservers", ["pause"], spec));
  const run = async (subcommand: string) => {
    const { code, stdout, stderr } = await f.kubectl("exec", "test-dns-nameservers", "--", "/agnhost", subcommand);
    expect([code, stderr]).toEqual([0, ""]);
    return stdout;
  };
  expect(await run("dns-suffix")).toContain("resolv.conf.local");
  expect(await run("dns-server-list")).toContain("1.1.1.1");
};

export const dnsCases: Readonly<Record<string, Case>> = {
  "DNS should provide /etc/hosts entries for the cluster": etcHosts,
  "DNS should provide DNS for ExternalName services": externalName,
  "DNS should provide DNS for pods for Hostname": hostnames,
  "DNS should provide DNS for pods for Subdomain": subdomains,
  "DNS should provide DNS for services": services,
  "DNS should provide DNS for the cluster": cluster,
  "DNS should resolve DNS of partial qualified names for services [LinuxOnly]": partialNames,
  "DNS should support configurable pod DNS nameservers": nameservers,
};
