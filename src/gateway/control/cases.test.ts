/**
 * The shared cases of the Gateway API's conformance suite, re-enacted: the same objects, the same requests to listeners on this
 * machine, the same answers and conditions. What is out of scope says why in upstream's own words; any other miss fails.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { KubeObject } from "../../api/object.ts";
import type { ParentRef } from "../../decide/routes/gateway-api/index.ts";
import { issueCertificate, newKeyPair, privateKeyPem } from "../../lib/x509/x509.ts";
import { Opened } from "../testing.ts";
import { ask, askTcp, compare, type Expected } from "./case-requests.ts";
import { EchoBackends, serveObjects, testController, type ServedObjects } from "./testing.ts";

const file = join(import.meta.dirname, "../../../../shared/cases/ingress-cases.json");
const present = existsSync(file);

interface WantedCondition {
  readonly Type: string;
  readonly Status: string;
  readonly Reason?: string;
}

interface GatewayCase {
  readonly shortName: string;
  readonly features: readonly (string | { readonly ref: string })[];
  readonly objects: readonly KubeObject[];
  readonly requests: readonly Record<string, unknown>[];
  readonly conditions: readonly WantedCondition[];
  readonly otherTables: readonly { readonly table: string; readonly rows: readonly Record<string, unknown>[] }[];
}

interface Cases {
  readonly gatewayBase: readonly KubeObject[];
  readonly gatewayTests: readonly GatewayCase[];
}

const cases: Cases = present ? (JSON.parse(readFileSync(file, "utf8")) as Cases) : { gatewayBase: [], gatewayTests: [] };

/** Feature → the upstream text that puts its tests out of scope (conformance `utils/suite/profiles.go`). */
const outOfScope: Readonly<Record<string, string>> = {
  Mesh: "MeshHTTPConformanceProfile is a ConformanceProfile that covers testing HTTP service mesh related functionality. (The profiles of Gateways are GATEWAY-HTTP, GATEWAY-GRPC, GATEWAY-TLS, GATEWAY-TCP and GATEWAY-UDP.)",
};

function featureName(feature: string | { readonly ref: string }): string {
  return typeof feature === "string" ? feature : feature.ref.replace("features.Support", "");
}

/** Test → the upstream text: for implementations without what is here, or against what the API itself says. */
const contrary: Readonly<Record<string, string>> = {
  // Three rules with one match: the test wants the second one's filter.
  GRPCRouteRequestHeaderModifier:
    "If ties still exist within the Route that has been given precedence, matching precedence MUST be granted to the first matching rule meeting the above criteria. (apis/v1/grpcroute_types.go)",
  TLSRouteListenerTerminateNotSupported:
    "When TLSRoute termination is NOT supported, a Gateway Listener with TLS mode Terminate MUST have Accepted=False with Reason=UnsupportedValue",
  TLSRouteListenerMixedTerminationNotSupported:
    "When TLSRoute mixed termination/passthrough listener is NOT supported, a Gateway Listener with 2 distinct TLS modes on the same port MUST have Accepted=False with Reason=ProtocolConflict",
};

function reasonOut({ shortName, features }: GatewayCase): string | undefined {
  return contrary[shortName] ?? features.map(featureName).flatMap((name) => outOfScope[name] ?? [])[0];
}

const inScope = cases.gatewayTests.filter((each) => reasonOut(each) === undefined);
const passed = new Set<string>();
const opened = new Opened();
afterAll(() => opened.closeAll());

test("the shared cases are there", (ctx) => {
  if (!present) ctx.skip(`needs the shared case file ${file}`);
  expect(cases.gatewayTests.length).toBeGreaterThanOrEqual(90);
});

const authority = { subject: { commonName: "test CA" }, keys: newKeyPair() };
const times = { notBefore: Date.now() - 3_600_000, notAfter: Date.now() + 86_400_000 };
const ca = issueCertificate({ ...authority, usage: "ca", ...times });

