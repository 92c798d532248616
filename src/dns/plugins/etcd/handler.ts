/** Answers from services in etcd (CoreDNS `plugin/etcd`, `plugin/backend_lookup.go`). */
import { absolute, foldName, isWithin, labelsOf, matchZone, under } from "../../../decide/dns/name.ts";
import { addressRecord, classes, nameRecord, rcodes, recordTypes as T, type ResourceRecord } from "../../../decide/dns/records.ts";
import { isReverseName } from "../../../decide/dns/reverse.ts";
import { errorMessage } from "../../../lib/errors.ts";
import { parseIp } from "../../../lib/ip.ts";
import { failure, reply, type DnsRequest, type Handler, type Next, type Outcome } from "../../plugin.ts";
import { createReply } from "../../wire/message.ts";
import type { EtcdClient, KeyValue } from "./client.ts";
import { groupOf, matchesWildcard, parseService, pathOf, type SkydnsService } from "./services.ts";

export interface EtcdHandlerOptions {
  readonly client: Pick<EtcdClient, "withPrefix" | "get" | "leaseTtl">;
  readonly zones: readonly string[];
  /** `skydns`. */
  readonly path: string;
  readonly fallthrough: readonly string[] | undefined;
  /** Seconds. */
  readonly minLeaseTtl: number;
  readonly maxLeaseTtl: number;
  /** Seconds since the epoch: the serial of the SOA record. */
  readonly now: () => number;
}

const defaultTtl = 300;
/** Of denials, and so of the SOA record that comes with them (RFC 2308 3). */
const denialTtl = 30;
const maxAliases = 10;

/** There is nothing at the name. */
class KeyNotFound extends Error {}

interface Found {
  readonly answers: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
  readonly truncated: boolean;
}

export function etcdHandler(options: EtcdHandlerOptions): Handler {
  return { name: "etcd", serveDNS: (request, next) => serve(options, request, next) };
}

async function serve(options: EtcdHandlerOptions, request: DnsRequest, next: Next): Promise<Outcome> {
  const zone = matchZone(options.zones, request.name);
  if (zone === undefined) return next(request);
  const { message, question } = request;
  const deny = (rcode: number) => reply("etcd", createReply(message, { authoritative: true, rcode, authorities: [soa(zone, options)] }));
  try {
    const found = await new Answer(options, request, zone).find(question.name, question.type);
    return found.answers.length === 0 ? deny(rcodes.NOERROR) : reply("etcd", createReply(message, { authoritative: true, ...found }));
  } catch (error) {
    if (!(error instanceof KeyNotFound)) return failure(rcodes.SERVFAIL, new Error(errorMessage(error)));
    return options.fallthrough?.some((through) => isWithin(through, request.name)) === true ? next(request) : deny(rcodes.NXDOMAIN);
  }
}

function soa(zone: string, { now }: EtcdHandlerOptions): ResourceRecord {
  const names = { mname: under("ns.dns", zone), rname: under("hostmaster", zone) };
  const data = {
    kind: "soa",
    ...names,
    serial: Math.floor(now()),
    refresh: 7200,
    retry: 1800,
    expire: 86_400,
    minimum: denialTtl,
  } as const;
  return { name: zone, type: T.SOA, class: classes.IN, ttl: denialTtl, data };
}

class Answer {
  readonly #options: EtcdHandlerOptions;
  readonly #request: DnsRequest;
  readonly #zone: string;
  #truncated = false;

  constructor(options: EtcdHandlerOptions, request: DnsRequest, zone: string) {
    this.#options = options;
    this.#request = request;
    this.#zone = zone;
  }

