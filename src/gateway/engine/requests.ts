/**
 * What is done with a request once its head is read, whichever socket it came by: the table's decision, and an answer of our own or an
 * exchange with an endpoint.
 */
import { usersKey, type BackendRef, type BasicAuth, type Listener, type RouteTable } from "../../decide/routes/index.ts";
import { redirect, refusal } from "./answers.ts";
import { Authorizer } from "./authorizer.ts";
import type { Exchange, ProxiedRequest } from "./client-side.ts";
import { Forwarder, type ForwarderOptions } from "./forwarder.ts";
import { addedLines } from "./lines.ts";
import type { OwnAnswering } from "./observed-request.ts";
import { PasswordCheck } from "./passwords.ts";
import { RateLimits } from "./rate-limits.ts";
import { Records, type Ending, type RecordsOptions } from "./request-records.ts";
import { decide, type Changes, type Decision } from "./router.ts";
import { trustedClient } from "./trusted-hops.ts";

export type { RequestRecord } from "./request-records.ts";

export interface RequestsOptions extends Omit<ForwarderOptions, "records">, RecordsOptions {}

export class Requests {
  /** Of the HTTPS listener; until there is one, where it would be. */
  securePort = 443;
  readonly #options: RequestsOptions;
  readonly #records: Records;
  readonly #forwarder: Forwarder;
  readonly #authorizer: Authorizer;
  readonly #rates = new RateLimits();
  readonly #passwords = new PasswordCheck();
  #users: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map();
  #table: ReadonlyMap<string, Listener> = new Map();
  #count = 0;

  constructor(options: RequestsOptions) {
    this.#options = options;
    const records = new Records(options);
    const forwarder = new Forwarder({ ...options, records });
    this.#records = records;
    this.#forwarder = forwarder;
    this.#authorizer = new Authorizer({ forwarder, records, decide: (request) => this.#decide(request) });
  }

  publish({ listeners }: RouteTable): void {
    this.#table = new Map(listeners.map((listener) => [listener.name, listener]));
  }

  setUsers(users: ReadonlyMap<string, ReadonlyMap<string, string>>): void {
    this.#users = users;
  }

  listener(name: string): Listener | undefined {
    return this.#table.get(name);
  }

  /** Requests so far. */
  get count(): number {
    return this.#count;
  }

  /** A head that was refused before anybody could say what it asks for. */
  refused(status: number, why: string): void {
    this.#records.refused(status, why);
  }

  /** Undefined: it was answered already, by `ownAnswer`. */
  handle(asked: ProxiedRequest, side: OwnAnswering): Exchange | undefined {
    this.#count += 1;
    const { trustedProxies } = this.#options.limits;
    const request = trustedProxies.length === 0 ? asked : { ...asked, client: trustedClient(asked.client, asked.header, trustedProxies) };
    const client = this.#records.begin(request, side);
    const decision = this.#decide(request);
    if (decision.kind === "forward")
      return decision.auth === undefined
        ? this.#forwarder.forward(request, client, decision)
        : this.#authorizer.ask(request, client, decision, decision.auth);
    this.#records.end(request, decision.route, answer(decision, client));
    return undefined;
  }

  #decide(request: ProxiedRequest): Decision {
    return decide(this.#table.get(request.client.listener), request, this.#context);
  }

  readonly #context = {
    chooseBackend: (refs: readonly BackendRef[], id?: string) => this.#options.backends.chooseBackend(refs, id),
    securePort: () => this.securePort,
    random: () => this.#options.random(),
    allows: (key: string, limit: { readonly perSecond: number; readonly burst: number }) =>
      this.#rates.allows(key, limit, this.#options.clock.monotonic()),
    underWay: (key: string) => this.#forwarder.underWay(key),
    userOf: ({ users }: BasicAuth, authorization: string | undefined) => this.#userOf(usersKey(users), authorization),
  };

  #userOf(key: string, authorization: string | undefined): { readonly name: string } | "unknown" | undefined {
    const known = this.#users.get(key);
    if (known === undefined) return "unknown";
    const name = this.#passwords.userOf(authorization, known);
    return name === undefined ? undefined : { name };
  }
}

/** What no endpoint is asked about. */
function answer(decision: Exclude<Decision, { kind: "forward" }>, client: OwnAnswering): Ending {
  const { status } = decision;
  const lines = decision.kind === "refuse" ? (decision.lines ?? "") : responseLines(decision.changes);
  switch (decision.kind) {
    case "redirect":
      client.ownAnswer(redirect(status, decision.location, lines));
      return { status };
    case "answer":
      client.ownAnswer({ status, body: "", lines });
      return { status };
    case "refuse": {
      const said = refusal(status, decision.reason, decision.message);
      client.ownAnswer({ ...said, lines: said.lines + lines });
      return { status, reason: decision.reason };
    }
  }
}

function responseLines({ response }: Changes): string {
  return response === undefined ? "" : addedLines(response);
}
