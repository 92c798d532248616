/** A cluster of Services that work and Services that do not, and requests to them, from one number: what predictions are held against. */
import { createServer } from "node:http";
import type { PodFunction } from "../../src/testing/index.ts";

/** The same numbers for the same seed (mulberry32). */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** Answers with its pod's address; one whose image is `sick` fails its readiness probe. */
const echo: PodFunction = ({ pod, ip }) =>
  createServer((request, response) => {
    response.statusCode = request.url === "/ready" && pod.spec?.containers[0]?.image === "test/sick" ? 500 : 200;
    response.end(`${ip}`);
  });

export const functions = { "test/well": echo, "test/sick": echo };

interface ServiceKind {
  readonly name: string;
  readonly spec: (name: string, i: number) => string;
  /** Images of its pods. */
  readonly pods: (random: (below: number) => number) => readonly ("well" | "sick")[];
}

const some = (random: (below: number) => number): readonly "well"[] => Array.from({ length: 1 + random(3) }, () => "well" as const);

const kinds: readonly ServiceKind[] = [
  { name: "good", spec: (name) => `{ selector: { app: ${name} }, ports: [{ port: 80, targetPort: 8080 }] }`, pods: some },
  { name: "named", spec: (name) => `{ selector: { app: ${name} }, ports: [{ name: web, port: 80, targetPort: http }] }`, pods: some },
  {
    name: "two-ports",
    spec: (name) =>
      `{ selector: { app: ${name} }, ports: [{ name: a, port: 80, targetPort: http }, { name: b, port: 81, targetPort: 8080 }] }`,
    pods: some,
  },
  {
    name: "partly",
    spec: (name) => `{ selector: { app: ${name} }, ports: [{ port: 80, targetPort: 8080 }] }`,
    pods: () => ["well", "sick", "well"],
  },
  { name: "sick", spec: (name) => `{ selector: { app: ${name} }, ports: [{ port: 80, targetPort: 8080 }] }`, pods: () => ["sick", "sick"] },
  {
    name: "published",
    spec: (name) => `{ selector: { app: ${name} }, publishNotReadyAddresses: true, ports: [{ port: 80, targetPort: 8080 }] }`,
    pods: () => ["sick", "well"],
  },
  { name: "typo", spec: (name) => `{ selector: { app: ${name}x }, ports: [{ port: 80, targetPort: 8080 }] }`, pods: some },
  { name: "wrong-port", spec: (name) => `{ selector: { app: ${name} }, ports: [{ port: 80, targetPort: 8090 }] }`, pods: some },
  { name: "wrong-name", spec: (name) => `{ selector: { app: ${name} }, ports: [{ port: 80, targetPort: web }] }`, pods: some },
  { name: "udp", spec: (name) => `{ selector: { app: ${name} }, ports: [{ port: 80, targetPort: 8080, protocol: UDP }] }`, pods: some },
  {
    name: "headless",
    spec: (name) => `{ clusterIP: None, selector: { app: ${name} }, ports: [{ port: 80, targetPort: 8080 }] }`,
    pods: some,
  },
  {
    name: "local",
    spec: (name) => `{ selector: { app: ${name} }, internalTrafficPolicy: Local, ports: [{ port: 80, targetPort: 8080 }] }`,
    pods: some,
  },
  {
    name: "sticky",
    spec: (name) => `{ selector: { app: ${name} }, sessionAffinity: ClientIP, ports: [{ port: 80, targetPort: 8080 }] }`,
    pods: () => ["well"],
  },
  { name: "alias", spec: (_, i) => `{ type: ExternalName, externalName: good-${i}.shop.svc.cluster.local }`, pods: () => [] },
  { name: "lost-alias", spec: () => "{ type: ExternalName, externalName: nobody.shop.svc.cluster.local }", pods: () => [] },
  { name: "by-hand", spec: () => "{ ports: [{ port: 80, targetPort: 8080 }] }", pods: () => [] },
];

export interface RandomWorld {
  readonly manifests: string;
  readonly services: readonly { readonly name: string; readonly namespace: string }[];
  readonly pods: number;
}

/** Each kind of Service in each of two namespaces. */
export function randomWorld(random: (below: number) => number): RandomWorld {
  const documents: string[] = ["{ apiVersion: v1, kind: Namespace, metadata: { name: shop } }"];
  const services: { name: string; namespace: string }[] = [];
  let pods = 0;
  for (const [i, namespace] of ["default", "shop"].entries()) {
    for (const kind of kinds) {
      const name = `${kind.name}-${kind.name === "good" ? 1 : i}`;
      documents.push(
        `{ apiVersion: v1, kind: Service, metadata: { name: ${name}, namespace: ${namespace} }, spec: ${kind.spec(name, 1)} }`,
      );
      services.push({ name, namespace });
      for (const image of kind.pods(random)) documents.push(podOf(`${name}-p${pods++}`, namespace, name, image));
    }
  }
  return { manifests: documents.join("\n---\n"), services, pods };
}

function podOf(name: string, namespace: string, app: string, image: "well" | "sick"): string {
  const probe = "readinessProbe: { httpGet: { path: /ready, port: 8080 }, periodSeconds: 1 }";
  const container = `{ name: app, image: test/${image}, ports: [{ name: http, containerPort: 8080 }], ${probe} }`;
  return `{ apiVersion: v1, kind: Pod, metadata: { name: ${name}, namespace: ${namespace}, labels: { app: ${app} } }, spec: { containers: [${container}] } }`;
}

const forms: readonly ((name: string, namespace: string) => string)[] = [
  (name) => name,
  (name, namespace) => `${name}.${namespace}`,
  (name, namespace) => `${name}.${namespace}.svc`,
  (name, namespace) => `${name}.${namespace}.svc.cluster.local`,
  (name, namespace) => `${name}.${namespace}.svc.cluster.local.`,
  (name, namespace) => `${name}.svc.${namespace}`,
  (name) => `${name}.nowhere`,
  (name) => `no-${name}`,
];

/** `addresses`: cluster IPs and pods' addresses, asked for as they are now and then. */
export function randomTarget(random: (below: number) => number, { services }: RandomWorld, addresses: readonly string[]): string {
  const port = [80, 80, 80, 80, 81, 8080][random(6)] as number;
  if (random(8) === 0) return `http://${addresses[random(addresses.length)]}:${port}/`;
  // Half of the questions are about Services that can answer, or too few would.
  const working = services.filter(({ name }) => /^(good|named|two|partly|published|headless|local|sticky|alias)/.test(name));
  const list = random(2) === 0 ? working : services;
  const { name, namespace } = list[random(list.length)] as RandomWorld["services"][number];
  // The good ways more often than the odd ones.
  const form = forms[random(4) === 0 ? random(forms.length) : random(5)] as (typeof forms)[number];
  return `http://${form(name, namespace)}:${port}/`;
}