  async find(name: string, type: number): Promise<Found> {
    const additionals: ResourceRecord[] = [];
    const answers = await this.#records(name, type, additionals);
    return { answers, additionals, truncated: this.#truncated };
  }

  async #records(name: string, type: number, additionals: ResourceRecord[]): Promise<readonly ResourceRecord[]> {
    const apex = foldName(name) === this.#zone;
    switch (type) {
      case T.A:
      case T.AAAA:
      case T.TXT:
        return await this.#followed(name, type, []);
      case T.CNAME:
        return await this.#alias(name);
      case T.PTR:
        if (!isReverseName(foldName(name))) return [];
        return unique(
          (await this.#services(name)).filter(isName).map((service) => nameRecord(name, T.PTR, service.ttl, absolute(service.host))),
        );
      case T.MX:
        return await this.#exchanges(name, additionals);
      case T.SRV:
        return await this.#serviceRecords(name, additionals);
      case T.SOA:
        return apex ? [soa(this.#zone, this.#options)] : [];
      case T.NS:
        return apex ? await this.#nameServers(name, additionals) : await this.#existing(name);
      default:
        return await this.#existing(name);
    }
  }

  /** Nothing of the type; throws when there is nothing at all. */
  async #existing(name: string): Promise<readonly ResourceRecord[]> {
    await this.#services(name);
    return [];
  }

  /** What the key itself says, not those below it. */
  async #alias(name: string): Promise<readonly ResourceRecord[]> {
    const { client, path: prefix } = this.#options;
    const { path, wild } = pathOf(foldName(name), prefix);
    const own = wild ? await this.#services(name) : await this.#servicesOf(await client.get(path), T.CNAME);
    const [service] = own.length === 0 ? await this.#services(name) : own;
    return own.length > 0 && service !== undefined && isName(service) ? [alias(name, service)] : [];
  }

  /** At the zone itself what `apex.dns` holds, or all there is. */
  async #services(name: string, type: number = T.A): Promise<readonly SkydnsService[]> {
    if (foldName(name) !== this.#zone) return await this.#at(name, type);
    try {
      return await this.#at(under("apex.dns", this.#zone), type);
    } catch (error) {
      if (!(error instanceof KeyNotFound)) throw error;
      return await this.#at(name, type);
    }
  }

  async #at(name: string, type: number): Promise<readonly SkydnsService[]> {
    const { client, path: prefix } = this.#options;
    const folded = foldName(name);
    const { path, wild } = pathOf(folded, prefix);
    let pairs = await client.withPrefix(`${path}/`);
    if (pairs.length === 0) pairs = await client.get(path);
    if (pairs.length === 0) throw new KeyNotFound(name);
    const found = pairs.filter(({ key }) => !wild || matchesWildcard(key, folded, prefix));
    return await this.#servicesOf(found, type);
  }

