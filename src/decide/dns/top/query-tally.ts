/**
 * Who asks for what, in bounded memory: the busiest clients, and for each the names that it means most often, with what its search
 * path costs it. Everything is a count; nothing is kept of a single question.
 */
import { rcodes } from "../records.ts";
import { meantName, type SearchStep } from "./search-path.ts";
import { SpaceSaving } from "./space-saving.ts";

export interface SeenQuery {
  readonly client: string;
  /** Absolute, folded. */
  readonly name: string;
  readonly rcode: number;
  /** There were records in the answer. */
  readonly answered: boolean;
}

export interface NameReport {
  readonly name: string;
  readonly queries: number;
  /** Answered with records, as it was asked and by a domain of the search path. */
  readonly absolute: number;
  readonly search: number;
  /** Names that the search path made of it and that do not exist. */
  readonly wasted: number;
}

export interface ClientReport {
  readonly address: string;
  readonly namespace: string | undefined;
  readonly queries: number;
  /** Names that do not exist. */
  readonly denied: number;
  /** Of these, those that the search path made. */
  readonly wasted: number;
  /** The most frequent first. */
  readonly names: readonly NameReport[];
}

export interface TopReport {
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly queries: number;
  /** The busiest first. */
  readonly clients: readonly ClientReport[];
}

export interface QueryTallyOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Absolute, folded. Default `cluster.local.` */
  readonly zone?: string;
  /** Search domains of the nodes, absolute. Default none. */
  readonly machine?: readonly string[];
  /** Of the pod with this address. Default: learned from what it asks. */
  readonly namespaceOf?: (address: string) => string | undefined;
  /** Default 256. */
  readonly maxClients?: number;
  /** Of each client. Default 64. */
  readonly maxNames?: number;
}

interface NameTally {
  absolute: number;
  search: number;
  wasted: number;
}

interface ClientTally {
  denied: number;
  wasted: number;
  readonly names: SpaceSaving<NameTally>;
  /** How often each stood where the namespace would. */
  readonly namespaces: SpaceSaving<undefined>;
}

const maxNamespaces = 8;

export class QueryTally {
  readonly #options: Required<Pick<QueryTallyOptions, "now" | "zone" | "machine" | "namespaceOf">>;
  readonly #clients: SpaceSaving<ClientTally>;
  readonly #since: number;
  #queries = 0;

  constructor({
    now,
    zone = "cluster.local.",
    machine = [],
    namespaceOf = () => undefined,
    maxClients = 256,
    maxNames = 64,
  }: QueryTallyOptions) {
    this.#options = { now, zone, machine, namespaceOf };
    this.#since = now();
    this.#clients = new SpaceSaving(maxClients, () => ({
      denied: 0,
      wasted: 0,
      names: new SpaceSaving(maxNames, () => ({ absolute: 0, search: 0, wasted: 0 })),
      namespaces: new SpaceSaving(maxNamespaces, () => undefined),
    }));
  }

  saw({ client, name, rcode, answered }: SeenQuery, times = 1): void {
    this.#queries += times;
    const tally = this.#clients.add(client, times);
    const { zone, machine } = this.#options;
    const denied = rcode === rcodes.NXDOMAIN;
    const meant = meantName(name, { zone, machine, namespace: this.#namespaceOf(client, tally) });
    const { base, step } = meant;
    // Only what was made by a search path has the client's namespace there, and what exists may have been asked for by its whole name.
    if (denied && meant.namespace !== undefined && base.includes(".")) tally.namespaces.add(meant.namespace, times);
    count(tally.names.add(base, times), { step, denied, answered }, times);
    if (denied) tally.denied += times;
    if (denied && step !== "none") tally.wasted += times;
  }

  #namespaceOf(client: string, { namespaces }: ClientTally): string | undefined {
    return this.#options.namespaceOf(client) ?? namespaces.top()[0]?.key;
  }

  report(): TopReport {
    const clients = this.#clients.top().map(({ key, count: queries, value }): ClientReport => {
      const names = value.names.top().map((one): NameReport => ({ name: one.key, queries: one.count, ...one.value }));
      return { address: key, namespace: this.#namespaceOf(key, value), queries, denied: value.denied, wasted: value.wasted, names };
    });
    return { since: this.#since, queries: this.#queries, clients };
  }
}

function count(
  tally: NameTally,
  seen: { readonly step: SearchStep; readonly denied: boolean; readonly answered: boolean },
  times: number,
): void {
  if (seen.denied && seen.step !== "none") tally.wasted += times;
  if (seen.answered && seen.step === "none") tally.absolute += times;
  if (seen.answered && seen.step !== "none") tally.search += times;
}
