/** Measures the networks of many pods; see README.md beside this file. Prints one table; exits 0 whatever the figures are. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { parseArgs } from "node:util";
import { quickMode } from "../../src/host/capabilities/quick.ts";
import { enterNamespaces } from "../../src/host/launch/enter.ts";
import { settleInside } from "../../src/host/launch/inside.ts";
import { createNamespaces } from "../../src/host/namespaces/create-namespaces.ts";
import type { NodeNetwork, PodNetwork } from "../../src/host/namespaces/namespaces.ts";
import { requestLinks } from "../../src/host/netlink/route.ts";
import { adoptNetlink, dump, NETLINK_ROUTE } from "../../src/host/netlink/socket.ts";
import { NetlinkWriter } from "../../src/host/netlink/writer.ts";
import { loadLibc, type Libc } from "../../src/host/syscalls/libc.ts";

const { values } = parseArgs({ options: { pods: { type: "string", default: "1500" } } });
const count = Number(values.pods);

function quantile(list: readonly number[], share: number): number {
  return list.toSorted((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * share))] ?? Number.NaN;
}

async function timed(times: number, work: (i: number) => Promise<unknown>): Promise<number[]> {
  const taken: number[] = [];
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    await work(i);
    taken.push(performance.now() - start);
  }
  return taken;
}

function row(name: string, taken: readonly number[]): Record<string, string> {
  const ms = (value: number) => value.toFixed(2);
  return { figure: name, p50: ms(quantile(taken, 0.5)), p99: ms(quantile(taken, 0.99)), max: ms(Math.max(...taken)) };
}

const addressesOf = (i: number) => [`10.244.${i >> 8}.${i & 255}`, `fd00:10:244::${(i + 1).toString(16)}`];

async function connections(node: NodeNetwork, pod: PodNetwork, address: string): Promise<number[]> {
  const { fd, port } = await pod.listen("0.0.0.0", 0);
  const server = createServer((client) => client.on("error", () => undefined).end());
  await once(server.listen({ fd }), "listening");
  const taken = await timed(200, async () => {
    const socket = await node.connect({ host: address, port });
    socket.resume().end();
    await once(socket, "close");
  });
  server.close();
  return taken;
}

function startTrue(pod: PodNetwork): Promise<unknown> {
  const options = { program: "/bin/true", args: [], env: {}, directory: "/", user: { kind: "own" }, stdio: [null, null, null] } as const;
  return pod.spawn(options).then(({ exited }) => exited);
}

async function settled(libc: Libc, node: NodeNetwork): Promise<number> {
  const start = performance.now();
  const socket = adoptNetlink(libc, await node.netlink(NETLINK_ROUTE));
  // Loopback, the link to the fabric.
  while (dump(socket, new NetlinkWriter(), requestLinks).length > 2) await new Promise((resolve) => setTimeout(resolve, 20));
  socket.close();
  return performance.now() - start;
}

/** What a script would run for each pod, without IPv6. As root in namespaces that end with the process. */
function byCommands(): number[] | undefined {
  if (spawnSync("ip", ["-Version"]).status !== 0) return undefined;
  const script = `mount -t tmpfs tmpfs /run; ip link set lo up
    for i in 1 2 3 4 5 6 7 8 9 10; do
      a=$(date +%s%N); ip netns add p$i; ip link add v$i type veth peer name eth0 netns p$i; ip link set v$i up
      ip -n p$i link set lo up; ip -n p$i link set eth0 up; ip -n p$i addr add 10.0.0.$i/32 dev eth0
      ip -n p$i route add default dev eth0; ip route add 10.0.0.$i/32 dev v$i
      ip netns exec p$i sysctl -qw net.ipv4.ip_unprivileged_port_start=0; b=$(date +%s%N); echo $((b - a)); done`;
  const { stdout, status } = spawnSync("unshare", ["--net", "--mount", "--", "sh", "-c", script], { encoding: "utf8" });
  return status === 0
    ? stdout
        .trim()
        .split("\n")
        .map((line) => Number(line) / 1e6)
    : undefined;
}

function residentMegabytes(): string {
  return `${Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024)} MB`;
}

async function measure(): Promise<void> {
  const libc = loadLibc() as Libc;
  const namespaces = await createNamespaces();
  const node = await namespaces.createNode({ name: "bench", index: 1, podCIDRs: ["10.244.0.0/16", "fd00:10:244::/64"] });
  const before = residentMegabytes();
  const pods: PodNetwork[] = [];
  const setUp = await timed(count, async (i) => void pods.push(await node.addPod({ id: `pod-${i}`, addresses: addressesOf(i) })));
  const after = residentMegabytes();
  const last = pods.at(-1) as PodNetwork;
  const connect = await connections(node, last, addressesOf(count - 1)[0] as string);
  const start = await timed(50, () => startTrue(last));
  const remove = await timed(count, (i) => (pods[i] as PodNetwork).remove());
  const rest = await settled(libc, node);
  const commands = byCommands();
  console.table([
    row(`set up, ${count} pods`, setUp),
    row("set up, first 100", setUp.slice(0, 100)),
    row("set up, last 100", setUp.slice(-100)),
    ...(commands === undefined ? [] : [row("set up by `ip` commands (10)", commands)]),
    row("connect", connect),
    row("start a process", start),
    row("take away", remove),
    row("settled", [rest]),
  ]);
  const [, outside] = readFileSync("/proc/self/uid_map", "utf8").trim().split(/\s+/);
  console.log(
    `milliseconds; ${outside === "0" ? "as root" : "as an ordinary user"}; this process ${before} before, ${after} with all pods`,
  );
  await namespaces.stop();
}

if (settleInside() === undefined) {
  const mode = quickMode();
  if (mode.mode === "loopback") console.log(`skipped: ${mode.why}`);
  else {
    const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    process.exitCode = await enterNamespaces({ command, env: process.env, userNamespace: mode.userNamespace });
  }
} else await measure();
