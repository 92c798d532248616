import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { enterCommand } from "./enter.ts";
import { settleInside } from "./inside.ts";

const find = (tool: string) => `/bin/${tool}`;

describe("the command", () => {
  const words = enterCommand({ command: ["/n/node", "a; rm -rf b", "$(c)"], env: {}, userNamespace: true }, find);

  test("keeps the caller's words apart from the script", () => {
    expect(words.slice(-3)).toEqual(["/n/node", "a; rm -rf b", "$(c)"]);
    const scripts = words.filter((_, i) => words[i - 1] === "-c");
    expect(scripts.length).toBe(2);
    expect(scripts.join("")).not.toMatch(/rm -rf|node/);
  });

  test("has a user namespace only where it is asked for, and never a network namespace", () => {
    expect(words.slice(0, 5)).toEqual(["/bin/unshare", "--user", "--map-root-user", "--pid", "--"]);
    const plain = enterCommand({ command: ["x"], env: {}, userNamespace: false }, find);
    expect(plain.slice(0, 3)).toEqual(["/bin/unshare", "--pid", "--"]);
    expect([...words, ...plain].filter((word) => word === "--net")).toEqual([]);
  });
});

/** The two shells without what needs rights: they must be transparent on any machine. */
function guarded(script: string) {
  const words = enterCommand({ command: ["/bin/sh", "-c", script], env: {}, userNamespace: false }, (tool) => tool);
  const bare = words.slice(words.indexOf("--") + 1);
  const at = bare.indexOf("unshare");
  return spawn(bare[0] as string, [...bare.slice(1, at), ...bare.slice(bare.indexOf("KILL") + 2)], { stdio: ["pipe", "pipe", "inherit"] });
}

async function outcome(child: ReturnType<typeof guarded>): Promise<{ code: number | null; said: string }> {
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, "exit") as Promise<[number | null]>]);
  return { code, said };
}

describe("the guardians", () => {
  test("pass on standard input, output and the exit code", async () => {
    const child = guarded("cat; exit 7");
    child.stdin.end("hello");
    expect(await outcome(child)).toEqual({ code: 7, said: "hello" });
  });

  test.each([
    ["SIGTERM", "TERM"],
    ["SIGINT", "INT"],
    ["SIGHUP", "HUP"],
  ] as const)("pass on %s, and wait for what the program makes of it", async (signal, name) => {
    // What a shell starts in the background cannot take SIGINT back, which Node can: hence a program in its stead.
    const program = `process.on("${signal}", () => { console.log("got"); setTimeout(() => process.exit(9), 50); }); console.log("ready"); setInterval(() => {}, 9999)`;
    const child = guarded(`exec '${process.execPath}' -e '${program}'`);
    child.stdout.once("data", () => child.kill(signal));
    expect(await outcome(child), name).toEqual({ code: 9, said: "ready\ngot\n" });
  });

  test("end as if by the signal that ended the program", async () => {
    const child = guarded("kill -KILL $$");
    expect((await outcome(child)).code).toBe(137);
  });
});

test("a program that was started the usual way is not inside", () => {
  expect(settleInside({})).toBeUndefined();
});
