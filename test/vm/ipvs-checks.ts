/** The checks of ipvs mode in a real kernel. Each says what is not as it should be. */
import { execFileSync } from "node:child_process";
import { createServer } from "node:net";

import type { ProxyPlan, VirtualAddress } from "../../src/decide/proxy/index.ts";
import { renderIpvs } from "../../src/decide/proxy/render/ipvs/render.ts";
import { kernelSetName } from "../../src/decide/proxy/render/ipvs/sets.ts";
import { ipvsadmLines, dummyLink } from "../../src/decide/proxy/render/ipvs/text.ts";
import { traceIpvs } from "../../src/decide/proxy/render/ipvs/trace.ts";
import type { IpvsScheduler } from "../../src/decide/proxy/render/ipvs/state.ts";
import type { NodeNetwork } from "../../src/host/namespaces/namespaces.ts";

import { askTcp, refusedUdp, tcpPort, udpClient, type Rig } from "../root/proxy-rig.ts";
import { flood, ipvsConnections } from "./flood.ts";

export interface Check {
  /** What is wrong, in words; none: all is well. */
  readonly problems: readonly string[];
  /** Figures, for people. */
  readonly note?: string;
}

const tcp = [{ name: "", port: 80, protocol: "TCP", targetPort: tcpPort }];
const udp = [{ name: "", port: 53, protocol: "UDP" }];
const both = (n: number) => [`10.96.0.${n}`, `fd00:10:96::${n}`];

/** Every kind of Service that a packet can come to. */
function makeServices(rig: Rig): void {
  const { a, b, c } = rig.pods;
  const dual = { ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "RequireDualStack" } as const;
  const add = (
    name: string,
    n: number,
    spec: object,
    pods: readonly (typeof a)[],
    options?: Parameters<Rig["endpoints"]>[2],
    status?: object,
  ) => {
    rig.service(name, { ...dual, clusterIPs: both(n), ports: tcp, ...spec } as never, status as never);
    rig.endpoints(name, pods, options);
  };
  add("web", 10, {}, [a, b, c]);
  add("dns", 11, { ports: udp }, [a, b, c], { protocol: "UDP" });
  add("empty", 12, {}, []);
  add("near", 13, { internalTrafficPolicy: "Local" }, [a, c]);
  add("far", 14, { internalTrafficPolicy: "Local" }, [c]);
  add("open", 15, { type: "NodePort", ports: [{ ...tcp[0], nodePort: 30_080 }] }, [a, b, c]);
  add("open-udp", 16, { type: "NodePort", ports: [{ ...udp[0], nodePort: 30_053 }] }, [a, b, c], { protocol: "UDP" });
  add("local", 17, { type: "NodePort", externalTrafficPolicy: "Local", ports: [{ ...tcp[0], nodePort: 30_081 }] }, [a, c]);
  add("external", 18, { externalIPs: ["192.0.2.18", "2001:db8::18"] }, [a, b]);
  const balanced = { type: "LoadBalancer", loadBalancerSourceRanges: ["10.244.2.0/24", "fd00:10:244:2::/64"] };
  const ingress = { loadBalancer: { ingress: [{ ip: "192.0.2.19" }, { ip: "2001:db8::19" }] } };
  add("balanced", 19, balanced, [a, b, c], undefined, ingress);
  // Looked at in the tables only: this kernel sends no SCTP.
  add("signal", 20, { type: "NodePort", ports: [{ name: "", port: 9999, protocol: "SCTP", nodePort: 30_099 }] }, [a, c], {
    protocol: "SCTP",
  });
}

