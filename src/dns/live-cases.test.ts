/**
 * CoreDNS's cases for a live cluster (coredns/ci; shared with whoever works on the project; absent in a clone, then skipped): each
 * Corefile in a whole server, on the objects of the fixture, with the zone files and upstreams that it names. Also counts: which of the
 * file's suites are asked, where, and why the others are not.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { KubeObject } from "../api/object.ts";
import { endpointSlices, namespaces, pods, services, type Resource } from "../api/resources.ts";
import type { Endpoints, EndpointSlice, Service } from "../api/types.ts";
import type { InformerFactory } from "../client/informer.ts";
import { FakeInformer } from "../controllers/fake-informer.ts";
import { rcodeName, typeCode, type ResourceRecord } from "../decide/dns/records.ts";
import { lookupSuites, otherSuites } from "../decide/dns/suites.cases.ts";
import { realClock } from "../lib/clock.ts";
import { silentLogger } from "../lib/log.ts";
import { MetricsRegistry } from "../lib/metrics.ts";
import { createDnsServer, type DnsServer } from "./server/server.ts";
import { createQuery } from "./wire/message.ts";
import { parseRecord } from "./wire/parse-record.ts";
import { recordText } from "./wire/text.ts";

interface Zone {
  readonly zone: string;
  readonly records: readonly string[];
}

interface Case {
  readonly qname: string;
  readonly qtype: string;
  readonly rcode: string;
  readonly answer: readonly string[];
  readonly ns: readonly string[];
  readonly extra: readonly string[];
  readonly regex?: { readonly AnswerCount: number; readonly ExtraCount: number; readonly TargetRegEx: string };
}

interface Suite {
  readonly suite: string;
  readonly corefile?: string;
  readonly upstream?: Zone;
  readonly zonefile?: Zone;
  readonly newObjects?: readonly KubeObject[];
  readonly cases: readonly Case[];
}

const path = join(import.meta.dirname, "../../../shared/cases/coredns-kubernetes-cases.json");
const file = existsSync(path)
  ? (JSON.parse(readFileSync(path, "utf8")) as {
      readonly fixtures: { readonly ci: { readonly objects: readonly KubeObject[] } };
      readonly suites: readonly Suite[];
    })
  : undefined;
if (file === undefined) console.log("skipped: CoreDNS's cases are not beside this clone");

const folder = mkdtempSync(join(tmpdir(), "fairlead-live-cases-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const clientAddress = "172.17.0.9";

function informersOf(objects: readonly KubeObject[]): InformerFactory {
  const all = [new FakeInformer(namespaces), new FakeInformer(services), new FakeInformer(endpointSlices), new FakeInformer(pods)] as const;
  const [namespaceInformer, serviceInformer, sliceInformer, podInformer] = all;
  for (const name of ["test-1", "test-2", "test-3", "test-4", "kube-system", "default"]) namespaceInformer.show({ metadata: { name } });
  for (const object of objects) {
    if (object.kind === "Service") serviceInformer.show(withAddresses(object as Service));
    if (object.kind === "Endpoints") for (const slice of slicesOf(object as Endpoints)) sliceInformer.show(slice);
    if (object.kind === "EndpointSlice") sliceInformer.show(object as EndpointSlice);
  }
  // What controllers make where there is a cluster: the endpoints of DNS itself, which is where it listens, and of a pod.
  serviceInformer.show(kubeDns);
  sliceInformer.show(sliceFor("kube-dns", "kube-system", "127.0.0.1", "coredns-0", "dns"));
  sliceInformer.show(sliceFor("headless-1", "test-3", "172.17.0.20", "test-name", "http"));
  podInformer.show({ metadata: { name: "client", namespace: "test-1" }, status: { phase: "Running", podIP: clientAddress } });
  return { informer: (resource: Resource) => all.find((one) => (one.resource as Resource) === resource) } as unknown as InformerFactory;
}

const kubeDns: Service = {
  metadata: { name: "kube-dns", namespace: "kube-system" },
  spec: { clusterIP: "10.96.0.10", clusterIPs: ["10.96.0.10"], ports: [{ name: "dns", port: 53, protocol: "UDP" }] },
};

function sliceFor(service: string, namespace: string, address: string, pod: string, port: string): EndpointSlice {
  return {
    metadata: { name: `${service}-x`, namespace, labels: { "kubernetes.io/service-name": service } },
    addressType: "IPv4",
    endpoints: [{ addresses: [address], conditions: { ready: true }, targetRef: { kind: "Pod", namespace, name: pod } }],
    ports: [{ name: port, port: 53, protocol: "TCP" }],
  };
}

/** As the API server fills it in. */
function withAddresses(service: Service): Service {
  const { clusterIP, clusterIPs } = service.spec ?? {};
  return { ...service, spec: { ...service.spec, clusterIPs: clusterIPs ?? (clusterIP === undefined ? [] : [clusterIP]) } };
}

