/**
 * What clients notice of a proxy's life: rolling replacement, restart, kill -9, a dead endpoint, rules deleted by hand; one line of JSON.
 * `sh bin/node bench/proxy/undisturbed.ts --rate 1000 --mode nftables`; `--kube-proxy FILE` for the real one.
 */
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { inOwnNetwork } from "../../test/support/own-network.ts";
import { createWorld, podIPs, serviceIP, startProxy, untilSynced, type Program, type World } from "../../test/support/proxy-world/world.ts";

const { values: flags } = parseArgs({
  options: {
    mode: { type: "string", default: "nftables" },
    rate: { type: "string", default: "1000" },
    /** Of one step: how long a phase that only waits lasts, and the grace of an endpoint that leaves. */
    "step-ms": { type: "string", default: "1000" },
    "kube-proxy": { type: "string" },
  },
});
inOwnNetwork();

const rate = Number(flags.rate);
const stepMs = Number(flags["step-ms"]);
const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));
const [old, next] = [podIPs.slice(0, 5), podIPs.slice(5)];

interface Tally {
  readonly made: number;
  readonly failed: Readonly<Record<string, number>>;
  readonly by: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly slowestMs: number;
  readonly lastFailedAt: number;
}

async function under(clients: Program, work: () => Promise<void>): Promise<Tally> {
  clients.say(`tcp ${serviceIP} 80 ${rate}`);
  await work();
  clients.say("stop");
  return JSON.parse(await clients.next()) as Tally;
}

const summary = ({ made, failed, seconds, slowestMs }: Tally) => ({
  connections: made,
  perSecond: Math.round(made / seconds),
  failed: Object.values(failed).reduce((sum, count) => sum + count, 0),
  ...(Object.keys(failed).length === 0 ? {} : { why: failed }),
  slowestMs,
});

/** One endpoint after the other: the new one comes, the old one is on its way out for the grace, is gone from the API, and only then ends. */
async function roll({ endpoints, pods }: World, from: readonly string[], to: readonly string[]): Promise<void> {
  for (let i = 0; i < from.length; i++) {
    const ready = [...from.slice(i + 1), ...to.slice(0, i + 1)];
    await endpoints(ready, [from[i] as string]);
    await pause(stepMs);
    await endpoints(ready);
    pods.say(`close ${from[i]}`);
    await pods.next();
  }
  for (const address of from) {
    pods.say(`open ${address}`);
    await pods.next();
  }
}

/** Milliseconds from the write of the API to the first answer by another backend, to a client that keeps its port. */
async function followUdp({ clients, endpoints }: World): Promise<number[]> {
  const delays: number[] = [];
  const [a, b] = [old[0] as string, next[0] as string];
  await endpoints([a]);
  await pause(stepMs);
  clients.say(`udp ${serviceIP} 53 40053`);
  while ((JSON.parse(await clients.next()) as { by: string }).by !== a);
  for (let round = 0; round < 6; round++) {
    const wanted = round % 2 === 0 ? b : a;
    const began = Date.now();
    await endpoints([wanted]);
    let said = JSON.parse(await clients.next()) as { by: string; at: number };
    while (said.by !== wanted) said = JSON.parse(await clients.next()) as { by: string; at: number };
    delays.push(said.at - began);
    await pause(200);
  }
  clients.say("stop");
  while ((JSON.parse(await clients.next()) as { by: string }).by !== "");
  await endpoints(old);
  await pause(stepMs);
  return delays.sort((x, y) => x - y);
}

const run = (program: string, ...args: string[]) => spawnSync(program, args, { encoding: "utf8" });

/** Takes rules away behind the proxy's back: how long until they are as they were, and whether another's stand. */
async function deleteByHand(): Promise<{ readonly backMs: number; readonly foreignStands: boolean }> {
  const iptables = flags.mode === "iptables";
  const own = flags.mode === "userspace" ? "fairlead-userspace" : "fairlead";
  const table = flags["kube-proxy"] === undefined ? own : "kube-proxy";
  const list = iptables
    ? () => run("iptables-save", "-t", "nat").stdout.replaceAll(/\[\d+:\d+\]|^#.*$/gm, "")
    : () => run("nft", "list", "table", "ip", table).stdout;
  run("nft", "add", "table", "ip", "foreign");
  run("nft", "add", "chain", "ip", "foreign", "mine");
  run("iptables", "-t", "nat", "-N", "FOREIGN");
  const sorted = () => list().split("\n").sort().join("\n");
  const before = sorted();
  const victim = iptables
    ? ["iptables", "-t", "nat", "-F", (/KUBE-SVC-\w+/.exec(before) ?? [""])[0]]
    : ["nft", "flush", "chain", "ip", table, "services"];
  const began = performance.now();
  run(victim[0] as string, ...victim.slice(1));
  if (sorted() === before) throw new Error(`${victim.join(" ")} has changed nothing`);
  while (sorted() !== before) {
    if (performance.now() - began > 120_000) return { backMs: Number.POSITIVE_INFINITY, foreignStands: false };
    await pause(50);
  }
  const backMs = Math.round(performance.now() - began);
  const stands =
    run("nft", "list", "chain", "ip", "foreign", "mine").status === 0 && run("iptables", "-t", "nat", "-S", "FOREIGN").status === 0;
  return { backMs, foreignStands: stands };
}

const world = await createWorld();
const { clients, endpoints, pods, api } = world;
const start = () => startProxy(api.kubeconfig, flags.mode, flags["kube-proxy"]);
let proxy = start();
/** In mode userspace connections are the proxy's: the next one is started beside it, takes its sockets, and it leaves. */
async function takeOver(): Promise<void> {
  const before = proxy;
  proxy = start();
  await new Promise((left) => before.child.once("exit", left));
  await untilSynced(proxy.child);
}
try {
  await untilSynced(proxy.child);
  const rolling = await under(clients, () => roll(world, old, next));
  await endpoints(old);
  await pause(stepMs);
  const restarted = await under(clients, async () => {
    await pause(stepMs / 2);
    if (flags.mode === "userspace") await takeOver();
    else {
      await proxy.end("SIGTERM");
      await pause(stepMs / 2);
      proxy = start();
      await untilSynced(proxy.child);
    }
    await pause(stepMs / 2);
  });
  let startedAt = 0;
  const killed = await under(clients, async () => {
    await pause(stepMs / 2);
    await proxy.end("SIGKILL");
    await pause(stepMs / 2);
    startedAt = Date.now();
    proxy = start();
    await untilSynced(proxy.child);
    await pause(stepMs / 2);
  });
  pods.say(`close ${old[0]}`);
  await pods.next();
  const dead = await under(clients, () => pause(stepMs));
  pods.say(`open ${old[0]}`);
  await pods.next();
  const udp = await followUdp(world);
  const byHand = await deleteByHand();
  console.log(
    JSON.stringify({
      mode: flags.mode,
      proxy: flags["kube-proxy"] === undefined ? "fairlead" : "kube-proxy",
      rolling: summary(rolling),
      restart: summary(restarted),
      // From the start of the next proxy to the last connection that failed: mode userspace carries none meanwhile.
      kill: { ...summary(killed), newWorkMs: Math.max(0, killed.lastFailedAt - startedAt) },
      deadEndpoint: { ...summary(dead), share: Math.round((1000 * summary(dead).failed) / dead.made) / 1000 },
      udpFollowsMs: udp,
      deletedByHand: byHand,
    }),
  );
} finally {
  await proxy.end("SIGKILL");
  await world.stop();
}
process.exit(0);