function pair(...names: string[]) {
  const keys = newKeyPair();
  const cert = issueCertificate({ subject: { commonName: names[0] as string }, issuer: authority, keys, names, usage: "server", ...times });
  return { cert, key: privateKeyPem(keys) };
}

const base64 = (text: string) => Buffer.from(text).toString("base64");
const hosts = ["example.org", "second-example.org", "*.wildcard.org", "*.example.com"];
/** What the suite's backends have. */
const backendNames = ["abc.example.com", "spiffe://abc.example.com/test-identity"];

function secret(namespace: string, name: string): KubeObject {
  const { cert, key } = pair(...hosts);
  return {
    kind: "Secret",
    metadata: { namespace, name },
    type: "kubernetes.io/tls",
    data: { "tls.crt": base64(cert), "tls.key": base64(key) },
  } as KubeObject;
}

const infra = "gateway-conformance-infra";
const web = "gateway-conformance-web-backend";

/** What the suite's set-up makes beside its manifests. */
function extras(): readonly KubeObject[] {
  const bundle = (name: string, text = ca) =>
    ({ kind: "ConfigMap", metadata: { namespace: infra, name }, data: { "ca.crt": text } }) as KubeObject;
  const other = issueCertificate({ subject: { commonName: "other CA" }, keys: newKeyPair(), usage: "ca", ...times });
  return [
    ...[
      "tls-validity-checks-certificate",
      "tls-checks-certificate",
      "tls-terminate-checks-certificate",
      "tls-passthrough-checks-certificate",
    ].map((name) => secret(infra, name)),
    secret(web, "certificate"),
    ...["tls-checks-ca-certificate", "tls-validity-checks-ca-certificate", "tls-validity-checks-per-port-ca-certificate"].map((name) =>
      bundle(name),
    ),
    bundle("mismatch-ca-certificate", other),
    { ...bundle("web-backend-cm"), metadata: { namespace: web, name: "web-backend-cm" } },
    { kind: "GatewayClass", metadata: { name: "class" }, spec: { controllerName: testController } } as KubeObject,
  ];
}

function prepared(objects: readonly KubeObject[]): readonly KubeObject[] {
  const text = JSON.stringify(objects).replaceAll("{GATEWAY_CLASS_NAME}", "class");
  return (JSON.parse(text) as KubeObject[]).flatMap(withoutAddresses).map((each, index) => ({
    ...each,
    metadata: {
      generation: 1,
      uid: `${index}`,
      creationTimestamp: `2026-01-01T00:00:${String(index % 60).padStart(2, "0")}Z`,
      ...each.metadata,
    },
  }));
}

/** The case of static addresses takes one away after the other: all three states at once. */
function withoutAddresses(object: KubeObject): readonly KubeObject[] {
  const { addresses = [] } = (object as { spec?: { addresses?: readonly object[] } }).spec ?? {};
  return addresses.length < 3
    ? [object]
    : addresses.map(
        (_, index) =>
          ({
            ...object,
            metadata: { ...object.metadata, name: `${object.metadata.name}-${index}` },
            spec: { ...(object as { spec?: object }).spec, addresses: addresses.slice(index) },
          }) as KubeObject,
      );
}

/** Keys of the Gateways that a case's routes belong to, by themselves or through a ListenerSet. */
function gatewaysOf({ objects }: GatewayCase): readonly string[] {
  const found = new Set<string>();
  for (const { metadata, ...each } of objects) {
    for (const { kind = "Gateway", namespace = metadata.namespace, name } of (each as { spec?: { parentRefs?: ParentRef[] } }).spec
      ?.parentRefs ?? []) {
      const set = kind === "ListenerSet" ? objects.find((other) => other.kind === kind && other.metadata.name === name) : undefined;
      const parent = (set as { spec?: { parentRef?: ParentRef } } | undefined)?.spec?.parentRef;
      found.add(parent === undefined ? `${namespace}/${name}` : `${parent.namespace ?? set?.metadata.namespace}/${parent.name}`);
    }
  }
  return [...found];
}

