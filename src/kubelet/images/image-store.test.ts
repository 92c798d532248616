import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { buildImage, dockerArchive, ociArchive, writeLayout, type BuiltImage, type ImageToBuild } from "./fake/image-builder.ts";
import { startRegistry, type RegistryServerOptions } from "./fake/registry-server.ts";
import type { WrittenEntry } from "./fake/tar-writer.ts";
import type { RegistryCredentials } from "./image-source.ts";
import { ImageStore } from "./image-store.ts";
import { openImageSource } from "./open-source.ts";
import { parseImageReference, type ImageReference } from "./reference.ts";

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const one of cleanUp.splice(0).reverse()) await one();
});

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-images-"));
  cleanUp.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const reference = (text: string) => parseImageReference(text) as ImageReference;
const base: readonly WrittenEntry[] = [
  { name: "./", type: "5" },
  { name: "bin/", type: "5" },
  { name: "bin/sh", content: "#!", mode: 0o755 },
  { name: "etc/", type: "5" },
  { name: "etc/passwd", content: "app:x:7:8::/home/app:/bin/sh\n" },
];
const app = (more: Partial<ImageToBuild> = {}) => buildImage({ layers: [base], config: { Entrypoint: ["/bin/sh"], User: "app" }, ...more });

async function storeWith(sources: readonly string[], directory = join(scratch(), "images"), limits = { bytes: 2 ** 20, entries: 100 }) {
  const store = new ImageStore({ directory, owners: false, limits, sources: await Promise.all(sources.map(openImageSource)) });
  await store.open();
  return store;
}

const pull = (store: ImageStore, name: string, credentials: readonly RegistryCredentials[] = []) =>
  store.pull(reference(name), { signal: AbortSignal.timeout(60_000), credentials });

async function registryWith(options: RegistryServerOptions) {
  const registry = await startRegistry(options);
  cleanUp.push(() => registry.close());
  return registry;
}

/** Pulls an image of these layers, and gives its root directory. */
async function unpacked(...layers: readonly (readonly WrittenEntry[])[]): Promise<string> {
  const directory = join(scratch(), "app");
  writeLayout(directory, { "1": buildImage({ layers }) });
  return (await pull(await storeWith([directory]), "app:1")).rootfs;
}

describe("sources", () => {
  test.each(["none", "gzip", "zstd"] as const)(
    "a layout's directory, layers with compression %s; an index leads to this machine's image",
    async (compression) => {
      const directory = join(scratch(), "app");
      const image = app({ compression, index: true });
      writeLayout(directory, { "registry.example/team/app:1": image });
      const stored = await pull(await storeWith([directory]), "registry.example/team/app:1");
      expect(stored).toMatchObject({
        imageID: `registry.example/team/app@${image.top.digest}`,
        config: { entrypoint: ["/bin/sh"], user: "app" },
      });
      expect(readFileSync(join(stored.rootfs, "etc/passwd"), "utf8")).toBe("app:x:7:8::/home/app:/bin/sh\n");
      expect(statSync(join(stored.rootfs, "bin/sh")).mode & 0o777).toBe(0o755);
    },
  );

  test("archives: of an OCI layout, and as docker save wrote them; the first that has an image gives it", async () => {
    const directory = scratch();
    const [first, second] = [join(directory, "first.tar"), join(directory, "second.tar")];
    writeFileSync(first, ociArchive({ "registry.example/a:1": app() }));
    writeFileSync(
      second,
      dockerArchive({ "b:2": app({ compression: "none" }), "registry.example/a:1": app({ config: { User: "other" } }) }),
    );
    const store = await storeWith([first, second]);
    expect((await pull(store, "b:2")).config.user).toBe("app");
    expect((await pull(store, "registry.example/a:1")).config.user).toBe("app");
    await expect(pull(store, "c:1")).rejects.toThrow(`docker.io/library/c:1: not found (asked: ${first}, ${second})`);
  });

  test("what is no source is told at once", async () => {
    const directory = scratch();
    writeFileSync(join(directory, "text"), "no archive at all, but long enough to have a header block".repeat(20));
    await expect(openImageSource(directory)).rejects.toThrow(/no OCI image layout/);
    await expect(openImageSource(join(directory, "text"))).rejects.toThrow(/this is no tar archive/);
    await expect(openImageSource(join(directory, "absent"))).rejects.toThrow(/ENOENT/);
  });
});

