import { describe, expect, test } from "vitest";
import { faults, stored, tableCells } from "./testing.ts";

const meta = { name: "web", namespace: "default" };

describe("NetworkPolicy", () => {
  const policy = (spec: object) => ({ metadata: meta, spec: { podSelector: {}, ...spec } });

  test("is of the types that its rules say", () => {
    const object = stored("NetworkPolicy", policy({ egress: [{ ports: [{ port: 53 }] }] }));
    expect(object).toMatchObject({ spec: { policyTypes: ["Ingress", "Egress"], egress: [{ ports: [{ protocol: "TCP" }] }] } });
    expect(tableCells("NetworkPolicy", object)).toHaveProperty("Pod-Selector", "<none>");
  });

  test.each([
    ["nobody", { ingress: [{ from: [{}] }] }, "spec.ingress[0].from[0]: Required value: must specify a peer"],
    [
      "two kinds of peer",
      { ingress: [{ from: [{ podSelector: {}, ipBlock: { cidr: "10.0.0.0/8" } }] }] },
      "spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer",
    ],
    [
      "an exception outside",
      { egress: [{ to: [{ ipBlock: { cidr: "10.0.0.0/8", except: ["11.0.0.0/16"] } }] }] },
      'spec.egress[0].to[0].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`',
    ],
    [
      "a range that ends before it begins",
      { ingress: [{ ports: [{ port: 90, endPort: 80 }] }] },
      "spec.ingress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`",
    ],
    [
      "a range from a name",
      { ingress: [{ ports: [{ port: "http", endPort: 80 }] }] },
      "spec.ingress[0].ports[0].endPort: Invalid value: 80: may not be specified when `port` is non-numeric",
    ],
    [
      "a third way",
      { policyTypes: ["Sideways"] },
      'spec.policyTypes[0]: Unsupported value: "Sideways": supported values: "Ingress", "Egress"',
    ],
  ])("refuses %s", (_, spec, fault) => {
    expect(faults("NetworkPolicy", policy(spec))).toEqual([fault]);
  });
});

describe("PodDisruptionBudget", () => {
  test("columns", () => {
    const object = stored("PodDisruptionBudget", { metadata: meta, spec: { maxUnavailable: "50%", selector: {} } });
    expect(tableCells("PodDisruptionBudget", object)).toMatchObject({
      "Min Available": "N/A",
      "Max Unavailable": "50%",
      "Allowed Disruptions": 0,
    });
  });

  test.each([
    [{ minAvailable: 1, maxUnavailable: 1 }, "minAvailable and maxUnavailable cannot be both set"],
    [{ minAvailable: "120%" }, 'spec.minAvailable: Invalid value: "120%": must not be greater than 100%'],
    [{ maxUnavailable: -1 }, "spec.maxUnavailable: Invalid value: -1: must be greater than or equal to 0"],
  ])("refuses %j", (spec, fault) => {
    expect(faults("PodDisruptionBudget", { metadata: meta, spec }).join()).toContain(fault);
  });
});