/** The kernel's tables as its own programs print them, against the rendered text. */
async function table(rig: Rig): Promise<Check> {
  makeServices(rig);
  await rig.settled();
  const problems: string[] = [];
  for (const [i, node] of rig.nodes.entries()) {
    const states = statesOf(rig, i);
    const inside = (...words: readonly string[]) =>
      execFileSync("nsenter", [`--net=${node.path}`, ...words], { encoding: "utf8" }).split("\n");
    const compare = (what: string, have: readonly string[], want: readonly string[]) => {
      const [has, wants] = [new Set(have), new Set(want)];
      for (const line of wants) if (!has.has(line)) problems.push(`${node.name} ${what}: missing ${line}`);
      for (const line of has) if (!wants.has(line)) problems.push(`${node.name} ${what}: not wanted: ${line}`);
    };
    compare(
      "ipvsadm",
      inside("ipvsadm", "-Sn").filter(Boolean),
      states.flatMap(({ virtualServers }) => ipvsadmLines(virtualServers)),
    );
    const entries = states.flatMap(({ sets, family }) =>
      [...sets].flatMap(([name, members]) => members.map((entry) => `add ${kernelSetName(name, family)} ${entry}`)),
    );
    compare(
      "ipset",
      inside("ipset", "save").filter((line) => line.startsWith("add")),
      entries,
    );
    const addresses = inside("ip", "-o", "addr", "show", "dev", dummyLink, "scope", "global").flatMap(
      (line) => /inet6? (\S+)\/\d+/.exec(line)?.[1] ?? [],
    );
    compare(
      "addresses",
      addresses,
      states.flatMap((state) => state.addresses),
    );
  }
  return { problems };
}

function statesOf(rig: Rig, i: number) {
  const plan = rig.proxies[i]!.plan();
  return ([4, 6] as const).map((family) => renderIpvs(plan.services, { node: plan.node, family }));
}

interface Client {
  readonly name: string;
  /** The node that its packets come by, and which one that is. */
  readonly node: number;
  readonly network: Parameters<typeof askTcp>[0];
  readonly addresses: readonly string[];
  readonly isOutside?: boolean;
}

function clientsOf(rig: Rig): readonly Client[] {
  const { a, b, c } = rig.pods;
  return [
    ...[a, b, c].map((pod) => ({ name: `pod ${pod.name}`, node: pod === c ? 1 : 0, network: pod.network, addresses: pod.addresses })),
    { name: "node-1", node: 0, network: rig.nodes[0] as NodeNetwork, addresses: rig.nodes[0]!.addresses },
    { name: "outside", node: 0, network: rig.outside, addresses: rig.outside.addresses, isOutside: true },
  ];
}

/** Every client at every address: which endpoints answer, and whom they see, as the rendered state says. */
async function packets(rig: Rig): Promise<Check> {
  const problems: string[] = [];
  let flows = 0;
  // A virtual server's turn passes from client to client: they ask it one after the other, and all virtual servers at once.
  const addresses = addressesOf(rig.proxies[0]!.plan()).filter(({ protocol }) => protocol !== "SCTP");
  await Promise.all(
    addresses.map(async (target) => {
      for (const client of clientsOf(rig)) {
        // From outside only the node's own addresses are known.
        if (client.isOutside === true && target.address.kind !== "nodePort") continue;
        const asked = await askAll(rig, client, target, problems);
        flows += asked;
      }
    }),
  );
  return { problems, note: `${flows} flows` };
}

interface Target {
  readonly service: string;
  readonly protocol: "TCP" | "UDP" | "SCTP";
  readonly address: VirtualAddress;
}

/** Of a node's plan; another node has the same, with NodePorts at addresses of its own. */
function addressesOf({ services }: ProxyPlan): readonly Target[] {
  return services.flatMap((service) =>
    service.kind === "skipped"
      ? []
      : service.ports.flatMap(({ addresses, protocol }) => addresses.map((address) => ({ service: service.name, protocol, address }))),
  );
}

/** As often as there are endpoints: round robin shows each of them. How many flows that were. */
async function askAll(rig: Rig, client: Client, { service, protocol, address }: Target, problems: string[]): Promise<number> {
  const { address: host, port, family, kind } = address;
  const at = family === 4 ? 0 : 1;
  // A NodePort of the first node is asked by everybody there; to pods elsewhere it is another machine's.
  if (client.node !== 0 && kind === "nodePort") return 0;
  const node = rig.nodes[client.node] as NodeNetwork;
  const from = client.addresses[at] as string;
  const want = traceIpvs(statesOf(rig, client.node)[at]!, rig.proxies[client.node]!.plan().node, { from, to: host, port, protocol });
  const names = new Map(Object.values(rig.pods).map((pod) => [pod.addresses[at] as string, pod.name]));
  const wanted =
    want.kind === "dnat"
      ? want.endpoints.map(({ ip, masquerade }) => `${names.get(ip)} ${masquerade ? node.addresses[at] : from}`)
      : [want.kind === "reject" ? "ECONNREFUSED" : "ETIMEDOUT"];
  const seen: string[] = [];
  for (const _ of wanted) seen.push(await ask(client, from, host, port, protocol, want.kind));
  const [has, wants] = [seen.toSorted().join(", "), wanted.toSorted().join(", ")];
  if (has !== wants) problems.push(`${client.name} → ${service} ${protocol} ${host}:${port}: want ${wants}; got ${has}`);
  return seen.length;
}

