import { assert, property, string } from "fast-check";
import { expect, test } from "vitest";
import type { Container, Pod, PodSpec } from "../../../../api/types.ts";
import { FakeClock } from "../../../../lib/clock.ts";
import { hostsFile } from "./hosts-file.ts";
import { ignoredFields } from "./ignored-fields.ts";
import { heeds, namespacedProcess } from "./namespaced-process.ts";
import { isMachineRoot, processUser } from "./process-user.ts";
import { formatResolvConf, parseResolvConf, podResolver } from "./resolv-conf.ts";
import { podSysctls } from "./sysctls.ts";
import type { OpenStreams } from "../streams.ts";

const pod = (spec: Partial<PodSpec> = {}): Pod => ({ metadata: { name: "web", namespace: "shop" }, spec: { containers: [], ...spec } });
const cluster = { servers: ["10.96.0.10", "fd00:10:96::a"], clusterDomain: "cluster.local" };
const host = parseResolvConf(
  "# c\nnameserver 127.0.0.53\nnameserver 9.9.9.9\nsearch old\nsearch corp.example. lan\noptions edns0 trust-ad\n",
);
const clusterSearch = ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example", "lan"];

test.each<[string, Partial<PodSpec>, object]>([
  ["ClusterFirst", {}, { nameservers: cluster.servers, searches: clusterSearch, options: ["ndots:5"] }],
  ["ClusterFirst on the host's network", { hostNetwork: true }, { searches: ["corp.example", "lan"], options: ["edns0", "trust-ad"] }],
  [
    "ClusterFirstWithHostNet",
    { dnsPolicy: "ClusterFirstWithHostNet", hostNetwork: true },
    { nameservers: cluster.servers, searches: clusterSearch },
  ],
  [
    "Default, without the host's own loopback",
    { dnsPolicy: "Default" },
    { nameservers: [...cluster.servers, "9.9.9.9"], searches: ["corp.example", "lan"], options: ["edns0", "trust-ad"] },
  ],
  [
    "None",
    {
      dnsPolicy: "None",
      dnsConfig: { nameservers: ["1.1.1.1"], searches: ["x"], options: [{ name: "ndots", value: "2" }, { name: "edns0" }] },
    },
    { nameservers: ["1.1.1.1"], searches: ["x"], options: ["ndots:2", "edns0"] },
  ],
  [
    "dnsConfig beside a policy: appended without doubles, options by name",
    {
      dnsConfig: { nameservers: ["10.96.0.10", "1.1.1.1"], searches: ["svc.cluster.local", "y"], options: [{ name: "ndots", value: "1" }] },
    },
    { nameservers: [...cluster.servers, "1.1.1.1"], searches: [...clusterSearch, "y"], options: ["ndots:1"] },
  ],
])("resolv.conf: %s", (_, spec, expected) => {
  expect(podResolver(pod(spec), host, cluster)).toMatchObject({ config: expected, warnings: [] });
});

test("resolv.conf: what is too much is left out, and said in upstream's words", () => {
  const many = Array.from({ length: 40 }, (_, i) => `d${i}.example`);
  const { config, warnings } = podResolver(pod({ dnsConfig: { nameservers: ["1.1.1.1", "1.1.1.2"], searches: many } }), host, cluster);
  expect(config.nameservers).toHaveLength(3);
  expect(config.searches).toHaveLength(32);
  expect(warnings).toEqual([
    expect.stringMatching(/^Nameserver limits were exceeded.*10\.96\.0\.10 fd00:10:96::a 1\.1\.1\.1$/) as string,
    expect.stringMatching(/^Search Line limits were exceeded/) as string,
  ]);
  const long = podResolver(
    pod({ dnsPolicy: "None", dnsConfig: { searches: [`${"x".repeat(260)}`, ...many.map((domain) => `${"y".repeat(200)}.${domain}`)] } }),
    host,
    cluster,
  );
  expect(long.config.searches.join(" ").length).toBeLessThanOrEqual(2048);
  expect(long.config.searches.some((domain) => domain.length > 253)).toBe(false);
});

