/**
 * `explain` on the fixtures of the acceptance cases, where these are there (a clone has none: the tests then skip themselves and say so): what it
 * says of a packet, a name and a path against what kube-proxy, CoreDNS and the Ingress specification do.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { KubeObject } from "../../src/api/object.ts";
import type { EndpointSlice, Node, Service } from "../../src/api/types.ts";
import { assume } from "../../src/decide/explain/assume.ts";
import { explain, explainCodes, type Explanation } from "../../src/decide/explain/explain.ts";
import { snapshotOf } from "../../src/decide/explain/snapshot.ts";
import { selectNodePortAddresses } from "../../src/decide/proxy/index.ts";
import { joinHostPort } from "../../src/lib/ip.ts";

const directory = join(import.meta.dirname, "../../../shared/cases");
const why = "the acceptance cases (shared/cases) are not here";
const read = <T>(name: string): T | undefined => {
  const path = join(directory, name);
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as T) : undefined;
};
const ofKind = (kind: string, objects: readonly object[] = []) =>
  objects.map((object) => ({ ...object, kind })) as unknown as readonly KubeObject[];
const isBroken = ({ code }: Explanation): boolean => explainCodes[code].kind === "broken";

interface Flow {
  readonly name: string;
  readonly sourceIP: string;
  readonly destIP: string;
  readonly destPort: number;
  readonly protocol?: string;
  readonly output: string;
  readonly modes?: readonly string[];
}
interface Step {
  readonly services?: readonly Service[];
  readonly endpointSlices?: readonly EndpointSlice[];
  readonly flows?: readonly Flow[];
}
interface FlowCase extends Step {
  readonly id: string;
  readonly modes: readonly string[];
  readonly config: {
    readonly nodeName: string;
    readonly nodeIP: string;
    readonly nodeAddresses: Readonly<Record<string, readonly string[]>>;
    readonly localTrafficDetector: { readonly clusterCIDR: string } | null;
    readonly serviceCIDR: string;
    readonly nodePortAddresses: readonly string[];
    readonly masqueradeAll: boolean;
  };
  readonly then?: readonly Step[];
}

/** Those at which the node has NodePorts. */
function nodeAddresses({ nodeIP, nodeAddresses: interfaces, nodePortAddresses: cidrs }: FlowCase["config"]): readonly string[] {
  const addresses = Object.values(interfaces).flatMap((list) => list.map((text) => text.split("/")[0] as string));
  return selectNodePortAddresses({ cidrs, addresses, primary: [nodeIP], whenEmpty: "primary" });
}

/**
 * The flows ask one node. Somebody outside gets no packet for a cluster IP to a node, and comes by a load balancer to any node that it chooses:
 * `explain` answers for these.
 */
function isOtherQuestion({ code, from, path }: Explanation): boolean {
  return code === "InternalAddress" || (from.kind === "outside" && path.some(({ text }) => text.includes("is the load balancer of")));
}

test("packets of kube-proxy's flows go where explain says", (context) => {
  const cases = read<{ readonly flowCases: readonly FlowCase[] }>("kubeproxy-cases.json");
  if (cases === undefined) return context.skip(why);
  const misses: string[] = [];
  const passed = { arrives: 0, broken: 0, outside: 0 };
  for (const { id, modes: all, config, services = [], then = [], ...first } of cases.flowCases) {
    const node: Node = {
      kind: "Node",
      metadata: { name: config.nodeName },
      spec: { podCIDRs: config.localTrafficDetector === null ? [] : [config.localTrafficDetector.clusterCIDR] },
      status: { addresses: nodeAddresses(config).map((address) => ({ type: "InternalIP", address })) },
    };
    for (const step of [first as Step, ...then]) {
      const objects = [node, ...ofKind("Service", step.services ?? services), ...ofKind("EndpointSlice", step.endpointSlices)];
      const snapshot = snapshotOf(objects, { serviceCIDRs: [config.serviceCIDR], proxyMode: "nftables" });
      for (const { name, sourceIP, destIP, destPort, protocol = "TCP", output, modes = all } of step.flows ?? []) {
        if (!modes.includes("nftables")) continue;
        const found = explain(snapshot, { target: `${joinHostPort(destIP, destPort)}/${protocol.toLowerCase()}`, from: sourceIP });
        if (isOtherQuestion(found)) passed.outside += 1;
        else if (output === "" || output === "ACCEPT")
          misses.push(...(found.ok ? [`${id} ${name}: passes, and explain: ${found.verdict}`] : []));
        else if (output === "REJECT" || output === "DROP") {
          if (isBroken(found)) passed.broken += 1;
          else misses.push(`${id} ${name}: ${output}, and explain: ${found.verdict}`);
        } else if (found.endpoints.join() === output.split(", ").toSorted().join()) passed.arrives += 1;
        else misses.push(`${id} ${name}: ${output}, and explain: ${found.verdict}`);
      }
    }
  }
  expect(misses).toEqual([]);
  expect(passed.arrives).toBeGreaterThan(30);
  expect(passed.broken).toBeGreaterThan(10);
});

