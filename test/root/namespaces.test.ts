/**
 * Nodes and pods as network namespaces, for real: as root, and as an ordinary user without any rights. Both run the same
 * program (`namespaces-program.ts`), which starts as `fairlead up` does.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, readdirSync, readFileSync, readlinkSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { ReadStream } from "node:tty";
import { beforeAll, describe, expect, test, type TestContext } from "vitest";
import { quickMode } from "../../src/host/capabilities/quick.ts";
import { loadLibc, type Libc } from "../../src/host/syscalls/libc.ts";
import { openPty } from "../../src/host/syscalls/pty.ts";

/** Nobody's ids: any will do that have no rights. */
const ordinary = 61_234;
const program = join(import.meta.dirname, "namespaces-program.ts");
const isRoot = process.getuid?.() === 0;
const patience = 240_000;

type Facts = Record<string, string>;

interface Count {
  readonly links: number;
  readonly descriptors: number;
}

interface Churn {
  readonly before: Count;
  readonly during: Count;
  readonly after: Count;
  readonly answer: string;
  readonly reused: string;
}

interface Parked {
  readonly hostPid: number;
  readonly scratch: string;
}

interface User {
  /** The command line that makes another command run as the user. */
  readonly prefix: readonly string[];
  /** Who a pod is that asks for nothing. */
  readonly ids: readonly [uid: number, gid: number];
  /** Why it cannot be tried here. */
  readonly unable: string | undefined;
}

const users: Readonly<Record<string, User>> = {
  "as root": { prefix: [], ids: [65_534, 65_534], unable: isRoot ? unable([]) : "needs root" },
  "as an ordinary user": isRoot
    ? { prefix: asOrdinary(), ids: [ordinary, ordinary], unable: unable(asOrdinary()) }
    : { prefix: [], ids: [process.getuid?.() ?? 0, process.getgid?.() ?? 0], unable: unable([]) },
};

function asOrdinary(): readonly string[] {
  return ["setpriv", "--reuid", String(ordinary), "--regid", String(ordinary), "--clear-groups", "--"];
}

/** Why not: the machine's reasons, or that the user may not read the program. */
function unable(prefix: readonly string[]): string | undefined {
  const mode = quickMode();
  if (mode.mode !== "namespaces") return `needs namespaces: ${mode.why}`;
  if (prefix.length === 0) return undefined;
  const [command = "", ...args] = [...prefix, process.execPath, "--check", program];
  if (spawnSync(command, args, { env: {} }).status !== 0) return "needs a source tree that other users may read";
  const user = ["unshare", "--user", "--map-root-user", "--net", "--", "true"];
  return spawnSync(prefix[0] as string, [...prefix.slice(1), ...user]).status === 0 ? undefined : "needs user namespaces";
}

function start(prefix: readonly string[], action: string): ChildProcess {
  const [command = "", ...args] = [...prefix, process.execPath, program, action];
  const env = { PATH: "/usr/bin:/bin:/usr/sbin:/sbin", HOME: "/nonexistent" };
  return spawn(command, args, { env, stdio: ["ignore", "pipe", "inherit"] });
}

async function facts<Result = Facts>(prefix: readonly string[], action: string): Promise<Result> {
  const child = start(prefix, action);
  return JSON.parse(await text(child.stdout as NodeJS.ReadableStream)) as Result;
}

