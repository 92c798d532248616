import { readlinkSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { findInNamespaces, joinCommand, startJoined, type JoinOptions } from "./join.ts";

const options: JoinOptions = { program: "/usr/bin/curl", args: ["-s", "$(reboot)"], env: {}, directory: "/home/me; x" };
const ids = { uid: 1000, gid: 1001 };
const surroundings = { pid: 70, ownerPid: 60 };
const text = (given: JoinOptions, own: string, owner: string, target: string) => joinCommand(given, { own, owner, target }, ids).join(" ");

describe("the command line", () => {
  test("without surroundings is the program's own", () => {
    expect(text(options, "a", "a", "a")).toBe("setpriv --pdeathsig KILL -- /usr/bin/curl -s $(reboot)");
  });

  test("as root enters everything and stays root", () => {
    expect(text({ ...options, surroundings }, "a", "a", "a")).toMatch(
      /^nsenter --target=70 --mount --uts --net --pid --no-fork -- setpriv --pdeathsig KILL -- \/bin\/sh -c /,
    );
  });

  test("as a user enters the owner's user namespace first, and in the end becomes the user again", () => {
    const first = "nsenter --user=/proc/60/ns/user --preserve-credentials -- nsenter --target=70 --mount --uts --net --pid --no-fork";
    const renewed = text({ ...options, surroundings }, "a", "b", "b");
    expect(renewed).toContain(`${first} -- setpriv`);
    expect(renewed).toContain(" unshare --user --map-user=1000 --map-group=1001 -- /usr/bin/curl");
    expect(text({ ...options, surroundings }, "a", "b", "c")).toContain(`${first} --user --preserve-credentials -- setpriv`);
  });

  test("what the user says is an argument and never the shell's text", () => {
    const words = joinCommand({ ...options, surroundings }, { own: "a", owner: "a", target: "a" }, ids);
    const script = words[words.indexOf("-c") + 1] ?? "";
    expect(script).not.toContain("curl");
    expect(words.slice(words.indexOf("-c") + 2)).toEqual(["fairlead-run", "/home/me; x", "/usr/bin/curl", "-s", "$(reboot)"]);
  });
});

describe("a program", { timeout: 60_000 }, () => {
  const run = (script: string) => startJoined({ program: "/bin/sh", args: ["-c", script], env: process.env, directory: "/" });

  test("gives its exit code, or 128 and the signal that ended it", async () => {
    expect(await run("exit 7").exited).toBe(7);
    expect(await run("kill -9 $$").exited).toBe(137);
    expect(await run("cd / && [ $(pwd) = / ]").exited).toBe(0);
  });

  test("gets the signals that are sent on to it", async () => {
    const child = run("trap 'exit 9' TERM; while :; do sleep 0.05; done");
    const again = setInterval(() => child.signal("SIGTERM"), 20);
    // Before the trap stands the signal ends the shell: either is the signal's doing.
    expect([9, 143]).toContain(await child.exited);
    clearInterval(again);
  });
});

test("a process is found by its namespaces", () => {
  const links = Object.fromEntries(["net", "mnt", "pid"].map((kind) => [kind, readlinkSync(`/proc/self/ns/${kind}`)]));
  expect(findInNamespaces(links)).toBeGreaterThan(0);
  expect(findInNamespaces({ ...links, net: "net:[1]" })).toBeUndefined();
  expect(findInNamespaces({ user: "user:[1]" })).toBeUndefined();
});
