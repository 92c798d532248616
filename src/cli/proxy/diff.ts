/** `fairlead proxy diff`: what changes for the Services when a node's proxy changes its mode. Reads what `plan` reads; changes nothing. */
import { diffModes, type Change, type Effect, type ModeDiff } from "../../decide/proxy/diff/diff.ts";
import type { DiffMode } from "../../decide/proxy/diff/traits.ts";
import type { IpvsScheduler } from "../../decide/proxy/render/ipvs/state.ts";
import type { Paint, Terminal } from "../terminal.ts";
import { makePlan, type ProxyOptions } from "./proxy.ts";

export interface DiffRequest extends ProxyOptions {
  readonly from: DiffMode;
  readonly to: DiffMode;
  readonly ipvsScheduler: IpvsScheduler;
}

/** Exit code 1: a Service loses something. */
export async function diff(request: DiffRequest, terminal: Terminal): Promise<number> {
  const { from, to, ipvsScheduler, nodeportAddresses = [] } = request;
  const { plan } = await makePlan(request, terminal);
  const made = diffModes(plan, { from, to, scheduler: ipvsScheduler, nodePortAddressesGiven: nodeportAddresses.length > 0 });
  terminal.print(request.output === "json" ? JSON.stringify(made, null, 2) : diffText(made, terminal.paint));
  return made.services.some(({ changes }) => changes.some(({ effect }) => effect === "loses")) ? 1 : 0;
}

const signs: Readonly<Record<Effect, string>> = { loses: "-", differs: "~", gains: "+" };

function diffText({ from, to, node, services, planned }: ModeDiff, paint: Paint): string {
  const change = ({ code, effect, from: before, to: after }: Change<string>) => {
    const sign =
      effect === "loses" ? paint.red(signs[effect]) : effect === "gains" ? paint.green(signs[effect]) : paint.yellow(signs[effect]);
    return [`  ${sign} ${code}`, `      ${from}: ${before}`, `      ${to}: ${after}`];
  };
  const losers = services.filter(({ changes }) => changes.some(({ effect }) => effect === "loses")).length;
  return [
    paint.bold(`From ${from} to ${to}: ${services.length} of ${planned} Services notice something, ${losers} lose something`),
    ...groups(services).flatMap(({ names, changes }) => ["", paint.bold(namesText(names)), ...changes.flatMap(change)]),
    ...(node.length === 0 ? [] : ["", paint.bold("On the node"), ...node.flatMap(change)]),
  ].join("\n");
}

/** Services for which the same changes: a cluster has many of few kinds. */
function groups(
  services: ModeDiff["services"],
): readonly { readonly names: readonly string[]; readonly changes: ModeDiff["services"][number]["changes"] }[] {
  const byChanges = new Map<string, { readonly names: string[]; readonly changes: ModeDiff["services"][number]["changes"] }>();
  for (const { service, changes } of services) {
    const key = JSON.stringify(changes);
    const group = byChanges.get(key);
    if (group === undefined) byChanges.set(key, { names: [service], changes });
    else group.names.push(service);
  }
  return [...byChanges.values()];
}

const shown = 8;

function namesText(names: readonly string[]): string {
  const rest = names.length - shown;
  return rest > 0 ? `${names.slice(0, shown).join(", ")} and ${rest} more` : names.join(", ");
}