async function ask(client: Client, from: string, host: string, port: number, protocol: string, want: string): Promise<string> {
  if (protocol === "TCP") return await askTcp(client.network, host, port, want === "drop" ? 1500 : 20_000);
  if (want === "reject") return await refusedUdp(client.network, from, host, port);
  const socket = await udpClient(client.network, from);
  const answer = await socket.ask(host, port);
  socket.close();
  return answer;
}

/** What is left when 10,000 flows have been spread. */
interface Spread {
  readonly byReal: ReadonlyMap<string, number>;
  readonly realsOfClient: ReadonlyMap<string, ReadonlySet<string>>;
}

const expectations: Partial<Record<IpvsScheduler, (spread: Spread) => string | undefined>> = {
  rr: even(1),
  wrr: even(1),
  // A client keeps its endpoint, whatever its port; a hundred clients do not all have the same.
  sh: (spread) =>
    [...spread.realsOfClient.values()].some(({ size }) => size > 1) ? "a client has several endpoints" : severalUsed(spread),
  mh: (spread) => severalUsed(spread) ?? noneNeglected(spread),
  // By destination: one address, one endpoint.
  dh: ({ byReal }) => (byReal.size === 1 ? undefined : "one destination has several endpoints"),
};

function even(slack: number): (spread: Spread) => string | undefined {
  return ({ byReal }) => {
    const counts = [...byReal.values()];
    return byReal.size === 3 && Math.max(...counts) - Math.min(...counts) <= slack ? undefined : `spread ${counts.join(", ")}`;
  };
}

const severalUsed = ({ byReal }: Spread) => (byReal.size === 3 ? undefined : `${byReal.size} endpoints of 3 are used`);

function noneNeglected({ byReal }: Spread): string | undefined {
  const counts = [...byReal.values()];
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.every((count) => count > total / 6) ? undefined : `spread ${counts.join(", ")}`;
}

/** Virtual servers there are the test's own, which the proxy leaves alone. */
export const testRange = "10.97.0.0/16";

/** These count connections that are open, which datagrams are not: twelve that stay open go to two endpoints by halves. */
async function byConnections(rig: Rig): Promise<Check> {
  const problems: string[] = [];
  const node = rig.nodes[1] as NodeNetwork;
  const { a, b, c } = rig.pods;
  const names = ["lc", "wlc", "sed", "nq"];
  for (const pod of [a, b]) {
    const server = createServer((socket) => void socket.on("error", () => undefined).write(pod.name));
    server.listen({ fd: (await pod.network.listen("0.0.0.0", 7002)).fd });
  }
  const lines = names.flatMap((scheduler, i) => [
    `-A -t 10.97.1.${i + 1}:9 -s ${scheduler}`,
    ...[a, b].map(({ addresses }) => `-a -t 10.97.1.${i + 1}:9 -r ${addresses[0]}:7002 -m -w 1`),
  ]);
  execFileSync("nsenter", [`--net=${node.path}`, "ipvsadm", "--restore"], { input: `${lines.join("\n")}\n` });
  const links = ["link add test0 type dummy", ...names.map((_, i) => `addr add 10.97.1.${i + 1}/32 dev test0`)];
  execFileSync("nsenter", [`--net=${node.path}`, "ip", "-batch", "-"], { input: `${links.join("\n")}\n` });
  for (const [i, name] of names.entries()) {
    const open: import("node:net").Socket[] = [];
    const counts = new Map<string, number>();
    for (let n = 0; n < 12; n++) {
      const socket = await c.network.connect({ host: `10.97.1.${i + 1}`, port: 9 });
      open.push(socket);
      const who = await reader(socket)();
      counts.set(who, (counts.get(who) ?? 0) + 1);
    }
    for (const socket of open) socket.destroy();
    if (counts.get("a") !== 6 || counts.get("b") !== 6) problems.push(`${name}: ${[...counts].join(", ")}`);
  }
  return { problems };
}