interface DnsSuite {
  readonly suite: string;
  readonly fixture: string;
  readonly options?: { readonly pods?: "disabled" | "insecure" | "verified"; readonly zones?: readonly string[] } & Readonly<
    Record<string, unknown>
  >;
  readonly cases: readonly { readonly qname: string; readonly qtype: string; readonly rcode: string; readonly answer: readonly string[] }[];
}

test("names of CoreDNS' cases resolve or not, as explain says", (context) => {
  const cases = read<{
    readonly fixtures: Readonly<Record<string, Readonly<Record<string, readonly object[]>>>>;
    readonly suites: readonly DnsSuite[];
  }>("coredns-kubernetes-cases.json");
  if (cases === undefined) return context.skip(why);
  // What a Snapshot says nothing of (the next plugin, namespaces kept out, empty Services hidden) is tested with the server.
  const plain = cases.suites.filter(
    ({ options = {} }) =>
      options.zones?.join() === "cluster.local." &&
      Object.keys(options).every((key) => ["zones", "pods", "ttl", "next", "namespaces"].includes(key)),
  );
  const misses: string[] = [];
  let compared = 0;
  for (const { suite, fixture, options = {}, cases: questions } of plain) {
    const { services = [], endpointSlices = [], pods = [] } = cases.fixtures[fixture] ?? {};
    const kept = options["namespaces"] as readonly string[] | undefined;
    const served = (object: object) =>
      kept === undefined || kept.length === 0 || kept.includes((object as KubeObject).metadata.namespace ?? "");
    const objects = [
      ...ofKind("Service", services.filter(served)),
      ...ofKind("EndpointSlice", endpointSlices.filter(served)),
      ...ofKind("Pod", pods.filter(served)),
    ];
    const snapshot = snapshotOf(objects, { dnsPods: options.pods ?? "disabled" });
    for (const { qname, qtype, rcode, answer } of questions.filter((each) => each.qtype === "A" && each.qname.endsWith("cluster.local."))) {
      const found = explain(snapshot, { target: qname });
      const resolved = found.path.find(({ kind }) => kind === "resolve")?.candidates.some(({ kept: is }) => is) === true;
      compared += 1;
      if (resolved !== answer.length > 0)
        misses.push(`${suite} ${qname} ${qtype}: ${rcode} with ${answer.length} records, and explain: ${found.verdict}`);
    }
  }
  expect(misses).toEqual([]);
  expect(compared).toBeGreaterThan(10);
});

interface PathRow {
  readonly pathType: string;
  readonly paths: readonly string[];
  readonly request: string;
  readonly matches: boolean;
}

test("paths of the Ingress specification match or not, as explain says", (context) => {
  const cases = read<{
    readonly ingressPathTable: readonly PathRow[];
    readonly ingressHostTable: readonly { readonly rule: string; readonly host: string; readonly matches: boolean }[];
  }>("ingress-cases.json");
  if (cases === undefined) return context.skip(why);
  const asked = (host: string, paths: readonly string[], pathType: string, url: string) => {
    const backend = { service: { name: "web", port: { number: 80 } } };
    const rules = [{ host, http: { paths: paths.map((path) => ({ path, pathType, backend })) } }];
    const web = { kind: "Service", metadata: { name: "web" }, spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: 8080 }] } };
    const pod = {
      kind: "Pod",
      metadata: { name: "web-1", labels: { app: "web" } },
      spec: { containers: [{ name: "app", image: "web", ports: [{ containerPort: 8080 }] }] },
    };
    const objects = [web, pod, { kind: "Ingress", metadata: { name: "web" }, spec: { rules } }] as readonly KubeObject[];
    return explain(assume(objects), { target: url, from: "outside" }).ok;
  };
  const rows = cases.ingressPathTable.filter(
    ({ request, pathType }) => request.startsWith("/") && (pathType === "Exact" || pathType === "Prefix"),
  );
  expect(rows.length).toBeGreaterThan(10);
  for (const { pathType, paths, request, matches } of rows)
    expect(asked("foo.com", paths, pathType, `http://foo.com${request}`), `${pathType} ${paths.join()} ${request}`).toBe(matches);
  for (const { rule, host, matches } of cases.ingressHostTable)
    expect(asked(rule, ["/"], "Prefix", `http://${host}/`), `${rule} ${host}`).toBe(matches);
});
