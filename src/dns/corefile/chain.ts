/** Handlers to one function. */
import { rcodes } from "../../decide/dns/records.ts";
import { failure, type DnsRequest, type Handler, type Next } from "../plugin.ts";
import { extendedErrors } from "../wire/extended-error.ts";

export interface Chain {
  readonly plugins: readonly string[];
  readonly serve: Next;
  /** The last plugin up to which every handler is repeatable: an answer of one of these may be sent again. */
  readonly repeatable: ReadonlySet<string>;
  readonly handlers: readonly Handler[];
  /** Of the block's `view`; empty without one. */
  readonly view: string;
  /** Whether the query is this block's; undefined: every one is. */
  readonly accepts?: (request: DnsRequest) => boolean;
}

/** A block without anything that answers refuses; one whose last plugin asks for a next one fails, as CoreDNS does. */
export function buildChain(handlers: readonly Handler[], options: ChainOptions = {}): Chain {
  const plugins = handlers.map(({ name }) => name);
  const shared = { plugins, handlers, repeatable: repeatable(handlers), view: "", ...options };
  if (handlers.length === 0)
    return { ...shared, serve: () => failure(rcodes.REFUSED, undefined, { code: extendedErrors.NOT_AUTHORITATIVE }) };
  const end: Next = () => failure(rcodes.SERVFAIL, new Error(`plugin/${plugins.at(-1) ?? "none"}: no next plugin found`));
  const serve = handlers.reduceRight<Next>((next, handler) => (request) => handler.serveDNS(request, next), end);
  return { ...shared, serve };
}

export type ChainOptions = Partial<Pick<Chain, "view" | "accepts">>;

function repeatable(handlers: readonly Handler[]): ReadonlySet<string> {
  const first = handlers.findIndex((handler) => handler.repeatable !== true);
  return new Set(handlers.slice(0, first < 0 ? handlers.length : first).map(({ name }) => name));
}