/** A row of a table stands for `tc` in the case's request. */
function expanded({ requests, otherTables, objects }: GatewayCase): readonly Expected[] {
  const rows = otherTables.filter(({ table }) => table === "cases").flatMap((each) => each.rows);
  const retries = otherTables
    .filter(({ table, rows: all }) => table === "testCases" && all[0]?.["args"] !== undefined)
    .flatMap((each) => each.rows);
  const filled = requests.flatMap((request) =>
    JSON.stringify(request).includes('"tc.') ? rows.map((row) => withServerName(fill(request, row), row)) : [request],
  );
  const named = (filled as unknown as Expected[]).flatMap((request) => byPolicy(request, objects));
  return [...named, ...retries.map(retryRequest)];
}

function fill(value: unknown, row: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return JSON.parse(JSON.stringify(value), (_, each: unknown) => {
    const ref = (each as { ref?: string } | null)?.ref;
    return ref === undefined ? each : ref.startsWith("tc.") ? (row[ref.slice(3)] ?? undefined) : ref;
  }) as Record<string, unknown>;
}

function withServerName(request: Record<string, unknown>, { serverName }: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return serverName === undefined ? request : { ...request, Request: { ...(request["Request"] as object), SNI: serverName } };
}

/** Paths that the suite makes of the names of policies. */
function byPolicy(request: Expected, objects: readonly KubeObject[]): readonly Expected[] {
  const prefix = /^"([^"]+)" \+ policyNN\.Name$/.exec(request.Request?.Path ?? "")?.[1];
  if (prefix === undefined) return [request];
  const policies = objects.filter(({ kind }) => kind === "BackendTLSPolicy");
  return policies.map(({ metadata }) => ({
    ...request,
    Request: { ...request.Request, Path: prefix + (metadata.name ?? "").replace(/-test$/, "") },
  }));
}

let retried = 0;

function retryRequest(row: Readonly<Record<string, unknown>>): Expected {
  const { path, retrySimulationConfig } = row["args"] as {
    path: string;
    retrySimulationConfig: Readonly<Record<string, readonly string[]>>;
  };
  const query = new URLSearchParams({ uuid: String((retried += 1)) });
  for (const [name, [value = ""]] of Object.entries(retrySimulationConfig)) query.set(name, value);
  return { Request: { Path: `${path}?${query}` }, Response: row["want"] as { StatusCode: number } };
}

function conditionRows(wanted: WantedCondition, { otherTables }: GatewayCase): readonly WantedCondition[] {
  if (!JSON.stringify(wanted).includes('"tc.')) return [wanted];
  return otherTables.flatMap(({ rows }) => rows).map((row) => fill(wanted, row) as unknown as WantedCondition);
}

