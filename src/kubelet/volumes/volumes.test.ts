import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ConfigMap, Pod, Volume } from "../../api/types.ts";
import { writeFiles } from "./atomic-writer.ts";
import type { FilesInput, VolumeFiles } from "./files.ts";
import { PodVolumes } from "./pod-volumes.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fairlead-volumes-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const files = (entries: Record<string, string>): VolumeFiles =>
  new Map(Object.entries(entries).map(([path, text]) => [path, { bytes: Buffer.from(text), mode: 0o644 }]));

test("a set of files is swapped as a whole; names that are no more vanish", async () => {
  const volume = join(directory, "v");
  expect(await writeFiles(volume, files({ a: "1", "sub/b": "2" }), "v1")).toBe(true);
  expect(readFileSync(join(volume, "sub/b"), "utf8")).toBe("2");
  expect(readlinkSync(join(volume, "a"))).toBe("..data/a");
  expect(await writeFiles(volume, files({ a: "1", "sub/b": "2" }), "v2")).toBe(false);
  expect(await writeFiles(volume, files({ a: "3", c: "4" }), "v3")).toBe(true);
  expect(readdirSync(volume).sort()).toEqual(["..data", "..v3", "a", "c"]);
  expect(readFileSync(join(volume, "a"), "utf8")).toBe("3");
});

const maps: Record<string, ConfigMap> = {
  conf: { metadata: {}, data: { a: "A", b: "B" }, binaryData: { c: Buffer.from("C").toString("base64") } },
};

function input(volumes: readonly Volume[]): FilesInput {
  const pod: Pod = { metadata: { name: "p", labels: { app: "x" } }, spec: { containers: [], volumes } };
  return {
    pod,
    facts: { podIPs: ["127.97.0.1"], hostIPs: [], allocatable: { cpuCores: 2, memoryBytes: 2 ** 30 } },
    sources: {
      configMap: (name) => maps[name],
      token: ({ audience }) => `token for ${audience}`,
      claim: (name) => (name === "c" ? { kind: "bound", path: join(directory, "claim") } : { kind: "missing", message: "is not bound" }),
      secret: (name) => (name === "s" ? { metadata: {}, data: { k: Buffer.from("key").toString("base64") } } : undefined),
    },
  };
}

async function setUp(volume: Volume) {
  const volumes = new PodVolumes(directory);
  return { volumes, result: await volumes.setUp(input([volume])) };
}

async function content(volume: Volume): Promise<Record<string, string>> {
  const { volumes, result } = await setUp(volume);
  expect(result).toEqual({ kind: "ready" });
  const mounts = await volumes.mounts({ name: "c", volumeMounts: [{ name: volume.name, mountPath: "/m" }] }, {});
  const source = mounts.kind === "ok" ? (mounts.mounts[0]?.source ?? "") : "";
  return Object.fromEntries(
    readdirSync(source)
      .filter((name) => !name.startsWith(".."))
      .map((name) => [name, readFileSync(join(source, name), "utf8")]),
  );
}

test.each<[string, Volume, Record<string, string>]>([
  ["configMap", { name: "v", configMap: { name: "conf" } }, { a: "A", b: "B", c: "C" }],
  ["items", { name: "v", configMap: { name: "conf", items: [{ key: "a", path: "x" }] } }, { x: "A" }],
  ["optional", { name: "v", configMap: { name: "none", optional: true } }, {}],
  ["secret", { name: "v", secret: { secretName: "s" } }, { k: "key" }],
  ["downwardAPI", { name: "v", downwardAPI: { items: [{ path: "l", fieldRef: { fieldPath: "metadata.labels" } }] } }, { l: 'app="x"' }],
  [
    "projected",
    { name: "v", projected: { sources: [{ configMap: { name: "conf", items: [{ key: "b", path: "b" }] } }, { secret: { name: "s" } }] } },
    { b: "B", k: "key" },
  ],
  ["token", { name: "v", projected: { sources: [{ serviceAccountToken: { path: "token", audience: "a" } }] } }, { token: "token for a" }],
  ["claim", { name: "v", persistentVolumeClaim: { claimName: "c" } }, {}],
  ["emptyDir", { name: "v", emptyDir: {} }, {}],
])("%s", async (_, volume, expected) => {
  expect(await content(volume)).toEqual(expected);
});

test.each<[Volume, string]>([
  [{ name: "v", configMap: { name: "none" } }, 'configmap "none" not found'],
  [{ name: "v", secret: { secretName: "none" } }, 'secret "none" not found'],
  [{ name: "v", configMap: { name: "conf", items: [{ key: "zz", path: "x" }] } }, "configmap references non-existent config key: zz"],
  [{ name: "v", configMap: { name: "conf", items: [{ key: "a", path: "../x" }] } }, 'path "../x" leaves the volume'],
  [{ name: "v", persistentVolumeClaim: { claimName: "d" } }, "is not bound"],
  [{ name: "v", nfs: { server: "s", path: "/" } }, "volumes of type nfs are not supported by this node"],
  [{ name: "v", hostPath: { path: "/etc/hostname", type: "Directory" } }, "hostPath type check failed: /etc/hostname is not a directory"],
])("%j: %s", async (volume, message) => {
  expect((await setUp(volume)).result).toEqual({ kind: "failed", volume: "v", message });
});

test("modes are what the pod asks for; subPath stays inside its volume", async () => {
  const { volumes } = await setUp({
    name: "v",
    configMap: { name: "conf", defaultMode: 0o600, items: [{ key: "a", path: "x", mode: 0o751 }] },
  });
  const mounts = async (subPath: string) => volumes.mounts({ name: "c", volumeMounts: [{ name: "v", mountPath: "/m", subPath }] }, {});
  const found = await mounts("x");
  const source = found.kind === "ok" ? (found.mounts[0]?.source ?? "") : "";
  expect(statSync(source).mode & 0o777).toBe(0o751);
  symlinkSync("/etc", join(source, "../out"));
  expect((await mounts("out")).kind).toBe("error");
  expect((await mounts("../..")).kind).toBe("error");
  const byName = { name: "v", mountPath: "/m", subPathExpr: "$(KEY)" };
  expect(await volumes.mounts({ name: "c", volumeMounts: [byName] }, { KEY: "x" })).toEqual(found);
  expect((await volumes.mounts({ name: "c", volumeMounts: [byName] }, { KEY: "../.." })).kind).toBe("error");
});
