/**
 * The program that `namespaces.test.ts` runs, as root and as an ordinary user, the way `fairlead up` starts: outside it enters
 * namespaces of its own, inside it does what its first argument says and prints one line of JSON.
 */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createServer, Socket, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { enterNamespaces } from "../../src/host/launch/enter.ts";
import { settleInside } from "../../src/host/launch/inside.ts";
import { createNamespaces } from "../../src/host/namespaces/create-namespaces.ts";
import type { Mount, Namespaces, NetworkNamespace, NodeNetwork, PodNetwork, SpawnOptions } from "../../src/host/namespaces/namespaces.ts";
import { readAttributes, readString } from "../../src/host/netlink/reader.ts";
import { IFLA_IFNAME, requestLinks } from "../../src/host/netlink/route.ts";
import { adoptNetlink, dump, NETLINK_ROUTE } from "../../src/host/netlink/socket.ts";
import { NetlinkWriter } from "../../src/host/netlink/writer.ts";
import { loadLibc, type Libc } from "../../src/host/syscalls/libc.ts";
import { errnoCode } from "../../src/lib/errors.ts";

interface Rig {
  readonly libc: Libc;
  readonly namespaces: Namespaces;
  readonly nodes: readonly [NodeNetwork, NodeNetwork];
  /** Two on the first node, one on the second. */
  readonly pods: readonly [PodNetwork, PodNetwork, PodNetwork];
}

async function build(): Promise<Rig> {
  const libc = loadLibc() as Libc;
  const namespaces = await createNamespaces();
  const node = (index: number) =>
    namespaces.createNode({ name: `node-${index}`, index, podCIDRs: [`10.244.${index}.0/24`, `fd00:10:244:${index}::/64`] });
  const nodes = [await node(1), await node(2)] as const;
  const pod = (on: 1 | 2, host: number) =>
    (nodes[on - 1] as NodeNetwork).addPod({ id: `${on}-${host}`, addresses: [`10.244.${on}.${host}`, `fd00:10:244:${on}::${host}`] });
  return { libc, namespaces, nodes, pods: [await pod(1, 2), await pod(1, 3), await pod(2, 2)] };
}

function codeOf(error: unknown): string {
  return errnoCode(error) ?? String(error);
}

/** Answers each client with the address that it came from, on port 80. */
async function serve(where: NetworkNamespace, address: string): Promise<Server> {
  const { fd } = await where.listen(address, 80);
  const server = createServer((client) => void client.on("error", () => undefined).end(String(client.remoteAddress)));
  await once(server.listen({ fd }), "listening");
  return server;
}

async function ask(from: NetworkNamespace, host: string, port = 80): Promise<string> {
  try {
    return await text(await from.connect({ host, port, timeoutMs: 30_000 }));
  } catch (error) {
    return codeOf(error);
  }
}

/** A question by UDP and what came back, with who the server said it saw. */
async function askUdp(server: NetworkNamespace, client: NetworkNamespace, serverAddress: string, clientAddress: string): Promise<string> {
  const type = serverAddress.includes(":") ? "udp6" : "udp4";
  const bound = await server.bindUdp(serverAddress, 53);
  const answering = createSocket(type).bind({ fd: bound.fd });
  answering.on("message", (message, from) => answering.send(`${String(message)} from ${from.address}`, from.port, from.address));
  const asking = createSocket(type).bind({ fd: (await client.bindUdp(clientAddress, 0)).fd });
  asking.send("hello", 53, serverAddress);
  const [answer] = (await once(asking, "message")) as [Buffer];
  answering.close();
  asking.close();
  return String(answer);
}

