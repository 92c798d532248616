import { assert, asyncProperty, constantFrom, property, record, string, uint8Array } from "fast-check";
import { expect, test } from "vitest";
import { writeTar } from "./fake/tar-writer.ts";
import { choosePlatform, parseImageConfig, parseManifest } from "./manifest.ts";
import { formatImageReference, parseImageReference } from "./reference.ts";
import { parseChallenge } from "./registry/challenge.ts";
import { TarError } from "./tar-header.ts";
import { readTar } from "./tar-reader.ts";

const digest = `sha256:${"ab".repeat(32)}`;

test.each([
  ["nginx", "docker.io/library/nginx:latest"],
  ["nginx:1.27", "docker.io/library/nginx:1.27"],
  ["docker.io/nginx", "docker.io/library/nginx:latest"],
  ["index.docker.io/team/app:1", "docker.io/team/app:1"],
  ["team/app", "docker.io/team/app:latest"],
  ["registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"],
  ["localhost/app", "localhost/app:latest"],
  ["localhost:5000/a/b/c:x", "localhost:5000/a/b/c:x"],
  ["[::1]:5000/app", "[::1]:5000/app:latest"],
  [`app@${digest}`, `docker.io/library/app@${digest}`],
  [`app:1@${digest}`, `docker.io/library/app:1@${digest}`],
])("the name %s is %s", (text, whole) => {
  const reference = parseImageReference(text);
  expect(reference && formatImageReference(reference)).toBe(whole);
  expect(parseImageReference(whole)).toEqual(reference);
});

test.each([
  "",
  "UPPER",
  "a:",
  "a@sha256:short",
  "a@md5:1",
  "/a",
  "a/",
  "a//b",
  "../etc",
  "a:b:c",
  "a b",
  "reg.io/",
  `${"x".repeat(256)}`,
  "a:.tag",
])("no name: %j", (text) => {
  expect(parseImageReference(text)).toBeUndefined();
});

test("any text is a name or is none; a name has nothing that could lead elsewhere", () => {
  assert(
    property(string(), (text) => {
      const name = parseImageReference(text);
      return name === undefined || !/\.\.|[\s%?#]/.test(`${name.repository}${name.tag ?? ""}`);
    }),
  );
});

test("challenges of registries", () => {
  expect(parseChallenge('Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull,push"')).toEqual({
    scheme: "bearer",
    realm: "https://auth.example/token",
    service: "registry",
    scope: "repository:a/b:pull,push",
  });
  expect(parseChallenge("bearer service=x, realm=https://a")).toMatchObject({ realm: "https://a", service: "x" });
  expect(parseChallenge('Basic realm="r"')).toEqual({ scheme: "basic" });
  expect(parseChallenge('Negotiate, Basic realm="r"')).toEqual({ scheme: "basic" });
  for (const none of ["", "Bearer", "Negotiate abc"]) expect(parseChallenge(none)).toBeUndefined();
  assert(property(string(), (text) => parseChallenge(text)?.scheme !== null));
});

test("manifests: what is none is refused by name, whatever it is", () => {
  const layer = { mediaType: "x", digest, size: 1 };
  expect(parseManifest(JSON.stringify({ schemaVersion: 2, config: layer, layers: [layer] }))).toMatchObject({ kind: "image" });
  for (const [value, message] of [
    ["[]", /no object/],
    ["{", /no JSON/],
    ['{"schemaVersion":1}', /schema version 1/],
    [JSON.stringify({ schemaVersion: 2, config: layer, layers: [{ ...layer, digest: "sha256:../../x" }] }), /layers\[0\]\.digest/],
    [JSON.stringify({ schemaVersion: 2, config: { ...layer, size: -1 }, layers: [] }), /config\.size -1/],
    [JSON.stringify({ schemaVersion: 2, config: layer, layers: Array.from({ length: 257 }, () => layer) }), /257 entries/],
    [JSON.stringify({ schemaVersion: 2, mediaType: "application/vnd.oci.artifact", config: layer, layers: [] }), /is no image/],
  ] as const)
    expect(() => parseManifest(value)).toThrow(message);
  expect(() => parseImageConfig('{"config":{"Env":[1]},"rootfs":{}}')).toThrow(/config\.Env is no list of strings/);
  expect(parseImageConfig('{"config":{"Env":["A=b=c","broken","=x"]},"rootfs":{}}').env).toEqual({ A: "b=c" });
});

test("the platform of this machine is taken out of an index", () => {
  const of = (architecture: string, os = "linux") => ({ mediaType: "", digest, size: 1, platform: { os, architecture } });
  expect(choosePlatform([of("arm64"), of("amd64")], { os: "linux", architecture: "amd64" })?.platform?.architecture).toBe("amd64");
  expect(choosePlatform([of("amd64", "windows")], { os: "linux", architecture: "amd64" })).toBeUndefined();
  expect(choosePlatform([{ mediaType: "", digest, size: 1 }], { os: "linux", architecture: "amd64" })).toBeDefined();
});

const entry = record({
  name: constantFrom("a", "b/c", "long".repeat(40), "ü/x"),
  content: uint8Array({ maxLength: 2000 }),
  mode: constantFrom(0o644, 0o4755),
});

test("archives in pieces of any size are read as they were written", async () => {
  await assert(
    asyncProperty(entry, entry, uint8Array({ minLength: 1, maxLength: 8 }), async (first, second, sizes) => {
      const archive = writeTar([first, second]);
      const found: unknown[] = [];
      for await (const { name, mode, content } of readTar(pieces(archive, sizes)))
        found.push({ name, mode, content: new Uint8Array(Buffer.concat(await Array.fromAsync(content))) });
      expect(found).toEqual([first, second]);
    }),
    { numRuns: 50 },
  );
});

test("any bytes, and any damage to an archive, are an archive or a TarError", async () => {
  const archive = writeTar([
    { name: "a", content: "x".repeat(600) },
    { name: "b", type: "2", linkName: "a" },
  ]);
  await assert(
    asyncProperty(uint8Array({ maxLength: 64 }), uint8Array({ minLength: 2, maxLength: 2 }), async (noise, at) => {
      const damaged = Buffer.from(archive);
      damaged.set(noise.subarray(0, Math.max(0, damaged.length - 64)), (at[0] as number) * 8 + (at[1] as number));
      for (const bytes of [Buffer.from(noise), damaged, damaged.subarray(0, 700)]) {
        try {
          for await (const { content } of readTar(pieces(bytes, new Uint8Array([200])))) await Array.fromAsync(content);
        } catch (error) {
          expect(error).toBeInstanceOf(TarError);
        }
      }
    }),
    { numRuns: 100 },
  );
});

async function* pieces(bytes: Buffer, sizes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = (sizes[i % sizes.length] as number) + 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}
