import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { NetworkPolicySpec } from "../../api/types.ts";
import { PolicyCluster, testPod, testPolicy } from "./policies.cases.ts";
import { tracePolicies, type PolicyPacket } from "./trace.ts";
import { policyPodOf } from "./world.ts";

/** Two namespaces `shop` (team=a) and `bank` (team=b); web and db in both, on either node. */
function cluster(...policies: readonly (readonly [key: string, spec: NetworkPolicySpec])[]): PolicyCluster {
  const made = new PolicyCluster();
  made.tracker.setNamespace("shop", { team: "a", "kubernetes.io/metadata.name": "shop" });
  made.tracker.setNamespace("bank", { team: "b", "kubernetes.io/metadata.name": "bank" });
  made.pod("shop/web", testPod("shop/web", 1, { labels: { app: "web" }, ports: { http: 8080 } }));
  made.pod("shop/db", testPod("shop/db", 2, { labels: { app: "db" }, node: "node-2", ports: { sql: 5432 } }));
  made.pod("bank/web", testPod("bank/web", 3, { labels: { app: "web" }, node: "node-2", ports: { http: 80 } }));
  made.pod("bank/db", testPod("bank/db", 4, { labels: { app: "db" } }));
  for (const [key, spec] of policies) made.tracker.setPolicy(key, testPolicy(key, spec));
  made.settle();
  return made;
}

const hosts: Readonly<Record<string, number>> = { "shop/web": 1, "shop/db": 2, "bank/web": 3, "bank/db": 4 };

/** `shop/web shop/db 5432` or with addresses, perhaps `/UDP` at the end; in IPv4 and IPv6 by turns. */
function packetOf(text: string, family: 4 | 6): PolicyPacket {
  const [from = "", to = "", rest = ""] = text.split(" ");
  const [port = "", protocol = "TCP"] = rest.split("/");
  const address = (name: string) => (name in hosts ? (family === 4 ? `10.244.0.${hosts[name]}` : `fd00::${hosts[name]}`) : name);
  return { from: address(from), to: address(to), port: Number(port), protocol: protocol as "TCP" };
}

/** What passes by the decision, which must be what passes by the rules. */
function passing(made: PolicyCluster, packets: readonly string[]): readonly string[] {
  return packets.filter((text) => {
    const isAddress = /\d\.\d|::/.test(text);
    const answers = (isAddress ? [text.includes("::") ? 6 : 4] : [4, 6]).map((family) => {
      const packet = packetOf(text, family as 4 | 6);
      const decided = tracePolicies(made.plans.values(), packet).kind === "allowed";
      expect(made.passes(packet), `${text} through the rules`).toBe(decided);
      return decided;
    });
    expect(new Set(answers).size).toBe(1);
    return answers[0];
  });
}

const everything: NetworkPolicySpec = { podSelector: {}, policyTypes: ["Ingress", "Egress"] };
const web = { matchLabels: { app: "web" } };
const db = { matchLabels: { app: "db" } };

interface Case {
  readonly name: string;
  readonly policies: readonly (readonly [string, NetworkPolicySpec])[];
  readonly pass: readonly string[];
  readonly stop: readonly string[];
}

