import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, property, string } from "fast-check";
import { afterAll, expect, test } from "vitest";
import type { Pod } from "../../../api/types.ts";
import { findCommand } from "./find-command.ts";
import { ignoredFields } from "./loopback/ignored-fields.ts";
import { answerImage, commandLine, findImage, imageRepository, type ImageEntry } from "./images.ts";
import { parseListening, sessionOf } from "./loopback/proc-tables.ts";
import { makeRoot, relocate } from "./loopback/root-directory.ts";

const directory = mkdtempSync(join(tmpdir(), "fairlead-process-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const node: ImageEntry = { repositories: ["node", "fairlead.dev/node"], entrypoint: ["entry"], cmd: ["node"], env: {}, path: [] };

test.each([
  ["node", "node"],
  ["node:26", "node"],
  ["docker.io/library/node:26@sha256:abc", "node"],
  ["index.docker.io/library/node", "node"],
  ["localhost:5000/node", "localhost:5000/node"],
  ["localhost:5000/node:1", "localhost:5000/node"],
  ["fairlead.dev/node", "fairlead.dev/node"],
  ["bitnami/node", "bitnami/node"],
])("the repository of %s is %s", (image, repository) => {
  expect(imageRepository(image)).toBe(repository);
});

test("an image is found by repository, or its absence explained", () => {
  expect(findImage([node], "library/node:1")).toBe(node);
  expect(answerImage([node], { name: "c", image: "node:1" })).toEqual({ kind: "present", imageID: "host://node" });
  expect(answerImage([node], { name: "c", image: "x", command: ["ls"] })).toMatchObject({
    kind: "present",
    note: expect.stringContaining('"ls"') as string,
  });
  expect(answerImage([node], { name: "c", image: "x" })).toMatchObject({ kind: "absent" });
});

test.each([
  [[], [], ["entry", "node"]],
  [[], ["a"], ["entry", "a"]],
  [["c"], [], ["c"]],
  [["c"], ["a"], ["c", "a"]],
])("command %j with args %j runs %j", (command, args, words) => {
  expect(commandLine(node, command, args)).toEqual(words);
});

test("commands are found in PATH, below the root, from the working directory", () => {
  const root = join(directory, "root");
  mkdirSync(join(root, "opt"), { recursive: true });
  writeFileSync(join(root, "opt/run"), "", { mode: 0o755 });
  writeFileSync(join(root, "opt/data"), "", { mode: 0o644 });
  const lookIn = (file: string) => [join(root, file), file].map((at) => ({ file: at, program: at }));
  const place = { workingDirectory: join(root, "opt"), path: `/nowhere:${root}/opt`, lookIn };
  expect(findCommand("run", place)).toBe(join(root, "opt/run"));
  expect(findCommand("/opt/run", place)).toBe(join(root, "opt/run"));
  expect(findCommand("./run", place)).toBe(join(root, "opt/run"));
  expect(findCommand("/bin/sh", place)).toBe("/bin/sh");
  expect(() => findCommand("absent", place)).toThrow('exec: "absent": executable file not found in $PATH');
  expect(() => findCommand("/absent", place)).toThrow('exec: "/absent": stat /absent: no such file or directory');
  expect(() => findCommand("", place)).toThrow('exec: ""');
});

test.each([
  ["/etc/app/x.yaml", "/R/etc/app/x.yaml"],
  ["/etc/app", "/R/etc/app"],
  ["/etc/application", "/etc/application"],
  ["--config=/etc/app/x", "--config=/R/etc/app/x"],
  ["cat /etc/app/x", "cat /etc/app/x"],
  ["/etc/app/a:/etc/app/b", "/etc/app/a:/etc/app/b"],
  ["relative/etc/app", "relative/etc/app"],
  ["/R/etc/app/x", "/R/etc/app/x"],
])("%s leads to %s", (text, expected) => {
  expect(relocate(text, "/R", [{ mountPath: "/etc/app/" }])).toBe(expected);
});

test("mounts are links below the root; none leads a link into the user's own directories", async () => {
  const pod = join(directory, "pod");
  const [root, volume, host] = [join(pod, "rootfs"), join(pod, "volume"), join(directory, "host")];
  for (const path of [volume, host]) mkdirSync(path, { recursive: true });
  await makeRoot(root, pod, [
    { mountPath: "/a", source: volume, readOnly: false },
    { mountPath: "/a/b", source: host, readOnly: false },
  ]);
  await makeRoot(root, pod, [{ mountPath: "/a", source: volume, readOnly: false }]);
  await expect(makeRoot(root, pod, [{ mountPath: "/", source: volume, readOnly: false }])).rejects.toThrow('cannot be mounted at "/"');
  await expect(
    makeRoot(join(pod, "other"), pod, [
      { mountPath: "/h", source: host, readOnly: false },
      { mountPath: "/h/x", source: volume, readOnly: false },
    ]),
  ).rejects.toThrow("inside a hostPath volume");
});

test("a path that names the root already stays, even where the root lies inside a mount", () => {
  expect(relocate("/tmp/data/rootfs/x", "/tmp/data/rootfs", [{ mountPath: "/tmp" }])).toBe("/tmp/data/rootfs/x");
  expect(relocate("/tmp/x", "/tmp/data/rootfs", [{ mountPath: "/tmp" }])).toBe("/tmp/data/rootfs/tmp/x");
});

test("listening sockets are read from the kernel's table", () => {
  const text = [
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
    "   0: 0100617F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0",
    "   1: 0100007F:1F91 0200007F:0001 01 00000000:00000000 00:00000000 00000000     0        0 12 1 0 100 0 0 10 0",
    "   2: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 13 1",
    "   3: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 14 1",
  ].join("\n");
  expect(parseListening(text)).toEqual([
    { address: "127.97.0.1", port: 8080, inode: "11" },
    { address: "::", port: 80, inode: "13" },
    { address: "::1", port: 81, inode: "14" },
  ]);
  assert(property(string(), (any) => Array.isArray(parseListening(any))));
});

test("a session is read past a command's name that holds anything", () => {
  expect(sessionOf("12 (a) b (c) S 1 2 34 5 6")).toBe(34);
  expect(sessionOf("")).toBeUndefined();
});

test("fields without effect are named by path", () => {
  const pod: Pod = {
    metadata: {},
    spec: {
      hostNetwork: true,
      securityContext: {},
      dnsPolicy: "ClusterFirst",
      containers: [
        { name: "a", securityContext: { runAsUser: 0 }, volumeMounts: [{ name: "v", mountPath: "/v", readOnly: true }] },
        {
          name: "b",
          resources: { limits: { cpu: "1" } },
          securityContext: { privileged: false },
          ports: [{ containerPort: 1, hostPort: 2 }],
        },
      ],
      volumes: [{ name: "v", emptyDir: { medium: "Memory" } }],
    },
  };
  expect(ignoredFields(pod).map(({ field }) => field)).toEqual([
    "spec.hostNetwork",
    "spec.containers[0].securityContext",
    "spec.containers[1].resources.limits",
    "spec.containers[1].ports.hostPort",
    "spec.volumes[0].emptyDir.medium",
    "spec.containers[0].volumeMounts[0].readOnly",
  ]);
  expect(ignoredFields({ metadata: {}, spec: { containers: [{ name: "a" }] } })).toEqual([]);
});
