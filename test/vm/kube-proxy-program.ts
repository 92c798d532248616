/**
 * What runs in the virtual machine to compare our ipvs mode with the real kube-proxy's: an API server of ours has random objects, kube-proxy
 * makes its tables from them, these are read back, and packets are walked through them and through ours. `compare-kube-proxy.ts` starts it.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { endpointSlices, services } from "../../src/api/resources.ts";
import { planServices, sourceClassifier, type Packet, type ProxyPlan } from "../../src/decide/proxy/index.ts";
import { renderIpvs } from "../../src/decide/proxy/render/ipvs/render.ts";
import { kernelSetName, setNames } from "../../src/decide/proxy/render/ipvs/sets.ts";
import { ipvsadmLines, dummyLink } from "../../src/decide/proxy/render/ipvs/text.ts";
import { traceIpvs } from "../../src/decide/proxy/render/ipvs/trace.ts";
import type { IpvsState, RealServer, VirtualServer } from "../../src/decide/proxy/render/ipvs/state.ts";
import { openIpset } from "../../src/host/ipset/ipset.ts";
import { openDummyLink } from "../../src/host/ipvs/dummy-link.ts";
import { openIpvs } from "../../src/host/ipvs/ipvs.ts";
import { NETLINK_GENERIC, NETLINK_NETFILTER, NETLINK_ROUTE, openNetlink } from "../../src/host/netlink/socket.ts";
import { loadLibc } from "../../src/host/syscalls/libc.ts";
import { parseIp } from "../../src/lib/ip.ts";
import { KernelReader } from "../../src/proxy/backends/ipvs/reader.ts";
import { parseIptablesSave } from "../peers/kube-proxy/iptables-save.ts";
import { apply, makeNetwork, marker, planNode, startApi, textOf } from "../peers/kube-proxy/rounds.ts";
import { nodeName, packetsFor, podCIDRs, state, type State } from "../peers/kube-proxy/states.ts";

const file = process.argv[2] as string;
const env = (name: string, usual: string) => process.env[name] ?? usual;

function command(program: string, ...args: string[]): string {
  const done = spawnSync(program, args, { encoding: "utf8", maxBuffer: 64 << 20 });
  if (done.status !== 0) throw new Error(`${program} ${args.join(" ")}: ${done.stderr || done.error?.message}`);
  return done.stdout;
}

function startKubeProxy(kubeconfig: string): ChildProcess {
  return spawn(
    env("KUBE_PROXY", ""),
    [
      `--kubeconfig=${kubeconfig}`,
      "--proxy-mode=ipvs",
      `--hostname-override=${nodeName}`,
      `--cluster-cidr=${podCIDRs.join(",")}`,
      "--ipvs-min-sync-period=0",
      "--nodeport-addresses=primary",
      "--conntrack-max-per-core=0",
      "--oom-score-adj=0",
      ...(env("VERBOSE", "") === "" ? [] : ["-v=2"]),
    ],
    { stdio: ["ignore", "ignore", env("VERBOSE", "") === "" ? "ignore" : "inherit"] },
  );
}

/** `-A -t 10.96.0.1:80 -s rr -p 60`, `-a -t 10.96.0.1:80 -r 10.244.1.1:8080 -m -w 1`. */
function readServers(text: string): VirtualServer[] {
  const servers = new Map<string, VirtualServer & { realServers: RealServer[] }>();
  const protocols = { "-t": "TCP", "-u": "UDP", "--sctp-service": "SCTP" } as const;
  const split = (word: string) => {
    const [, address = "", port = ""] = /^\[?(.*?)\]?:(\d+)$/.exec(word) ?? [];
    return [address, Number(port)] as const;
  };
  for (const line of text.split("\n").filter(Boolean)) {
    const [verb, protocol = "", where = "", ...rest] = line.split(" ");
    const [address, port] = split(where);
    const option = (name: string) => (rest.includes(name) ? rest[rest.indexOf(name) + 1] : undefined);
    if (verb === "-A") {
      const seconds = option("-p");
      const sticky = seconds === undefined ? {} : { persistenceSeconds: Number(seconds) };
      servers.set(`${protocol} ${where}`, {
        address,
        port,
        protocol: protocols[protocol as "-t"],
        scheduler: "rr",
        ...sticky,
        realServers: [],
      });
    } else {
      const [ip, realPort] = split(option("-r") ?? "");
      servers.get(`${protocol} ${where}`)?.realServers.push({ ip, port: realPort, weight: Number(option("-w")) });
    }
  }
  return [...servers.values()];
}