async function network(): Promise<unknown> {
  const rig = await build();
  const { namespaces, nodes, pods } = rig;
  await nodes[0].addAddress("10.250.0.201");
  const servers = [
    await serve(pods[1], "0.0.0.0"),
    await serve(pods[1], "::"),
    await serve(pods[2], "0.0.0.0"),
    await serve(pods[2], "::"),
    await serve(namespaces.fabric, namespaces.fabric.systemAddresses[0] as string),
    await serve(nodes[0], "10.250.0.201"),
  ];
  const facts: Record<string, string> = {
    "pod → pod, one node, IPv4": await ask(pods[0], "10.244.1.3"),
    "pod → pod, one node, IPv6": await ask(pods[0], "fd00:10:244:1::3"),
    "pod → pod, two nodes, IPv4": await ask(pods[0], "10.244.2.2"),
    "pod → pod, two nodes, IPv6": await ask(pods[0], "fd00:10:244:2::2"),
    "pod → itself": await ask(pods[1], "10.244.1.3"),
    "node → its pod": await ask(nodes[0], "10.244.1.3"),
    "node → a pod of the other node, IPv6": await ask(nodes[1], "fd00:10:244:1::3"),
    "fabric → pod": await ask(namespaces.fabric, "10.244.2.2"),
    "pod → system address": await ask(pods[2], namespaces.fabric.systemAddresses[0] as string),
    "pod → address added to the other node": await ask(pods[2], "10.250.0.201"),
    "pod → closed port": await ask(pods[0], "10.244.1.3", 81),
    "pod → closed port, IPv6": await ask(pods[0], "fd00:10:244:2::2", 81),
    "pod → nobody's pod address": await ask(pods[0], "10.244.1.77"),
    "pod → the world": await ask(pods[0], "192.0.2.1"),
    "UDP, one node, IPv4": await askUdp(pods[1], pods[0], "10.244.1.3", "10.244.1.2"),
    "UDP, two nodes, IPv6": await askUdp(pods[2], pods[0], "fd00:10:244:2::2", "fd00:10:244:1::2"),
  };
  await nodes[0].removeAddress("10.250.0.201");
  facts["pod → address taken away again"] = await ask(pods[2], "10.250.0.201");
  facts["a port that is taken"] = await pods[1].listen("10.244.1.3", 80).then(String, codeOf);
  facts["a pod with an address that is none"] = await nodes[0]
    .addPod({ id: "x", addresses: ["10.244.1.9", "fd00:bogus::"] })
    .then(String, codeOf);
  const afterwards = await nodes[0].addPod({ id: "y", addresses: ["10.244.1.9"] });
  servers.push(await serve(afterwards, "0.0.0.0"));
  facts["the next pod with the good one"] = await ask(pods[2], "10.244.1.9");
  await nodes[1].remove();
  facts["pod → pod of a node that is gone"] = await ask(pods[0], "10.244.2.2");
  facts["operation on a pod of a node that is gone"] = await pods[2].listen("0.0.0.0", 0).then(String, codeOf);
  for (const server of servers) server.close();
  await namespaces.stop();
  facts["after stop"] = await pods[0].listen("0.0.0.0", 0).then(String, codeOf);
  return facts;
}

const base = {
  args: [],
  env: { PATH: "/usr/bin:/bin:/usr/sbin:/sbin" },
  directory: "/",
  user: { kind: "own" },
} as const satisfies Partial<SpawnOptions>;

/** What a shell script printed on both streams, and how it ended: `…\n= 0`. */
async function run(libc: Libc, where: NetworkNamespace, script: string, options: Partial<SpawnOptions> = {}): Promise<string> {
  const [reading, writing] = libc.pipe2(0);
  const started = where.spawn({ ...base, program: "/bin/sh", args: ["-c", script], stdio: [null, writing, writing], ...options });
  const output = text(new Socket({ fd: reading, readable: true, writable: false }));
  try {
    const { exited } = await started;
    libc.close(writing);
    const said = await output;
    const { exitCode, signal } = await exited;
    return `${said}= ${exitCode ?? signal}`;
  } catch (error) {
    libc.close(writing);
    return codeOf(error);
  }
}

/** A root of its own with the machine's programs in it, as the node agent makes it. */
function container(root: string): Pick<SpawnOptions, "root" | "mounts" | "hostname" | "pidNamespace"> {
  const programs = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/dev"].filter((path) => readdirSync("/").includes(path.slice(1)));
  const mounts: Mount[] = [
    { kind: "tmpfs", target: root },
    ...programs.map((path): Mount => ({ kind: "bind", source: path, target: root + path, readOnly: path !== "/dev" })),
    { kind: "proc", target: `${root}/proc` },
    { kind: "tmpfs", target: `${root}/data`, mode: 0o777, sizeBytes: 1 << 20 },
    { kind: "directory", target: `${root}/tmp`, mode: 0o1777 },
    { kind: "symlink", target: `${root}/etc/link`, to: "/data" },
    { kind: "bind", source: "/etc/hostname", target: `${root}/etc/own/name`, readOnly: true },
    { kind: "mask", target: `${root}/usr/share` },
  ];
  return { root, mounts, hostname: "web-0", pidNamespace: true };
}

/** A first process that does not end with its children. */
const waiting = "sleep 1000 & while :; do sleep 2000; done";

