/** Which name a client meant, given one that its resolver made of it (resolv.conf(5), `search` and `ndots`). */

/** `namespace`, `svc`, `cluster`: the domains that the kubelet writes; `machine`: those of the node; `none`: as it was asked. */
export type SearchStep = "namespace" | "svc" | "cluster" | "machine" | "none";

export interface MeantName {
  /** Without its final dot. */
  readonly base: string;
  readonly step: SearchStep;
  /** What stands where the namespace of the client would: it may be that. */
  readonly namespace: string | undefined;
}

export interface SearchPath {
  /** Absolute, folded. */
  readonly zone: string;
  /** Of the client; undefined: not known. */
  readonly namespace: string | undefined;
  /** Of the node, absolute. */
  readonly machine: readonly string[];
}

/** `name`: absolute, folded. */
export function meantName(name: string, { zone, namespace, machine }: SearchPath): MeantName {
  const below = without(name, `svc.${zone}`);
  if (below !== undefined) return belowSvc(below, namespace);
  const inZone = without(name, zone);
  // `10-0-0-1.shop.pod` is a name that somebody wrote, not one that a search path made.
  if (inZone !== undefined && !inZone.endsWith(".pod")) return { base: inZone, step: "cluster", namespace: undefined };
  for (const domain of machine) {
    const base = without(name, domain);
    if (base !== undefined) return { base, step: "machine", namespace: undefined };
  }
  return { base: name.slice(0, -1), step: "none", namespace: undefined };
}

/** `web.shop` is `web` for a client in `shop`, and `web.shop` for any other. */
function belowSvc(below: string, namespace: string | undefined): MeantName {
  const dot = below.lastIndexOf(".");
  const last = below.slice(dot + 1);
  const own = namespace === undefined ? dot > 0 : dot > 0 && last === namespace;
  return own ? { base: below.slice(0, dot), step: "namespace", namespace: last } : { base: below, step: "svc", namespace: undefined };
}

function without(name: string, domain: string): string | undefined {
  const end = `.${domain}`;
  return name.length > end.length && name.endsWith(end) ? name.slice(0, -end.length) : undefined;
}

export const dotsOf = (name: string): number => name.split(".").length - 1;