describe("PriorityClass", () => {
  test.each([
    ["web", { value: 2_000_000_000 }, "value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
    [
      "system-mine",
      { value: 1 },
      "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-mine is not a known system priority class",
    ],
    [
      "web",
      { value: 1, preemptionPolicy: "Maybe" },
      'preemptionPolicy: Unsupported value: "Maybe": supported values: "Never", "PreemptLowerPriority"',
    ],
  ])("refuses %s %j", (name, more, fault) => {
    expect(faults("PriorityClass", { metadata: { name }, ...more })).toEqual([fault]);
  });

  test("the system's own is fine", () => {
    expect(faults("PriorityClass", { metadata: { name: "system-node-critical" }, value: 2_000_001_000 })).toEqual([]);
  });
});

describe("roles", () => {
  const bind = (roleRef: object, subjects: readonly object[] = []) => ({ metadata: meta, roleRef, subjects });

  test("a binding gets its groups, and keeps its role", () => {
    const old = stored(
      "RoleBinding",
      bind({ kind: "Role", name: "view" }, [
        { kind: "User", name: "jane" },
        { kind: "ServiceAccount", name: "ci" },
      ]),
    );
    expect(old).toMatchObject({
      roleRef: { apiGroup: "rbac.authorization.k8s.io" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io" }, {}],
    });
    expect(tableCells("RoleBinding", old)).toMatchObject({ Role: "Role/view", Users: "jane", Groups: "", ServiceAccounts: "ci" });
    expect(faults("RoleBinding", bind({ kind: "Role", name: "edit" }), old).join()).toContain("cannot change roleRef");
  });

  test.each([
    [
      "Role",
      { rules: [{ verbs: [], apiGroups: [""], resources: ["pods"] }] },
      "rules[0].verbs: Required value: verbs must contain at least one value",
    ],
    [
      "Role",
      { rules: [{ verbs: ["get"], nonResourceURLs: ["/healthz"] }] },
      'rules[0].nonResourceURLs: Invalid value: ["/healthz"]: namespaced rules cannot apply to non-resource URLs',
    ],
    [
      "Role",
      { rules: [{ verbs: ["get"], apiGroups: [""] }] },
      "rules[0].resources: Required value: resource rules must supply at least one resource",
    ],
    [
      "RoleBinding",
      { roleRef: { kind: "Group", name: "x" } },
      'roleRef.kind: Unsupported value: "Group": supported values: "Role", "ClusterRole"',
    ],
    [
      "RoleBinding",
      { roleRef: { kind: "Role", name: "x" }, subjects: [{ kind: "Pod", name: "p" }] },
      'subjects[0].kind: Unsupported value: "Pod": supported values: "ServiceAccount", "User", "Group"',
    ],
  ])("refuses a %s of %j", (kind, more, fault) => {
    expect(faults(kind, { metadata: meta, ...more })).toEqual([fault]);
  });

  test("an account of a cluster's binding has a namespace", () => {
    const subjects = [{ kind: "ServiceAccount", name: "ci" }];
    expect(faults("ClusterRoleBinding", { metadata: { name: "x" }, roleRef: { kind: "ClusterRole", name: "x" }, subjects })).toEqual([
      "subjects[0].namespace: Required value",
    ]);
  });
});

describe("addresses", () => {
  test("a ServiceCIDR may only become dual-stack", () => {
    const cidr = (...cidrs: string[]) => ({ metadata: { name: "more" }, spec: { cidrs } });
    const old = stored("ServiceCIDR", cidr("10.100.0.0/16"));
    expect(faults("ServiceCIDR", cidr("10.100.0.0/16", "fd00::/112"), old)).toEqual([]);
    expect(faults("ServiceCIDR", cidr("10.101.0.0/16"), old)).toEqual([
      'spec.cidrs[0]: Invalid value: "10.101.0.0/16": field is immutable',
    ]);
    expect(faults("ServiceCIDR", cidr("10.100.0.0/16", "10.101.0.0/16")).join()).toContain(
      "may specify no more than one IP for each IP family",
    );
  });

  test("an IPAddress has the one form of its address as its name", () => {
    const address = (name: string) => ({
      metadata: { name },
      spec: { parentRef: { resource: "services", namespace: "default", name: "web" } },
    });
    const object = stored("IPAddress", address("10.96.0.10"));
    expect(tableCells("IPAddress", object)).toHaveProperty("ParentRef", "services/default/web");
    expect(faults("IPAddress", address("2001:DB8::1"))).toEqual([
      'metadata.name: Invalid value: "2001:DB8::1": must be in canonical form ("2001:db8::1")',
    ]);
    expect(faults("IPAddress", address("web")).join()).toContain("must be a valid IP address");
  });
});

test("a ReplicationController takes selector and labels from its template", () => {
  const labels = { app: "web" };
  const object = stored("ReplicationController", {
    metadata: meta,
    spec: { template: { metadata: { labels }, spec: { containers: [{ name: "c", image: "x" }] } } },
  });
  expect(object).toMatchObject({ metadata: { labels }, spec: { replicas: 1, selector: labels }, status: { replicas: 0 } });
  expect(tableCells("ReplicationController", object)).toMatchObject({ Desired: 1, Selector: "app=web" });
  expect(faults("ReplicationController", { metadata: meta, spec: { selector: labels } })).toEqual(["spec.template: Required value"]);
});

test("a CertificateSigningRequest holds a request", () => {
  const request = Buffer.from("-----BEGIN CERTIFICATE REQUEST-----\n").toString("base64");
  const csr = (spec: object) => ({
    metadata: { name: "jane" },
    spec: { request, signerName: "kubernetes.io/kube-apiserver-client", usages: ["client auth"], ...spec },
  });
  const object = stored("CertificateSigningRequest", csr({ expirationSeconds: 3600 }));
  expect(tableCells("CertificateSigningRequest", object)).toMatchObject({ Condition: "Pending", RequestedDuration: "60m" });
  expect(faults("CertificateSigningRequest", csr({ request: "AAAA" })).join()).toContain("PEM block type must be CERTIFICATE REQUEST");
  expect(faults("CertificateSigningRequest", csr({ usages: ["everything"] })).join()).toContain("Unsupported value");
});