test("resolv.conf: what is written is read again; any text is read without a fault", () => {
  const { config } = podResolver(pod(), host, cluster);
  expect(parseResolvConf(formatResolvConf(config))).toEqual(config);
  assert(property(string(), (text) => Array.isArray(parseResolvConf(text).searches)));
});

test("/etc/hosts: the pod's own names, the node's file on the host's network, aliases last", () => {
  const text = hostsFile({
    podIPs: ["10.244.0.5", "fd00::5"],
    hostname: "web-0",
    fqdn: "web-0.web.shop.svc.cluster.local",
    aliases: [{ ip: "1.2.3.4", hostnames: ["a", "b"] }],
  });
  expect(text).toContain("10.244.0.5\tweb-0.web.shop.svc.cluster.local\tweb-0\nfd00::5\tweb-0.web.shop.svc.cluster.local\tweb-0\n");
  expect(text).toContain("127.0.0.1\tlocalhost\n");
  expect(text.endsWith("\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n")).toBe(true);
  const onHost = hostsFile({ nodeFile: "127.0.0.1 localhost me\n", podIPs: ["10.250.0.1"], hostname: "x", aliases: [] });
  expect(onHost).toBe("# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost me\n");
});

const none = { kind: "own" };
test.each<[string, Partial<PodSpec>, Partial<Container>, object, object | undefined]>([
  ["nothing asked", {}, {}, { kind: "own", uid: 65534, gid: 65534, groups: [] }, none],
  ["runAsUser", { securityContext: { runAsUser: 7 } }, {}, { kind: "own", uid: 7, gid: 7, groups: [] }, { kind: "own", uid: 7, gid: 7 }],
  [
    "the container's wins",
    { securityContext: { runAsUser: 7 } },
    { securityContext: { runAsUser: 8, runAsGroup: 9 } },
    { kind: "own", uid: 8, gid: 9, groups: [] },
    { kind: "own", uid: 8, gid: 9 },
  ],
  [
    "groups",
    { securityContext: { supplementalGroups: [4], fsGroup: 5 } },
    {},
    { kind: "own", uid: 65534, gid: 65534, groups: [4, 5] },
    none,
  ],
  [
    "root is nobody outside",
    {},
    { securityContext: { runAsUser: 0 } },
    { kind: "fake-root", uid: 65534, gid: 65534 },
    { kind: "fake-root" },
  ],
  ["privileged", {}, { securityContext: { privileged: true } }, { kind: "root" }, { kind: "fake-root" }],
])("who a process is: %s", (_, spec, container, asRoot, rootless) => {
  expect(processUser(pod(spec), { name: "c", ...container }, true)).toMatchObject({ kind: "ok", user: asRoot });
  expect(processUser(pod(spec), { name: "c", ...container }, false)).toMatchObject({ kind: "ok", user: rootless });
});

test("runAsNonRoot refuses user 0", () => {
  const answer = processUser(pod({ securityContext: { runAsNonRoot: true, runAsUser: 0 } }), { name: "c" }, true);
  expect(answer).toEqual({ kind: "error", message: `container's runAsUser breaks non-root policy (pod: "web", container: c)` });
});

test.each([
  ["         0          0 4294967295\n", 0, true],
  ["         0       1000          1\n", 0, false],
  ["         0          0          1\n", 0, false],
  ["         0          0 4294967295\n", 1000, false],
])("whether root is the machine's root: %j as user %d", (map, uid, expected) => {
  expect(isMachineRoot(map, uid)).toBe(expected);
});

const statusOf = (caught: bigint, ignored: bigint) =>
  `Name:\tx\nSigIgn:\t${ignored.toString(16).padStart(16, "0")}\nSigCgt:\t${caught.toString(16).padStart(16, "0")}\n`;
const termBit = 1n << 14n;

