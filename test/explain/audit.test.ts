/** What the audit finds: each rule in the smallest cluster that breaks it, and nothing in one that is sound. */
import { describe, expect, test } from "vitest";
import { readManifests } from "../../src/api/manifest.ts";
import { assume } from "../../src/decide/explain/assume.ts";
import { audit, auditRules, type AuditRule, type Finding } from "../../src/decide/explain/audit/audit.ts";
import type { SnapshotConfig } from "../../src/decide/explain/snapshot.ts";
import { sarif } from "../../src/cli/explain/sarif.ts";

async function audited(text: string, config: Partial<SnapshotConfig> = {}) {
  const { objects, errors } = await readManifests(text, "app.yaml");
  expect(errors).toEqual([]);
  return {
    manifests: objects,
    ...audit(
      assume(
        objects.map(({ object }) => object),
        config,
      ),
    ),
  };
}

const service = (name: string, spec: string, status = "") =>
  `{ apiVersion: v1, kind: Service, metadata: { name: ${name}, namespace: default }, spec: ${spec}${status} }`;
const pod = (name: string, more = "", labels = "app: web", node = "a-1") =>
  `{ apiVersion: v1, kind: Pod, metadata: { name: ${name}, labels: { ${labels} } }, spec: { nodeName: ${node}, containers: [{ name: app, image: x, ports: [{ containerPort: 8080 }]${more} }] } }`;
const node = (name: string, zone?: string) =>
  `{ apiVersion: v1, kind: Node, metadata: { name: ${name}${zone === undefined ? "" : `, labels: { topology.kubernetes.io/zone: ${zone} }`} }, spec: { podCIDR: 10.244.0.0/16 }, status: { addresses: [{ type: InternalIP, address: 192.0.2.1 }] } }`;
const ingress = (name: string, created: string) =>
  `{ apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: { name: ${name}, creationTimestamp: "${created}" }, spec: { rules: [{ host: a.example, http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }] } }] } }`;
const web = service("web", "{ selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }");
const documents = (...texts: readonly string[]) => texts.join("\n---\n");
const sound = [node("a-1", "a"), pod("web-1"), web];

/** rule → a cluster that breaks it and, but for the rule, is sound; and whom the finding is about. */
const cases: Readonly<Record<AuditRule, { readonly text: string; readonly about: string; readonly config?: Partial<SnapshotConfig> }>> = {
  NodePortTwice: {
    text: documents(
      ...sound,
      service("one", "{ type: NodePort, selector: { app: web }, ports: [{ port: 80, targetPort: 8080, nodePort: 30080 }] }"),
      service("two", "{ type: NodePort, selector: { app: web }, ports: [{ port: 80, targetPort: 8080, nodePort: 30080 }] }"),
    ),
    about: "two",
  },
  AddressTwice: {
    text: documents(
      ...sound,
      service("one", "{ selector: { app: web }, externalIPs: [203.0.113.7], ports: [{ port: 80, targetPort: 8080 }] }"),
      service("two", "{ selector: { app: web }, externalIPs: [203.0.113.7], ports: [{ port: 80, targetPort: 8080 }] }"),
    ),
    about: "two",
  },
  PathTwice: {
    text: documents(...sound, ingress("old", "2026-01-01T00:00:00Z"), ingress("young", "2026-02-01T00:00:00Z")),
    about: "young",
  },
  SomeEndpointsDead: {
    text: documents(...sound, pod("web-2").replace("8080", "8081")),
    about: "web",
  },
  AffinityLost: {
    text: documents(
      ...sound,
      service("one", "{ clusterIP: None, selector: { app: web }, sessionAffinity: ClientIP, ports: [{ port: 8080 }] }"),
    ),
    about: "one",
  },
  AffinityPerPort: {
    text: documents(
      ...sound,
      service(
        "one",
        "{ selector: { app: web }, sessionAffinity: ClientIP, ports: [{ name: a, port: 80, targetPort: 8080 }, { name: b, port: 81, targetPort: 8080 }] }",
      ),
    ),
    about: "one",
  },
  HintsWithheld: {
    text: documents(
      node("a-1"),
      pod("web-1"),
      service("web", "{ selector: { app: web }, trafficDistribution: PreferSameZone, ports: [{ port: 80, targetPort: 8080 }] }"),
    ),
    about: "web",
  },
  ZoneWithoutEndpoints: {
    text: documents(
      node("a-1", "a"),
      node("b-1", "b").replace("192.0.2.1", "192.0.2.2"),
      pod("web-1"),
      service("web", "{ selector: { app: web }, trafficDistribution: PreferSameZone, ports: [{ port: 80, targetPort: 8080 }] }"),
    ),
    about: "web",
  },
  NdotsWaste: {
    text: documents(node("a-1", "a"), web, pod("web-1", ', env: [{ name: API, value: "https://api.example.com/v1" }]')),
    about: "web-1",
  },
  ModeMigration: {
    text: documents(
      ...sound,
      service("one", "{ type: NodePort, selector: { app: web }, ports: [{ port: 80, targetPort: 8080, nodePort: 30080 }] }"),
    ),
    about: "one",
    config: { proxyMode: "iptables" },
  },
  PolicySelectsNothing: {
    text: documents(
      ...sound,
      "{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: idle }, spec: { podSelector: { matchLabels: { app: wep } } } }",
    ),
    about: "idle",
  },
};

