/**
 * What of a change has to cross to another thread: tables are frozen and what did not change is the same object, so only the hosts and
 * certificates that are others now are copied. Pure; `DeltaWriter` remembers what was sent, `DeltaReader` puts it together again.
 */
import type { Listener, ListenerSection, RouteTable, VirtualHost } from "../../../decide/routes/index.ts";
import type { EngineChange, ListenerTls, ServedCertificate } from "../engine.ts";

/** By name; those that are not named stay. */
export interface Delta<T> {
  readonly set: readonly T[];
  readonly gone: readonly string[];
}

interface SectionDelta {
  readonly name: string;
  readonly host: string;
  readonly hosts: Delta<VirtualHost>;
}

interface ListenerDelta {
  readonly name: string;
  readonly protocol: Listener["protocol"];
  readonly hosts: Delta<VirtualHost>;
  readonly sections?: readonly SectionDelta[];
}

export interface TableDelta {
  /** In their order; a name: it is as it was. */
  readonly listeners: readonly (string | ListenerDelta)[];
  readonly streams?: RouteTable["streams"];
}

export interface ChangeDelta extends Omit<EngineChange, "routeTable" | "certificates" | "tls"> {
  readonly table?: TableDelta;
  readonly served?: Delta<ServedCertificate>;
  readonly ownTls?: Delta<readonly [listener: string, tls: ListenerTls]>;
}

type Keyed<T> = ReadonlyMap<string, T>;

export class DeltaWriter {
  #listeners: Keyed<Listener> = new Map();
  /** Of each listener and section: host → what was sent. */
  #hosts = new Map<string, Keyed<VirtualHost>>();
  #certificates: Keyed<ServedCertificate> = new Map();
  #tls: Keyed<ListenerTls> = new Map();

