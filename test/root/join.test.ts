/** Joining the surroundings of a process, as `fairlead run` does it: as root, and as an ordinary user whose cluster is in a user namespace. */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { afterEach, describe, expect, test, type TestContext } from "vitest";
import { findInNamespaces } from "../../src/host/join.ts";

const repository = join(import.meta.dirname, "../..");
const isRoot = process.getuid?.() === 0;
const nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"];
/** `sleep` in namespaces of its own, as a pod's holder is: process 1 of its PID namespace. */
const holder =
  'unshare --net --mount --uts --pid --fork --kill-child sh -c "mount -t proc proc /proc && hostname pod-x && echo ready && exec sleep 100000"';
const clusters: Readonly<Record<string, readonly string[]>> = {
  root: ["unshare", "-m", "--pid", "--fork", "--kill-child", "sh", "-c", holder],
  "an ordinary user": [...nobody, "unshare", "-Urm", "--pid", "--fork", "--kill-child", "sh", "-c", holder],
};

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill("SIGKILL");
});

interface Cluster {
  readonly ownerPid: number;
  readonly pid: number;
}

/** Descendants of a process, itself first. */
function descendants(pid: number): readonly number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "latin1").split(" ").filter(Boolean),
  );
  return [pid, ...children.flatMap((child) => descendants(Number(child)))];
}

async function start(command: readonly string[]): Promise<Cluster> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"] });
  running.push(child);
  for await (const line of createInterface({ input: child.stdout })) if (line === "ready") break;
  const all = descendants(child.pid ?? 0);
  const pid = all.at(-1) as number;
  // The one before the holder's `unshare`: in the cluster's user namespace, whoever of them it is.
  return { ownerPid: all.find((one) => readlinkSync(`/proc/${one}/ns/user`) === readlinkSync(`/proc/${pid}/ns/user`)) as number, pid };
}

interface Result {
  readonly code: number | string;
  readonly output: string;
}

function joined(
  who: string,
  { ownerPid, pid }: Cluster,
  ...command: string[]
): { readonly child: ChildProcess; readonly done: Promise<Result> } {
  const words = [process.execPath, join(repository, "test/support/join-pod.ts"), String(ownerPid), String(pid), ...command];
  const [program = "", ...args] = who === "root" ? words : [...nobody, ...words];
  let child: ChildProcess | undefined;
  const done = new Promise<Result>((resolve) => {
    child = execFile(program, args, { cwd: "/usr", env: { PATH: process.env["PATH"] } }, (error, output, errors) => {
      resolve({ code: error === null ? 0 : (error.code ?? String(error.signal)), output: output + errors });
    });
  });
  running.push(child as ChildProcess);
  return { child: child as ChildProcess, done };
}

describe.each(Object.keys(clusters))("as %s", { timeout: 120_000 }, (who) => {
  const open = async (ctx: TestContext): Promise<Cluster> => {
    if (!isRoot) ctx.skip("needs root: makes namespaces, and gives itself up for another user");
    return await start(clusters[who] as readonly string[]);
  };

  test("the program has the pod's network, name and process ids, and the user's own rest", async (ctx) => {
    const cluster = await open(ctx);
    const script =
      "hostname; pwd; id -u; cat /proc/net/dev | wc -l; ls /proc | grep -c '^[0-9]*$'; echo $JOINED; readlink /proc/self/ns/net; exit 3";
    const { code, output } = await joined(who, cluster, "/bin/sh", "-c", script).done;
    const [name, directory, uid, links, processes, variable, net] = output.split("\n");
    expect({ code, name, directory, uid, links, variable }).toEqual({
      code: 3,
      name: "pod-x",
      directory: "/usr",
      uid: who === "root" ? "0" : "65534",
      // Two lines of heading, and loopback.
      links: "3",
      variable: "yes",
    });
    expect(Number(processes)).toBeLessThan(10);
    expect(net).not.toBe(readlinkSync("/proc/self/ns/net"));
  });

  test("a signal that ends it is told, and one that is sent reaches it", async (ctx) => {
    const cluster = await open(ctx);
    expect((await joined(who, cluster, "/bin/sh", "-c", "kill -KILL $$").done).code).toBe(137);
    // In the background: dash forgets a signal that comes while it starts a program in the foreground (its vfork).
    const { child, done } = joined(
      who,
      cluster,
      "/bin/sh",
      "-c",
      "trap 'echo caught; exit 9' TERM; echo up; while :; do sleep 0.05 & wait; done",
    );
    child.stdout?.once("data", () => child.kill("SIGTERM"));
    expect(await done).toEqual({ code: 9, output: "up\ncaught\n" });
  });

  test("it ends with the pod", async (ctx) => {
    const cluster = await open(ctx);
    const { child, done } = joined(who, cluster, "/bin/sh", "-c", "echo up; sleep 100000 & wait");
    child.stdout?.once("data", () => process.kill(cluster.pid, "SIGKILL"));
    expect((await done).code).toBe(137);
  });

  test("the holder is found by its namespaces alone", async (ctx) => {
    const cluster = await open(ctx);
    const links = Object.fromEntries(["net", "mnt", "pid"].map((kind) => [kind, readlinkSync(`/proc/${cluster.pid}/ns/${kind}`)]));
    expect(findInNamespaces(links)).toBe(cluster.pid);
    expect(existsSync(`/proc/${cluster.pid}`)).toBe(true);
  });
});
