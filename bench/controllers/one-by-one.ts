/**
 * A rolling update of many endpoints, one change of one pod after the other: what a watcher is sent as EndpointSlices, and as one Endpoints
 * object with every address. See README.md beside this file. The decisions are the controllers' own, the bytes those of the API's encoders.
 */
import { parseArgs } from "node:util";
import type { EndpointSlice, Node, Pod, Service } from "../../src/api/types.ts";
import { writeEvent, writeProtobuf } from "../../src/apiserver/encode/protobuf-write.ts";
import { planServiceSlices } from "../../src/controllers/endpointslice/reconcile.ts";
import { selectEndpoints } from "../../src/decide/endpoints/select.ts";
import { subsetsOf } from "../../src/decide/endpoints/subsets.ts";

const { values } = parseArgs({
  options: { pods: { type: "string", default: "5000" }, every: { type: "string", default: "20" }, seed: { type: "string", default: "1" } },
});
const count = Number(values.pods);
/** Bytes are counted of one change in so many; all are decided. */
const every = Number(values.every);
const uid = (n: number) => `${n.toString(16).padStart(8, "0")}-1111-4222-8333-444455556666`;
const time = "2026-01-01T00:00:00Z";

const service: Service = {
  metadata: { namespace: "default", name: "web", uid: uid(1) },
  spec: { selector: { app: "web" }, clusterIP: "10.96.0.1", ipFamilies: ["IPv4"], ports: [{ name: "http", port: 80, targetPort: 8080 }] },
};
const nodes = Array.from({ length: count / 10 }, (_, i): Node => ({
  metadata: { name: `node-${i}`, labels: { "topology.kubernetes.io/zone": `zone-${i % 3}` } },
}));
const nodeOf = new Map(nodes.map((node) => [node.metadata.name as string, node]));

type State = "starting" | "ready" | "leaving";

function podOf(n: number, version: number, state: State): Pod {
  const conditions = [{ type: "Ready", status: state === "starting" ? "False" : "True" }];
  return {
    metadata: {
      ...{
        namespace: "default",
        name: `web-${version}f9c8d7b6-${(n % 60_466_176).toString(36).padStart(5, "b")}`,
        uid: uid(n),
        labels: { app: "web" },
      },
      ...(state === "leaving" ? { deletionTimestamp: time } : {}),
    },
    spec: { nodeName: `node-${n % nodes.length}`, containers: [{ name: "web", ports: [{ containerPort: 8080 }] }] },
    status: { phase: "Running", conditions, podIPs: [{ ip: `10.${1 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}` }] },
  };
}

/** What the API adds to a slice or an Endpoints object, and the watch to both. */
const managedFields = (fields: string) => [
  { manager: "kube-controller-manager", operation: "Update", apiVersion: "v1", time, fieldsType: "FieldsV1", fieldsV1: fields },
];

interface Bytes {
  json: number;
  protobuf: number;
}

function add(bytes: Bytes, object: object): void {
  bytes.json += Buffer.byteLength(JSON.stringify({ type: "MODIFIED", object })) + 1;
  bytes.protobuf += writeEvent("MODIFIED", writeProtobuf(object)).length;
}

let made = 0;
function stored(slice: EndpointSlice, revision: number): EndpointSlice {
  const name = slice.metadata.name ?? `web-${(1_679_616 + made++).toString(36)}`;
  return {
    ...slice,
    metadata: {
      uid: uid(900_000 + made),
      creationTimestamp: time,
      generation: revision,
      ...slice.metadata,
      name,
      resourceVersion: String(1_000_000 + revision),
    },
  };
}

const sliceFields = JSON.parse(
  '{"f:addressType":{},"f:endpoints":{},"f:metadata":{"f:annotations":{".":{},"f:endpoints.kubernetes.io/last-change-trigger-time":{}},"f:generateName":{},"f:labels":{".":{},"f:endpointslice.kubernetes.io/managed-by":{},"f:kubernetes.io/service-name":{}},"f:ownerReferences":{".":{},"k:{\\"uid\\":\\"\\"}":{}}},"f:ports":{}}',
) as string;
const endpointsFields = JSON.parse(
  '{"f:metadata":{"f:annotations":{".":{},"f:endpoints.kubernetes.io/last-change-trigger-time":{}},"f:labels":{".":{},"f:endpoints.kubernetes.io/managed-by":{}}},"f:subsets":{}}',
) as string;