describe("a registry", () => {
  test("a token is fetched when it is asked for, and is shown to nobody else; blobs may lie elsewhere", async () => {
    const image = app({ index: true });
    const registry = await registryWith({ images: { "team/app:1": image }, auth: "token", redirectBlobs: true });
    const store = await storeWith(["registry"]);
    const stored = await pull(store, `${registry.host}/team/app:1`);
    expect(stored.imageID).toBe(`${registry.host}/team/app@${image.top.digest}`);
    const elsewhere = registry.requests.filter(({ path }) => path.startsWith("/elsewhere/"));
    expect(elsewhere).toHaveLength(2);
    expect(elsewhere.every(({ authorization, host }) => authorization === undefined && host !== registry.host)).toBe(true);
    expect(registry.requests.filter(({ path }) => path.startsWith("/token"))).toHaveLength(1);
  });

  test.each(["token", "basic"] as const)("who may not is refused, who has the password is let in (%s)", async (auth) => {
    const registry = await registryWith({ images: { "team/app:1": app() }, auth, password: "me:secret" });
    const store = await storeWith(["registry"]);
    const name = `${registry.host}/team/app:1`;
    await expect(pull(store, name)).rejects.toThrow(/gives no token: status 401|asks for a password/);
    const wrong = { scope: registry.host, username: "me", password: "wrong" };
    await expect(pull(store, name, [wrong])).rejects.toThrow(/gives no token: status 401|refuses access/);
    const right = { scope: `${registry.host}/team`, username: "me", password: "secret" };
    expect((await pull(store, name, [wrong, right])).config.user).toBe("app");
  });

  test("faults: not there, another status, a redirect to where it is not safe, one in a circle", async () => {
    const faults: Readonly<Record<string, { status: number; headers?: Record<string, string> }>> = {
      "/v2/broken/manifests/1": { status: 503 },
      "/v2/plain/manifests/1": { status: 302, headers: { location: "http://registry.example/manifest" } },
      "/v2/round/manifests/1": { status: 302, headers: { location: "/v2/round/manifests/1" } },
      "/v2/odd/manifests/1": { status: 401, headers: { "www-authenticate": 'Negotiate realm="x"' } },
      "/v2/realm/manifests/1": { status: 401, headers: { "www-authenticate": 'Bearer realm="http://registry.example/token"' } },
    };
    const { host } = await registryWith({ images: {}, fault: (path) => faults[path] });
    const store = await storeWith(["registry"]);
    await expect(pull(store, `${host}/absent:1`)).rejects.toThrow(/not found \(asked: its registry\)/);
    await expect(pull(store, `${host}/broken:1`)).rejects.toThrow(/status 503/);
    await expect(pull(store, `${host}/plain:1`)).rejects.toThrow("leads to http://registry.example, which is not safe");
    await expect(pull(store, `${host}/round:1`)).rejects.toThrow(/redirects more than 5 times/);
    await expect(pull(store, `${host}/odd:1`)).rejects.toThrow(/asks for an authorization that is not known here: Negotiate/);
    await expect(pull(store, `${host}/realm:1`)).rejects.toThrow("leads to http://registry.example, which is not safe");
    await expect(pull(store, "127.0.0.1:1/app:1")).rejects.toThrow(/127\.0\.0\.1:1 cannot be asked/);
  });

  test("many pulls at once of images that share a layer: each blob is had once", async () => {
    const images = Object.fromEntries(["a", "b", "c"].map((name) => [`${name}:1`, app({ config: { User: name } })]));
    const registry = await registryWith({ images });
    const store = await storeWith(["registry"]);
    const names = Object.keys(images).map((name) => `${registry.host}/${name}`);
    await Promise.all([...names, ...names].map((name) => pull(store, name)));
    const blobs = registry.requests.map(({ path }) => path).filter((path) => path.includes("/blobs/"));
    // The path has the repository in it; the digest counts.
    const digests = blobs.map((path) => path.slice(path.lastIndexOf("/")));
    expect(new Set(digests).size).toBe(digests.length);
    expect(digests).toHaveLength(4);
  });
});

