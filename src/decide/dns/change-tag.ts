/**
 * Which changes of the cluster can change an answer, as one word: so that answers that were worked out stay as long as they hold,
 * and a change costs those that show it.
 */
import type { LookupZone } from "./find.ts";
import type { LookupResult } from "./lookup-result.ts";
import { withoutZone } from "./name.ts";
import { parseRequestName } from "./request-name.ts";
import { addressOfReverse } from "./reverse.ts";

/** Every change. */
export const anyChange = "*";

/** `name`: folded, within the zone. Namespaces need no word: when one comes or goes, every answer is worked out again. */
export function changeTag(name: string, zone: LookupZone, result: LookupResult): string {
  // An alias shows another Service's addresses.
  if (result.kind === "answer" && result.reason === "ExternalName") return anyChange;
  if (result.kind === "noData" && result.reason === "TargetUnresolved") return anyChange;
  const reverse = addressOfReverse(name);
  if (reverse !== undefined) return addressTag(reverse);
  const parsed = parseRequestName(withoutZone(name, zone.origin), zone.zonal);
  if (typeof parsed === "string" || parsed.service === "") return anyChange;
  if (parsed.branch === "svc") return serviceTag(parsed.namespace, parsed.service);
  return zone.pods === "verified" ? anyChange : serviceTag(parsed.namespace, "");
}

export const serviceTag = (namespace: string, service: string): string => `${namespace}/${service}`;
export const addressTag = (address: string): string => `ip ${address}`;