  async #servicesOf(pairs: readonly KeyValue[], type: number): Promise<readonly SkydnsService[]> {
    const { path: prefix } = this.#options;
    const found = pairs.map((pair) => parseService(pair, prefix));
    const services = new Map(found.map((service) => [JSON.stringify({ ...service, lease: "" }), service]));
    const included = [...services.values()].filter(({ host, text }) => (type === T.TXT && text !== "") || host !== "");
    return groupOf(await Promise.all(included.map(async (service) => ({ ...service, ttl: await this.#ttl(service) }))));
  }

  /** The smaller of the service's and its lease's. */
  async #ttl({ ttl, lease }: SkydnsService): Promise<number> {
    const { client, minLeaseTtl, maxLeaseTtl } = this.#options;
    const left = lease === "" ? 0 : await client.leaseTtl(lease).catch(() => 0);
    const bounded = left === 0 ? 0 : Math.min(Math.max(left, minLeaseTtl), maxLeaseTtl);
    const said = [ttl, bounded].filter((one) => one > 0);
    return said.length === 0 ? defaultTtl : Math.min(...said);
  }

  async #followed(name: string, type: number, before: readonly ResourceRecord[]): Promise<readonly ResourceRecord[]> {
    const records: ResourceRecord[] = [];
    for (const service of await this.#services(name, type)) {
      if (type === T.TXT && service.text !== "") records.push(text(name, service));
      else if (isName(service)) records.push(...(await this.#throughAlias(name, type, service, before)));
      else if (type !== T.TXT) records.push(addressRecord(name, service.ttl, service.host));
    }
    return unique(records.filter((record) => record.type === type || record.type === T.CNAME));
  }

  async #throughAlias(
    name: string,
    type: number,
    service: SkydnsService,
    before: readonly ResourceRecord[],
  ): Promise<readonly ResourceRecord[]> {
    const target = absolute(service.host);
    const folded = foldName(target);
    const seen = before.some(({ data }) => data.kind === "name" && foldName(data.target) === folded);
    if (folded === foldName(name) || seen || before.length > maxAliases) return [];
    const record = alias(name, service);
    if (!isWithin(this.#zone, folded)) {
      const there = await this.#request.resolve(target, type);
      this.#truncated ||= there?.truncated === true;
      return there === undefined ? [] : [record, ...there.answers];
    }
    const next = await this.#followed(target, type, [...before, record]).catch((error: unknown) =>
      error instanceof KeyNotFound ? [] : Promise.reject(error),
    );
    return next.length === 0 ? [] : [record, ...next];
  }

  async #serviceRecords(name: string, additionals: ResourceRecord[]): Promise<readonly ResourceRecord[]> {
    const services = await this.#services(name);
    const records: ResourceRecord[] = [];
    for (const service of services) {
      const weight = weightOf(service, services);
      const target = targetOf(service);
      const data = { kind: "srv", priority: service.priority, weight, port: service.port, target } as const;
      records.push({ name, type: T.SRV, class: classes.IN, ttl: service.ttl, data });
      await this.#addTarget(service, target, additionals);
    }
    return unique(records);
  }

  async #exchanges(name: string, additionals: ResourceRecord[]): Promise<readonly ResourceRecord[]> {
    const records: ResourceRecord[] = [];
    for (const service of (await this.#services(name)).filter(({ mail }) => mail)) {
      const exchange = targetOf(service);
      records.push({ name, type: T.MX, class: classes.IN, ttl: service.ttl, data: { kind: "mx", preference: service.priority, exchange } });
      await this.#addTarget(service, exchange, additionals);
    }
    return unique(records);
  }

  async #nameServers(name: string, additionals: ResourceRecord[]): Promise<readonly ResourceRecord[]> {
    const services = (await this.#at(under("ns.dns", this.#zone), T.A)).filter((service) => !isName(service));
    for (const service of services) additionals.push(addressRecord(targetOf(service), service.ttl, service.host));
    return unique(services.map((service) => nameRecord(name, T.NS, service.ttl, targetOf(service))));
  }

  async #addTarget(service: SkydnsService, target: string, additionals: ResourceRecord[]): Promise<void> {
    const add = (records: readonly ResourceRecord[]) => {
      for (const record of records) if (!additionals.some((there) => same(there, record))) additionals.push(record);
    };
    if (!isName(service)) return add([addressRecord(target, service.ttl, service.host)]);
    for (const type of [T.A, T.AAAA]) {
      if (!isWithin(this.#zone, foldName(target))) add((await this.#request.resolve(target, type))?.answers ?? []);
      else
        add(await this.#followed(target, type, []).catch((error: unknown) => (error instanceof KeyNotFound ? [] : Promise.reject(error))));
    }
  }
}

const isName = ({ host }: SkydnsService): boolean => host !== "" && parseIp(host) === undefined;
const alias = (name: string, { ttl, host }: SkydnsService): ResourceRecord => nameRecord(name, T.CNAME, ttl, absolute(host));
const same = (a: ResourceRecord, b: ResourceRecord): boolean => JSON.stringify(a) === JSON.stringify(b);

function text(name: string, { ttl, text: whole }: SkydnsService): ResourceRecord {
  const strings = whole.match(/[^]{1,255}/g) ?? [""];
  return { name, type: T.TXT, class: classes.IN, ttl, data: { kind: "txt", strings } };
}

/** An address has the name of its key as target; `targetstrip` takes labels off it. */
function targetOf(service: SkydnsService): string {
  const target = isName(service) ? absolute(service.host) : service.name;
  return service.targetStrip === 0 ? target : absolute(labelsOf(target).slice(service.targetStrip).join("."));
}

/** Weights of one priority sum up to a hundred; each is at least one. */
function weightOf(service: SkydnsService, services: readonly SkydnsService[]): number {
  const sum = services.filter(({ priority }) => priority === service.priority).reduce((total, { weight }) => total + (weight || 100), 0);
  return Math.max(1, Math.floor((100 / sum) * (service.weight || 100)));
}

function unique(records: readonly ResourceRecord[]): readonly ResourceRecord[] {
  return records.filter((record, i) => records.findIndex((other) => same(other, record)) === i);
}
