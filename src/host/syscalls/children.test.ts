import { EventEmitter } from "node:events";
import { describe, expect, test, type TestContext } from "vitest";
import { watchChildren, type ChildEnd } from "./children.ts";
import type { EndedChild, Libc } from "./libc.ts";
import { loadLibc } from "./libc.ts";
import { pointerList, posixSpawn, type PosixSpawnOptions } from "./posix-spawn.ts";

/** A kernel with ended children in the order in which it shows them; looking without WNOWAIT takes one away. */
function fakeKernel() {
  const zombies: EndedChild[] = [];
  const endedChild: Libc["endedChild"] = (which, flags) => {
    const at = zombies.findIndex(({ pid }) => which === "any" || pid === which.pid);
    return at < 0 ? undefined : flags === 0 ? zombies.splice(at, 1)[0] : zombies[at];
  };
  return { zombies, endedChild };
}

function rig() {
  const kernel = fakeKernel();
  const signals = new EventEmitter();
  const children = watchChildren(kernel, signals as unknown as NodeJS.Process);
  const ends: [number, ChildEnd][] = [];
  return {
    ends,
    children,
    zombies: kernel.zombies,
    watch: (pid: number) => children.watch(pid, (end) => ends.push([pid, end])),
    signal: () => signals.emit("SIGCHLD"),
    listeners: () => signals.listenerCount("SIGCHLD"),
  };
}

const exited = (pid: number, status = 0): EndedChild => ({ pid, status, signaled: false });

describe("the end of children", () => {
  test("is told once, with code or signal, however many one signal stands for", () => {
    const { watch, zombies, signal, ends } = rig();
    [1, 2, 3].forEach(watch);
    zombies.push(exited(2, 7), { pid: 1, status: 15, signaled: true });
    signal();
    signal();
    expect(ends).toEqual([
      [2, { exitCode: 7, signal: null }],
      [1, { exitCode: null, signal: "SIGTERM" }],
    ]);
    expect(zombies).toEqual([]);
  });

  test("is told at once when it came before the watch", () => {
    const { watch, zombies, ends } = rig();
    zombies.push(exited(9));
    watch(9);
    expect(ends).toEqual([[9, { exitCode: 0, signal: null }]]);
  });

  test("of others is left to them, and does not hide those behind it", () => {
    const { watch, zombies, signal, ends } = rig();
    watch(5);
    zombies.push(exited(4), exited(5));
    signal();
    expect(ends.map(([pid]) => pid)).toEqual([5]);
    expect(zombies).toEqual([exited(4)]);
  });

  test("is told after close, too, and then nobody listens any more", () => {
    const { watch, zombies, signal, ends, children, listeners } = rig();
    watch(5);
    children.close();
    expect([children.pids(), listeners()]).toEqual([[5], 1]);
    zombies.push(exited(5));
    signal();
    expect([ends.length, listeners()]).toEqual([1, 0]);
  });
});

describe("posixSpawn", () => {
  const withLibc = (ctx: TestContext): Libc => loadLibc() ?? ctx.skip("needs FFI: Linux on x64 or arm64 with the package koffi");
  const plain: PosixSpawnOptions = { program: "/bin/sh", args: [], env: {}, directory: "/", stdio: [0, 1, 2], session: true };

  /** What a script writes to both of its outputs. */
  async function run(libc: Libc, script: string, options: Partial<PosixSpawnOptions> = {}): Promise<string> {
    const { Socket } = await import("node:net");
    const { text } = await import("node:stream/consumers");
    const [reading, writing] = libc.pipe2(0);
    const children = watchChildren(libc);
    const pid = posixSpawn(libc, { ...plain, args: ["-c", script], stdio: [0, writing, writing], ...options });
    libc.close(writing);
    const ended = new Promise<ChildEnd>((resolve) => children.watch(pid, resolve));
    const said = await text(new Socket({ fd: reading, readable: true, writable: false }));
    const { exitCode, signal } = await ended;
    children.close();
    return `${said}= ${exitCode ?? signal}`;
  }

  test("arguments, environment and directory arrive as they are", async (ctx) => {
    const said = await run(withLibc(ctx), 'echo "$0|$1|$A|$B"; pwd', {
      args: ["-c", 'echo "$0|$1|$A|$B"; pwd', "a b", "ü'\"\n$(x)"],
      env: { A: "1=2", B: "ö", PATH: "/bin" },
      directory: "/usr",
    });
    expect(said).toBe("a b|ü'\"\n$(x)|1=2|ö\n/usr\n= 0");
  });

  test("it leads a session, with no signal blocked or ignored", async (ctx) => {
    const said = await run(
      withLibc(ctx),
      "read -r pid name state parent group session rest < /proc/$$/stat; echo $((pid - group)) $((pid - session)); grep -E '^Sig(Blk|Ign)' /proc/$$/status | tr -d '\\t'",
    );
    expect(said).toBe("0 0\nSigBlk:0000000000000000\nSigIgn:0000000000000000\n= 0");
  });

  test("a signal that ended it is told", async (ctx) => {
    expect(await run(withLibc(ctx), "kill -USR1 $$")).toBe("= SIGUSR1");
  });

  test.each([
    [{ program: "/nonesuch" }, "spawn ENOENT /nonesuch"],
    [{ program: "/etc/passwd" }, "spawn EACCES /etc/passwd"],
    [{ directory: "/nonesuch" }, "spawn ENOENT /bin/sh"],
  ])("%j cannot be started", (options, message) => {
    const libc = loadLibc();
    if (libc !== undefined) expect(() => posixSpawn(libc, { ...plain, ...options })).toThrow(message);
  });

  test("text with a NUL byte is refused", () => {
    expect(() => pointerList({ address: () => 0n }, ["a\0b"])).toThrow(TypeError);
  });

  test("pointers point at their strings and end with none", () => {
    const list = pointerList({ address: () => 1000n }, ["ab", "", "c"]);
    const view = new DataView(list.buffer);
    const pointers = [0, 1, 2, 3].map((i) => Number(view.getBigUint64(8 * i, true)));
    expect(pointers[3]).toBe(0);
    const strings = pointers.slice(0, 3).map(
      (pointer) =>
        Buffer.from(list)
          .toString("latin1", pointer - 1000)
          .split("\0")[0],
    );
    expect(strings).toEqual(["ab", "", "c"]);
  });
});
