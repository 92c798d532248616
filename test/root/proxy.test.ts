/** Service traffic through the kernel's tables: real TCP and UDP, IPv4 and IPv6, between pods, nodes and the outside. */
import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openConntrack } from "../../src/host/conntrack/conntrack.ts";
import { adoptNetlink, NETLINK_NETFILTER } from "../../src/host/netlink/socket.ts";

import { loadLibc, type Libc } from "../../src/host/syscalls/libc.ts";
import { askMixed } from "./mixed-protocols.ts";
import { askTcp, refusedUdp, startRig, tcpPort, udpClient, udpPort, unsupported, type Rig, type RigPod } from "./proxy-rig.ts";

const total = (counts: ReadonlyMap<string, number>) => [...counts.values()].reduce((sum, count) => sum + count, 0);

const why = unsupported();
const group = why === "" ? describe : undefined;
if (why !== "") test("the nftables proxy carries real traffic", (context) => context.skip(why));

group?.("the nftables proxy", { timeout: 120_000 }, () => {
  let rig: Rig;
  beforeAll(async () => void (rig = await startRig()), 120_000);
  afterAll(async () => await rig?.stop(), 120_000);

  const http = [{ port: 80, protocol: "TCP", targetPort: tcpPort }];
  const count = async (times: number, ask: () => Promise<string>) => {
    const seen = new Map<string, number>();
    for (let i = 0; i < times; i++) {
      const answer = await ask();
      seen.set(answer, (seen.get(answer) ?? 0) + 1);
    }
    return seen;
  };

  describe("cluster IP", () => {
    const ips = ["10.96.0.10", "fd00:10:96::10"] as const;
    beforeAll(async () => {
      rig.service("web", { clusterIPs: [...ips], ports: http });
      rig.endpoints("web", Object.values(rig.pods));
      await rig.settled();
    });

    test.each([0, 1])("a pod reaches every endpoint, and is seen by its own address (family %i)", async (family) => {
      const { a, b, c } = rig.pods;
      // A connection that comes back to the pod itself has the node's address: see hairpin.
      const others = new Set([b, c].map(({ name }) => `${name} ${a.addresses[family]}`));
      const seen = await count(60, () => askTcp(a.network, ips[family] as string, 80));
      for (const one of others) expect([...seen.keys()]).toContain(one);
      expect([...seen.keys()].filter((answer) => !others.has(answer)).map((answer) => answer.split(" ")[0])).toEqual(["a"]);
      for (const times of seen.values()) expect(times).toBeGreaterThan(4);
    });

    test.each([0, 1])("the node itself is masqueraded with its own address (family %i)", async (family) => {
      const [node] = rig.nodes;
      const seen = await count(30, () => askTcp(node as (typeof rig.nodes)[0], ips[family] as string, 80));
      expect([...seen.keys()].sort()).toEqual(["a", "b", "c"].map((name) => `${name} ${node?.addresses[family]}`));
    });

    test.each([0, 1])("another port of the address is refused at once (family %i)", async (family) => {
      expect(await askTcp(rig.pods.a.network, ips[family] as string, 81)).toBe("ECONNREFUSED");
    });

    test("an address that no Service has gets no answer", async () => {
      expect(await askTcp(rig.pods.a.network, "10.96.99.99", 80, 300)).toBe("ETIMEDOUT");
    });
  });

  test.each([
    ["10.96.0.11", 0],
    ["fd00:10:96::11", 1],
  ] as const)("hairpin: a pod reaches itself through its Service %s", async (ip, family) => {
    rig.service("self", { clusterIPs: ["10.96.0.11", "fd00:10:96::11"], ports: http });
    rig.endpoints("self", [rig.pods.a]);
    await rig.settled();
    expect(await askTcp(rig.pods.a.network, ip, 80)).toBe(`a ${rig.nodes[0]?.addresses[family]}`);
    expect(await askTcp(rig.pods.b.network, ip, 80)).toBe(`a ${rig.pods.b.addresses[family]}`);
  });

  test.each([
    ["10.96.0.12", 0],
    ["fd00:10:96::12", 1],
  ] as const)("no endpoint: refused at once, TCP and UDP; served with the first one (%s)", async (ip, family) => {
    const ports = [
      { name: "", ...http[0] },
      { name: "udp", port: 53, protocol: "UDP", targetPort: udpPort },
    ];
    rig.service("empty", { clusterIPs: ["10.96.0.12", "fd00:10:96::12"], ports: ports as never });
    rig.endpoints("empty", []);
    await rig.settled();
    expect(await askTcp(rig.pods.b.network, ip, 80)).toBe("ECONNREFUSED");
    expect(await askTcp(rig.nodes[1] as never, ip, 80)).toBe("ECONNREFUSED");
    expect(await refusedUdp(rig.pods.b.network, rig.pods.b.addresses[family] as string, ip, 53)).toBe("ECONNREFUSED");
    rig.endpoints("empty", [rig.pods.c]);
    await rig.settled();
    expect(await askTcp(rig.pods.b.network, ip, 80)).toBe(`c ${rig.pods.b.addresses[family]}`);
    rig.remove("empty");
    await rig.settled();
  });

  test.each(["10.96.0.13", "fd00:10:96::13"])(
    "session affinity: sticky, re-chosen when the endpoint leaves, then sticky again (%s)",
    async (ip) => {
      const { a, b, c } = rig.pods;
      rig.service("sticky", { clusterIPs: ["10.96.0.13", "fd00:10:96::13"], ports: http, sessionAffinity: "ClientIP" });
      rig.endpoints("sticky", [a, b, c]);
      await rig.settled();
      const ask = () => askTcp(c.network, ip, 80);
      const first = await count(20, ask);
      expect(first.size).toBe(1);
      const [chosen] = [...first.keys()].map((answer) => answer.split(" ")[0]);
      const rest = [a, b, c].filter(({ name }) => name !== chosen);
      rig.endpoints("sticky", rest);
      await rig.settled();
      const second = await count(20, ask);
      expect(second.size).toBe(1);
      expect(rest.map(({ name }) => name)).toContain([...second.keys()][0]?.split(" ")[0]);
      // The one that left comes back; who has another keeps it.
      rig.endpoints("sticky", [a, b, c]);
      await rig.settled();
      expect([...(await count(20, ask)).keys()]).toEqual([...second.keys()]);
    },
  );

  test.each(["10.96.0.14", "fd00:10:96::14"])("session affinity ends with its timeout (%s)", async (ip) => {
    rig.service("short", {
      clusterIPs: ["10.96.0.14", "fd00:10:96::14"],
      ports: http,
      sessionAffinity: "ClientIP",
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 1 } },
    });
    rig.endpoints("short", Object.values(rig.pods));
    await rig.settled();
    const first = await askTcp(rig.pods.b.network, ip, 80);
    // Each try after the timeout goes elsewhere with probability 2/3.
    for (let tries = 0; tries < 15; tries++) {
      await new Promise((later) => setTimeout(later, 1300));
      if ((await askTcp(rig.pods.b.network, ip, 80)) !== first) return;
    }
    expect.unreachable("fifteen times the same endpoint after the timeout");
  });

  test("endpoints come and go under load: no connection fails", async () => {
    const { a, b, c } = rig.pods;
    rig.service("rolling", { clusterIPs: ["10.96.0.15", "fd00:10:96::15"], ports: http });
    const sets = [[a], [a, b], [b], [b, c], [c], [a, b, c], [a, c]];
    rig.endpoints("rolling", [a]);
    await rig.settled();
    const over = new AbortController();
    const seen = new Map<string, number>();
    const client = async (host: string) => {
      while (!over.signal.aborted) {
        const answer = (await askTcp(b.network, host, 80)).split(" ")[0] as string;
        seen.set(answer, (seen.get(answer) ?? 0) + 1);
      }
    };
    const clients = ["10.96.0.15", "fd00:10:96::15", "10.96.0.15", "fd00:10:96::15"].map(client);
    for (let round = 0; round < 140; round++) {
      rig.endpoints("rolling", sets[round % sets.length] as RigPod[]);
      await rig.settled();
      // So that connections are made at each state, not only at the last.
      const before = total(seen);
      while (total(seen) < before + 3) await new Promise((later) => setImmediate(later));
    }
    over.abort();
    await Promise.all(clients);
    expect([...seen.keys()].sort()).toEqual(["a", "b", "c"]);
    expect(total(seen)).toBeGreaterThan(400);
  });

  test.each([0, 1])("an attempt that a dead endpoint never answered is led to a living one (family %i)", async (family) => {
    const { a, b } = rig.pods;
    const ips = ["10.96.0.21", "fd00:10:96::21"];
    const gone = ["10.244.2.99", "fd00:10:244:2::99"];
    const [near, far] = rig.nodes as [Rig["nodes"][0], Rig["nodes"][0]];
    // Nobody is told that it does not answer: as if its node had lost its power.
    spawnSync("nsenter", [`--net=${far.path}`, "ip", "route", "replace", "blackhole", gone[family] as string]);
    rig.service("dying", { clusterIPs: ips, ports: http });
    rig.endpoints("dying", [{ ...b, addresses: gone }]);
    await rig.settled();
    const answer = askTcp(b.network, ips[family] as string, 80, 60_000);
    const conntrack = openConntrack(adoptNetlink(loadLibc() as Libc, await near.netlink(NETLINK_NETFILTER)));
    const waiting = () => conntrack.list("tcp").filter(({ reply }) => reply.source.ip === gone[family]);
    while (waiting().length === 0) await new Promise((later) => setTimeout(later, 20));
    expect(waiting()[0]?.replied).toBe(false);
    rig.endpoints("dying", [a]);
    await rig.settled();
    expect(await answer).toBe(`a ${b.addresses[family]}`);
    expect(waiting()).toEqual([]);
    conntrack.close();
  });

  describe("UDP", () => {
    const ips = ["10.96.0.20", "fd00:10:96::20"];
    const dns = [{ port: 53, protocol: "UDP", targetPort: udpPort }];

    test.each([0, 1])("clients are spread, and seen by their own address (family %i)", async (family) => {
      rig.service("udp", { clusterIPs: ips, ports: dns });
      rig.endpoints("udp", [rig.pods.a, rig.pods.c], { protocol: "UDP" });
      await rig.settled();
      const { b } = rig.pods;
      const seen = await count(30, async () => {
        const client = await udpClient(b.network, b.addresses[family] as string);
        const answer = await client.ask(ips[family] as string, 53);
        client.close();
        return answer;
      });
      expect([...seen.keys()].sort()).toEqual(["a", "c"].map((name) => `${name} ${b.addresses[family]}`));
    });

    test.each([0, 1])(
      "a client that keeps its port follows a replaced endpoint, and one that came from none (family %i)",
      async (family) => {
        const { a, b, c } = rig.pods;
        rig.endpoints("udp", [a], { protocol: "UDP" });
        await rig.settled();
        const client = await udpClient(b.network, b.addresses[family] as string, 40_053);
        const ask = async () => (await client.ask(ips[family] as string, 53)).split(" ")[0];
        expect(await ask()).toBe("a");
        rig.endpoints("udp", [c], { protocol: "UDP" });
        await rig.settled();
        expect(await ask()).toBe("c");
        rig.endpoints("udp", [], { protocol: "UDP" });
        await rig.settled();
        const waits = ask();
        rig.endpoints("udp", [a], { protocol: "UDP" });
        await rig.settled();
        expect(await waits).toBe("a");
        client.close();
      },
    );
  });

  describe("from outside", () => {
    const everywhere = { type: "NodePort", ports: [{ ...http[0], nodePort: 30_080 }] } as const;

    test.each([0, 1])("a NodePort is open on every node; policy Cluster masquerades (family %i)", async (family) => {
      rig.service("np", { ...everywhere, clusterIPs: ["10.96.0.30", "fd00:10:96::30"] } as never);
      rig.endpoints("np", [rig.pods.a, rig.pods.c]);
      await rig.settled();
      for (const node of rig.nodes) {
        const address = node.addresses[family] as string;
        const seen = await count(20, () => askTcp(rig.outside, address, 30_080));
        expect([...seen.keys()].sort()).toEqual([`a ${address}`, `c ${address}`]);
        // Pods and the node reach it too.
        expect(await askTcp(rig.pods.b.network, address, 30_080)).toMatch(/^[ac] /);
        expect(await askTcp(node, address, 30_080)).toMatch(/^[ac] /);
      }
    });

    test.each([0, 1])("policy Local keeps the client's address, and answers only where an endpoint is (family %i)", async (family) => {
      rig.service("np", { ...everywhere, externalTrafficPolicy: "Local", clusterIPs: ["10.96.0.30", "fd00:10:96::30"] } as never);
      rig.endpoints("np", [rig.pods.c]);
      await rig.settled();
      const [first, second] = rig.nodes.map((node) => node.addresses[family] as string);
      const seen = await askTcp(rig.outside, second as string, 30_080);
      expect(seen.startsWith("c ")).toBe(true);
      expect(seen.split(" ")[1]).not.toBe(second);
      expect(await askTcp(rig.outside, first as string, 30_080, 300)).toBe("ETIMEDOUT");
      // Pods are inside already: for them the policy is Cluster.
      expect(await askTcp(rig.pods.a.network, first as string, 30_080)).toBe(`c ${rig.pods.a.addresses[family]}`);
    });

    test("a mixed-protocol load balancer and NodePort", async () => {
      expect([...new Set(Object.values(await askMixed(rig)))]).toEqual(["c"]);
    });

    test("internal policy Local: only the node's own endpoints", async () => {
      rig.service("inner", { clusterIPs: ["10.96.0.31"], ports: http, internalTrafficPolicy: "Local" });
      rig.endpoints("inner", [rig.pods.a, rig.pods.c]);
      await rig.settled();
      expect([...(await count(12, () => askTcp(rig.pods.b.network, "10.96.0.31", 80))).keys()]).toEqual([`a ${rig.pods.b.addresses[0]}`]);
      expect(await askTcp(rig.pods.c.network, "10.96.0.31", 80)).toMatch(/^c /);
    });

    test("a load balancer's address, and who may come", async () => {
      const spec = { type: "LoadBalancer", clusterIPs: ["10.96.0.32"], ports: http, allocateLoadBalancerNodePorts: false } as const;
      const status = { loadBalancer: { ingress: [{ ip: "192.0.2.32" }] } };
      rig.service("lb", spec as never, status);
      rig.endpoints("lb", [rig.pods.a]);
      await rig.settled();
      expect(await askTcp(rig.pods.b.network, "192.0.2.32", 80)).toMatch(/^a /);
      rig.service("lb", { ...spec, loadBalancerSourceRanges: ["10.244.2.0/24"] } as never, status);
      await rig.settled();
      expect(await askTcp(rig.pods.b.network, "192.0.2.32", 80, 300)).toBe("ETIMEDOUT");
      expect(await askTcp(rig.pods.c.network, "192.0.2.32", 80)).toMatch(/^a /);
    });
  });

  test("what stands in the kernel is what nft reads back", (context) => {
    if (spawnSync("nft", ["--version"]).status !== 0) return context.skip("needs nft: apt-get install nftables");
    const nft = (...args: string[]) =>
      spawnSync("nsenter", [`--net=${rig.nodes[0]?.path}`, "nft", ...args], { encoding: "utf8", maxBuffer: 64 << 20 });
    const listed = nft("list", "ruleset");
    expect(listed.stderr).toBe("");
    expect(listed.stdout).toContain('10.96.0.10 . tcp . 80 comment "default/web" : ');
    const checked = spawnSync("nsenter", [`--net=${rig.nodes[0]?.path}`, "nft", "-c", "-f", "-"], {
      input: listed.stdout,
      encoding: "utf8",
    });
    expect(checked.stderr).toBe("");
    expect(checked.status).toBe(0);
  });
});