/** Flows of 100 clients for each scheduler, 10,000 where the issue is which client gets what, counted in the kernel's table of connections. */
async function schedulers(rig: Rig): Promise<Check> {
  const problems: string[] = [];
  const notes: string[] = [];
  const node = rig.nodes[0] as NodeNetwork;
  const names = Object.keys(expectations) as IpvsScheduler[];
  const clients = Array.from({ length: 100 }, (_, i) => `10.244.1.${100 + i}`);
  const lines = names.flatMap((scheduler, i) => [
    `-A -u 10.97.0.${i + 1}:9 -s ${scheduler}${scheduler === "mh" ? " -b mh-port" : ""}`,
    ...Object.values(rig.pods).map(({ addresses }) => `-a -u 10.97.0.${i + 1}:9 -r ${addresses[0]}:9 -m -w 1`),
  ]);
  execFileSync("nsenter", [`--net=${node.path}`, "ipvsadm", "--restore"], { input: `${lines.join("\n")}\n` });
  const links = ["link add test0 type dummy", ...names.map((_, i) => `addr add 10.97.0.${i + 1}/32 dev test0`)];
  execFileSync("nsenter", [`--net=${node.path}`, "ip", "-batch", "-"], { input: `${links.join("\n")}\n` });
  const floods = names.map((scheduler, i) => ({
    to: `10.97.0.${i + 1}`,
    port: 9,
    clients,
    ports: ["rr", "sh", "dh", "mh"].includes(scheduler) ? 100 : 20,
  }));
  const sent = await flood(rig.pods.a.network.path, ...floods);
  const table = await ipvsConnections(node.path);
  for (const [i, scheduler] of names.entries()) {
    const [byReal, realsOfClient] = [new Map<string, number>(), new Map<string, Set<string>>()];
    for (const { real, client, virtual } of table) {
      if (virtual !== `10.97.0.${i + 1}:9`) continue;
      byReal.set(real, (byReal.get(real) ?? 0) + 1);
      realsOfClient.set(client, (realsOfClient.get(client) ?? new Set()).add(real));
    }
    const [count, wanted] = [[...byReal.values()].reduce((sum, one) => sum + one, 0), (floods[i]?.ports ?? 0) * clients.length];
    if (count !== wanted) problems.push(`${scheduler}: ${count} flows in the table, ${wanted} were meant (${sent} sent in all)`);
    const wrong = expectations[scheduler]?.({ byReal, realsOfClient });
    if (wrong !== undefined) problems.push(`${scheduler}: ${wrong}`);
    notes.push(`${scheduler} ${[...byReal.values()].join("/")}`);
  }
  return { problems, note: notes.join(", ") };
}

async function affinity(rig: Rig): Promise<Check> {
  rig.service("sticky", {
    clusterIPs: both(30),
    ports: tcp,
    sessionAffinity: "ClientIP",
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
  } as never);
  rig.endpoints("sticky", Object.values(rig.pods));
  await rig.settled();
  const problems: string[] = [];
  for (const host of both(30)) {
    const names = new Set<string>();
    for (let i = 0; i < 12; i++) names.add((await askTcp(rig.pods.c.network, host, 80)).split(" ")[0] as string);
    if (names.size !== 1) problems.push(`${host}: one client saw ${[...names].join(", ")}`);
  }
  return { problems };
}

let drained: (() => Promise<Check>) | undefined;

