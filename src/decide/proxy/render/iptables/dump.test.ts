/** Rules and names against what kube-proxy itself makes, where the acceptance cases are there; and against a real cluster's dump. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { EndpointSlice, Service } from "../../../../api/types.ts";
import { selectNodePortAddresses } from "../../node.ts";
import type { PlanNode, Protocol } from "../../plan.ts";
import { planServices } from "../../services.ts";
import { endpointChain, serviceChains } from "./chain-names.ts";
import { listedProbability, probabilityOf } from "./endpoint-rules.ts";
import { renderIptables } from "./render.ts";
import { chainsOf, type IptablesRules, type TableName } from "./rules.ts";
import { chainLines } from "./text.ts";

const file = join(import.meta.dirname, "../../../../../../shared/cases/kubeproxy-cases.json");
const present = existsSync(file);
if (!present) console.log("decide/proxy/render/iptables: the acceptance cases (shared/cases/kubeproxy-cases.json) are not here: skipped");

interface Dump {
  readonly mode: string;
  readonly config: { readonly nodeName: string; readonly nodeAddresses: Readonly<Record<string, readonly string[]>> };
  readonly services: readonly Service[];
  readonly endpointSlices: readonly EndpointSlice[];
  readonly expect: Readonly<Record<TableName, readonly string[]>>;
}
interface Named {
  readonly servicePort: string;
  readonly protocol: string;
}
interface Cases {
  readonly ruleDumps: readonly Dump[];
  readonly chainNames: {
    readonly iptables: readonly (Named & Partial<Record<"svcChain" | "svlChain" | "extChain" | "fwChain", string>>)[];
    readonly iptablesEndpoints: readonly (Named & { readonly endpoint: string; readonly sepChain: string })[];
  };
  readonly localhostNodePorts: readonly {
    readonly id: string;
    readonly localhostNodePorts: boolean;
    readonly ipFamily: "IPv4" | "IPv6";
    readonly nodePortAddresses: readonly string[];
    readonly nodePortsJump: string | null;
  }[];
}

const cases = present ? (JSON.parse(readFileSync(file, "utf8")) as Cases) : undefined;

/**
 * The dump is of about 1.26 and was made with NodePorts on localhost. Since 1.27 kube-proxy itself keeps others off loopback
 * addresses instead of relying on the kubelet (kubernetes #114470, KEP-3178); and the rule without a target at a firewall
 * chain's end, which only a reader needs, is not in the dump. Later differences depend on the machine and are options here:
 * INVALID is not dropped where conntrack is liberal (1.29), and counters of nfacct (#122812, #125015), which are not rendered.
 */
const since126: Readonly<Record<TableName, readonly string[]>> = {
  filter: [
    '-A KUBE-FIREWALL -m comment --comment "block incoming localnet connections" -d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
  ],
  nat: ['-A KUBE-FW-NUKIZ6OKUXPJNT4C -m comment --comment "other traffic to ns5/svc5:p80 will be dropped by KUBE-PROXY-FIREWALL"'],
};

const identity = ({ servicePort, protocol }: Named) => {
  const [, namespace = "", name = "", port = ""] = /^([^/]*)\/([^:]*):?(.*)$/.exec(servicePort) ?? [];
  return { servicePort: { namespace, name, port }, protocol: protocol.toUpperCase() as Protocol };
};

const linesOf = (rules: IptablesRules, table: TableName) => chainsOf(rules.tables[table]).flatMap(chainLines);

describe.runIf(present)("kube-proxy's own", () => {
  test("rules", () => {
    const dump = cases?.ruleDumps.find(({ mode }) => mode === "iptables") as Dump;
    const addresses = Object.values(dump.config.nodeAddresses).flatMap((list) => list.map((text) => text.split("/")[0] as string));
    const node: PlanNode = {
      name: dump.config.nodeName,
      addresses,
      nodePortAddresses: selectNodePortAddresses({ cidrs: [], addresses, primary: [], whenEmpty: "all", localhost: true }),
      clusterCIDRs: ["10.0.0.0/8"],
    };
    const plan = planServices(dump.services, dump.endpointSlices, node);
    const rules = renderIptables(plan.services, { node, family: 4, nodePortsEverywhere: true, localhostNodePorts: true });
    for (const table of ["filter", "nat"] as const) {
      expect([...linesOf(rules, table)].sort()).toEqual([...dump.expect[table], ...since126[table]].sort());
      // Within a chain the order counts.
      for (const { name } of chainsOf(rules.tables[table])) {
        const inChain = (lines: readonly string[]) =>
          lines.filter((line) => line.startsWith(`-A ${name} `) && !since126[table].includes(line));
        expect(inChain(linesOf(rules, table))).toEqual(inChain(dump.expect[table]));
      }
    }
  });

  test("names of chains", () => {
    for (const one of cases?.chainNames.iptables ?? []) {
      const { SVC, SVL, EXT, FW } = serviceChains(identity(one));
      expect({ ...one, svcChain: SVC, svlChain: SVL, extChain: EXT, fwChain: FW }).toMatchObject(one);
    }
    for (const one of cases?.chainNames.iptablesEndpoints ?? []) {
      const [, ip = "", port = ""] = /^\[?(.*?)\]?:(\d+)$/.exec(one.endpoint) ?? [];
      expect(endpointChain(identity(one), { ip, port: Number(port) })).toBe(one.sepChain);
    }
  });

  test.each(cases?.localhostNodePorts ?? [])("way to the NodePorts: $id", (one) => {
    const family = one.ipFamily === "IPv6" ? 6 : 4;
    const nodePortAddresses = one.nodePortAddresses.includes("127.0.0.0/8") ? ["127.0.0.1"] : [];
    const rules = renderIptables([], {
      node: { nodePortAddresses },
      family,
      nodePortsEverywhere: one.nodePortAddresses.length === 0,
      localhostNodePorts: one.localhostNodePorts,
    });
    const jumps = linesOf(rules, "nat").filter((line) => line.endsWith("-j KUBE-NODEPORTS"));
    expect(jumps).toHaveLength(one.nodePortsJump === null ? 0 : 1);
    if (one.nodePortsJump !== null) expect(jumps[0]?.endsWith(`" ${one.nodePortsJump}`)).toBe(true);
  });
});

/** `default/nginx:xsp7pg`, as `iptables-save` showed it on somebody's node. */
describe("a real cluster's dump", () => {
  const port = { servicePort: { namespace: "default", name: "nginx", port: "xsp7pg" }, protocol: "TCP" as const };

  test("names of chains", () => {
    expect(serviceChains(port).SVC).toBe("KUBE-SVC-ZUZW5FVTOFNMWE2A");
    expect(["10.244.1.14", "10.244.1.16", "10.244.2.12"].map((ip) => endpointChain(port, { ip, port: 80 }))).toEqual([
      "KUBE-SEP-SX3FZRKWG23D4ARR",
      "KUBE-SEP-JPK2UOYN5LAXTCGG",
      "KUBE-SEP-WAFDPEMEUUYA22C5",
    ]);
  });

  test("probabilities as the kernel keeps them", () => {
    expect([3, 2].map((n) => listedProbability(probabilityOf(n)))).toEqual(["0.33333333349", "0.50000000000"]);
  });
});
