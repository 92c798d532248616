/**
 * The route table as it follows the API: keeps what each Ingress says and what each host and backend came to, and works out
 * again only what a change touches. The steps themselves are those of `processors`, which gives the same from scratch.
 */
import { objectKey } from "../api/object.ts";
import type { EndpointSlice, Ingress, IngressClass, Service } from "../api/types.ts";
import {
  backendKey,
  backendsOf,
  classVerdict,
  datedCertificates,
  ingressTable,
  mergeCertificates,
  mergeHost,
  resolveBackend,
  translateIngress,
  type Backend,
  type BackendRef,
  type CertificateRef,
  type ClassPolicy,
  type ClassVerdict,
  type HostRoute,
  type MergedHost,
  type ObjectStatus,
  type RouteProblem,
  type RouteTable,
  type Translation,
  usersKey,
} from "../decide/routes/index.ts";

import type { UsersRef } from "./users.ts";

export interface TrackerSources {
  readonly policy: ClassPolicy;
  readonly classes: () => readonly IngressClass[];
  readonly service: (namespace: string, name: string) => Service | undefined;
  readonly slices: (namespace: string, name: string) => readonly EndpointSlice[];
  /** Where the gateway is. */
  readonly zone?: string | undefined;
}

export interface TrackerChange {
  /** Absent: as before. */
  readonly routeTable?: RouteTable;
  readonly backends: ReadonlyMap<string, Backend | null>;
  /** Keys of Ingresses whose status may be another now. */
  readonly ingresses: ReadonlySet<string>;
}

interface Tracked {
  readonly ingress: Ingress;
  readonly verdict: ClassVerdict;
  readonly translation: Translation | undefined;
}

interface TrackedBackend {
  readonly ref: BackendRef;
  readonly users: Set<string>;
  backend: Backend | undefined;
}

export class RouteTracker {
  readonly #sources: TrackerSources;
  readonly #ingresses = new Map<string, Tracked>();
  /** host → Ingress → its routes there. */
  readonly #routes = new Map<string, Map<string, readonly HostRoute[]>>();
  readonly #hosts = new Map<string, MergedHost>();
  readonly #backends = new Map<string, TrackedBackend>();
  /** `namespace/name` of a Service → keys of its backends. */
  readonly #ofService = new Map<string, Set<string>>();
  /** Ingress → Secrets of HTTP Basic that it names. */
  readonly #users = new Map<string, readonly UsersRef[]>();
  #certificates: readonly CertificateRef[] = [];
  #certificateProblems: readonly RouteProblem[] = [];
  readonly #dirtyIngresses = new Map<string, Ingress | undefined>();
  readonly #dirtyServices = new Set<string>();
  readonly #dirtyHosts = new Set<string>();
  readonly #dirtyBackends = new Set<string>();
  #certificatesDirty = false;
  // What the next change will hold.
  #tableChanged = false;
  #changed = new Map<string, Backend | null>();
  #touched = new Set<string>();

  constructor(sources: TrackerSources) {
    this.#sources = sources;
  }

  setIngress(ingress: Ingress): void {
    this.#dirtyIngresses.set(objectKey(ingress), ingress);
  }

  deleteIngress(ingress: Ingress): void {
    this.#dirtyIngresses.set(objectKey(ingress), undefined);
  }

