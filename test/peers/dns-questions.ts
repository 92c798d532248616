/** A cluster with every kind of Service, and questions about it: names that are there, that are not, and that nearly are. */
import { recordTypes as T } from "../../src/decide/dns/records.ts";
import { createQuery, type Message } from "../../src/dns/wire/message.ts";

export const clusterManifests = `
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Namespace
metadata: { name: empty }
---
apiVersion: v1
kind: Service
metadata: { name: one, namespace: shop }
spec: { ports: [{ name: http, port: 80, protocol: TCP }] }
---
apiVersion: v1
kind: Service
metadata: { name: two, namespace: shop }
spec: { ports: [{ name: http, port: 80, protocol: TCP }, { name: dns, port: 53, protocol: UDP }, { name: dns-tcp, port: 53, protocol: TCP }] }
---
apiVersion: v1
kind: Service
metadata: { name: unnamed, namespace: shop }
spec: { ports: [{ port: 8080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: out, namespace: shop }
spec: { type: ExternalName, externalName: www.example.org }
---
apiVersion: v1
kind: Service
metadata: { name: alias, namespace: shop }
spec: { type: ExternalName, externalName: two.shop.svc.cluster.local }
---
apiVersion: v1
kind: Service
metadata: { name: circle, namespace: shop }
spec: { type: ExternalName, externalName: circle.shop.svc.cluster.local }
---
apiVersion: v1
kind: Service
metadata: { name: nowhere, namespace: shop }
spec: { type: ExternalName, externalName: gone.shop.svc.cluster.local }
---
apiVersion: v1
kind: Service
metadata: { name: db, namespace: shop }
spec: { clusterIP: None, ports: [{ name: pg, port: 5432 }] }
---
apiVersion: v1
kind: Service
metadata: { name: bare, namespace: shop }
spec: { clusterIP: None }
---
apiVersion: v1
kind: Service
metadata: { name: idle, namespace: shop }
spec: { clusterIP: None, ports: [{ name: pg, port: 5432 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: db-1, namespace: shop, labels: { kubernetes.io/service-name: db } }
addressType: IPv4
ports: [{ name: pg, port: 5432, protocol: TCP }]
endpoints:
  - { addresses: ["10.1.0.1"], hostname: db-0, conditions: { ready: true } }
  - { addresses: ["10.1.0.2"], hostname: db-1, conditions: { ready: true } }
  - { addresses: ["10.1.0.3"], conditions: { ready: true } }
  - { addresses: ["10.1.0.4"], conditions: { ready: false } }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: db-6, namespace: shop, labels: { kubernetes.io/service-name: db } }
addressType: IPv6
ports: [{ name: pg, port: 5432, protocol: TCP }]
endpoints: [{ addresses: ["fd00::1:2"], conditions: { ready: true } }, { addresses: ["fd00::9"], hostname: six, conditions: { ready: true } }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: bare-1, namespace: shop, labels: { kubernetes.io/service-name: bare } }
addressType: IPv4
endpoints: [{ addresses: ["10.1.0.1"], conditions: { ready: true } }, { addresses: ["10.1.0.7"], conditions: { ready: true } }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: one-1, namespace: shop, labels: { kubernetes.io/service-name: one } }
addressType: IPv4
ports: [{ name: http, port: 8080, protocol: TCP }]
endpoints: [{ addresses: ["10.1.0.1"], conditions: { ready: true } }]
`;

const services = ["one", "two", "unnamed", "out", "alias", "circle", "nowhere", "db", "bare", "idle", "gone", "*", "kubernetes"];
const namespaces = ["shop", "empty", "default", "gone", "*", "kube-system"];
const endpoints = ["db-0", "db-1", "10-1-0-3", "10-1-0-4", "10-1-0-1", "fd00--1-2", "six", "gone", "*"];
const ports = ["_http", "_dns", "_dns-tcp", "_pg", "http", "_gone", "*", "_"];
const protocols = ["_tcp", "_udp", "tcp", "_sctp", "*", "_any"];
const types = [
  T.A,
  T.AAAA,
  T.SRV,
  T.TXT,
  T.PTR,
  T.CNAME,
  T.SOA,
  T.NS,
  T.MX,
  T.ANY,
  T.HINFO,
  T.HTTPS,
  T.SVCB,
  T.CAA,
  T.NAPTR,
  T.DS,
  T.DNSKEY,
  65_280,
];
const common = [T.A, T.AAAA, T.SRV, T.PTR, T.CNAME];
const fixed = [
  "cluster.local",
  "svc.cluster.local",
  "pod.cluster.local",
  "dns-version.cluster.local",
  "ns.dns.cluster.local",
  "dns.cluster.local",
  "example.org",
  "www.example.org",
  "local",
  ".",
  "in-addr.arpa",
  "ip6.arpa",
  "10.in-addr.arpa",
  "a.b.c.d.e.cluster.local",
  "any.cluster.local",
  "svc.svc.cluster.local",
];
const addresses = ["10.96.0.1", "10.96.0.10", "10.1.0.1", "10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.7", "10.9.9.9", "1.2.3.4"];

/** mulberry32: the same questions for the same seed. */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function createQuestions(random: () => number, count: number): readonly Message[] {
  const pick = <V>(list: readonly V[]): V => list[Math.floor(random() * list.length)] as V;
  const label = () => pick([...services, ...endpoints, ...ports, ...protocols, ...namespaces]);
  const names: readonly (() => string)[] = [
    () => `${pick(services)}.${pick(namespaces)}.svc.cluster.local`,
    () => `${pick(endpoints)}.${pick(services)}.${pick(namespaces)}.svc.cluster.local`,
    () => `${pick(ports)}.${pick(protocols)}.${pick(services)}.${pick(namespaces)}.svc.cluster.local`,
    () =>
      `${pick(["10-1-0-1", "10-1-0-99", "fd00--1", "1-2-3", "300-1-1-1", "x", "10-1-0", "1-2-3-4-5", "--1", "a-b--1", "*"])}.${pick(namespaces)}.pod.cluster.local`,
    () => `${pick(namespaces)}.${pick(["svc", "pod", "x"])}.cluster.local`,
    () => `${pick(addresses).split(".").reverse().join(".")}.in-addr.arpa`,
    () => `${"2.0.0.0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f"}.ip6.arpa`,
    () => pick(fixed),
    () =>
      [label(), label(), label(), label()]
        .slice(0, 1 + Math.floor(random() * 4))
        .concat("svc.cluster.local")
        .join("."),
    () => `${label()}.${pick(addresses).split(".").reverse().join(".")}.in-addr.arpa`,
  ];
  const withCase = (name: string) =>
    random() < 0.5 ? name : [...name].map((char) => (random() < 0.5 ? char.toUpperCase() : char)).join("");
  const edns = { version: 0, udpSize: 1232, dnssecOk: false, options: [] };
  return Array.from({ length: count }, () => {
    const name = withCase(pick(names)());
    const options = {
      recursionDesired: random() < 0.8,
      checkingDisabled: random() < 0.1,
      authenticData: random() < 0.1,
      ...(random() < 0.5 ? { edns: { ...edns, dnssecOk: random() < 0.3 } } : {}),
    };
    return createQuery(name === "." ? "." : `${name}.`, random() < 0.6 ? pick(common) : pick(types), options);
  });
}