const cases: readonly Case[] = [
  { name: "no policy: everything passes", policies: [], pass: ["shop/web shop/db 5432", "10.9.9.9 shop/web 1"], stop: [] },
  {
    name: "default deny closes both directions of its namespace, not of others; a pod reaches itself",
    policies: [["shop/deny", everything]],
    pass: ["bank/web bank/db 1", "shop/web shop/web 8080", "10.9.9.9 bank/web 80"],
    stop: ["shop/web shop/db 1", "bank/web shop/db 1", "shop/db bank/db 1", "10.9.9.9 shop/web 80", "shop/web 8.8.8.8 53/UDP"],
  },
  {
    name: "ingress only: what the pods send passes",
    policies: [["shop/in", { podSelector: db, policyTypes: ["Ingress"], ingress: [{ from: [{ podSelector: web }] }] }]],
    pass: ["shop/web shop/db 1", "shop/db bank/web 1", "bank/web shop/web 1"],
    stop: ["bank/web shop/db 1", "bank/db shop/db 1", "10.9.9.9 shop/db 1"],
  },
  {
    name: "policyTypes absent: ingress, and egress where there are egress rules",
    policies: [
      ["shop/a", { podSelector: web }],
      ["bank/b", { podSelector: web, egress: [{ to: [{ podSelector: db }] }] }],
    ],
    pass: ["shop/web shop/db 1", "bank/web bank/db 1"],
    stop: ["shop/db shop/web 1", "bank/db bank/web 1", "bank/web shop/db 1"],
  },
  {
    name: "an empty rule lets everybody in; no rule nobody",
    policies: [
      ["shop/open", { podSelector: web, ingress: [{}] }],
      ["shop/shut", { podSelector: db, ingress: [] }],
    ],
    pass: ["10.9.9.9 shop/web 1", "bank/db shop/web 9/UDP"],
    stop: ["10.9.9.9 shop/db 1", "shop/web shop/db 1"],
  },
  {
    name: "a namespace's labels, with and without a pod's, are one peer; two entries are two peers",
    policies: [
      ["shop/both", { podSelector: web, ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: "b" } }, podSelector: db }] }] }],
      [
        "shop/either",
        { podSelector: db, ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: "b" } } }, { podSelector: web }] }] },
      ],
    ],
    pass: ["bank/db shop/web 1", "bank/db shop/db 1", "bank/web shop/db 1", "shop/web shop/db 1"],
    stop: ["bank/web shop/web 1", "shop/db shop/web 1"],
  },
  {
    name: "policies add up, and nothing is taken away",
    policies: [
      ["shop/deny", everything],
      ["shop/in", { podSelector: db, ingress: [{ from: [{ podSelector: web }], ports: [{ protocol: "TCP", port: 5432 }] }] }],
      ["shop/out", { podSelector: web, policyTypes: ["Egress"], egress: [{ to: [{ podSelector: db }] }] }],
    ],
    pass: ["shop/web shop/db 5432"],
    stop: ["shop/web shop/db 5433", "shop/web shop/db 5432/UDP", "shop/db shop/web 1"],
  },
  {
    name: "a block of addresses but for its holes",
    policies: [
      [
        "shop/block",
        { podSelector: web, ingress: [{ from: [{ ipBlock: { cidr: "10.0.0.0/9", except: ["10.9.0.0/16", "10.10.0.0/15"] } }] }] },
      ],
    ],
    pass: ["10.8.0.1 10.244.0.1 1", "10.12.0.1 10.244.0.1 1"],
    stop: ["10.9.9.9 10.244.0.1 1", "10.11.0.1 10.244.0.1 1", "10.200.0.1 10.244.0.1 1", "2001:db8::1 fd00::1 1"],
  },
  {
    name: "a block is of its family; /0 is all of it",
    policies: [["shop/out", { podSelector: web, policyTypes: ["Egress"], egress: [{ to: [{ ipBlock: { cidr: "0.0.0.0/0" } }] }] }]],
    pass: ["10.244.0.1 8.8.8.8 53/UDP"],
    stop: ["fd00::1 2001:db8::1 53"],
  },
  {
    name: "ports: of a protocol, a range, one",
    policies: [
      [
        "shop/ports",
        {
          podSelector: web,
          ingress: [
            { ports: [{ protocol: "UDP" }, { protocol: "TCP", port: 8000, endPort: 8100 }, { protocol: "SCTP", port: 7 }, { port: 22 }] },
          ],
        },
      ],
    ],
    pass: ["bank/db shop/web 9/UDP", "bank/db shop/web 8000", "bank/db shop/web 8100", "bank/db shop/web 7/SCTP", "bank/db shop/web 22"],
    stop: ["bank/db shop/web 7999", "bank/db shop/web 8101", "bank/db shop/web 8/SCTP", "bank/db shop/web 7"],
  },
  {
    name: "a named port is each destination's own number",
    policies: [
      ["shop/in", { podSelector: {}, ingress: [{ ports: [{ port: "http" }] }] }],
      [
        "bank/out",
        {
          podSelector: db,
          policyTypes: ["Egress"],
          egress: [{ to: [{ podSelector: web }, { namespaceSelector: {} }], ports: [{ port: "http" }] }],
        },
      ],
    ],
    pass: ["bank/db shop/web 8080", "bank/db bank/web 80"],
    stop: ["bank/db shop/web 80", "bank/db bank/web 8080", "bank/web shop/web 80", "bank/db shop/db 5432"],
  },
  {
    name: "a named port without peers is that of any pod, and of nobody outside",
    policies: [["bank/anywhere", { podSelector: web, policyTypes: ["Egress"], egress: [{ ports: [{ port: "sql" }] }] }]],
    pass: ["bank/web shop/db 5432"],
    stop: ["bank/web shop/web 8080", "bank/web bank/db 5432", "10.244.0.3 10.9.9.9 5432"],
  },
  {
    name: "expressions, and a namespace by its name",
    policies: [
      [
        "shop/in",
        {
          podSelector: { matchExpressions: [{ key: "app", operator: "In", values: ["db", "cache"] }] },
          ingress: [{ from: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "bank" } } }] }],
        },
      ],
    ],
    pass: ["bank/db shop/db 1", "bank/web shop/web 1"],
    stop: ["shop/web shop/db 1"],
  },
];