const told = ({ rule, ref }: Finding) => `${rule} ${ref.name}`;

describe("audit", () => {
  test("a sound cluster has no findings", async () => {
    expect((await audited(documents(...sound))).findings).toEqual([]);
  });

  test.each(Object.entries(cases))("%s", async (rule, { text, about, config = {} }) => {
    const { findings } = await audited(text, config);
    expect(findings.map(told)).toEqual([`${rule} ${about}`]);
    expect(findings[0]?.level).toBe(auditRules[rule as AuditRule].level);
  });

  test("topology mode Auto that gets no hints says why", async () => {
    const annotated = web.replace("name: web,", "name: web, annotations: { service.kubernetes.io/topology-mode: Auto },");
    const { findings } = await audited(documents(node("a-1", "a"), pod("web-1"), annotated));
    expect(findings.map(told)).toEqual(["HintsWithheld web"]);
    expect(findings[0]?.text).toContain("topology-mode Auto gives no hints to the IPv4 endpoints: ");
  });

  test("Services and routes that lead nowhere have the codes of explain", async () => {
    const { findings, counts } = await audited(
      documents(
        ...sound,
        service("typo", "{ selector: { app: wep }, ports: [{ port: 80 }] }"),
        service("dead", "{ selector: { app: web }, ports: [{ port: 80, targetPort: 9 }] }"),
        service("alias", "{ type: ExternalName, externalName: 203.0.113.9 }"),
        ingress("lost", "2026-01-01T00:00:00Z").replace("name: web", "name: wed"),
      ),
    );
    expect(findings.map(told)).toEqual([
      "BackendServiceNotFound lost",
      "AliasIsAddress alias",
      "SelectorTypo typo",
      "TargetPortNotDeclared dead",
    ]);
    expect(counts).toEqual({ error: 3, warning: 1, note: 0 });
  });

  test("SARIF points at the line of the field", async () => {
    const text = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  selector:\n    app: wep\n  ports:\n    - port: 80\n---\n";
    const { findings, manifests } = await audited(text + pod("web-1"));
    expect(sarif(findings, manifests)).toMatchObject({
      version: "2.1.0",
      runs: [
        {
          tool: { driver: { name: "fairlead explain", rules: [{ id: "SelectorTypo" }] } },
          results: [
            {
              ruleId: "SelectorTypo",
              ruleIndex: 0,
              level: "error",
              locations: [
                {
                  physicalLocation: { artifactLocation: { uri: "app.yaml" }, region: { startLine: 7, startColumn: 10 } },
                  logicalLocations: [{ fullyQualifiedName: "Service default/web" }],
                },
              ],
            },
          ],
        },
      ],
    });
  });
});
