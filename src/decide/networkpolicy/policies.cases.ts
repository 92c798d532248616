/** For tests: pods on two nodes in two namespaces, and a model of the packets' way through both nodes' rules. */
import type { NetworkPolicy, NetworkPolicySpec, Pod } from "../../api/types.ts";
import { evaluate } from "../../lib/nftables/evaluate.ts";
import { Ruleset } from "../../lib/nftables/model.ts";
import { rulesetText } from "../../lib/nftables/text.ts";
import { PolicyRenderer } from "./renderer.ts";
import type { PolicyPacket } from "./trace.ts";
import { PolicyTracker, type PolicyChange } from "./tracker.ts";
import { policyPodOf, type PolicyPod } from "./world.ts";

export const nodeNames = ["node-1", "node-2"] as const;
const families = ["ip", "ip6"] as const;

export interface PodOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly node?: string;
  readonly ports?: Readonly<Record<string, number>>;
}

/** `key`: `namespace/name`; `host` is the last part of its addresses. */
export function testPod(key: string, host: number, { labels = {}, node = "node-1", ports = {} }: PodOptions = {}): Pod {
  const [namespace = "", name = ""] = key.split("/");
  return {
    metadata: { namespace, name, labels },
    spec: {
      nodeName: node,
      containers: [{ name: "c", ports: Object.entries(ports).map(([portName, containerPort]) => ({ name: portName, containerPort })) }],
    },
    status: { phase: "Running", podIPs: [{ ip: `10.244.0.${host}` }, { ip: `fd00::${host}` }] },
  };
}

export function testPolicy(key: string, spec: NetworkPolicySpec): NetworkPolicy {
  const [namespace = "", name = ""] = key.split("/");
  return { metadata: { namespace, name }, spec };
}

/** Both nodes' rules, kept up to date by what the tracker tells. */
export class PolicyCluster {
  readonly tracker = new PolicyTracker();
  readonly #nodes = nodeNames.map((name) => ({ name, rulesets: families.map((family) => startRules(name, family)) }));
  readonly plans = new Map<string, NonNullable<PolicyChange["plan"]>>();
  readonly pods = new Map<string, PolicyPod>();
  /** Of the last `settle`: operations sent to each table. */
  sent: number[] = [];

  pod(key: string, pod: Pod | undefined): void {
    const found = pod === undefined ? undefined : policyPodOf(pod);
    if (found === undefined) this.pods.delete(key);
    else this.pods.set(key, found);
    this.tracker.setPod(key, found);
  }

  settle(): void {
    const changes = this.tracker.take();
    for (const { key, plan } of changes) {
      if (plan === undefined) this.plans.delete(key);
      else this.plans.set(key, plan);
    }
    this.sent = [];
    for (const { rulesets } of this.#nodes) {
      for (const { renderer, ruleset } of rulesets) {
        const operations = renderer.change(changes);
        this.sent.push(operations.length);
        ruleset.commit(operations);
      }
    }
  }

  /** Through the node of either end that is a pod. */
  passes(packet: PolicyPacket): boolean {
    const ends = [packet.from, packet.to].map((address) => [...this.pods.values()].find(({ addresses }) => addresses.includes(address)));
    const through = new Set(ends.flatMap((pod) => pod?.node ?? []));
    return this.#nodes
      .filter(({ name }) => through.has(name))
      .every(({ rulesets }) =>
        rulesets.every(({ ruleset }) => {
          const sent = { ...packet, protocol: packet.protocol.toLowerCase(), local: false };
          return evaluate(ruleset, sent, { random: () => 0, now: 0, keep: true }).kind === "accept";
        }),
      );
  }

  /** Everything that both nodes hold, as `nft list ruleset`. */
  dump(): string {
    return this.#nodes.flatMap(({ rulesets }) => rulesets.map(({ ruleset }) => sorted(rulesetText(ruleset)))).join("\n");
  }

  /** Of the same objects, told to nodes that have just started. */
  fresh(): PolicyCluster {
    const other = new PolicyCluster();
    const changes = [...this.plans].map(([key, plan]) => ({ key, plan }));
    for (const { rulesets } of other.#nodes) {
      for (const { renderer, ruleset } of rulesets) ruleset.commit(renderer.change(changes));
    }
    return other;
  }
}

function startRules(node: string, family: "ip" | "ip6") {
  const renderer = new PolicyRenderer(node, family);
  const ruleset = new Ruleset();
  ruleset.commit(renderer.begin());
  return { renderer, ruleset };
}

/** Chains and sets in the order of their names: the kernel keeps that of their making. */
function sorted(text: string): string {
  return text
    .split(/\n(?=\t(?:chain|set|map) )/)
    .map((block) => block.replace(/[\s}]*$/, ""))
    .sort()
    .join("\n");
}