const pods = new Map<number, Pod>();
let slices: EndpointSlice[] = [];
let revision = 0;
const slicesSent: Bytes = { json: 0, protobuf: 0 };
const wholeSent: Bytes = { json: 0, protobuf: 0 };
const unslicedSent: Bytes = { json: 0, protobuf: 0 };
let changes = 0;
let events = 0;
const trigger = { "endpoints.kubernetes.io/last-change-trigger-time": time };
const nodeLookup = (name: string) => nodeOf.get(name);

/** Every change is a write of its own. */
function changed(counted: boolean): void {
  const planned = planServiceSlices(service, [...pods.values()], slices, { node: nodeLookup, nodes: () => nodes, max: 100 }).changes;
  const written = [...planned.create, ...planned.update].map((slice) => stored(slice, ++revision));
  const gone = new Set([...planned.delete, ...planned.update].map(({ metadata }) => metadata.name));
  slices = [...slices.filter(({ metadata }) => !gone.has(metadata.name)), ...written];
  if (!counted) return;
  for (const slice of [...written, ...planned.delete]) add(slicesSent, sent(slice));
  events += written.length + planned.delete.length;
  const [one] = slices;
  if (one !== undefined) add(unslicedSent, sent({ ...one, endpoints: slices.flatMap(({ endpoints = [] }) => endpoints) }));
}

function sent(slice: EndpointSlice): EndpointSlice {
  return { ...slice, metadata: { ...slice.metadata, annotations: trigger, managedFields: managedFields(sliceFields) } };
}

/** An Endpoints object as it was before it was cut at 1,000 addresses. Terminating pods are in none: their end is no change. */
function whole(): object {
  const subsets = subsetsOf(service, selectEndpoints(service, [...pods.values()], nodeLookup));
  const labels = { "endpoints.kubernetes.io/managed-by": "endpoint-controller" };
  const metadata = { name: "web", namespace: "default", uid: uid(2), resourceVersion: "1000000", creationTimestamp: time, labels };
  const fields = managedFields(endpointsFields);
  return { kind: "Endpoints", apiVersion: "v1", metadata: { ...metadata, annotations: trigger, managedFields: fields }, subsets };
}

/** mulberry32: the same rollout each time. */
let state = Number(values.seed) >>> 0;
function random(below: number): number {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t ^= t + Math.imul(t ^ (t >>> 7), 61 | t);
  return ((t ^ (t >>> 14)) >>> 0) % below;
}

/** A Deployment's default: a quarter more pods than wanted, a quarter fewer ready ones. */
const quarter = Math.ceil(count / 4);
const old = Array.from({ length: count }, (_, n) => n);
/** What will happen to a pod next: it becomes ready, or it is gone. Pods take unlike times, so any of them may be next. */
const pending: { readonly n: number; readonly to: "ready" | "gone" }[] = [];
let next = count;
let ready = count;

function step(n: number, pod: Pod | undefined): void {
  const counted = changes++ % every === 0;
  if (pod === undefined) pods.delete(n);
  else pods.set(n, pod);
  changed(counted);
  if (counted && pod !== undefined) add(wholeSent, whole());
}

/** As the Deployment controller does after each change: old ones leave while enough are ready, new ones come while there is room. */
function scale(): void {
  while (old.length > 0 && ready > count - quarter) {
    const n = old.pop() as number;
    ready--;
    pending.push({ n, to: "gone" });
    step(n, podOf(n, 1, "leaving"));
  }
  while (next < 2 * count && pods.size < count + quarter) {
    pending.push({ n: next, to: "ready" });
    step(next, podOf(next, 2, "starting"));
    next++;
  }
}

for (const n of old) pods.set(n, podOf(n, 1, "ready"));
changed(false);
scale();
while (pending.length > 0) {
  const at = random(pending.length);
  const [{ n, to }] = [pending[at] as (typeof pending)[number]];
  pending[at] = pending.at(-1) as (typeof pending)[number];
  pending.pop();
  if (to === "ready") ready++;
  step(n, to === "ready" ? podOf(n, 2, "ready") : undefined);
  scale();
}
const mib = (bytes: number) => `${((bytes * every) / 2 ** 20).toFixed(0)} MiB`;
console.log(
  `${count} endpoints replaced by ${changes} changes of one pod each; ${((events * every) / changes).toFixed(2)} slices written for a change`,
);
for (const form of ["json", "protobuf"] as const) {
  const times = (other: Bytes) => `${mib(other[form])}, ${(other[form] / slicesSent[form]).toFixed(1)} times the slices`;
  console.log(
    `${form}: as slices ${mib(slicesSent[form])}; as one slice with all of them ${times(unslicedSent)}; as one Endpoints object with all of them ${times(wholeSent)}`,
  );
}
