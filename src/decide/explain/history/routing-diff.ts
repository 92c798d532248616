/** What changed in routing between two moments, write by write: which object's write did it, and which pod was behind that. */
import { keyOf } from "../../../api/object.ts";
import type { EndpointSlice, Ingress, Pod, Service } from "../../../api/types.ts";
import { serviceNameLabel } from "../../endpoints/names.ts";
import { isPodReady, isPodTerminating } from "../../endpoints/pod-state.ts";
import { readinessDetail } from "../readiness.ts";
import { translateIngress } from "../../routes/ingress.ts";
import type { ObjectRef } from "../snapshot.ts";
import { refOfKey, writerOf, type PastVersion } from "./past.ts";
import { routingLines } from "./routing.ts";

export interface RoutingChange {
  readonly revision: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** The Service or Ingress that routes otherwise since. */
  readonly subject: ObjectRef;
  /** `port http: endpoint 10.244.1.5:8080 (Pod shop/web-1)` */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly by: { readonly ref: ObjectRef; readonly verb: "created" | "updated" | "deleted"; readonly writer?: string };
  /** `pod shop/web-1 is not ready any more: …`; what was written to the pods that come and go. */
  readonly because: readonly string[];
}

/** `before`: what was there; `versions`: what was written then, in the order of revisions. */
export function routingDiff(before: readonly PastVersion[], versions: readonly PastVersion[]): readonly RoutingChange[] {
  const world = new PastWorld();
  for (const version of before) world.apply(version);
  return versions.flatMap((version) => {
    const ref = refOfKey(version.key);
    if (ref === undefined) return [];
    const subjects = world.subjectsOf(ref, version);
    const old = subjects.map((subject) => world.linesOf(subject));
    const existed = world.has(version.key);
    world.apply(version);
    const verb = version.object === null ? "deleted" : existed ? "updated" : "created";
    const writer = writerOf(version.object);
    return subjects.flatMap((subject, i): RoutingChange[] => {
      const now = world.linesOf(subject);
      const [added, removed] = [without(now, old[i] ?? []), without(old[i] ?? [], now)];
      if (added.length + removed.length === 0) return [];
      const { revision, time } = version;
      const because = world.newsOf([...added, ...removed]);
      return [{ revision, time, subject, added, removed, by: { ref, verb, ...(writer === undefined ? {} : { writer }) }, because }];
    });
  });
}

function without(lines: readonly string[], others: readonly string[]): readonly string[] {
  const known = new Set(others);
  return lines.filter((line) => !known.has(line));
}

class PastWorld {
  readonly #objects = new Map<string, PastVersion>();
  readonly #services = new Map<string, Service>();
  readonly #ingresses = new Map<string, Ingress>();
  /** Service → key of a slice → slice. */
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  /** Pod → the last thing that happened to it. */
  readonly #news = new Map<string, string>();

  has(key: string): boolean {
    return this.#objects.has(key);
  }

  apply(version: PastVersion): void {
    const { key, object } = version;
    const ref = refOfKey(key);
    if (ref === undefined) return;
    const old = this.#objects.get(key)?.object ?? null;
    if (object === null) this.#objects.delete(key);
    else this.#objects.set(key, version);
    const id = keyOf(ref.namespace, ref.name);
    if (ref.kind === "Service") put(this.#services, id, object as Service | null);
    if (ref.kind === "Ingress") put(this.#ingresses, id, object as Ingress | null);
    if (ref.kind === "EndpointSlice") this.#applySlice(key, old as EndpointSlice | null, object as EndpointSlice | null);
    if (ref.kind === "Pod") put(this.#news, id, podNews(id, old as Pod | null, object as Pod | null) ?? this.#news.get(id) ?? null);
  }

  #applySlice(key: string, old: EndpointSlice | null, slice: EndpointSlice | null): void {
    if (old !== null) this.#slices.get(serviceOf(old))?.delete(key);
    if (slice === null) return;
    const service = serviceOf(slice);
    this.#slices.set(service, (this.#slices.get(service) ?? new Map<string, EndpointSlice>()).set(key, slice));
  }

  /** Whose routing a write may change. */
  subjectsOf(ref: ObjectRef, { key, object }: PastVersion): readonly ObjectRef[] {
    if (ref.kind === "Service" || ref.kind === "Ingress") return [ref];
    if (ref.kind !== "EndpointSlice") return [];
    const both = [this.#objects.get(key)?.object ?? null, object].flatMap((each) =>
      each === null ? [] : [serviceOf(each as EndpointSlice)],
    );
    return [...new Set(both)].map((id) => {
      const [namespace = "", name = ""] = id.split("/");
      return { kind: "Service", namespace, name };
    });
  }

  linesOf({ kind, namespace, name }: ObjectRef): readonly string[] {
    const id = keyOf(namespace, name);
    if (kind === "Service") return routingLines(this.#services.get(id), [...(this.#slices.get(id)?.values() ?? [])]);
    const ingress = this.#ingresses.get(id);
    return ingress === undefined ? [] : ingressLines(ingress);
  }

  /** Of the pods that the lines name. */
  newsOf(lines: readonly string[]): readonly string[] {
    const pods = lines.flatMap((line) => /\(Pod ([^)]+)\)$/.exec(line)?.[1] ?? []);
    return [...new Set(pods.flatMap((pod) => this.#news.get(pod) ?? []))];
  }
}

function put<T>(map: Map<string, T>, key: string, value: T | null): void {
  if (value === null) map.delete(key);
  else map.set(key, value);
}

const serviceOf = ({ metadata }: EndpointSlice): string => keyOf(metadata.namespace, metadata.labels?.[serviceNameLabel] ?? "");

/** What a write did to a pod that counts for routing; undefined: nothing. */
function podNews(id: string, old: Pod | null, pod: Pod | null): string | undefined {
  if (pod === null) return `pod ${id} is gone`;
  if (old === null) return isPodReady(pod) ? `pod ${id} is ready` : undefined;
  if (isPodTerminating(pod) && !isPodTerminating(old)) return `pod ${id} is being deleted`;
  if (isPodReady(pod) === isPodReady(old)) return undefined;
  return isPodReady(pod) ? `pod ${id} has become ready` : `pod ${id} is ${readinessDetail(pod, "NotReady")}`;
}

function ingressLines(ingress: Ingress): readonly string[] {
  return translateIngress(ingress).routes.map(({ host, route: { match, backends } }) => {
    const { path } = match;
    const where = path.kind === "default" ? "any other path" : `${path.kind} ${path.value}`;
    return `${host} ${where} → ${backends.map(({ namespace, name, port }) => `${namespace}/${name}:${"number" in port ? port.number : "name" in port ? port.name : "first"}`).join(", ") || "nothing"}`;
  });
}