/** As the mirroring controller makes them. */
function slicesOf({ metadata, subsets = [] }: Endpoints): readonly EndpointSlice[] {
  return subsets.flatMap(({ addresses = [], ports = [] }, i) => {
    const isV6 = ({ ip }: { readonly ip: string }) => ip.includes(":");
    return [addresses.filter(isV6), addresses.filter((address) => !isV6(address))].flatMap((some, family) =>
      some.length === 0
        ? []
        : [
            {
              metadata: {
                name: `${metadata.name}-${i}-${family}`,
                namespace: metadata.namespace,
                labels: { "kubernetes.io/service-name": metadata.name ?? "" },
              },
              addressType: family === 0 ? "IPv6" : "IPv4",
              endpoints: some.map(({ ip, hostname, targetRef }) => ({ addresses: [ip], hostname, targetRef, conditions: { ready: true } })),
              ports,
            },
          ],
    );
  });
}

async function serve(corefile: string, informers: InformerFactory): Promise<DnsServer> {
  const server = createDnsServer({
    corefile,
    file: join(folder, "Corefile"),
    plugins: { kubernetes: { informers, localAddresses: ["10.96.0.10"] } },
    listen: () => [{ host: "127.0.0.1", port: 0 }],
    httpPort: () => undefined,
    clock: realClock,
    log: silentLogger,
    metrics: new MetricsRegistry(),
  });
  await server.start();
  return server;
}

function zonePath({ zone, records }: Zone, name: string): string {
  writeFileSync(join(folder, name), `$ORIGIN ${zone}.\n$TTL 303\n${records.join("\n")}\n`);
  return join(folder, name);
}

/** Sorted; a TTL of 303 is not compared, and of a SOA record neither its TTL's worth nor its numbers. */
const sorted = (records: readonly ResourceRecord[], free: ReadonlySet<string>) => records.map((record) => lineOf(record, free)).toSorted();

function lineOf(record: ResourceRecord, free: ReadonlySet<string>): string {
  if (record.data.kind === "soa") return `${record.name} SOA ${record.data.mname}`;
  const text = recordText(record);
  const without = text.replace(/^(\S+) \d+ /, "$1 * ");
  return free.has(without) ? without : text;
}

const parsed = (lines: readonly string[]): readonly ResourceRecord[] =>
  lines.map((line) => {
    const result = parseRecord(line);
    if (result.kind === "error") throw new Error(result.reason);
    return result.record;
  });

const freeOf = (lines: readonly string[]) =>
  new Set(
    parsed(lines)
      .filter(({ ttl }) => ttl === 303)
      .map((record) => recordText(record).replace(/^(\S+) \d+ /, "$1 * ")),
  );

/** Suites that src/decide/dns/cases.test.ts asks. */
const elsewhere: ReadonlySet<string> = new Set([...lookupSuites, ...otherSuites]);

/** Suites that cannot be asked of this program, with what upstream says of them. */
const outOfScope: Readonly<Record<string, string>> = {
  multicluster: '"multicluster zones as defined by Multi-Cluster Services API (MCS-API)": ServiceImports are no objects of this API',
  "all-namespaces": "upstream drops the comparison's result",
  "external-lookup":
    "unit-level: results of the Go method kubernetes.External(), `key=/coredns/...`; its names are asked by k8s_external-external",
  "services-backend": "unit-level: results of the Go method kubernetes.Services(), `answer{host,key}`",
  "services-authority": "unit-level: results of the Go method kubernetes.Services(), `answer{host,key}`",
  "namespace-NamespaceExposed": "a Go method's boolean",
  "autopath-search": "a Go method's list",
  "metrics-label-sanitize": "labels of client-go's rest metrics, which this program has not",
  "service-modified": "Go objects compared by `serviceModified`",
  "pod-modified": "Go objects compared by `podModified`",
  "subsets-equivalent": "Go objects compared by `endpointsEquivalent`",
  metadata: "Go contexts: values of `metadata.ValueFuncs`",
  "k8s_external-transfer": "channels of Go: the Transfer method's",
  "ci-reload": "a log of a pod; reloading under load is asked in test/scenarios/dns.test.ts",
};