/** Everything of one family that decides about a packet, read back from the kernel by its own programs. */
function kernelState(dump: Dump, family: 4 | 6): IpvsState {
  const mine = (text: string) => text.includes(":") === (family === 6);
  const entries = (name: (typeof setNames)[number]) =>
    dump.ipset.flatMap((line) =>
      line.startsWith(`add ${kernelSetName(name, family)} `) ? [(line.split(" ")[2] as string).replace(/\/(32|128)$/, "")] : [],
    );
  return {
    kind: "ipvs",
    family,
    virtualServers: readServers(dump.ipvsadm).filter(({ address }) => mine(address)),
    addresses: dump.addresses.filter(mine),
    sets: new Map(setNames.map((name) => [name, entries(name)])),
    rules: parseIptablesSave(family === 4 ? dump.iptables4 : dump.iptables6, family),
  };
}

interface Dump {
  readonly ipvsadm: string;
  readonly ipset: readonly string[];
  readonly addresses: readonly string[];
  readonly iptables4: string;
  readonly iptables6: string;
}

function readKernel(): Dump {
  const addresses = command("ip", "-o", "addr", "show", "dev", dummyLink, "scope", "global");
  return {
    ipvsadm: command("ipvsadm", "-Sn"),
    ipset: command("ipset", "save").split("\n"),
    addresses: addresses.split("\n").flatMap((line) => /inet6? (\S+)\/\d+/.exec(line)?.[1] ?? []),
    iptables4: withoutComments(command("iptables-save")),
    iptables6: withoutComments(command("ip6tables-save")),
  };
}

/** Times and counters are another each time. */
const withoutComments = (text: string) =>
  text
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .map((line) => line.replace(/\[\d+:\d+\]/, "[0:0]"))
    .join("\n");