async function processes(): Promise<unknown> {
  const { libc, namespaces, pods } = await build();
  const scratch = mkdtempSync(join(tmpdir(), "fairlead-namespaces-"));
  const inRoot = { ...container(scratch), directory: "/data" };
  const [pod] = pods;
  const holder = await pod.spawn({
    ...base,
    ...inRoot,
    program: "/bin/sh",
    args: ["-c", waiting],
    stdio: [null, null, null],
  });
  const mountsBefore = readFileSync("/proc/self/mountinfo", "utf8");
  const facts: Record<string, string> = {
    own: await run(libc, pod, "id -u; id -g"),
    "own, asked for": await run(libc, pod, "id -u; id -g", { user: { kind: "own", uid: 1234, gid: 2345 } }),
    "fake root": await run(libc, pod, "id -u; ip link add x type veth 2>/dev/null; echo $?", { user: { kind: "fake-root" } }),
    network: await run(libc, pod, "ip -o -4 address show eth0 | awk '{ print $4 }'; ip -o link | wc -l"),
    session: await run(
      libc,
      pod,
      'read -r pid name state parent group session rest < /proc/$$/stat; [ "$pid" = "$group" ] && [ "$pid" = "$session" ] && echo leads',
    ),
    "exit code": await run(libc, pod, "exit 42"),
    signal: await run(libc, pod, "kill -KILL $$"),
    environment: await run(libc, pod, "env | grep -v ^_= | grep -v ^PWD= | sort"),
    "no program": await run(libc, pod, "", { program: "/bin/nonesuch", args: [] }),
    "no directory": await run(libc, pod, "true", { directory: "/nonesuch" }),
    container: await run(libc, pod, "hostname; echo $$; pwd; ls -d /proc/[0-9]*; ls / | tr '\\n' ' '", inRoot),
    "container, mounts": await run(
      libc,
      pod,
      "touch /usr/x 2>&1 | sed 's/.*: //'; ls /usr/share | wc -l; echo 1 > /data/f && cat /etc/link/f; cmp /etc/own/name /dev/null >/dev/null 2>&1 || echo bound; stat -c %a /tmp",
      inRoot,
    ),
    "container, size": await run(
      libc,
      pod,
      "head -c 2097152 /dev/zero 2>/dev/null > /data/big; [ $(stat -c %s /data/big) -le 1048576 ] && echo limited",
      inRoot,
    ),
    "no new privileges": await run(libc, pod, "grep NoNewPrivs /proc/self/status | tr -d '\\t '", { ...inRoot, noNewPrivileges: true }),
    inside: await run(libc, pod, "hostname; tr '\\0' ' ' < /proc/1/cmdline; pwd", { inside: holder.pid, directory: "/data" }),
    "inside at once": await insideAtOnce(libc, pod, inRoot),
    "a link in a volume": await plantedLink(libc, pod, inRoot),
    "inside of nobody": await run(libc, pod, "true", { inside: 4_000_000 }),
    descriptors: await run(libc, pod, "ls /proc/self/fd | wc -l"),
    "our own mounts": mountsBefore === readFileSync("/proc/self/mountinfo", "utf8") ? "as before" : "changed",
    "our own name": await run(libc, namespaces.fabric, "hostname").then((name) => (name.includes("web-0") ? "changed" : "as before")),
  };
  holder.signal("SIGKILL");
  const { signal } = await holder.exited;
  facts["end of a container"] = String(signal);
  facts["left of it"] = String(runningSleeps());
  await namespaces.stop();
  rmSync(scratch, { recursive: true });
  return facts;
}

/** A volume holds a link that leads out of it, and a mount goes through it: nothing may be made where it leads on the host. */
async function plantedLink(libc: Libc, pod: PodNetwork, inRoot: Partial<SpawnOptions>): Promise<string> {
  const volume = mkdtempSync(join(tmpdir(), "fairlead-volume-"));
  const outside = mkdtempSync(join(tmpdir(), "fairlead-outside-"));
  symlinkSync(outside, join(volume, "link"));
  const mounts: readonly Mount[] = [
    ...(inRoot.mounts ?? []),
    { kind: "bind", source: volume, target: `${inRoot.root}/volume`, readOnly: false },
    { kind: "bind", source: "/etc/hostname", target: `${inRoot.root}/volume/link/planted`, readOnly: true },
  ];
  const seen = await run(libc, pod, `cmp ${outside}/planted /dev/null > /dev/null 2>&1 || echo inside`, { ...inRoot, mounts });
  const planted = readdirSync(outside).length;
  for (const path of [volume, outside]) rmSync(path, { recursive: true });
  return `${seen}, ${planted} outside`;
}

/** A process that joins another one as soon as there is one must find it where it belongs: with its own `/proc`. */
async function insideAtOnce(libc: Libc, pod: PodNetwork, inRoot: Partial<SpawnOptions>): Promise<string> {
  const found = new Set<string>();
  for (let i = 0; i < 10; i++) {
    const first = await pod.spawn({ ...base, ...inRoot, program: "/bin/sleep", args: ["1000"], stdio: [null, null, null] } as SpawnOptions);
    found.add(await run(libc, pod, "set -- /proc/[0-9]*; echo $#", { inside: first.pid }));
    first.signal("SIGKILL");
    await first.exited;
  }
  return [...found].sort().join();
}

function runningSleeps(): number {
  return processNames().filter((name) => name === "sleep").length;
}