describe.skipIf(file === undefined)("CoreDNS's cases for a live cluster", () => {
  const objects = file?.fixtures.ci.objects ?? [];
  const live = (file?.suites ?? []).filter(
    ({ suite, cases }) => suite.startsWith("ci-") && cases.length > 0 && outOfScope[suite] === undefined,
  );

  test.each(live.map((one) => [one.suite, one] as const))("%s", async (_, suite) => {
    const informers = informersOf([...objects, ...(suite.newObjects ?? [])]);
    const upstream =
      suite.upstream === undefined
        ? undefined
        : await serve(`${suite.upstream.zone} {\nfile ${zonePath(suite.upstream, "upstream")}\n}`, informers);
    const port = [...(upstream?.addresses().values() ?? [])][0]?.port ?? 9;
    const corefile = (suite.corefile ?? "")
      .replaceAll("<upstream>", `127.0.0.1:${port}`)
      .replaceAll("/etc/coredns/Zonefile", suite.zonefile === undefined ? "" : zonePath(suite.zonefile, "zonefile"));
    const server = await serve(corefile, informers);
    try {
      for (const one of suite.cases) await check(server, one);
    } finally {
      await server.stop();
      await upstream?.stop();
    }
  });

  async function check(server: DnsServer, { qname, qtype, rcode, answer, ns, extra, regex }: Case): Promise<void> {
    const asked = qname.endsWith(".") ? qname : `${qname}.test-1.svc.cluster.local.`;
    const message = await server.exchange(createQuery(asked, typeCode(qtype) ?? 0), clientAddress);
    expect(rcodeName(message?.rcode ?? 0), `${qname} ${qtype}`).toBe(rcode);
    if (regex !== undefined) {
      expect([message?.answers.length, message?.additionals.length]).toEqual([regex.AnswerCount, regex.ExtraCount]);
      for (const { data } of message?.answers ?? []) expect(data.kind === "srv" ? data.target : "").toMatch(new RegExp(regex.TargetRegEx));
      return;
    }
    const sections = [
      [message?.answers, answer],
      [message?.authorities, ns],
      [message?.additionals, extra],
    ] as const;
    for (const [got = [], want] of sections) {
      const free = freeOf(want);
      expect(sorted(got, free), `${qname} ${qtype}`).toEqual(sorted(parsed(want), free));
    }
  }

  test("every suite is asked, or it is said why it cannot be", () => {
    const tally = { asked: 0, out: 0, unknown: [] as string[] };
    const isAskedHere = new Set([...live.map(({ suite }) => suite), "setup", "k8s_external-setup"]);
    for (const { suite, cases } of file?.suites ?? []) {
      if (cases.length === 0) continue;
      if (isAskedHere.has(suite) || elsewhere.has(suite)) tally.asked += cases.length;
      else if (outOfScope[suite] !== undefined) tally.out += cases.length;
      else tally.unknown.push(suite);
    }
    console.log(`${tally.asked} of CoreDNS's cases for kubernetes and k8s_external are asked; ${tally.out} are out of scope`);
    expect(tally.unknown).toEqual([]);
    expect(tally.asked).toBeGreaterThan(150);
  });

  test.each(["setup", "k8s_external-setup"])("blocks of the Corefile: %s", async (name) => {
    const blocks = (file?.suites.find(({ suite }) => suite === name)?.cases ?? []) as unknown as readonly {
      readonly input: string;
      readonly shouldErr: boolean;
    }[];
    expect(blocks.length).toBeGreaterThan(0);
    for (const { input, shouldErr } of blocks.filter((one) => one.input !== undefined)) {
      if (leftOut.some((part) => input.includes(part))) continue;
      const cluster = name === "setup" ? "" : "kubernetes cluster.local\n";
      const outcome = await serve(`.:53 {\n${cluster}${input}\n}`, informersOf([])).then(
        async (server) => (await server.stop(), "taken"),
        (error: unknown) => String(error),
      );
      if (shouldErr) expect(outcome, input).not.toBe("taken");
      else expect(outcome, input).toBe("taken");
    }
  });
});

/** Options that a server inside of a cluster refuses (its cluster is given), or that are out of scope. */
const leftOut = ["endpoint ", "kubeconfig ", "tls ", "multicluster"];
