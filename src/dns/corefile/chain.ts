/** Handlers to one function. */
import { rcodes } from "../../decide/dns/records.ts";
import { failure, type Handler, type Next } from "../plugin.ts";

export interface Chain {
  readonly plugins: readonly string[];
  readonly serve: Next;
}

/** A block without anything that answers refuses; one whose last plugin asks for a next one fails, as CoreDNS does. */
export function buildChain(handlers: readonly Handler[]): Chain {
  const plugins = handlers.map(({ name }) => name);
  if (handlers.length === 0) return { plugins, serve: () => failure(rcodes.REFUSED) };
  const end: Next = () => failure(rcodes.SERVFAIL, new Error(`plugin/${plugins.at(-1) ?? "none"}: no next plugin found`));
  const serve = handlers.reduceRight<Next>((next, handler) => (request) => handler.serveDNS(request, next), end);
  return { plugins, serve };
}
