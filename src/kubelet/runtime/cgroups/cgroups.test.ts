import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { Container } from "../../../api/types.ts";
import { Cgroups } from "./cgroups.ts";
import { findCgroups, type CgroupFacts } from "./find.ts";
import { cgroupSettings, limitsOf, oomKills } from "./limits.ts";

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

const limits = (values: Record<string, string>): Container => ({ name: "c", resources: { limits: values } });

test("limits: cpu and memory alone, each by itself", () => {
  expect(limitsOf(limits({ cpu: "1500m", memory: "64Mi" }))).toEqual({ cpuMillis: 1500, memoryBytes: 64 * 2 ** 20 });
  expect(limitsOf(limits({ cpu: "2" }))).toEqual({ cpuMillis: 2000 });
  expect(limitsOf(limits({ "ephemeral-storage": "1Gi" }))).toBeUndefined();
  expect(limitsOf(limits({ cpu: "0" }))).toBeUndefined();
  expect(limitsOf({ name: "c" })).toBeUndefined();
});

test("limits as files of either version", () => {
  const both = { cpuMillis: 250, memoryBytes: 1000 };
  expect(cgroupSettings(both, 2).map(({ file, value }) => `${file}=${value}`)).toEqual(["memory.max=1000", "cpu.max=25000 100000"]);
  expect(cgroupSettings(both, 1).map(({ controller, file, value }) => `${controller}/${file}=${value}`)).toEqual([
    "memory/memory.limit_in_bytes=1000",
    "cpu/cpu.cfs_period_us=100000",
    "cpu/cpu.cfs_quota_us=25000",
  ]);
  expect(cgroupSettings({ cpuMillis: 1 }, 2)[0]?.value).toBe("1000 100000");
});

test("kills for want of memory", () => {
  expect(oomKills("low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 0\n")).toBe(2);
  expect(oomKills("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")).toBe(1);
  expect(oomKills("")).toBe(0);
});

const unified = "30 23 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n";
const hybrid = [
  "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755",
  "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct",
  "33 31 0:30 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory",
  "34 31 0:31 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw",
].join("\n");
const facts = (more: Partial<CgroupFacts>): CgroupFacts => ({
  isRoot: true,
  mountinfo: unified,
  cgroup: "0::/init.scope\n",
  exists: () => false,
  read: (path) => (path === "/sys/fs/cgroup/cgroup.controllers" ? "cpuset cpu io memory pids\n" : ""),
  ...more,
});

test.each<[string, Partial<CgroupFacts>, object]>([
  ["version 2, at its top", {}, { kind: "found", version: 2, directories: { cpu: "/sys/fs/cgroup", memory: "/sys/fs/cgroup" } }],
  [
    "version 1, beside the program's own",
    { mountinfo: hybrid, cgroup: "4:memory:/own\n2:cpu,cpuacct:/\n0::/\n", exists: (path) => path === "/sys/fs/cgroup/memory/own" },
    { kind: "found", version: 1, directories: { cpu: "/sys/fs/cgroup/cpu,cpuacct", memory: "/sys/fs/cgroup/memory/own" } },
  ],
  [
    "its own is not seen",
    { mountinfo: hybrid, cgroup: "4:memory:/own\n" },
    { version: 1, directories: { memory: "/sys/fs/cgroup/memory" } },
  ],
  ["without root", { isRoot: false }, { kind: "none", why: "without root no limits can be set" }],
  [
    "in a container",
    { exists: (path) => path === "/sys/fs/cgroup/cgroup.type" },
    { kind: "none", why: expect.stringMatching(/in a container/) },
  ],
  ["without controllers", { read: () => "hugetlb\n" }, { kind: "none", why: expect.stringMatching(/no controllers/) }],
  ["without any", { mountinfo: "" }, { kind: "none", why: "this machine mounts no cgroups" }],
])("where cgroups are made: %s", (_, more, expected) => {
  expect(findCgroups(facts(more))).toMatchObject(expected);
});

test("a container's cgroup has its limits; what a former run of the same node left goes, others' stays", () => {
  const top = mkdtempSync(join(tmpdir(), "fairlead-cgroups-"));
  directories.push(top);
  const place = { kind: "found", version: 2, directories: { cpu: top, memory: top } } as const;
  const own = new Cgroups(place, "/data/node-1");
  const cgroup = own.create("uid-c-0", { cpuMillis: 500, memoryBytes: 4096 });
  const [name = ""] = readdirSync(top);
  expect(readFileSync(join(top, name, "cpu.max"), "utf8")).toBe("50000 100000");
  expect(cgroup.processFiles).toEqual([join(top, name, "cgroup.procs")]);
  writeFileSync(join(top, name, "memory.events"), "oom_kill 1\n");
  expect(cgroup.outOfMemory()).toBe(true);
  // Of a real cgroup the files go with the directory.
  rmSync(join(top, name), { recursive: true });
  mkdirSync(join(top, name));
  mkdirSync(join(top, "fairlead-other"));
  own.start();
  expect(readdirSync(top)).toEqual(["cgroup.subtree_control", "fairlead-other"]);
});
