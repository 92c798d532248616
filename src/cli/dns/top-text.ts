/** Who asks for what, as lines. Pure. */
import type { NdotsAdvice } from "../../decide/dns/top/ndots-advice.ts";
import type { ClientReport, TopReport } from "../../decide/dns/top/query-tally.ts";

export interface ShownClient extends ClientReport {
  /** `namespace/name` of the pod with its address. */
  readonly pod: string | undefined;
  readonly advice: readonly NdotsAdvice[];
}

export interface TopTextOptions {
  /** Shown of each client. */
  readonly names: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export function topText(
  { since, queries, clients: all }: TopReport,
  clients: readonly ShownClient[],
  { names, now }: TopTextOptions,
): readonly string[] {
  const head = `${number(queries)} questions of ${all.length} ${all.length === 1 ? "client" : "clients"} in ${Math.max(1, Math.round((now - since) / 60_000))} min`;
  if (clients.length === 0) return [head];
  const who = clients.map(({ pod, address, namespace }) =>
    pod === undefined ? `${address}${namespace === undefined ? "" : ` (${namespace})`}` : `${pod} (${address})`,
  );
  const width = Math.max(...who.map(({ length }) => length), "CLIENT".length) + 2;
  const columns = (first: string, ...rest: readonly string[]) => first.padEnd(width) + rest.map((text) => text.padStart(11)).join("");
  const ndots = (clients[0]?.advice ?? []).map((advice) => `NDOTS ${advice.ndots}`);
  return [
    head,
    columns("CLIENT", "QUESTIONS", "NOT THERE", "WASTED", ...ndots),
    ...clients.flatMap((client, i) => [
      columns(
        who[i] as string,
        number(client.queries),
        share(client.denied, client),
        share(client.wasted, client),
        ...client.advice.map(({ saved }) => `-${share(saved, client)}`),
      ),
      ...client.names
        .slice(0, names)
        .map((one) => `  ${one.name}: ${number(one.queries)}${one.wasted === 0 ? "" : `, ${number(one.wasted)} of them wasted`}`),
      ...warnings(client),
    ]),
  ];
}

/** `ndots 2` is told before `ndots 1`: a name that breaks under the first breaks under the second too, and is told once. */
function warnings({ advice }: ShownClient): readonly string[] {
  const told = new Set<string>();
  return advice.flatMap(({ ndots, breaks }) => {
    const fresh = breaks.filter((name) => !told.has(name));
    for (const name of fresh) told.add(name);
    return fresh.length === 0
      ? []
      : [`  ndots ${ndots} would break ${fresh.join(", ")}: only the search path answers; write the whole name, with a dot at its end`];
  });
}

const number = (value: number): string => value.toLocaleString("en");

const share = (part: number, { queries }: ClientReport): string => `${queries === 0 ? 0 : Math.round((part / queries) * 100)}%`;