  write({ routeTable, certificates, tls, ...rest }: EngineChange): ChangeDelta {
    return {
      ...rest,
      ...(routeTable === undefined ? {} : { table: this.#table(routeTable) }),
      ...(certificates === undefined ? {} : { served: this.#served(certificates) }),
      ...(tls === undefined ? {} : { ownTls: this.#ownTls(tls) }),
    };
  }

  #table({ listeners, streams }: RouteTable): TableDelta {
    const before = this.#listeners;
    const hostsBefore = this.#hosts;
    this.#listeners = new Map(listeners.map((listener) => [listener.name, listener]));
    this.#hosts = new Map();
    const delta = (key: string, virtualHosts: readonly VirtualHost[]) => {
      const now = new Map(virtualHosts.map((each) => [each.host, each]));
      this.#hosts.set(key, now);
      return deltaOf(
        hostsBefore.get(key) ?? new Map(),
        now,
        (a, b) => a === b,
        ([, value]) => value,
      );
    };
    const one = (listener: Listener): string | ListenerDelta => {
      const { name, protocol, virtualHosts, sections } = listener;
      if (before.get(name) === listener) {
        for (const key of keysOf(listener)) this.#hosts.set(key, hostsBefore.get(key) as Keyed<VirtualHost>);
        return name;
      }
      const ofSections = sections?.map((each) => ({
        name: each.name,
        host: each.host,
        hosts: delta(sectionKey(name, each), each.virtualHosts),
      }));
      return { name, protocol, hosts: delta(name, virtualHosts), ...(ofSections === undefined ? {} : { sections: ofSections }) };
    };
    return { listeners: listeners.map(one), ...(streams === undefined ? {} : { streams }) };
  }

  #served(certificates: readonly ServedCertificate[]): Delta<ServedCertificate> {
    const now = new Map(certificates.map((each) => [each.host, each]));
    const delta = deltaOf(
      this.#certificates,
      now,
      (a, b) => a.cert === b.cert && a.key === b.key,
      ([, value]) => value,
    );
    this.#certificates = now;
    return delta;
  }

  #ownTls(tls: Keyed<ListenerTls>): Delta<readonly [string, ListenerTls]> {
    const delta = deltaOf(this.#tls, tls, sameTls, (entry) => entry);
    this.#tls = new Map(tls);
    return delta;
  }
}

export class DeltaReader {
  #listeners = new Map<string, Listener>();
  readonly #hosts = new Map<string, Map<string, VirtualHost>>();
  readonly #certificates = new Map<string, ServedCertificate>();
  readonly #tls = new Map<string, ListenerTls>();

  read({ table, served, ownTls, ...rest }: ChangeDelta): EngineChange {
    return {
      ...rest,
      ...(table === undefined ? {} : { routeTable: this.#table(table) }),
      ...(served === undefined ? {} : { certificates: [...applied(this.#certificates, served, ({ host }) => host).values()] }),
      ...(ownTls === undefined ? {} : { tls: this.#ownTls(ownTls) }),
    };
  }

  #table({ listeners, streams }: TableDelta): RouteTable {
    const now = listeners.map((each) => (typeof each === "string" ? (this.#listeners.get(each) as Listener) : this.#listener(each)));
    this.#listeners = new Map(now.map((each) => [each.name, each]));
    const kept = new Set(now.flatMap(keysOf));
    for (const key of this.#hosts.keys()) if (!kept.has(key)) this.#hosts.delete(key);
    return { kind: "RouteTable", listeners: now, ...(streams === undefined ? {} : { streams }) };
  }

  /** Without its certificates: whose they are was decided before. */
  #listener({ name, protocol, hosts, sections }: ListenerDelta): Listener {
    const ofSections = sections?.map((each) => ({
      name: each.name,
      host: each.host,
      virtualHosts: this.#virtualHosts(sectionKey(name, each), each.hosts),
    }));
    const virtualHosts = this.#virtualHosts(name, hosts);
    return { name, protocol, virtualHosts, certificates: [], ...(ofSections === undefined ? {} : { sections: ofSections }) };
  }

  #virtualHosts(key: string, delta: Delta<VirtualHost>): readonly VirtualHost[] {
    let hosts = this.#hosts.get(key);
    if (hosts === undefined) this.#hosts.set(key, (hosts = new Map()));
    return [...applied(hosts, delta, ({ host }) => host).values()];
  }

  #ownTls({ set, gone }: Delta<readonly [string, ListenerTls]>): Keyed<ListenerTls> {
    for (const name of gone) this.#tls.delete(name);
    for (const [name, tls] of set) this.#tls.set(name, tls);
    return this.#tls;
  }
}

function deltaOf<T, Sent>(
  before: Keyed<T>,
  now: Keyed<T>,
  same: (a: T, b: T) => boolean,
  sent: (entry: readonly [string, T]) => Sent,
): Delta<Sent> {
  const set: Sent[] = [];
  for (const entry of now) {
    const old = before.get(entry[0]);
    if (old === undefined || !same(old, entry[1])) set.push(sent(entry));
  }
  const gone = [...before.keys()].filter((key) => !now.has(key));
  return { set, gone };
}

function applied<T>(to: Map<string, T>, { set, gone }: Delta<T>, keyOf: (value: T) => string): Map<string, T> {
  for (const key of gone) to.delete(key);
  for (const each of set) to.set(keyOf(each), each);
  return to;
}

function keysOf({ name, sections = [] }: Listener): readonly string[] {
  return [name, ...sections.map((each) => sectionKey(name, each))];
}

function sectionKey(listener: string, { name }: Pick<ListenerSection, "name">): string {
  return `${listener}\0${name}`;
}

function sameTls(a: ListenerTls, b: ListenerTls): boolean {
  if (a === b) return true;
  const [x, y] = [a.certificates, b.certificates];
  return (
    x.length === y.length &&
    x.every((each, index) => each.host === y[index]?.host && each.cert === y[index].cert && each.key === y[index].key) &&
    a.clients?.ca === b.clients?.ca &&
    a.clients?.insecureFallback === b.clients?.insecureFallback &&
    a.toBackends?.cert === b.toBackends?.cert &&
    a.toBackends?.key === b.toBackends?.key
  );
}
