/**
 * What a zone says to a question: pure. Cuts, wildcards (RFC 4592), DNAME (RFC 6672), aliases followed inside the zone, denials
 * with NSEC where the zone is signed and the client wants it (RFC 4035 3.1.3); sections as CoreDNS fills them (`plugin/file/lookup.go`).
 */
import { foldName, isDomainName, isWithin, withoutZone } from "../name.ts";
import { classes, recordTypes as T, type ResourceRecord } from "../records.ts";
import { ancestors, previousName, type Zone, type ZoneNode } from "./zone.ts";

export type ZoneAnswer = "success" | "noData" | "nameError" | "delegation" | "failure";

export interface ZoneLookup {
  readonly kind: ZoneAnswer;
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
  /** The answers end in an alias to this name, which the zone itself cannot resolve: whoever asks goes on from there. */
  readonly follow?: string;
  /** The wildcard that the answer was made from. */
  readonly wildcard?: string;
}

export interface ZoneQuestion {
  /** Absolute, as asked, within the zone. */
  readonly name: string;
  readonly type: number;
  /** DNSSEC records are wanted. */
  readonly dnssecOk: boolean;
}

const maxAliases = 8;
const none: readonly ResourceRecord[] = [];

export function lookupZone(zone: Zone, question: ZoneQuestion): ZoneLookup {
  return new Lookup(zone, question).run();
}

/** Authority of an answer that came from somewhere else by way of this zone. */
export function authorityFor(zone: Zone, kind: ZoneAnswer, dnssecOk: boolean): readonly ResourceRecord[] {
  return signed(zone.nodes.get(zone.origin), kind === "noData" || kind === "nameError" ? T.SOA : T.NS, dnssecOk);
}

/** Addresses of what SRV, MX, SVCB and HTTPS records name inside the zone. */
export function additionalFor(zone: Zone, answers: readonly ResourceRecord[], dnssecOk: boolean): readonly ResourceRecord[] {
  const targets = new Set(
    answers
      .flatMap(({ data }) => (data.kind === "srv" || data.kind === "svcb" ? [data.target] : data.kind === "mx" ? [data.exchange] : []))
      .map(foldName),
  );
  return [...targets].filter((target) => isWithin(zone.origin, target)).flatMap((target) => addressesOf(zone, target, dnssecOk));
}

function addressesOf(zone: Zone, name: string, dnssecOk: boolean): readonly ResourceRecord[] {
  const node = zone.nodes.get(name);
  return [...signed(node, T.A, dnssecOk), ...signed(node, T.AAAA, dnssecOk)];
}

/** The records of a type, and with `dnssecOk` their signatures. */
function signed(node: ZoneNode | undefined, type: number, dnssecOk: boolean): readonly ResourceRecord[] {
  const records = node?.get(type) ?? none;
  return dnssecOk && node !== undefined ? [...records, ...signaturesOf(node, type)] : records;
}

/** The type that a signature covers is its first two bytes. */
function signaturesOf(node: ZoneNode, type: number): readonly ResourceRecord[] {
  return (node.get(T.RRSIG) ?? none).filter(
    ({ data }) => data.kind === "opaque" && (((data.bytes[0] ?? 0) << 8) | (data.bytes[1] ?? 0)) === type,
  );
}

class Lookup {
  readonly #zone: Zone;
  readonly #question: ZoneQuestion;
  readonly #name: string;
  readonly #do: boolean;

  constructor(zone: Zone, question: ZoneQuestion) {
    this.#zone = zone;
    this.#question = question;
    this.#name = foldName(question.name);
    this.#do = question.dnssecOk;
  }