describe.each(Object.entries(users))("%s", (_, { prefix, ids, unable }) => {
  const needs = (ctx: TestContext) => {
    if (unable !== undefined) ctx.skip(unable);
  };

  describe("network", () => {
    let found: Facts;
    beforeAll(async () => {
      if (unable === undefined) found = await facts(prefix, "network");
    }, patience);

    test.for<readonly [string, string]>([
      ["pod → pod, one node, IPv4", "10.244.1.2"],
      ["pod → pod, one node, IPv6", "fd00:10:244:1::2"],
      ["pod → pod, two nodes, IPv4", "10.244.1.2"],
      ["pod → pod, two nodes, IPv6", "fd00:10:244:1::2"],
      ["pod → itself", "10.244.1.3"],
      ["node → its pod", "10.250.0.1"],
      ["node → a pod of the other node, IPv6", "fd00:10:250::2"],
      ["fabric → pod", "10.250.0.254"],
      ["pod → system address", "10.244.2.2"],
      ["pod → address added to the other node", "10.244.2.2"],
      ["pod → closed port", "ECONNREFUSED"],
      ["pod → closed port, IPv6", "ECONNREFUSED"],
      ["pod → nobody's pod address", "EHOSTUNREACH"],
      ["pod → the world", "ENETUNREACH"],
      ["UDP, one node, IPv4", "hello from 10.244.1.2"],
      ["UDP, two nodes, IPv6", "hello from fd00:10:244:1::2"],
      ["pod → address taken away again", "ENETUNREACH"],
      ["a port that is taken", "EADDRINUSE"],
      ["a pod with an address that is none", "Error: no address: fd00:bogus::"],
      ["the next pod with the good one", "10.244.2.2"],
      ["pod → pod of a node that is gone", "ENETUNREACH"],
      ["operation on a pod of a node that is gone", "ENOENT"],
      ["after stop", "FL_RUNTIME"],
    ])("%s: %s", ([what, expected], ctx) => {
      needs(ctx);
      expect(found[what]).toBe(expected);
    });
  });

  describe("processes", () => {
    let found: Facts;
    beforeAll(async () => {
      if (unable === undefined) found = await facts(prefix, "processes");
    }, patience);

    test.for<readonly [string, string]>([
      ["own", `${ids.join("\n")}\n= 0`],
      ["own, asked for", "1234\n2345\n= 0"],
      ["fake root", "0\n2\n= 0"],
      ["network", "10.244.1.2/32\n2\n= 0"],
      ["session", "leads\n= 0"],
      ["exit code", "= 42"],
      ["signal", "= SIGKILL"],
      ["environment", "PATH=/usr/bin:/bin:/usr/sbin:/sbin\n= 0"],
      ["no directory", "ENOENT"],
      ["container, mounts", "Read-only file system\n0\n1\nbound\n1777\n= 0"],
      ["container, size", "limited\n= 0"],
      ["no new privileges", "NoNewPrivs:1\n= 0"],
      ["inside", "web-0\n/bin/sh -c sleep 1000 & while :; do sleep 2000; done /data\n= 0"],
      ["inside at once", "2\n= 0"],
      ["a link in a volume", "inside\n= 0, 0 outside"],
      ["inside of nobody", "ENOENT"],
      ["descriptors", "4\n= 0"],
      ["our own mounts", "as before"],
      ["our own name", "as before"],
      ["end of a container", "SIGKILL"],
      ["left of it", "0"],
    ])("%s", ([what, expected], ctx) => {
      needs(ctx);
      expect(found[what]).toBe(expected);
    });

    test("a program that is not there says so and ends with 127", (ctx) => {
      needs(ctx);
      expect(found["no program"]).toMatch(/failed to execute \/bin\/nonesuch: No such file or directory\n= 127$/);
    });

    test("a container sees its own root, name, directory and processes", (ctx) => {
      needs(ctx);
      expect(found["container"]).toMatch(/^web-0\n1\n\/data\n\/proc\/1\n.*\bdata\b.*\betc\b.*\busr\b.*= 0$/s);
      expect(found["container"]).not.toMatch(/home|root|work/);
    });
  });

  test("200 pods come and go and leave no link and no descriptor", { timeout: patience }, async (ctx) => {
    needs(ctx);
    const { before, during, after, answer, reused } = await facts<Churn>(prefix, "churn");
    expect(during.links).toBe(before.links + 200);
    expect([answer, reused]).toEqual(["10.244.1.2", "10.244.1.2"]);
    expect(after).toEqual(before);
  });

  test("the first packet to a new pod arrives", { timeout: patience }, async (ctx) => {
    needs(ctx);
    expect(await facts(prefix, "packets")).toEqual({ sent: 100, arrived: 100 });
  });

  test("on a terminal, what is typed arrives, and Ctrl-C", { timeout: patience }, async (ctx) => {
    needs(ctx);
    const { master, slave } = openPty(loadLibc() as Libc);
    const child = spawn("setsid", ["--ctty", "--", ...prefix, process.execPath, program, "converse"], { stdio: [slave, slave, slave] });
    closeSync(slave);
    const terminal = new ReadStream(master);
    terminal.on("error", () => undefined); // EIO: the other end is closed
    let said = "";
    const until = async (text: string) => {
      while (!said.includes(text)) said += String((await once(terminal, "data"))[0]);
    };
    await until("ready");
    writeSync(master, "hello\n");
    await until("typed hello");
    writeSync(master, "\u0003");
    const [code] = (await once(child, "exit")) as [number | null];
    terminal.destroy();
    expect(code).toBe(3);
  });

  /** Each process of the tree that `enterNamespaces` makes, found from the program's. */
  test.for([
    ["the program", 0],
    ["process 1", 1],
    ["the process that was started", 2],
  ] as const)("kill -9 of %s leaves nothing", { timeout: patience }, async ([, above], ctx) => {
    needs(ctx);
    const hostMounts = readFileSync("/proc/self/mountinfo", "utf8");
    const child = start(prefix, "park");
    const parked = JSON.parse(await firstLine(child)) as Parked;
    const family = descendants(child.pid as number);
    const namespaces = new Set(family.flatMap((pid) => namespacesOf(pid)));
    for (const own of namespacesOf("self")) namespaces.delete(own);
    // Three of the program, and the pods'; nodes, pods and containers each have namespaces of their own.
    expect(family.length).toBeGreaterThanOrEqual(6);
    expect(namespaces.size).toBeGreaterThanOrEqual(8);
    let victim = parked.hostPid;
    for (let i = 0; i < above; i++) victim = parentOf(victim);
    expect(victim === child.pid).toBe(above === 2);
    process.kill(victim, "SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    const killedAt = ticksSinceBoot();
    // The kernel gives a namespace's number to a new one soon: only who was there at the time counts.
    const left = () =>
      allProcesses().flatMap((pid) =>
        startedAt(pid) > killedAt ? [] : namespacesOf(pid).filter((namespace) => namespaces.has(namespace)),
      );
    // Where another one than process 1 was hit, the news takes its way up or down the tree.
    let rest = left();
    for (let tries = 0; rest.length > 0 && tries < 1200; tries++) {
      await sleep(50);
      rest = left();
    }
    expect(rest).toEqual([]);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(hostMounts);
    rmSync(parked.scratch, { recursive: true, force: true });
  });
});

async function firstLine(child: ChildProcess): Promise<string> {
  let said = "";
  for await (const chunk of child.stdout as NodeJS.ReadableStream) {
    said += String(chunk);
    if (said.includes("\n")) return said;
  }
  throw new Error(`the program ended early: ${said}`);
}

function allProcesses(): number[] {
  return readdirSync("/proc").flatMap((entry) => (/^\d+$/.test(entry) ? [Number(entry)] : []));
}

function ticksSinceBoot(): number {
  return Math.ceil(Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 100);
}

/** In ticks since boot; infinite for one that has ended in this moment (proc_pid_stat(5), the name may hold spaces). */
function startedAt(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ")[19]);
  } catch {
    return Infinity;
  }
}

/** Empty for one that has ended, a zombie too. */
function namespacesOf(pid: number | "self"): string[] {
  try {
    return ["net", "mnt", "pid", "user", "uts"].map((kind) => readlinkSync(`/proc/${pid}/ns/${kind}`));
  } catch {
    return [];
  }
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

/** The process itself and all below it. */
function descendants(pid: number): number[] {
  if (!existsSync(`/proc/${pid}`)) return [];
  const children = unlessGone(() => readdirSync(`/proc/${pid}/task`)).flatMap((thread) =>
    unlessGone(() => readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number)),
  );
  return [pid, ...children.flatMap(descendants)];
}

/** Threads and processes end while one looks. */
function unlessGone<T>(look: () => readonly T[]): readonly T[] {
  try {
    return look();
  } catch (error) {
    if (!["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    return [];
  }
}