function processNames(): string[] {
  return readdirSync("/proc").flatMap((entry) => {
    try {
      return /^\d+$/.test(entry) ? [readFileSync(`/proc/${entry}/comm`, "utf8").trim()] : [];
    } catch {
      return []; // ended in this moment
    }
  });
}

/** `count` pods come and go; what is there before and after. */
async function churn(count: number): Promise<unknown> {
  const { libc, namespaces, nodes, pods } = await build();
  const socket = adoptNetlink(libc, await nodes[0].netlink(NETLINK_ROUTE));
  const writer = new NetlinkWriter();
  const links = () =>
    dump(socket, writer, requestLinks).map(({ payload }) =>
      readString(readAttributes(payload.subarray(16)).get(IFLA_IFNAME) as Uint8Array),
    );
  const descriptors = () => readdirSync("/proc/self/fd").length;
  (await serve(pods[1], "0.0.0.0")).close();
  await ask(pods[0], "10.244.1.3"); // what the first socket brings along is there from now on
  const before = { links: links().length, descriptors: descriptors() };
  const made = await Promise.all(
    Array.from({ length: count }, (_, i) =>
      nodes[0].addPod({ id: `churn-${i}`, addresses: [`10.244.1.${i + 10}`, `fd00:10:244:1::1:${i}`] }),
    ),
  );
  const during = { links: links().length, descriptors: descriptors() };
  const server = await serve(made.at(-1) as PodNetwork, "0.0.0.0");
  const answer = await ask(pods[0], `10.244.1.${count + 9}`);
  server.close();
  await Promise.all(made.map((pod) => pod.remove()));
  const again = await nodes[0].addPod({ id: "again", addresses: ["10.244.1.10"] });
  const second = await serve(again, "0.0.0.0");
  const reused = await ask(pods[0], "10.244.1.10");
  second.close();
  await again.remove();
  // The kernel takes links away in the background.
  for (let tries = 0; links().length > before.links && tries < 600; tries++) await sleep(100);
  const after = { links: links().length, descriptors: descriptors() };
  socket.close();
  await namespaces.stop();
  return { before, during, after, answer, reused };
}

/** How many of the first datagrams to new pods arrive: nothing sends them a second time. */
async function firstPackets(count: number): Promise<unknown> {
  const { namespaces, nodes } = await build();
  const sender = createSocket("udp4").bind({ fd: (await nodes[0].bindUdp("0.0.0.0", 0)).fd });
  const sockets: UdpSocket[] = [];
  const { promise: all, resolve } = Promise.withResolvers<void>();
  let arrived = 0;
  const arrive = () => {
    if (++arrived === count) resolve();
  };
  for (let i = 0; i < count; i++) {
    const address = `10.244.1.${i + 10}`;
    const pod = await nodes[0].addPod({ id: address, addresses: [address] });
    const receiver = createSocket("udp4").bind({ fd: (await pod.bindUdp(address, 53)).fd });
    sockets.push(receiver.on("message", arrive));
    sender.send("first", 53, address);
  }
  await Promise.race([all, sleep(5000, undefined, { ref: false })]);
  for (const socket of [sender, ...sockets]) socket.close();
  await namespaces.stop();
  return { sent: count, arrived };
}

/** Sets up all that there is, says where, and waits to be killed. */
async function park(hostPid: number): Promise<unknown> {
  const { pods, nodes } = await build();
  const scratch = mkdtempSync(join(tmpdir(), "fairlead-namespaces-"));
  const wait = { ...base, program: "/bin/sh", stdio: [null, null, null] } as const;
  await pods[0].spawn({ ...wait, ...container(scratch), args: ["-c", "sleep 1000 & sleep 2000"] });
  await pods[2].spawn({ ...wait, args: ["-c", "sleep 3000 & sleep 4000 & exit"] });
  await nodes[1].hostPod().spawn({ ...wait, args: ["-c", "trap '' TERM INT HUP; sleep 5000"] });
  setInterval(() => undefined, 1 << 30);
  return { hostPid, scratch };
}

/** Says what is typed, and ends by Ctrl-C. */
async function converse(): Promise<unknown> {
  process.stdin.on("data", (typed) => process.stdout.write(`typed ${String(typed).trim()}\n`));
  process.stdout.write("ready\n");
  await once(process, "SIGINT"); // a second one would end us by the signal
  process.stdin.destroy();
  process.exitCode = 3;
  return "interrupted";
}

const inside = settleInside();
if (inside === undefined) {
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.exitCode = await enterNamespaces({ command, env: process.env, userNamespace: process.getuid?.() !== 0 });
} else {
  const action = {
    network,
    processes,
    packets: () => firstPackets(100),
    churn: () => churn(200),
    converse,
    park: () => park(inside.hostPid),
  }[process.argv[2] as "network"];
  process.stdout.write(`${JSON.stringify(await action())}\n`);
}