/** A connection goes on when its endpoint leaves, and new ones go elsewhere. */
async function draining(rig: Rig): Promise<Check> {
  const problems: string[] = [];
  const { a, b } = rig.pods;
  const servers = await Promise.all(
    [a, b].map(async (pod) => {
      const server = createServer((socket) => {
        socket.on("error", () => undefined);
        socket.write(`${pod.name}\n`);
        socket.on("data", (chunk) => socket.write(chunk));
      });
      server.listen({ fd: (await pod.network.listen("0.0.0.0", 7000)).fd });
      return server;
    }),
  );
  rig.service("echo", { clusterIPs: ["10.96.0.40"], ports: [{ port: 7, protocol: "TCP" }] } as never);
  rig.endpoints("echo", [a], { port: 7000 });
  await rig.settled();
  const long = await rig.pods.c.network.connect({ host: "10.96.0.40", port: 7 });
  const said = reader(long);
  if ((await said()) !== "a\n") problems.push("the first connection is not to pod a");
  rig.endpoints("echo", [b], { port: 7000 });
  await rig.settled();
  for (let i = 0; i < 4; i++) {
    const other = await rig.pods.c.network.connect({ host: "10.96.0.40", port: 7 });
    if ((await reader(other)()) !== "b\n") problems.push("a new connection went to the endpoint that has left");
    other.resetAndDestroy();
  }
  long.write("still here");
  if ((await said()) !== "still here") problems.push("the old connection does not go on");
  const weights = () =>
    execFileSync("nsenter", [`--net=${rig.nodes[1]!.path}`, "ipvsadm", "-Sn"], { encoding: "utf8" })
      .split("\n")
      .filter((line) => line.startsWith("-a -t 10.96.0.40:7"))
      .map((line) => line.slice(-1));
  if (weights().toSorted().join() !== "0,1") problems.push(`weights while it drains: ${weights().join()}`);
  // A reset connection is remembered for ten seconds (IP_VS_TCP_S_CLOSE): the end is looked at after the other checks.
  long.resetAndDestroy();
  for (const server of servers) server.close();
  const started = performance.now();
  drained = async () => {
    while (weights().length > 1 && performance.now() - started < 60_000) await new Promise((resolve) => setTimeout(resolve, 500));
    return { problems: weights().join() === "1" ? [] : ["the endpoint that has left is not taken away"] };
  };
  return { problems };
}

/** What has no connection left is taken away, by the proxy that set its weight to 0 or by the one after it. */
async function gone(): Promise<Check> {
  return (await drained?.()) ?? { problems: ["nothing has drained"] };
}

function reader(socket: import("node:net").Socket): () => Promise<string> {
  return () => new Promise((resolve) => void socket.once("data", (chunk) => resolve(String(chunk))));
}

/** A proxy that starts where another has stopped changes nothing, and an open connection does not notice. */
async function restart(rig: Rig): Promise<Check> {
  const problems: string[] = [];
  const server = createServer((socket) => void socket.on("error", () => undefined).on("data", (chunk) => socket.write(chunk)));
  server.listen({ fd: (await rig.pods.a.network.listen("0.0.0.0", 7001)).fd });
  rig.service("steady", { clusterIPs: ["10.96.0.41"], ports: [{ port: 7, protocol: "TCP" }] } as never);
  rig.endpoints("steady", [rig.pods.a], { port: 7001 });
  await rig.settled();
  // But for what drains, which goes meanwhile.
  const save = () =>
    execFileSync("nsenter", [`--net=${rig.nodes[1]!.path}`, "ipvsadm", "-Sn"], { encoding: "utf8" })
      .split("\n")
      .filter((line) => !line.endsWith("-w 0"))
      .join("\n");
  const before = save();
  const socket = await rig.pods.c.network.connect({ host: "10.96.0.41", port: 7 });
  const said = reader(socket);
  await rig.restart();
  if (save() !== before) problems.push(`the table is another after the restart:\n${before}\nbecame\n${save()}`);
  socket.write("hello");
  if ((await said()) !== "hello") problems.push("the connection did not survive the restart");
  socket.destroy();
  server.close();
  return { problems };
}

/** A client that keeps its port is served by the endpoint that replaces its own. */
async function staleUdp(rig: Rig): Promise<Check> {
  const problems: string[] = [];
  rig.endpoints("dns", [rig.pods.a], { protocol: "UDP" });
  await rig.settled();
  const client = await udpClient(rig.pods.c.network, rig.pods.c.addresses[0] as string, 5555);
  const [first] = (await client.ask("10.96.0.11", 53)).split(" ");
  rig.endpoints("dns", [rig.pods.b], { protocol: "UDP" });
  await rig.settled();
  const started = performance.now();
  const [second] = (await client.ask("10.96.0.11", 53)).split(" ");
  const ms = Math.round(performance.now() - started);
  client.close();
  if (first !== "a" || second !== "b") problems.push(`endpoints: ${first}, then ${second}`);
  return { problems, note: `${ms} ms` };
}

export const checks = {
  table,
  packets,
  affinity,
  draining,
  restart,
  "stale UDP": staleUdp,
  schedulers,
  "by connections": byConnections,
  gone,
} as const satisfies Readonly<Record<string, (rig: Rig) => Promise<Check>>>;