/** Looks without starting a program, which costs a tenth of a second here. */
async function openKernel() {
  const libc = loadLibc() as NonNullable<ReturnType<typeof loadLibc>>;
  const ipvs = await openIpvs(openNetlink(libc, NETLINK_GENERIC));
  const ipset = openIpset(openNetlink(libc, NETLINK_NETFILTER));
  const link = openDummyLink(openNetlink(libc, NETLINK_ROUTE), dummyLink);
  const reader = new KernelReader({ ipvs, ipset, link }, []);
  const has = (port: number) =>
    [marker.ip4, marker.ip6].map((address) => reader.servers().find((server) => server.address === address && server.port === port));
  /** Services and slices come by two watches: a sync may know the one of a round and not yet the other. */
  const leadsTo = (port: number) =>
    has(port).every((server) => server !== undefined && reader.realServers(server).some((real) => real.port === port));
  return {
    /** kube-proxy takes away last what nobody wants any more: with the marker's old port gone it is done, or nearly. */
    isDone(round: number): boolean {
      const port = marker.firstPort + round;
      return leadsTo(port) && (round === 0 || !has(port - 1).some(Boolean));
    },
    text: async () => {
      const states = [await reader.state(4), await reader.state(6)];
      return JSON.stringify(states, (_, one: unknown) => (one instanceof Map ? [...one] : one));
    },
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function settledKernel(
  kernel: Awaited<ReturnType<typeof openKernel>>,
  round: number,
  ended: () => string | undefined,
): Promise<Dump> {
  while (!kernel.isDone(round)) {
    const why = ended();
    if (why !== undefined) throw new Error(why);
    await pause(200);
  }
  let last = await kernel.text();
  for (;;) {
    await pause(round === 0 ? 3000 : 500);
    const next = await kernel.text();
    if (next === last && kernel.isDone(round)) return readKernel();
    last = next;
  }
}

/** Where we mean to differ; docs/cli/proxy.md has the reasons. */
function knownDifference(one: State, { to }: Packet): string | undefined {
  const family = to.includes(":");
  const restricted = one.services.some(({ spec, status }) => {
    const ranges = spec?.loadBalancerSourceRanges ?? [];
    return (
      (status?.loadBalancer?.ingress ?? []).some(({ ip }) => ip === to) &&
      ranges.length > 0 &&
      ranges.every((range) => range.includes(":") !== family)
    );
  });
  return restricted ? "SourceRangesOfOtherFamily" : undefined;
}

function clientOf(plan: ProxyPlan, { from }: Packet): string {
  const ip = parseIp(from);
  return ip === undefined ? "external" : sourceClassifier(plan.node)(ip, from);
}

interface Report {
  states: number;
  packets: number;
  fewestPackets: number;
  readonly verdicts: Record<string, number>;
  readonly known: Record<string, number>;
  differences: number;
  /** Virtual servers, line by line as `ipvsadm` prints them. */
  tableLines: number;
  tableDifferences: number;
  readonly first: unknown[];
  error?: string;
}

const report: Report = {
  states: 0,
  packets: 0,
  fewestPackets: 1e9,
  verdicts: {},
  known: {},
  differences: 0,
  tableLines: 0,
  tableDifferences: 0,
  first: [],
};

function compareTables(round: number, have: IpvsState, want: IpvsState): void {
  const [theirs, ours] = [have, want].map(({ virtualServers }) => new Set(ipvsadmLines(virtualServers)));
  const different = [
    ...[...(theirs ?? [])].filter((line) => !ours?.has(line)).map((line) => `theirs: ${line}`),
    ...[...(ours ?? [])].filter((line) => !theirs?.has(line)).map((line) => `ours: ${line}`),
  ];
  report.tableLines += ours?.size ?? 0;
  report.tableDifferences += different.length;
  if (different.length > 0 && report.first.length < 12) report.first.push({ state: round, lines: different.slice(0, 6) });
}

async function main(): Promise<void> {
  makeNetwork();
  const cluster = await startApi();
  const kubeProxy = startKubeProxy(cluster.kubeconfig);
  let ended: string | undefined;
  kubeProxy.once("exit", (code, signal) => (ended = `kube-proxy ended (${code ?? signal})`));
  const kernel = await openKernel();
  const started = performance.now();
  for (const [round, one] of fc.sample(state, { numRuns: Number(env("STATES", "3")), seed: Number(env("SEED", "1")) }).entries()) {
    if (performance.now() - started > Number(env("MINUTES", "1e9")) * 60_000) break;
    // Else it makes a sync of each few changes; here each takes seconds.
    const begun = performance.now();
    kubeProxy.kill("SIGSTOP");
    await apply(cluster.client, one, round);
    kubeProxy.kill("SIGCONT");
    const applied = performance.now();
    const dump = await settledKernel(kernel, round, () => ended);
    const settled = performance.now();
    const plan = planServices((await cluster.client.list(services)).items, (await cluster.client.list(endpointSlices)).items, planNode);
    const [theirs, ours] = [
      ([4, 6] as const).map((family) => kernelState(dump, family)),
      ([4, 6] as const).map((family) => renderIpvs(plan.services, { node: planNode, family })),
    ];
    for (const i of [0, 1]) compareTables(round, theirs[i] as IpvsState, ours[i] as IpvsState);
    const questions = packetsFor(one);
    report.states += 1;
    report.packets += questions.length;
    report.fewestPackets = Math.min(report.fewestPackets, questions.length);
    for (const packet of questions) {
      const i = packet.to.includes(":") ? 1 : 0;
      const [a, b] = [traceIpvs(ours[i] as IpvsState, planNode, packet), traceIpvs(theirs[i] as IpvsState, planNode, packet)];
      report.verdicts[b.kind] = (report.verdicts[b.kind] ?? 0) + 1;
      if (textOf(a) === textOf(b)) continue;
      const name = knownDifference(one, packet);
      if (name !== undefined) report.known[name] = (report.known[name] ?? 0) + 1;
      else {
        report.differences += 1;
        if (report.first.length < 12)
          report.first.push({ state: round, packet, client: clientOf(plan, packet), ours: textOf(a), theirs: textOf(b) });
      }
    }
    writeFileSync(file, JSON.stringify(report));
    const seconds = [applied - begun, settled - applied, performance.now() - settled].map((ms) => (ms / 1000).toFixed(1));
    console.log(`state ${round}: ${report.differences} differences; written, settled and compared in ${seconds.join(", ")} s`);
  }
  kubeProxy.kill("SIGKILL");
}

try {
  await main();
} catch (error) {
  report.error = error instanceof Error ? (error.stack ?? error.message) : String(error);
  console.log(report.error, readFileSync("/proc/meminfo", "utf8").split("\n").slice(0, 3).join(" "));
}
writeFileSync(file, JSON.stringify(report));
process.exit(0);
