/** What policies say of one connection, and which of them. Decides by addresses, as the kernel does. */
import { cidrContains, parseCidr, parseIp } from "../../lib/ip.ts";
import type { Direction, PeersPlan, PolicyPlan, PortPlan, RulePlan } from "./plan.ts";
import type { PolicyPod, Protocol } from "./world.ts";

/** After Services have been resolved: `to` and `port` are the endpoint's. */
export interface PolicyPacket {
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol: Protocol;
}

export interface AllowedBy {
  readonly direction: Direction;
  readonly policy: string;
  /** Its place in the policy. */
  readonly rule: number;
}

export type PolicyVerdict =
  /** `Self`: a pod always reaches itself. `NotIsolated`: no policy is about either end, in its direction. */
  | { readonly kind: "allowed"; readonly reason: "Self" | "NotIsolated" | "Allowed"; readonly by: readonly AllowedBy[] }
  /** Every one of `policies` isolates `pod`, and none lets this pass. */
  | {
      readonly kind: "denied";
      readonly reason: "Isolated";
      readonly direction: Direction;
      readonly pod: PolicyPod;
      readonly policies: readonly string[];
    };

/** `plans`: of all policies. Not asked for what a node sends to its own pods: that always passes. */
export function tracePolicies(plans: Iterable<PolicyPlan>, packet: PolicyPacket): PolicyVerdict {
  if (packet.from === packet.to) return { kind: "allowed", reason: "Self", by: [] };
  const all = [...plans];
  const by: AllowedBy[] = [];
  for (const direction of ["egress", "ingress"] as const) {
    const isolating = all.flatMap((plan) => isolatedBy(plan, direction, direction === "egress" ? packet.from : packet.to) ?? []);
    const [first] = isolating;
    if (first === undefined) continue;
    const allowed = isolating.flatMap(({ plan, rules }) => {
      const rule = rules.findIndex((each) => matchesRule(each, direction, packet));
      return rule < 0 ? [] : [{ direction, policy: plan.key, rule }];
    });
    if (allowed.length === 0)
      return { kind: "denied", reason: "Isolated", direction, pod: first.pod, policies: isolating.map(({ plan }) => plan.key) };
    by.push(...allowed);
  }
  return { kind: "allowed", reason: by.length === 0 ? "NotIsolated" : "Allowed", by };
}

interface Isolating {
  readonly plan: PolicyPlan;
  readonly rules: readonly RulePlan[];
  readonly pod: PolicyPod;
}

function isolatedBy(plan: PolicyPlan, direction: Direction, address: string): Isolating | undefined {
  const rules = plan[direction];
  const pod = rules === undefined ? undefined : plan.pods.find(({ addresses }) => addresses.includes(address));
  return rules === undefined || pod === undefined ? undefined : { plan, rules, pod };
}

function matchesRule({ peers, ports }: RulePlan, direction: Direction, packet: PolicyPacket): boolean {
  const other = direction === "ingress" ? packet.from : packet.to;
  return isPeer(peers, other) && (ports.length === 0 || ports.some((port) => isPort(port, packet)));
}

function isPeer(peers: PeersPlan, address: string): boolean {
  if (peers.kind === "any") return true;
  if (peers.pods.some(({ addresses }) => addresses.includes(address))) return true;
  return peers.blocks.some(({ cidr, except }) => inBlock(address, cidr) && !except.some((hole) => inBlock(address, hole)));
}

function inBlock(address: string, text: string): boolean {
  const [ip, cidr] = [parseIp(address), parseCidr(text)];
  return ip !== undefined && cidr !== undefined && cidrContains(cidr, ip);
}

function isPort(plan: PortPlan, { to, port, protocol }: PolicyPacket): boolean {
  if (plan.protocol !== protocol) return false;
  switch (plan.kind) {
    case "protocol":
      return true;
    case "numbers":
      return port >= plan.from && port <= plan.to;
    case "named":
      return plan.targets.some((target) => target.port === port && target.pod.addresses.includes(to));
    default:
      return plan satisfies never;
  }
}
