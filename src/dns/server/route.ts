/** Which block's chain a query goes to. */
import { recordTypes } from "../../decide/dns/records.ts";
import type { Chain } from "../corefile/chain.ts";

export type Routes = ReadonlyMap<string, readonly Chain[]>;

/**
 * The chain of the longest zone that holds the name; of several (views) the first that `accepts`, and when none does the next
 * shorter zone's. A DS record belongs to the parent's side of a cut, so for that type the shortest zone wins (RFC 4035
 * 3.1.4.1), the root only when it is the one zone there is.
 */
export function chainOf(routes: Routes, name: string, type: number, accepts: (chain: Chain) => boolean): Chain | undefined {
  let found: Chain | undefined;
  for (let at = 0; at < name.length; at = afterDot(name, at)) {
    const chain = name.length - at === 1 ? undefined : routes.get(at === 0 ? name : name.slice(at))?.find(accepts);
    if (chain === undefined) continue;
    if (type !== recordTypes.DS) return chain;
    found = chain;
  }
  return found ?? routes.get(".")?.find(accepts);
}

/** Where the next label begins; the length at the end. */
function afterDot(name: string, from: number): number {
  for (let i = from; i < name.length; i++) {
    if (name[i] === "\\") i++;
    else if (name[i] === ".") return i + 1;
  }
  return name.length;
}