describe("what policies let pass, decided and through the rules of both nodes", () => {
  test.each(cases)("$name", ({ policies, pass, stop }) => {
    const made = cluster(...policies);
    expect(passing(made, [...pass, ...stop])).toEqual(pass);
  });
});

test("a denial names the pod, the direction and every policy that isolates it", () => {
  const made = cluster(["shop/deny", everything], ["shop/more", { podSelector: db, policyTypes: ["Ingress"] }]);
  expect(tracePolicies(made.plans.values(), packetOf("bank/web shop/db 5432", 4))).toMatchObject({
    kind: "denied",
    direction: "ingress",
    pod: { key: "shop/db" },
    policies: ["shop/deny", "shop/more"],
  });
  made.tracker.setPolicy(
    "shop/in",
    testPolicy("shop/in", { podSelector: db, ingress: [{ ports: [{ port: 1 }] }, { ports: [{ port: 5432 }] }] }),
  );
  made.settle();
  expect(tracePolicies(made.plans.values(), packetOf("bank/web shop/db 5432", 4))).toEqual({
    kind: "allowed",
    reason: "Allowed",
    by: [{ direction: "ingress", policy: "shop/in", rule: 1 }],
  });
});

test("pods in the node's network, without an address or at their end are nobody's business", () => {
  const pod = testPod("shop/x", 9);
  expect(policyPodOf(pod)?.key).toBe("shop/x");
  expect(policyPodOf({ ...pod, spec: { ...pod.spec, hostNetwork: true } as never })).toBeUndefined();
  expect(policyPodOf({ ...pod, status: { ...pod.status, phase: "Succeeded" } })).toBeUndefined();
  expect(policyPodOf({ ...pod, status: { phase: "Pending" } })).toBeUndefined();
});

describe("what a change costs", () => {
  const peers: NetworkPolicySpec = { podSelector: db, ingress: [{ from: [{ podSelector: web }] }] };

  test("a peer more is one element, on the node of the isolated pod alone", () => {
    const made = cluster(["shop/in", peers]);
    made.pod("shop/web-2", testPod("shop/web-2", 5, { labels: { app: "web" } }));
    made.settle();
    // node-1 has no isolated pod; node-2 one, with an IPv4 and an IPv6 table.
    expect(made.sent).toEqual([0, 0, 1, 1]);
  });

  test("a pod's status, or a pod that no policy is about, changes nothing", () => {
    const made = cluster(["shop/in", peers]);
    made.pod("shop/db", testPod("shop/db", 2, { labels: { app: "db" }, node: "node-2", ports: { sql: 5432 } }));
    made.pod("bank/other", testPod("bank/other", 6));
    expect(made.tracker.isPending).toBe(false);
  });

  test("the last policy leaves nothing behind", () => {
    const made = cluster();
    const empty = made.dump();
    made.tracker.setPolicy("shop/in", testPolicy("shop/in", peers));
    made.settle();
    expect(made.dump()).not.toBe(empty);
    made.tracker.setPolicy("shop/in", undefined);
    made.settle();
    expect(made.dump()).toBe(empty);
  });
});