  classesChanged(): void {
    for (const [key, { ingress }] of this.#ingresses) if (!this.#dirtyIngresses.has(key)) this.#dirtyIngresses.set(key, ingress);
  }

  /** The Service, or a slice of it. */
  serviceChanged(namespace: string, name: string): void {
    const key = `${namespace}/${name}`;
    if (this.#ofService.has(key)) this.#dirtyServices.add(key);
  }

  usesSecret(namespace = "", name = ""): boolean {
    const names = ({ certificate }: CertificateRef) =>
      certificate.kind === "secret" && certificate.namespace === namespace && certificate.name === name;
    return this.#certificates.some(names) || [...this.users()].some(({ users }) => users.namespace === namespace && users.name === name);
  }

  /** Secrets of HTTP Basic that routes name. */
  *users(): Iterable<UsersRef> {
    for (const all of this.#users.values()) yield* all;
  }

  get certificates(): readonly CertificateRef[] {
    return this.#certificates;
  }

  get hosts(): Iterable<string> {
    return this.#hosts.keys();
  }

  /**
   * Works on the changes since the last call, step by step (an Ingress, a host, a backend), until all is done or `enough` says so.
   * Gives the change when all is done; until then nothing of it shows.
   */
  work(enough: () => boolean): TrackerChange | undefined {
    for (const [key, ingress] of this.#dirtyIngresses) {
      if (enough()) return undefined;
      this.#dirtyIngresses.delete(key);
      this.#replace(key, ingress);
    }
    for (const service of this.#dirtyServices) for (const key of this.#ofService.get(service) ?? []) this.#dirtyBackends.add(key);
    this.#dirtyServices.clear();
    for (const host of this.#dirtyHosts) {
      if (enough()) return undefined;
      this.#dirtyHosts.delete(host);
      this.#merge(host);
    }
    for (const key of this.#dirtyBackends) {
      if (enough()) return undefined;
      this.#dirtyBackends.delete(key);
      this.#resolve(key);
    }
    if (this.#certificatesDirty) this.#mergeCertificates();
    return this.#take();
  }

  /** `work` to its end. */
  flush(): TrackerChange {
    return this.work(() => false) as TrackerChange;
  }

  #take(): TrackerChange {
    const change = { ...(this.#tableChanged ? { routeTable: this.table() } : {}), backends: this.#changed, ingresses: this.#touched };
    this.#tableChanged = false;
    this.#changed = new Map();
    this.#touched = new Set();
    return change;
  }

  table(): RouteTable {
    return ingressTable(
      [...this.#hosts.values()].map(({ virtualHost }) => virtualHost),
      this.#certificates,
    );
  }

  #replace(key: string, ingress: Ingress | undefined): void {
    this.#touched.add(key);
    const old = this.#ingresses.get(key)?.translation;
    for (const { host, route } of old?.routes ?? []) {
      this.#dirtyHosts.add(host);
      this.#routes.get(host)?.delete(key);
      for (const ref of backendsOf(route)) this.#release(key, ref);
    }
    if (ingress === undefined) this.#ingresses.delete(key);
    const next = ingress === undefined ? undefined : this.#translate(key, ingress);
    for (const [host, routes] of Map.groupBy(next?.routes ?? [], (each) => each.host)) {
      this.#dirtyHosts.add(host);
      entry(this.#routes, host, () => new Map<string, readonly HostRoute[]>()).set(key, routes);
      for (const { route } of routes) for (const ref of backendsOf(route)) this.#use(key, ref);
    }
    const users = usersOf(next?.routes ?? []);
    if (users.length === 0) this.#users.delete(key);
    else this.#users.set(key, users);
    this.#certificatesDirty ||= (old?.certificates.length ?? 0) + (next?.certificates.length ?? 0) > 0;
  }

  #translate(key: string, ingress: Ingress): Translation | undefined {
    const verdict = classVerdict(ingress, this.#sources.classes(), this.#sources.policy);
    const translation = verdict.kind === "ours" ? translateIngress(ingress) : undefined;
    this.#ingresses.set(key, { ingress, verdict, translation });
    return translation;
  }

  #use(user: string, ref: BackendRef): void {
    const key = backendKey(ref);
    entry(this.#backends, key, (): TrackedBackend => ({ ref, users: new Set(), backend: undefined })).users.add(user);
    entry(this.#ofService, `${ref.namespace}/${ref.name}`, () => new Set<string>()).add(key);
    this.#dirtyBackends.add(key);
  }

  #release(user: string, ref: BackendRef): void {
    const key = backendKey(ref);
    this.#backends.get(key)?.users.delete(user);
    this.#dirtyBackends.add(key);
  }

  #merge(host: string): void {
    this.#tableChanged = true;
    const before = this.#hosts.get(host)?.problems ?? [];
    const routes = this.#routes.get(host);
    if (routes === undefined || routes.size === 0) {
      this.#routes.delete(host);
      this.#hosts.delete(host);
    } else this.#hosts.set(host, mergeHost(host, [...routes.values()].flat()));
    for (const { source } of [...before, ...(this.#hosts.get(host)?.problems ?? [])])
      this.#touched.add(`${source.namespace}/${source.name}`);
  }

  #mergeCertificates(): void {
    this.#certificatesDirty = false;
    this.#tableChanged = true;
    const translations = [...this.#ingresses.values()].flatMap(({ translation }) => translation ?? []);
    const { certificates, problems } = mergeCertificates(datedCertificates(translations));
    for (const { source } of [...this.#certificateProblems, ...problems]) this.#touched.add(`${source.namespace}/${source.name}`);
    this.#certificates = certificates;
    this.#certificateProblems = problems;
  }

  #resolve(key: string): void {
    const tracked = this.#backends.get(key);
    if (tracked === undefined) return;
    const { ref, users } = tracked;
    if (users.size === 0) {
      this.#forget(key, ref);
      this.#changed.set(key, null);
      return;
    }
    const { service, slices, zone } = this.#sources;
    const backend = resolveBackend(ref, service(ref.namespace, ref.name), slices(ref.namespace, ref.name), { zone });
    if (JSON.stringify(backend) === JSON.stringify(tracked.backend)) return;
    tracked.backend = backend;
    this.#changed.set(key, backend);
    for (const user of users) this.#touched.add(user);
  }

  #forget(key: string, { namespace, name }: BackendRef): void {
    this.#backends.delete(key);
    const service = `${namespace}/${name}`;
    const keys = this.#ofService.get(service);
    keys?.delete(key);
    if (keys?.size === 0) this.#ofService.delete(service);
  }

  /** What was decided about an Ingress; undefined: there is none. Problems of certificates' contents are not in it. */
  status(key: string): ObjectStatus | undefined {
    const tracked = this.#ingresses.get(key);
    if (tracked === undefined) return undefined;
    const { ingress, verdict, translation } = tracked;
    const { namespace = "", name = "" } = ingress.metadata;
    const problems = translation === undefined ? [] : this.#problems(key, translation);
    return { kind: "Ingress", namespace, name, verdict: verdict.kind === "ours" ? { kind: "served" } : verdict, problems };
  }

  #problems(key: string, { routes, problems }: Translation): readonly RouteProblem[] {
    const mine = ({ source }: RouteProblem) => `${source.namespace}/${source.name}` === key;
    const hosts = new Set(routes.map(({ host }) => host));
    const conflicts = [...hosts].flatMap((host) => this.#hosts.get(host)?.problems.filter(mine) ?? []);
    return [...problems, ...conflicts, ...this.#certificateProblems.filter(mine), ...this.#backendProblems(routes)];
  }

  #backendProblems(routes: readonly HostRoute[]): readonly RouteProblem[] {
    const found = new Map<string, RouteProblem>();
    for (const { route } of routes) {
      for (const ref of backendsOf(route)) {
        const key = backendKey(ref);
        const backend = this.#backends.get(key)?.backend;
        if (backend?.kind !== "unusable" || found.has(key)) continue;
        const severity = backend.reason === "NoEndpoints" ? "warning" : "error";
        found.set(key, { severity, reason: backend.reason, source: route.source, message: backend.message });
      }
    }
    return [...found.values()];
  }

  keys(): Iterable<string> {
    return this.#ingresses.keys();
  }

  ingress(key: string): Ingress | undefined {
    return this.#ingresses.get(key)?.ingress;
  }
}

/** One for each Secret: all routes of an Ingress have its annotations. */
function usersOf(routes: readonly HostRoute[]): readonly UsersRef[] {
  const found = new Map<string, UsersRef>();
  for (const { route } of routes) {
    for (const filter of route.filters)
      if (filter.kind === "basic-auth")
        found.set(usersKey(filter.users), { users: filter.users, source: { ...route.source, field: authField } });
  }
  return [...found.values()];
}

const authField = "metadata.annotations[nginx.ingress.kubernetes.io/auth-secret]";

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
