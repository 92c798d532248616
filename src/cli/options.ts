/** The options that several verbs share, and the checks of their values. */
import { FairleadError } from "../lib/errors.ts";
import { parseCidr } from "../lib/ip.ts";
import { kinds } from "../api/kinds/index.ts";
import type { Resource } from "../api/resources.ts";
import { validateLabels } from "../api/validation/metadata.ts";

export interface Common {
  readonly name: string;
  readonly dataDir?: string;
}

export type Output = "text" | "json";

export function outputOption(value: string): Output {
  if (value === "text" || value === "json") return value;
  throw new FairleadError("FL_USAGE", `-o ${value}: unknown output format`, { hint: "Use -o text or -o json." });
}

export function cidrOption(flag: string): (value: string) => string {
  return (value) => {
    for (const part of value.split(",")) {
      if (parseCidr(part) === undefined)
        throw new FairleadError("FL_USAGE", `${flag} ${value}: ${JSON.stringify(part)} is no address range`, {
          hint: `Example: ${flag} 10.96.0.0/12`,
        });
    }
    return value;
  };
}

/** `30000-32767` */
export function portRangeOption(value: string): string {
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(value);
  const [low, high] = [Number(match?.[1]), Number(match?.[2])];
  if (match !== null && low >= 1 && low <= high && high <= 65535) return value;
  throw new FairleadError("FL_USAGE", `--service-node-port-range ${value}: no port range`, {
    hint: "Example: --service-node-port-range 30000-32767",
  });
}

/** `90s`, `2m`, `500ms` or a number of seconds → milliseconds. */
export function durationOption(value: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(value);
  const unit: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  if (match === null) throw new FairleadError("FL_USAGE", `${JSON.stringify(value)} is no duration`, { hint: "Examples: 500ms, 30s, 2m." });
  return Number(match[1]) * (unit[match[2] ?? "s"] as number);
}

/** Shorter than that, a machine that is busy for a moment would look like one that died. */
const leastGraceMs = 1000;

export function gracePeriodOption(value: string): number {
  const ms = durationOption(value);
  if (ms >= leastGraceMs && ms <= 3_600_000) return ms;
  throw new FairleadError("FL_USAGE", `${JSON.stringify(value)} is no grace period of nodes`, { hint: "From 1s to 1h." });
}

/** `a,b` and repeated flags alike. */
/** 0: any. */
export function portOption(value: string): number {
  if (/^\d{1,5}$/.test(value) && Number(value) <= 65535) return Number(value);
  throw new FairleadError("FL_USAGE", `${JSON.stringify(value)} is no port`);
}

export function listOption(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, ...value.split(",").filter(Boolean)];
}

/** What the API serves. */
export function servedResources(): readonly Resource[] {
  return kinds.map(({ resource }) => resource);
}

/** `auto` becomes the best mode that this machine allows. */
export type ModeChoice = "auto" | "namespaces" | "loopback";

export const nodesOption = wholeOption("number of nodes", 1, 5000);
/** Each of more than these would be a network of the kernel's. */
export const mostRealNodes = 100;

export const gatewayThreadsOption = wholeOption("number of threads", 0, 64);
export const maxPodsOption = wholeOption("number of pods", 1, 60_000);
export const maskSizeOption = wholeOption("prefix length", 8, 30);

function wholeOption(what: string, low: number, high: number): (value: string) => number {
  return (value) => {
    const count = Number(value);
    if (/^\d{1,9}$/.test(value) && count >= low && count <= high) return count;
    throw new FairleadError("FL_USAGE", `${JSON.stringify(value)} is no ${what}`, { hint: `From ${low} to ${high}.` });
  };
}

/** Node name → its labels; `*` is every node. */
export type NodeLabels = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** `node-1:topology.kubernetes.io/zone=a,disk=ssd`, or without a node for all of them; repeated ones add up. */
export function nodeLabelsOption(value: string, previous: NodeLabels): NodeLabels {
  const [, node = "*", list = ""] = /^(?:(node-\d{1,3}):)?(.+)$/.exec(value) ?? [];
  const labels: Record<string, string> = {};
  for (const pair of list.split(",")) {
    const [key = "", text, ...more] = pair.split("=");
    const problem = text === undefined || more.length > 0 ? "it is not KEY=VALUE" : validateLabels({ [key]: text }, "label")[0]?.message;
    if (problem !== undefined)
      throw new FairleadError("FL_USAGE", `--node-labels ${value}: ${JSON.stringify(pair)}: ${problem}`, {
        hint: "Such as: --node-labels node-1:topology.kubernetes.io/zone=a",
      });
    labels[key] = text as string;
  }
  return { ...previous, [node]: { ...previous[node], ...labels } };
}
