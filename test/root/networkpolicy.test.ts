/** NetworkPolicies in the kernels of two nodes: real connections between pods, nodes and the outside, IPv4 and IPv6. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KubeObject } from "../../src/api/object.ts";
import { namespaces, networkPolicies, pods, type Resource } from "../../src/api/resources.ts";
import type { NetworkPolicySpec, Pod } from "../../src/api/types.ts";
import type { InformerFactory } from "../../src/client/informer.ts";
import { FakeInformer } from "../../src/controllers/fake-informer.ts";
import { PolicyRenderer, PolicyTracker, policyPodOf } from "../../src/decide/networkpolicy/index.ts";
import type { NetworkNamespace, NodeNetwork } from "../../src/host/namespaces/namespaces.ts";
import { adoptNetlink, NETLINK_NETFILTER } from "../../src/host/netlink/socket.ts";
import { openNftables } from "../../src/host/nftables/nftables.ts";
import { loadLibc, type Libc } from "../../src/host/syscalls/libc.ts";
import { realClock } from "../../src/lib/clock.ts";
import { createLogger } from "../../src/lib/log.ts";
import { MetricsRegistry } from "../../src/lib/metrics.ts";
import { Ruleset } from "../../src/lib/nftables/model.ts";
import { rulesetText } from "../../src/lib/nftables/text.ts";
import { createPolicyEnforcer, type PolicyEnforcer } from "../../src/networkpolicy/enforcer.ts";
import { askTcp, startRig, tcpPort, udpClient, udpPort, unsupported, type Rig, type RigPod } from "./proxy-rig.ts";

const why = unsupported();
if (why !== "") test("NetworkPolicies hold for real traffic", (context) => context.skip(why));
else describe("NetworkPolicies hold for real traffic", { timeout: 120_000 }, scenario);

function scenario(): void {
  let rig: Rig;
  let enforcers: readonly PolicyEnforcer[] = [];
  const complaints: string[] = [];
  const shown = {
    pods: new FakeInformer(pods),
    namespaces: new FakeInformer(namespaces),
    networkpolicies: new FakeInformer(networkPolicies),
  };
  const informers = {
    informer: <T extends KubeObject>({ plural }: Resource<T>) => (shown as unknown as Readonly<Record<string, unknown>>)[plural],
  } as unknown as InformerFactory;

  beforeAll(async () => {
    rig = await startRig();
    shown.namespaces.show({ metadata: { name: "default", labels: { team: "a" } } });
    for (const pod of Object.values(rig.pods)) shown.pods.show(podOf(pod));
    enforcers = await Promise.all(rig.nodes.map((node) => enforcerOf(node)));
    for (const enforcer of enforcers) await enforcer.start();
    rig.service("c", { clusterIPs: ["10.96.0.40", "fd00:10:96::40"], ports: [{ port: 80, protocol: "TCP", targetPort: tcpPort }] });
    rig.endpoints("c", [rig.pods.c]);
    await settled();
  }, 120_000);
  afterAll(async () => {
    for (const enforcer of enforcers) await enforcer.stop();
    await rig?.stop();
  }, 120_000);

  async function enforcerOf(node: NodeNetwork): Promise<PolicyEnforcer> {
    const nftables = openNftables(adoptNetlink(loadLibc() as Libc, await node.netlink(NETLINK_NETFILTER)));
    const log = createLogger({ level: "warn", write: (line) => complaints.push(line) });
    return createPolicyEnforcer({
      ...{ node: node.name, informers, nftables, families: [4, 6], clock: realClock, log, metrics: new MetricsRegistry() },
    });
  }

  const settled = async () => {
    await rig.settled();
    for (const enforcer of enforcers) await enforcer.settled();
  };
  /** These policies and no others. */
  const policies = async (specs: Readonly<Record<string, NetworkPolicySpec>>) => {
    for (const policy of shown.networkpolicies.lister.list()) shown.networkpolicies.remove(policy);
    for (const [name, spec] of Object.entries(specs)) shown.networkpolicies.show({ metadata: { namespace: "default", name }, spec });
    await settled();
    expect(complaints).toEqual([]);
  };
  const pod = (name: "a" | "b" | "c") => rig.pods[name];
  const named = (name: string) => ({ matchLabels: { name } });
  /** Who answers, in both families; or the refusal. */
  const ask = async (from: NetworkNamespace, to: readonly string[], port = tcpPort) => {
    const answers = await Promise.all(to.map(async (address) => (await askTcp(from, address, port)).split(" ")[0]));
    return answers.join(" ");
  };
  const reaches = (from: "a" | "b" | "c", to: "a" | "b" | "c") => ask(pod(from).network, pod(to).addresses);
  const refused = "ECONNREFUSED ECONNREFUSED";

  test("without policies everything passes", async () => {
    expect(await Promise.all([reaches("a", "b"), reaches("a", "c"), reaches("c", "a")])).toEqual(["b b", "c c", "a a"]);
  });

  test("default deny: nobody, at once; but the node reaches its pods, and a pod itself", async () => {
    await policies({ deny: { podSelector: {}, policyTypes: ["Ingress", "Egress"] } });
    expect(await Promise.all([reaches("a", "b"), reaches("a", "c"), reaches("c", "b")])).toEqual([refused, refused, refused]);
    expect(await ask(rig.outside, pod("a").addresses)).toBe(refused);
    expect(await reaches("a", "a")).toBe("a a");
    const [near, far] = rig.nodes as [NodeNetwork, NodeNetwork];
    expect(await Promise.all([ask(near, pod("a").addresses), ask(far, pod("c").addresses)])).toEqual(["a a", "c c"]);
    // From another node it comes like any stranger's.
    expect(await ask(far, pod("a").addresses)).toBe(refused);
  });

  test("a connection that was let pass goes on; the next one is refused", async () => {
    await policies({});
    const [address = ""] = pod("c").addresses;
    const { fd, port } = await pod("c").network.listen(address, 0);
    const echo = createServer((socket) => socket.on("error", () => {}).pipe(socket)).listen({ fd });
    const socket = await pod("a").network.connect({ host: address, port });
    const echoed = async (text: string) => {
      socket.write(text);
      return String((await once(socket, "data"))[0]);
    };
    expect(await echoed("before")).toBe("before");
    await policies({ deny: { podSelector: {}, policyTypes: ["Ingress", "Egress"] } });
    expect(await echoed("after")).toBe("after");
    expect(await askTcp(pod("a").network, address, port)).toBe("ECONNREFUSED");
    socket.destroy();
    echo.close();
  });

  test("ingress by label and port, across nodes and through a Service", async () => {
    await policies({ in: { podSelector: named("c"), ingress: [{ from: [{ podSelector: named("a") }], ports: [{ port: "http" }] }] } });
    expect(await Promise.all([reaches("a", "c"), reaches("b", "c"), reaches("c", "b")])).toEqual(["c c", refused, "b b"]);
    const service = ["10.96.0.40", "fd00:10:96::40"];
    expect(await Promise.all([ask(pod("a").network, service, 80), ask(pod("b").network, service, 80)])).toEqual(["c c", refused]);
  });

  test("egress: to whom, and by which protocol", async () => {
    await policies({
      out: { podSelector: named("a"), egress: [{ to: [{ podSelector: named("b") }], ports: [{ protocol: "UDP", port: udpPort }] }] },
    });
    for (const [index, address] of pod("b").addresses.entries()) {
      const client = await udpClient(pod("a").network, pod("a").addresses[index] as string);
      expect(await client.ask(address, udpPort)).toBe(`b ${pod("a").addresses[index]}`);
      client.close();
    }
    expect(await Promise.all([reaches("a", "b"), reaches("a", "c"), reaches("c", "a")])).toEqual([refused, refused, refused]);
    expect(await reaches("b", "c")).toBe("c c");
  });

  test("blocks of addresses, with holes and ranges of ports", async () => {
    const [fabric4 = ""] = rig.outside.addresses;
    const from = [{ ipBlock: { cidr: "10.250.0.0/24", except: [`${fabric4}/32`] } }, { ipBlock: { cidr: "fd00:10:250::/64" } }];
    await policies({ block: { podSelector: named("a"), ingress: [{ from, ports: [{ port: tcpPort - 80, endPort: tcpPort + 3 }] }] } });
    expect(await ask(rig.outside, pod("a").addresses)).toBe("ECONNREFUSED a");
    expect(await reaches("b", "a")).toBe(refused);
  });

  test("a peer that comes later is let in, one that loses its label is not", async () => {
    await policies({ in: { podSelector: named("c"), ingress: [{ from: [{ podSelector: { matchLabels: { friend: "yes" } } }] }] } });
    expect(await reaches("b", "c")).toBe(refused);
    shown.pods.show(podOf(pod("b"), { friend: "yes" }));
    await settled();
    expect(await reaches("b", "c")).toBe("c c");
    shown.pods.show(podOf(pod("b")));
    await settled();
    expect(await reaches("b", "c")).toBe(refused);
  });

  test("what stands in the kernel is what nft reads back", async (context) => {
    const [near] = rig.nodes as [NodeNetwork];
    const list = (family: string) =>
      spawnSync("nsenter", [`--net=${near.path}`, "nft", "list", "table", family, "fairlead-policy"], { encoding: "utf8" });
    if (list("ip").error !== undefined) return context.skip("needs nft: apt-get install nftables");
    const from = [
      { podSelector: {} },
      { ipBlock: { cidr: "10.0.0.0/9", except: ["10.1.0.0/16"] } },
      { ipBlock: { cidr: "2001:db8::/33" } },
    ];
    const ports = [{ port: 80 }, { port: 1, endPort: 9 }, { protocol: "UDP" }, { port: "http" }];
    const spec = { podSelector: {}, policyTypes: ["Ingress", "Egress"], ingress: [{ from, ports }], egress: [{ ports }, {}] };
    await policies({ all: spec });
    const tracker = new PolicyTracker();
    for (const one of shown.pods.lister.list()) tracker.setPod(one.metadata.name ?? "", policyPodOf(one));
    tracker.setPolicy("default/all", { metadata: { namespace: "default", name: "all" }, spec });
    const changes = tracker.take();
    for (const family of ["ip", "ip6"] as const) {
      const [renderer, expected] = [new PolicyRenderer(near.name, family), new Ruleset()];
      expected.commit([...renderer.begin(), ...renderer.change(changes)]);
      expect(lines(list(family).stdout)).toEqual(lines(rulesetText(expected)));
    }
  });
}

function podOf({ name, node, addresses }: RigPod, labels: Readonly<Record<string, string>> = {}): Pod {
  return {
    metadata: { namespace: "default", name, labels: { name, ...labels } },
    spec: { nodeName: node, containers: [{ name: "c", ports: [{ name: "http", containerPort: tcpPort }] }] },
    status: { phase: "Running", podIPs: addresses.map((ip) => ({ ip })) },
  };
}

/** The kernel keeps elements in the order of its hash, and chains in that of their making. */
function lines(text: string): readonly string[] {
  return text
    .split("\n")
    .flatMap((line) =>
      line
        .trim()
        .replace(/^elements = \{ |,$| \}$/g, "")
        .split(", "),
    )
    .filter((line) => line !== "")
    .sort();
}