describe("content", () => {
  const spoiled = (spoil: (layer: Buffer) => Buffer, compression: ImageToBuild["compression"] = "gzip"): BuiltImage =>
    app({ spoil, compression: compression ?? "gzip" });

  test.each<[string, BuiltImage, RegExp]>([
    [
      "other bytes",
      spoiled((layer) => Buffer.concat([layer.subarray(0, -1), Buffer.from([layer.at(-1)! ^ 1])])),
      /came in the place of sha256/,
    ],
    ["more than announced", spoiled((layer) => Buffer.concat([layer, Buffer.alloc(10)])), /has more than the \d+ bytes/],
    ["less than announced", spoiled((layer) => layer.subarray(10)), /has \d+ bytes instead of/],
  ])("that is not what its digest says is refused: %s", async (_, image, message) => {
    const directory = join(scratch(), "app");
    writeLayout(directory, { "1": image });
    const images = join(scratch(), "images");
    const store = await storeWith([directory], images);
    await expect(pull(store, "app:1")).rejects.toThrow(message);
    expect(store.find(reference("app:1"))).toBeUndefined();
    expect(readdirSync(join(images, "blobs/sha256")).filter((name) => name.startsWith("partial"))).toEqual([]);
  });

  test("a layer whose content is not what the configuration says is refused, and leaves nothing", async () => {
    const [one, other] = [app(), app({ layers: [[{ name: "x", content: "other" }]] })] as const;
    const config = Buffer.from(JSON.stringify({ os: "linux", architecture: "x", config: {}, rootfs: { diff_ids: other.diffIDs } }));
    const { sha256 } = await import("./digest.ts");
    const manifest = Buffer.from(
      JSON.stringify({ schemaVersion: 2, config: { mediaType: "", digest: sha256(config), size: config.length }, layers: one.layers }),
    );
    const blobs = new Map([...one.blobs, [sha256(config), config], [sha256(manifest), manifest]]);
    const directory = join(scratch(), "app");
    writeLayout(directory, { "1": { ...one, blobs, top: { mediaType: "", digest: sha256(manifest), size: manifest.length } } });
    const images = join(scratch(), "images");
    await expect(pull(await storeWith([directory], images), "app:1")).rejects.toThrow(/came in the place of/);
    expect(readdirSync(join(images, "rootfs"))).toEqual([]);
  });

  test("an image stays over a restart; what no name leads to goes", async () => {
    const directory = join(scratch(), "app");
    writeLayout(directory, { "1": app() });
    const images = join(scratch(), "images");
    const { rootfs } = await pull(await storeWith([directory], images), "app:1");
    writeFileSync(join(images, "blobs/sha256/partial-1"), "");
    writeFileSync(join(images, `blobs/sha256/${"0".repeat(64)}`), "");
    writeFileSync(join(images, "rootfs/left.making-1"), "");
    const again = await storeWith([], images);
    expect(again.find(reference("app:1"))?.rootfs).toBe(rootfs);
    expect(readdirSync(join(images, "rootfs"))).toHaveLength(1);
    expect(readdirSync(join(images, "blobs/sha256"))).toHaveLength(3);
    writeFileSync(join(images, "images.json"), "{ cut short");
    await storeWith([], images);
    expect([...readdirSync(join(images, "rootfs")), ...readdirSync(join(images, "blobs/sha256"))]).toEqual([]);
  });
});