test.each([
  ["handled", statusOf(termBit, 0n), ["SIGTERM"], 143],
  ["ignored", statusOf(0n, termBit), ["SIGTERM"], 143],
  ["neither: process 1 would never see it", statusOf(0n, 0n), ["SIGKILL"], 143],
  ["gone", undefined, ["SIGTERM"], 143],
])("a stop signal to process 1 that is %s", async (_, status, sent, exitCode) => {
  const signals: string[] = [];
  let exit: (signal: NodeJS.Signals) => void = () => undefined;
  const exited = new Promise<{ exitCode: null; signal: NodeJS.Signals }>(
    (resolve) => (exit = (signal) => resolve({ exitCode: null, signal })),
  );
  const spawned = {
    pid: 7,
    exited,
    signal: (name: NodeJS.Signals) => {
      signals.push(name);
      exit(name);
    },
  };
  const started = namespacedProcess({
    spawned,
    streams: {} as OpenStreams,
    first: true,
    clock: new FakeClock(0),
    readStatus: () => status,
  });
  started.signal("SIGTERM");
  expect(signals).toEqual(sent);
  expect(await started.exited).toEqual({ exitCode });
});

test("a handler that only tidies up and raises the signal again ends process 1 all the same", async () => {
  const clock = new FakeClock(0);
  const signals: string[] = [];
  const caught = [statusOf(termBit, 0n), statusOf(termBit, 0n)];
  const spawned = { pid: 7, exited: new Promise<never>(() => undefined), signal: (name: NodeJS.Signals) => void signals.push(name) };
  const readStatus = () => caught.shift() ?? statusOf(0n, 0n);
  namespacedProcess({ spawned, streams: {} as OpenStreams, first: true, clock, readStatus }).signal("SIGTERM");
  await clock.advanceAsync(5);
  expect(signals).toEqual(["SIGTERM"]);
  await clock.advanceAsync(25);
  expect(signals).toEqual(["SIGTERM", "SIGKILL"]);
});

test("the signal masks are read by field", () => {
  expect(heeds(statusOf(termBit, 0n), "SIGTERM")).toBe(true);
  expect(heeds(statusOf(termBit, 0n), "SIGINT")).toBe(false);
  assert(property(string(), (text) => !heeds(text, "SIGTERM")));
});

test("of the kernel's settings a pod may set only those of its own network", () => {
  const setting = (name: string, hostNetwork = false) =>
    podSysctls(pod({ hostNetwork, securityContext: { sysctls: [{ name, value: "1" }] } }));
  expect(setting("net.ipv4.tcp_syncookies")).toEqual([{ path: "net/ipv4/tcp_syncookies", value: "1" }]);
  expect(setting("net/ipv4/tcp_syncookies")).toEqual([{ path: "net/ipv4/tcp_syncookies", value: "1" }]);
  for (const name of ["kernel.panic", "net/../kernel/panic", "net.ipv4.ip_forward", "net.core.somaxconn", ""]) {
    expect(() => setting(name)).toThrow(`forbidden sysctl: ${JSON.stringify(name)} not allowlisted`);
  }
  expect(() => setting("net.ipv4.tcp_syncookies", true)).toThrow("not allowed with host net enabled");
});

test("what has no effect is named, more of it without root", () => {
  const object = pod({
    hostIPC: true,
    securityContext: { fsGroup: 1 },
    containers: [{ name: "a", resources: { limits: { cpu: "1" } }, securityContext: { capabilities: { add: ["NET_ADMIN"] } } }],
  });
  const root = ["spec.hostIPC", "spec.containers[0].resources.limits", "spec.containers[0].securityContext.capabilities.add"];
  expect(ignoredFields(object, { isRoot: true }).map(({ field }) => field)).toEqual([root[0], root[2]]);
  expect(ignoredFields(object, { isRoot: true, isReal: () => true }).map(({ field }) => field)).toEqual([root[0]]);
  expect(ignoredFields(object, { isRoot: true, noLimits: "why" }).map(({ field }) => field)).toEqual(root);
  expect(
    ignoredFields(object, { isRoot: false, noLimits: "why" })
      .map(({ field }) => field)
      .toSorted(),
  ).toEqual([...root, "spec.securityContext.fsGroup"].toSorted());
});
