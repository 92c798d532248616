/** A plan in a file: what `fairlead proxy plan -o json` prints, read back. */
import type { ProxyPlan } from "../../decide/proxy/index.ts";
import { FairleadError } from "../../lib/errors.ts";
import { parseIp } from "../../lib/ip.ts";

/** Undefined where the text is something else (a manifest); throws FL_MANIFEST where it is a plan and damaged. */
export function planOf(text: string, source: string): ProxyPlan | undefined {
  if (!text.trimStart().startsWith("{")) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Whoever reads manifests says where it is wrong.
    return undefined;
  }
  if ((value as { kind?: unknown }).kind !== "plan") return undefined;
  const problem = planProblem(value as Record<string, unknown>);
  if (problem !== undefined) {
    throw new FairleadError("FL_MANIFEST", `${source}: ${problem}`, { hint: "Plans are written by: fairlead proxy plan -o json" });
  }
  return value as unknown as ProxyPlan;
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);
const isAddress = (value: unknown): boolean => typeof value === "string" && parseIp(value) !== undefined;
const isPort = (value: unknown): boolean => typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 65_535;
const isText = (value: unknown): boolean => typeof value === "string";
const listOf = (value: unknown, each: (one: unknown) => boolean): boolean => Array.isArray(value) && value.every(each);

/** What is wrong, in words; undefined: every field that a renderer or a trace reads is there and of its type. */
function planProblem({ node, services }: Fields): string | undefined {
  if (!isFields(node) || !isText(node["name"]) || !listOf(node["addresses"], isAddress) || !listOf(node["nodePortAddresses"], isAddress)) {
    return "the plan's node has no name or addresses";
  }
  if (node["clusterCIDRs"] !== undefined && !listOf(node["clusterCIDRs"], isText)) return "node.clusterCIDRs is no list";
  if (!Array.isArray(services)) return "the plan has no list of services";
  const broken = services.findIndex((service) => !isService(service));
  return broken < 0 ? undefined : `services[${broken}] is no planned Service`;
}

function isService(value: unknown): boolean {
  if (!isFields(value) || !isText(value["namespace"]) || !isText(value["name"])) return false;
  if (value["kind"] === "skipped") return isText(value["reason"]);
  return value["kind"] === "service" && listOf(value["ports"], isPortPlan);
}

function isPortPlan(value: unknown): boolean {
  if (!isFields(value) || !isFields(value["servicePort"]) || !isFields(value["affinity"])) return false;
  return (
    listOf(Object.values(value["servicePort"]), isText) &&
    ["TCP", "UDP", "SCTP"].includes(value["protocol"] as string) &&
    isPort(value["port"]) &&
    listOf(value["addresses"], isVirtualAddress) &&
    listOf(value["endpoints"], isFamily) &&
    listOf(value["leftOut"], isFields)
  );
}

function isVirtualAddress(value: unknown): boolean {
  if (!isFields(value) || !isAddress(value["address"]) || !isPort(value["port"]) || !isFields(value["verdicts"])) return false;
  const { verdicts } = value;
  const ranges = value["sourceRanges"];
  return (
    ["clusterIP", "externalIP", "loadBalancer", "nodePort"].includes(value["kind"] as string) &&
    (value["family"] === 4 || value["family"] === 6) &&
    (ranges === undefined || listOf(ranges, isText)) &&
    ["pod", "node", "external"].every((source) => isVerdict((verdicts as Fields)[source]))
  );
}

function isVerdict(value: unknown): boolean {
  if (!isFields(value)) return false;
  return value["kind"] === "dnat"
    ? value["to"] === "cluster" || value["to"] === "local"
    : value["kind"] === "reject" || value["kind"] === "drop";
}

function isFamily(value: unknown): boolean {
  return isFields(value) && listOf(value["cluster"], isEndpoint) && listOf(value["local"], isEndpoint);
}

function isEndpoint(value: unknown): boolean {
  return isFields(value) && isAddress(value["ip"]) && isPort(value["port"]);
}