async function enact(each: GatewayCase): Promise<void> {
  const scope = new Opened();
  try {
    const backends = new EchoBackends(scope, pair(...backendNames));
    const served = await serveObjects(scope, prepared([...cases.gatewayBase, ...extras(), ...each.objects]), backends);
    for (const wanted of each.conditions.flatMap((one) => conditionRows(one, each))) {
      const found = served.conditions.some(
        ({ type, status, reason }) =>
          type === wanted.Type && status === wanted.Status && ((wanted.Reason ?? "") === "" || reason === wanted.Reason),
      );
      expect(
        found,
        `condition ${JSON.stringify(wanted)} among ${JSON.stringify(served.conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`))}`,
      ).toBe(true);
    }
    expect(served.conditions.every(({ observedGeneration }) => observedGeneration === 1)).toBe(true);
    for (const request of expanded(each)) await expectAnswer(each, request, served, backends);
  } finally {
    await scope.closeAll();
  }
}

/** A request names no Gateway: one of the case's must answer as wanted. */
async function expectAnswer(each: GatewayCase, wanted: Expected, served: ServedObjects, backends: EchoBackends): Promise<void> {
  const faults: string[] = [];
  for (const gateway of gatewaysOf(each)) {
    for (const fault of await attempts(each, wanted, gateway, served, backends)) {
      if (fault === undefined) return;
      faults.push(`${gateway}: ${fault}`);
    }
  }
  expect.fail(`${JSON.stringify(wanted)}: ${faults.join("; ")}`);
}

async function attempts(
  each: GatewayCase,
  wanted: Expected,
  gateway: string,
  served: ServedObjects,
  backends: EchoBackends,
): Promise<readonly (string | undefined)[]> {
  const table = wanted._table ?? "";
  if (table === "expectedFailure") return [served.portOf(gateway, 443) === undefined ? undefined : "port 443 is open"];
  const port = (number: number) => served.portOf(gateway, number);
  if (table.startsWith("call:tcp")) return await Promise.all(portsOf(served, gateway).map((at) => askTcp(at, ca, tlsName(each), wanted)));
  const explicit = /:(\d+)$/.exec(wanted.Request?.Host ?? "")?.[1];
  const secure =
    table.startsWith("call:tls") ||
    (explicit === undefined && port(80) === undefined && port(443) !== undefined) ||
    /HTTPS/.test(each.shortName);
  const number = explicit !== undefined ? Number(explicit) : secure ? 443 : 80;
  const at = port(number) ?? (explicit === undefined ? portsOf(served, gateway)[0] : undefined);
  if (at === undefined) return [`no port ${number}`];
  const grpc =
    wanted.RequestMetadata !== undefined ||
    wanted.EchoRequest !== undefined ||
    wanted.EchoTwoRequest !== undefined ||
    wanted.EchoThreeRequest !== undefined;
  backends.seen.length = 0;
  const answer = await ask({ port: at, wanted, secure, grpc, ca }).catch((error: Error) => error);
  return [answer instanceof Error ? answer.message : (compare(wanted, answer, grpc) ?? (await mirrored(wanted, backends)))];
}

/** By which a case's TLSRoute is asked. */
function tlsName({ objects }: GatewayCase): string {
  const route = objects.find(({ kind }) => kind === "TLSRoute") as { spec?: { hostnames?: readonly string[] } } | undefined;
  return route?.spec?.hostnames?.[0] ?? "abc.example.com";
}

/** A mirror's request is under way still when the answer is there. */
async function mirrored({ MirroredTo = [] }: Expected, { seen }: EchoBackends): Promise<string | undefined> {
  for (const { BackendRef, Percent } of MirroredTo) {
    if (Percent !== undefined) continue;
    await expect.poll(() => seen.includes(BackendRef.Name), { timeout: 5000 }).toBe(true);
  }
  return undefined;
}

function portsOf({ change, portOf }: ServedObjects, gateway: string): readonly number[] {
  return (change.gateways.get(gateway)?.ports ?? []).flatMap(({ port }) => portOf(gateway, port) ?? []);
}

const group = present ? describe : undefined;

group?.("Gateway API conformance, re-enacted", () => {
  test.for(inScope)("$shortName", { timeout: 60_000 }, async (each) => {
    await enact(each);
    passed.add(each.shortName);
  });

  test("at least 98 % pass; each miss has upstream's words", () => {
    const misses = inScope.filter(({ shortName }) => !passed.has(shortName));
    expect(misses.map(({ shortName }) => shortName)).toEqual([]);
    expect(passed.size / inScope.length).toBeGreaterThanOrEqual(0.98);
    const out = cases.gatewayTests.filter((each) => reasonOut(each) !== undefined).map(({ shortName }) => shortName);
    expect(out.every((name) => name.startsWith("Mesh") || name in contrary)).toBe(true);
  });
});