  run(): ZoneLookup {
    const { origin } = this.#zone;
    const { type } = this.#question;
    if (this.#name === origin && type === T.SOA) return this.#success(this.#apex(T.SOA), this.#apex(T.NS));
    if (this.#name === origin && type === T.NS)
      return { ...this.#success(this.#apex(T.NS), none), additionals: this.#glue(this.#apex(T.NS)) };
    const walked = this.#walk();
    if (walked.kind === "answer") return walked.lookup;
    const node = this.#zone.nodes.get(this.#name);
    if (node !== undefined) return this.#atNode(node, (records) => records);
    if (walked.wildcard !== undefined && !this.#closerEncloser(walked.wildcard)) return this.#fromWildcard(walked.wildcard);
    return this.#denial();
  }

  #apex(type: number): readonly ResourceRecord[] {
    return signed(this.#zone.nodes.get(this.#zone.origin), type, this.#do);
  }

  /** From the apex down: a DNAME or a cut above the name decides; the deepest wildcard that could stand for it is kept. */
  #walk(): { readonly kind: "answer"; readonly lookup: ZoneLookup } | { readonly kind: "none"; readonly wildcard: string | undefined } {
    const { origin, nodes, parents } = this.#zone;
    const path = this.#name === origin ? [origin] : [...ancestors(this.#name, origin)].reverse().concat(this.#name);
    let wildcard: string | undefined;
    for (const [i, at] of path.entries()) {
      const node = nodes.get(at);
      if (node === undefined) {
        const above = path[i - 1] ?? origin;
        const candidate = above === "." ? "*." : `*.${above}`;
        if (nodes.has(candidate) || parents.has(candidate)) wildcard = candidate;
        continue;
      }
      const lookup = this.#dname(node, at) ?? this.#cut(node, at);
      if (lookup !== undefined) return { kind: "answer", lookup };
    }
    return { kind: "none", wildcard };
  }

  #dname(node: ZoneNode, at: string): ZoneLookup | undefined {
    const record = node.get(T.DNAME)?.[0];
    if (record?.data.kind !== "name" || at === this.#name) return undefined;
    const dname = this.#do ? [record, ...signaturesOf(node, T.DNAME)] : [record];
    const target =
      record.data.target === "."
        ? `${withoutZone(this.#question.name, at)}.`
        : `${withoutZone(this.#question.name, at)}.${record.data.target}`;
    if (!isDomainName(target) || foldName(target) === this.#name) return this.#failure();
    const alias = { name: this.#question.name, type: T.CNAME, class: classes.IN, ttl: record.ttl, data: { kind: "name", target } as const };
    const answers = [...dname, alias];
    if (this.#question.type === T.CNAME) return this.#success(answers, this.#apex(T.NS));
    return this.#follow(answers, target);
  }

  #cut(node: ZoneNode, at: string): ZoneLookup | undefined {
    if (at === this.#zone.origin || node.get(T.NS) === undefined) return undefined;
    if (this.#question.type === T.DS && at === this.#name) return undefined;
    return this.#referral(node, none);
  }

  #referral(node: ZoneNode, answers: readonly ResourceRecord[]): ZoneLookup {
    const servers = node.get(T.NS) ?? none;
    const authorities = this.#do ? [...servers, ...signed(node, T.DS, true)] : servers;
    return { kind: "delegation", answers, authorities, additionals: this.#glue(servers) };
  }

  /** Addresses of name servers whose names are below what they serve: nobody could find them otherwise. */
  #glue(servers: readonly ResourceRecord[]): readonly ResourceRecord[] {
    return servers.flatMap(({ name, data }) =>
      data.kind === "name" && isWithin(foldName(name), foldName(data.target))
        ? addressesOf(this.#zone, foldName(data.target), this.#do)
        : [],
    );
  }

  /** `shape`: of records from a wildcard. */
  #atNode(
    node: ZoneNode,
    shape: (records: readonly ResourceRecord[]) => readonly ResourceRecord[],
    proof: readonly ResourceRecord[] = none,
  ): ZoneLookup {
    const { type } = this.#question;
    const aliases = type === T.CNAME ? undefined : node.get(T.CNAME);
    const alias = aliases?.[0];
    if (alias?.data.kind === "name") return this.#follow(shape(signed(node, T.CNAME, this.#do)).map(this.#asAsked), alias.data.target);
    const records = shape(node.get(type) ?? none);
    if (records.length === 0) return this.#noData(this.#do ? signed(node, T.NSEC, true) : none);
    const answers = shape(signed(node, type, this.#do)).map(this.#asAsked);
    return { ...this.#success(answers, [...this.#apex(T.NS), ...proof]), additionals: additionalFor(this.#zone, records, this.#do) };
  }

  /** The owner in the case of the question. */
  readonly #asAsked = (record: ResourceRecord): ResourceRecord =>
    foldName(record.name) === this.#name ? { ...record, name: this.#question.name } : record;

  #fromWildcard(wildcard: string): ZoneLookup {
    const node = this.#zone.nodes.get(wildcard);
    if (node === undefined) return this.#noData(none);
    const covering = previousName(this.#zone, this.#name);
    const proof = this.#do && covering !== undefined ? signed(this.#zone.nodes.get(covering), T.NSEC, true) : none;
    const shape = (records: readonly ResourceRecord[]) => records.map((record) => ({ ...record, name: this.#question.name }));
    return { ...this.#atNode(node, shape, proof), wildcard };
  }

  /** A name between the wildcard and the question that exists: then the wildcard does not reach so far (RFC 4592 3.3.1). */
  #closerEncloser(wildcard: string): boolean {
    const above = wildcard.slice(2) || ".";
    for (const name of ancestors(this.#name, this.#zone.origin)) {
      if (name === above) return false;
      if (this.#zone.parents.has(name)) return true;
    }
    return false;
  }

  /** Through aliases of the zone to their end, or to a name that it does not hold. */
  #follow(first: readonly ResourceRecord[], start: string): ZoneLookup {
    const { nodes, origin } = this.#zone;
    const { type } = this.#question;
    const answers = [...first];
    for (let target = foldName(start), hops = 0; ; hops++) {
      const cut = this.#cutAbove(target);
      if (cut !== undefined) return this.#referral(cut, answers);
      const node = nodes.get(target);
      if (node === undefined || type === T.NS || (type === T.SOA && target === origin))
        return { ...this.#aliasOnly(answers), follow: target };
      const next = node.get(T.CNAME)?.[0];
      if (next?.data.kind !== "name" || hops >= maxAliases) {
        if (next === undefined) answers.push(...signed(node, type, this.#do));
        return this.#aliasOnly(answers);
      }
      answers.push(...signed(node, T.CNAME, this.#do));
      target = foldName(next.data.target);
    }
  }

  #aliasOnly(answers: readonly ResourceRecord[]): ZoneLookup {
    return { ...this.#success(answers, this.#apex(T.NS)), additionals: additionalFor(this.#zone, answers, this.#do) };
  }

  #cutAbove(name: string): ZoneNode | undefined {
    if (!isWithin(this.#zone.origin, name)) return undefined;
    const exists = this.#zone.nodes.has(name);
    const path = [...ancestors(name, this.#zone.origin)].reverse().concat(exists ? [name] : []);
    for (const at of path) {
      const node = this.#zone.nodes.get(at);
      const owner = at === name && this.#question.type === T.DS;
      if (at !== this.#zone.origin && node?.has(T.NS) === true && !owner) return node;
    }
    return undefined;
  }

  #denial(): ZoneLookup {
    const exists = this.#zone.parents.has(this.#name);
    const kind = exists ? "success" : "nameError";
    return { kind, answers: none, authorities: [...this.#apex(T.SOA), ...this.#proofOfNothing(exists)], additionals: none };
  }

  /** NSEC records that cover the name, and the wildcard that could have stood for it. */
  #proofOfNothing(exists: boolean): readonly ResourceRecord[] {
    const covering = this.#do ? previousName(this.#zone, this.#name) : undefined;
    if (covering === undefined) return none;
    const proof = signed(this.#zone.nodes.get(covering), T.NSEC, true);
    if (exists) return proof;
    const encloser = ancestors(this.#name, this.#zone.origin).find((name) => this.#zone.nodes.has(name));
    const denied = encloser === undefined ? undefined : previousName(this.#zone, `*.${encloser}`);
    return denied === undefined || denied === covering ? proof : [...proof, ...signed(this.#zone.nodes.get(denied), T.NSEC, true)];
  }

  #noData(proof: readonly ResourceRecord[]): ZoneLookup {
    return { kind: "noData", answers: none, authorities: [...this.#apex(T.SOA), ...proof], additionals: none };
  }

  #success(answers: readonly ResourceRecord[], authorities: readonly ResourceRecord[]): ZoneLookup {
    return { kind: "success", answers, authorities, additionals: none };
  }

  #failure(): ZoneLookup {
    return { kind: "failure", answers: none, authorities: none, additionals: none };
  }
}