describe("layers", () => {
  test("later ones add, replace, and take away", async () => {
    const root = await unpacked(
      [
        ...base,
        { name: "data/", type: "5" },
        { name: "data/old", content: "old" },
        { name: "data/kept/", type: "5" },
        { name: "data/kept/below", content: "x" },
        { name: "gone/deep/er", content: "x" },
        { name: "file", content: "a file" },
        { name: "link", type: "2", linkName: "etc" },
      ],
      [
        { name: "data/new", content: "new" },
        { name: "data/.wh..wh..opq" },
        { name: ".wh.gone" },
        { name: "etc/.wh.passwd" },
        { name: "file/", type: "5" },
        { name: "link", content: "now a file" },
        { name: "bin/ash", type: "1", linkName: "bin/sh" },
      ],
    );
    expect(readdirSync(root).toSorted()).toEqual(["bin", "data", "etc", "file", "link"]);
    expect(readdirSync(join(root, "data"))).toEqual(["new"]);
    expect(readdirSync(join(root, "etc"))).toEqual([]);
    expect(lstatSync(join(root, "file")).isDirectory()).toBe(true);
    expect(readFileSync(join(root, "link"), "utf8")).toBe("now a file");
    expect(statSync(join(root, "bin/ash")).ino).toBe(statSync(join(root, "bin/sh")).ino);
  });

  test("links lead where they would lead inside, never out", async () => {
    const outside = scratch();
    const root = await unpacked([
      { name: "absolute", type: "2", linkName: outside },
      { name: "relative", type: "2", linkName: "../../../../../../../../tmp" },
      { name: "absolute/planted", content: "x" },
      { name: "relative/planted", content: "x" },
      { name: "etc", type: "2", linkName: "/usr/etc" },
      { name: "etc/os-release", content: "y" },
      { name: "self", type: "2", linkName: "/etc/passwd" },
      { name: "hard", type: "1", linkName: "self" },
    ]);
    expect(readdirSync(outside)).toEqual([]);
    expect(existsSync(join(tmpdir(), "planted"))).toBe(false);
    expect(readFileSync(join(root, outside, "planted"), "utf8")).toBe("x");
    expect(readFileSync(join(root, "usr/etc/os-release"), "utf8")).toBe("y");
    expect(readlinkSync(join(root, "hard"))).toBe("/etc/passwd");
  });

  test("devices and pipes are left out, names of any length are not", async () => {
    const long = `${"d".repeat(90)}/${"e".repeat(90)}/${"f".repeat(90)}`;
    const root = await unpacked([
      { name: "dev/sda", type: "4" },
      { name: "dev/mem", type: "3" },
      { name: "pipe", type: "6" },
      { name: long, content: "deep" },
    ]);
    expect(existsSync(join(root, "dev"))).toBe(false);
    expect(existsSync(join(root, "pipe"))).toBe(false);
    expect(readFileSync(join(root, long), "utf8")).toBe("deep");
  });

  test.each<[string, readonly WrittenEntry[], RegExp]>([
    ["a name that leads out", [{ name: "a/../../x", content: "" }], /leads out of the image/],
    ["a hard link that leads out", [{ name: "x", type: "1", linkName: "../../etc/passwd" }], /leads out of the image/],
    ["a hard link to what is not there", [{ name: "x", type: "1", linkName: "/etc/shadow" }], /which is not there/],
    ["a whiteout of the directory itself", [{ name: "a/.wh..", content: "" }], /a whiteout of "\."/],
    ["a pax name that leads out", [{ name: "x", pax: { path: "../x" } }], /leads out of the image/],
    ["a sparse file", [{ name: "x", pax: { "GNU.sparse.major": "1" } }], /sparse files are not supported/],
    ["an unknown type", [{ name: "x", type: "S" }], /an entry of type "S" is not supported/],
    [
      "links in a circle",
      [{ name: "a", type: "2", linkName: "b" }, { name: "b", type: "2", linkName: "a" }, { name: "a/x" }],
      /too many symbolic links/,
    ],
    [
      "a file as a directory",
      [
        { name: "a", content: "" },
        { name: "a/x", content: "" },
      ],
      /ENOTDIR/,
    ],
    ["too much", [{ name: "x", content: Buffer.alloc(2 ** 20 + 1) }], /more than 1048576 bytes/],
    ["too many", Array.from({ length: 101 }, (_, i) => ({ name: `f${i}` })), /more than 100 files/],
  ])("hostile ones are refused: %s", async (_, layer, message) => {
    await expect(unpacked(base, layer)).rejects.toThrow(message);
  });
});