test("after any changes the rules are those of a fresh start, and let pass what is decided", () => {
  const labels = fc.constantFrom({ app: "web" }, { app: "db" }, {});
  const selector = fc.constantFrom({}, web, db, { matchExpressions: [{ key: "app", operator: "DoesNotExist" }] });
  const port = fc.constantFrom(
    { port: 80 },
    { port: "http" },
    { protocol: "UDP" },
    { port: 5000, endPort: 6000 },
    { protocol: "UDP", port: 53 },
  );
  const peer = fc.oneof(
    fc.record({ podSelector: selector }),
    fc.record({ namespaceSelector: fc.constantFrom({}, { matchLabels: { team: "a" } }), podSelector: selector }),
    fc.constantFrom(
      { ipBlock: { cidr: "10.244.0.0/30", except: ["10.244.0.2/31"] } },
      { ipBlock: { cidr: "fd00::/126" } },
      { ipBlock: { cidr: "0.0.0.0/0", except: ["10.244.0.3/32"] } },
    ),
  );
  const rule = (key: "from" | "to") =>
    fc.record({ [key]: fc.array(peer, { maxLength: 2 }), ports: fc.array(port, { maxLength: 2 }) }, { requiredKeys: [] });
  const spec = fc.record({
    podSelector: selector,
    policyTypes: fc.constantFrom(["Ingress"], ["Egress"], ["Ingress", "Egress"]),
    ingress: fc.array(rule("from"), { maxLength: 2 }),
    egress: fc.array(rule("to"), { maxLength: 2 }),
  });
  const namespace = fc.constantFrom("shop", "bank");
  const change = fc.oneof(
    fc.record({ kind: fc.constant("policy" as const), namespace, name: fc.constantFrom("p", "q"), spec: fc.option(spec) }),
    fc.record({
      kind: fc.constant("pod" as const),
      namespace,
      host: fc.integer({ min: 1, max: 4 }),
      pod: fc.option(
        fc.record({ labels, node: fc.constantFrom("node-1", "node-2"), ports: fc.constantFrom({}, { http: 80 }, { http: 5500 }) }),
      ),
    }),
    fc.record({ kind: fc.constant("namespace" as const), namespace, team: fc.option(fc.constantFrom("a", "b")) }),
  );
  const address = fc.integer({ min: 1, max: 5 });
  const packet = fc.record({
    from: address,
    to: address,
    port: fc.constantFrom(80, 53, 5500, 9),
    protocol: fc.constantFrom("TCP" as const, "UDP" as const),
    family: fc.constantFrom(4 as const, 6 as const),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), fc.array(packet, { minLength: 5, maxLength: 20 }), (changes, packets) => {
      const made = new PolicyCluster();
      for (const one of changes) {
        if (one.kind === "policy") {
          const key = `${one.namespace}/${one.name}`;
          made.tracker.setPolicy(key, one.spec === null ? undefined : testPolicy(key, one.spec as NetworkPolicySpec));
        } else if (one.kind === "namespace") made.tracker.setNamespace(one.namespace, one.team === null ? undefined : { team: one.team });
        else {
          // Each address is one pod's.
          const key = `${one.host % 2 === 0 ? "shop" : "bank"}/pod-${one.host}`;
          made.pod(key, one.pod === null ? undefined : testPod(key, one.host, one.pod));
        }
        if (one.kind !== "pod" || one.host > 2) made.settle();
      }
      made.settle();
      expect(made.dump()).toBe(made.fresh().dump());
      for (const { from, to, family, ...rest } of packets) {
        const of = (host: number) => (family === 4 ? `10.244.0.${host}` : `fd00::${host}`);
        const sent = { ...rest, from: of(from), to: of(to) };
        expect(made.passes(sent)).toBe(tracePolicies(made.plans.values(), sent).kind === "allowed");
      }
    }),
    { numRuns: 400 },
  );
});
