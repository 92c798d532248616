/** Mode iptables for real: the rules as both variants of iptables take them, and traffic through them. */
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cleanup } from "../../src/proxy/backends/iptables/cleanup.ts";
import { openIptables } from "../../src/host/iptables/iptables.ts";
import { askMixed } from "./mixed-protocols.ts";
import { askTcp, refusedUdp, startRig, tcpPort, udpClient, udpPort, unsupported, type Rig } from "./proxy-rig.ts";

let why = unsupported();
if (why === "" && spawnSync("iptables", ["--version"]).status !== 0) {
  // As root on Debian the test sees to its own tool; elsewhere it says what is missing.
  const installed = spawnSync("apt-get", ["install", "-y", "iptables"], { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } });
  if (installed.status !== 0) why = "needs iptables: apt-get install iptables";
}
if (why === "" && spawnSync("unshare", ["-n", "iptables-restore"], { input: "*nat\nCOMMIT\n" }).status !== 0)
  why = "needs a kernel with iptables";
const group = why === "" ? describe : undefined;
if (why !== "") test("iptables takes the rules and carries traffic by them", (context) => context.skip(why));

const goldens = join(import.meta.dirname, "../../src/decide/proxy/render/iptables/goldens");

group?.("the rendered text", { timeout: 120_000 }, () => {
  const inputs = globSync("*.rules", { cwd: goldens }).sort();

  test.each(inputs)("%s: iptables takes each rule and lists as many", (input) => {
    for (const part of readFileSync(join(goldens, input), "utf8").split(/^# /m).filter(Boolean)) {
      const program = part.startsWith("IPv4") ? "iptables" : "ip6tables";
      const text = part.slice(part.indexOf("\n") + 1);
      const done = spawnSync("unshare", ["-n", "sh", "-c", `${program}-restore --noflush && ${program}-save`], {
        input: text,
        encoding: "utf8",
      });
      expect({ status: done.status, stderr: done.stderr }).toEqual({ status: 0, stderr: "" });
      const rules = (listed: string) => listed.split("\n").filter((line) => line.startsWith("-A "));
      const chains = (listed: string) =>
        rules(listed)
          .map((line) => line.split(" ")[1])
          .sort();
      expect(chains(done.stdout)).toEqual(chains(text));
    }
  });

  test.for(inputs)("%s: the legacy variant takes it too", (input, context) => {
    if (spawnSync("iptables-legacy-restore", ["--version"]).status !== 0) context.skip("needs iptables-legacy");
    const [, text = ""] = /^# IPv4\n([^]*?)^# IPv6/m.exec(readFileSync(join(goldens, input), "utf8")) ?? [];
    const done = spawnSync("unshare", ["-n", "iptables-legacy-restore", "--test"], { input: text, encoding: "utf8" });
    expect({ status: done.status, stderr: done.stderr }).toEqual({ status: 0, stderr: "" });
  });
});

group?.("the iptables proxy", { timeout: 240_000 }, () => {
  let rig: Rig;
  beforeAll(async () => void (rig = await startRig("iptables")), 240_000);
  afterAll(async () => await rig?.stop(), 240_000);

  const http = [{ port: 80, protocol: "TCP", targetPort: tcpPort }];
  const inside = (...command: string[]) => spawnSync("nsenter", [`--net=${rig.nodes[0]?.path}`, ...command], { encoding: "utf8" });
  const answers = async (times: number, ask: () => Promise<string>) => {
    const seen = new Map<string, number>();
    for (let i = 0; i < times; i++) {
      const answer = await ask();
      seen.set(answer, (seen.get(answer) ?? 0) + 1);
    }
    return seen;
  };

  test.each([
    ["10.96.0.10", 0],
    ["fd00:10:96::10", 1],
  ] as const)("cluster IP %s: pods by their own address, the node masqueraded, hairpin", async (ip, family) => {
    const { a, b, c } = rig.pods;
    rig.service("web", { clusterIPs: ["10.96.0.10", "fd00:10:96::10"], ports: http });
    rig.endpoints("web", [a, b, c]);
    await rig.settled();
    const own = rig.nodes[0]?.addresses[family];
    const fromPod = await answers(60, () => askTcp(a.network, ip, 80));
    expect([...fromPod.keys()].sort()).toEqual([`a ${own}`, `b ${a.addresses[family]}`, `c ${a.addresses[family]}`]);
    for (const times of fromPod.values()) expect(times).toBeGreaterThan(4);
    const fromNode = await answers(30, () => askTcp(rig.nodes[0] as never, ip, 80));
    expect([...fromNode.keys()].sort()).toEqual([`a ${own}`, `b ${own}`, `c ${own}`]);
  });

  test.each([
    ["10.96.0.12", 0],
    ["fd00:10:96::12", 1],
  ] as const)("no endpoint: refused at once, TCP and UDP; served with the first one (%s)", async (ip, family) => {
    const { b, c } = rig.pods;
    const ports = [
      { name: "", ...http[0] },
      { name: "udp", port: 53, protocol: "UDP", targetPort: udpPort },
    ];
    rig.service("empty", { clusterIPs: ["10.96.0.12", "fd00:10:96::12"], ports: ports as never });
    rig.endpoints("empty", []);
    await rig.settled();
    expect(await askTcp(b.network, ip, 80)).toBe("ECONNREFUSED");
    expect(await refusedUdp(b.network, b.addresses[family] as string, ip, 53)).toBe("ECONNREFUSED");
    rig.endpoints("empty", [c]);
    await rig.settled();
    expect(await askTcp(b.network, ip, 80)).toBe(`c ${b.addresses[family]}`);
    rig.remove("empty");
    await rig.settled();
  });

  test.each(["10.96.0.13", "fd00:10:96::13"])("session affinity: sticky, and re-chosen when the endpoint leaves (%s)", async (ip) => {
    const { a, b, c } = rig.pods;
    rig.service("sticky", { clusterIPs: ["10.96.0.13", "fd00:10:96::13"], ports: http, sessionAffinity: "ClientIP" });
    rig.endpoints("sticky", [a, b, c]);
    await rig.settled();
    const first = await answers(20, () => askTcp(c.network, ip, 80));
    expect(first.size).toBe(1);
    const chosen = [...first.keys()][0]?.split(" ")[0];
    rig.endpoints(
      "sticky",
      [a, b, c].filter(({ name }) => name !== chosen),
    );
    await rig.settled();
    const second = await answers(20, () => askTcp(c.network, ip, 80));
    expect(second.size).toBe(1);
    expect([...second.keys()][0]?.split(" ")[0]).not.toBe(chosen);
  });

  test("NodePort by policy Local keeps the client's address, and drops where no endpoint is", async () => {
    rig.service("edge", {
      type: "NodePort",
      clusterIPs: ["10.96.0.16"],
      externalTrafficPolicy: "Local",
      ports: [{ ...http[0], nodePort: 30_016 }] as never,
    });
    rig.endpoints("edge", [rig.pods.c]);
    await rig.settled();
    const [one, two] = rig.nodes.map(({ addresses }) => addresses[0] as string) as [string, string];
    const [name, client] = (await askTcp(rig.outside, two, 30_016)).split(" ");
    expect(name).toBe("c");
    expect(rig.nodes.flatMap(({ addresses }) => addresses)).not.toContain(client);
    expect(await askTcp(rig.outside, one, 30_016, 500)).toBe("ETIMEDOUT");
    // By policy Cluster every node serves, with its own address.
    rig.service("edge", { type: "NodePort", clusterIPs: ["10.96.0.16"], ports: [{ ...http[0], nodePort: 30_016 }] as never });
    await rig.settled();
    expect(await askTcp(rig.outside, one, 30_016)).toBe(`c ${one}`);
  });

  test("loadBalancerSourceRanges: who is in none is dropped", async () => {
    const status = { loadBalancer: { ingress: [{ ip: "198.51.100.7" }] } };
    const spec = { type: "LoadBalancer", clusterIPs: ["10.96.0.17"], ports: http } as const;
    rig.service("lb", { ...spec, loadBalancerSourceRanges: [`${rig.pods.a.addresses[0]}/32`] }, status);
    rig.endpoints("lb", [rig.pods.b]);
    await rig.settled();
    expect(await askTcp(rig.pods.a.network, "198.51.100.7", 80)).toBe(`b ${rig.nodes[0]?.addresses[0]}`);
    expect(await askTcp(rig.pods.b.network, "198.51.100.7", 80, 500)).toBe("ETIMEDOUT");
  });

  test("a mixed-protocol load balancer and NodePort, from outside", async () => {
    expect([...new Set(Object.values(await askMixed(rig)))]).toEqual(["c"]);
  });

  test("a UDP client that keeps its port follows to the new endpoint", async () => {
    const { a, b, c } = rig.pods;
    rig.service("dns", { clusterIPs: ["10.96.0.18"], ports: [{ port: 53, protocol: "UDP", targetPort: udpPort }] });
    rig.endpoints("dns", [a], { protocol: "UDP" });
    await rig.settled();
    const client = await udpClient(b.network, b.addresses[0] as string);
    try {
      expect(await client.ask("10.96.0.18", 53)).toBe(`a ${b.addresses[0]}`);
      rig.endpoints("dns", [c], { protocol: "UDP" });
      await rig.settled();
      expect(await client.ask("10.96.0.18", 53)).toBe(`c ${b.addresses[0]}`);
    } finally {
      client.close();
    }
  });

  test("cleanup takes everything of ours, and nothing of others'", async () => {
    const before = inside("iptables", "-t", "nat", "-I", "PREROUTING", "-p", "tcp", "--dport", "9", "-j", "ACCEPT");
    expect({ status: before.status, stderr: before.stderr }).toEqual({ status: 0, stderr: "" });
    expect(inside("iptables-save").stdout).toContain("KUBE-SVC-");
    await cleanup(openIptables({ enter: ["nsenter", `--net=${rig.nodes[0]?.path}`] }));
    const left = `${inside("iptables-save").stdout}${inside("ip6tables-save").stdout}`;
    expect(left).not.toContain("KUBE-");
    expect(left).toContain("--dport 9 -j ACCEPT");
  });
});
