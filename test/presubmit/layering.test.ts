/**
 * Holds the layer table of docs/ARCHITECTURE: which folder of `src` may import which. A failure names the file, what it
 * imports and what it may.
 */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const src = join(import.meta.dirname, "../../src");

/** folder → the folders that it may import, besides itself. */
const layers: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  api: ["lib"],
  decide: ["api", "lib"],
  storage: ["lib"],
  apiserver: ["api", "storage", "lib", "component"],
  client: ["api", "lib"],
  controllers: ["api", "client", "decide", "lib", "component"],
  host: ["lib"],
  net: ["host", "lib"],
  proxy: ["api", "client", "decide", "host", "net", "lib", "component"],
  networkpolicy: ["api", "client", "decide", "host", "lib", "component"],
  dns: ["api", "decide", "net", "host", "lib", "component"],
  gateway: ["api", "client", "decide", "net", "lib", "component"],
  kubelet: ["api", "client", "decide", "host", "net", "lib", "component"],
  component: ["lib"],
  console: ["api", "client", "decide", "component", "lib"],
};

/** Places with rights of their own: prefix → what it may import beyond its folder's row. */
const exceptions: Readonly<Record<string, readonly string[]>> = {
  "dns/plugins/kubernetes/": ["client"],
};

/** Only here may a program be run or a socket to the kernel be opened. */
const processRunners = ["host/", "kubelet/runtime/"];

const files = globSync("**/*.ts", { cwd: src }).filter((file) => !file.endsWith(".test.ts") && !file.endsWith(".cases.ts"));

function importsOf(file: string): string[] {
  const text = readFileSync(join(src, file), "utf8");
  return [...text.matchAll(/(?:^|\n)\s*(?:import|export)\b[^;]*?from\s+"([^"]+)"|import\(\s*"([^"]+)"\s*\)|new URL\("(\.[^"]+\.ts)"/g)].map(
    (match) => (match[1] ?? match[2] ?? match[3]) as string,
  );
}

function breach(file: string, imported: string): string | undefined {
  const from = file.split("/")[0] as string;
  if (!(from in layers)) return undefined; // cli, cmd, testing compose everything
  if (!imported.startsWith(".")) {
    const runs = imported === "node:child_process" && !processRunners.some((prefix) => file.startsWith(prefix));
    return runs ? `${file} imports node:child_process, which belongs into ${processRunners.join(" or ")}` : undefined;
  }
  const target = relative(src, resolve(src, dirname(file), imported));
  const to = target.split("/")[0] as string;
  if (to === from) {
    const backend = /^proxy\/backends\/([^/]+)\//;
    const [mine, other] = [backend.exec(file)?.[1], backend.exec(target)?.[1]];
    return mine !== undefined && other !== undefined && mine !== other ? `${file} imports another backend: ${imported}` : undefined;
  }
  const extra = Object.entries(exceptions).find(([prefix]) => file.startsWith(prefix))?.[1] ?? [];
  const allowed = [...(layers[from] as readonly string[]), ...extra];
  return allowed.includes(to) ? undefined : `${file} imports ${imported}; ${from}/ may import ${allowed.join(", ") || "nothing"}`;
}

test("every import goes along the layer table", () => {
  expect(files.length).toBeGreaterThan(10);
  expect(files.flatMap((file) => importsOf(file).flatMap((imported) => breach(file, imported) ?? []))).toEqual([]);
});

test("every folder of src has its row", () => {
  const composers = ["cli", "cmd", "testing"];
  expect(
    [...new Set(files.map((file) => file.split("/")[0] as string))].filter((folder) => !(folder in layers) && !composers.includes(folder)),
  ).toEqual([]);
});

test("the console's page is a client: of src it has decisions and what they stand on, and the types of what the server sends", () => {
  const web = join(import.meta.dirname, "../../web");
  const imports = globSync("**/*.{ts,tsx}", { cwd: web, exclude: ["vite.config.ts"] }).flatMap((file) =>
    [...readFileSync(join(web, file), "utf8").matchAll(/\b(import(?: type)?|export)\b[^;]*?from\s+"([./]+src\/([^/"]+)[^"]*)"/g)].map(
      ([, how, path, folder]) => ({ file, how, path, folder: folder as string }),
    ),
  );
  const allowed = ["api", "decide", "lib"];
  expect(imports.length).toBeGreaterThan(10);
  expect(
    imports.filter(({ how, path, folder }) => !allowed.includes(folder) && !(how === "import type" && path?.endsWith("/console/wire.ts"))),
  ).toEqual([]);
});

test("the table itself is checked: a forbidden import is named", () => {
  expect(breach("decide/x.ts", "../client/client.ts")).toContain("decide/ may import api, lib");
  expect(breach("api/x.ts", "node:child_process")).toContain("node:child_process");
  expect(breach("dns/plugins/cache/handler.ts", "../../../client/client.ts")).toContain("dns/");
  expect(breach("dns/plugins/kubernetes/handler.ts", "../../../client/client.ts")).toBeUndefined();
});
