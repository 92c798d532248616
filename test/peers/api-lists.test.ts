/**
 * Lists and watches with every combination of resourceVersion, resourceVersionMatch, limit, continue and sendInitialEvents, asked of this API
 * server and of a real kube-apiserver with etcd: status, reason, message, items, pages and events must be the same. What kube-apiserver
 * answers is kept in api-lists.json; with KUBE_APISERVER and ETCD set to the files of the two programs it is asked again (and with
 * UPDATE_GOLDENS=1 kept anew).
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fairlead, kubernetes, token, type ApiServerUnderTest } from "../support/api-servers.ts";
import { bundledApiServer } from "../support/bundled-api-server.ts";

const [apiserver, etcd] = [process.env["KUBE_APISERVER"], process.env["ETCD"]];
const present = apiserver !== undefined && etcd !== undefined && existsSync(apiserver) && existsSync(etcd);

let work: string;
/** Ours, then theirs. */
const sides: Side[] = [];

interface Side {
  readonly server: ApiServerUnderTest;
  /** What `$name` in a query stands for: revisions and tokens differ. */
  readonly names: Map<string, string>;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function ask({ server }: Side, method: string, path: string, body?: object): Promise<Answer> {
  const { hostname, port } = new URL(server.url);
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { method, hostname, port, path, headers, ca: readFileSync(server.ca), servername: "localhost", checkServerIdentity: () => undefined },
      (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const maps = "/api/v1/namespaces/lists/configmaps";

async function prepare(side: Side): Promise<void> {
  await ask(side, "POST", "/api/v1/namespaces", { kind: "Namespace", apiVersion: "v1", metadata: { name: "lists" } });
  const revisions: string[] = [];
  for (const name of ["a", "b", "c", "d", "e"]) {
    const { text } = await ask(side, "POST", maps, {
      kind: "ConfigMap",
      apiVersion: "v1",
      metadata: { name, labels: { half: name < "c" ? "first" : "second" } },
    });
    revisions.push(JSON.parse(text).metadata.resourceVersion);
  }
  side.names.set("$c", revisions[2] as string);
  side.names.set("$e", revisions[4] as string);
  side.names.set("$page", JSON.parse((await ask(side, "GET", `${maps}?limit=2`)).text).metadata.continue);
  await ask(side, "DELETE", `${maps}/b`);
  await ask(side, "PUT", `${maps}/d`, { kind: "ConfigMap", apiVersion: "v1", metadata: { name: "d" }, data: { changed: "yes" } });
  side.names.set("$now", JSON.parse((await ask(side, "GET", `${maps}?limit=1`)).text).metadata.resourceVersion);
  side.names.set("$future", "4000000000");
}

/** What must be the same: without what each server makes up. */
function essence({ status, text }: Answer, watch: boolean): unknown {
  const lines =
    watch && status === 200
      ? text
          .trim()
          .split("\n")
          .filter((line) => line !== "")
      : [text];
  return { status, answers: lines.map((line) => shown(JSON.parse(line))) };
}

interface Shown {
  readonly kind?: string;
  readonly type?: string;
  readonly object?: Shown;
  readonly items?: readonly Shown[];
  readonly metadata?: {
    readonly name?: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
    readonly annotations?: object;
  };
  readonly reason?: string;
  readonly message?: string;
  readonly code?: number;
  readonly data?: object;
}

function shown({ kind, type, object, items, metadata, reason, message, code, data }: Shown): unknown {
  if (type !== undefined) return { type, object: shown(object ?? {}) };
  if (items !== undefined)
    return {
      items: items.map((item) => `${item.metadata?.name} ${JSON.stringify(item.data)}`).filter(own),
      more: metadata?.continue !== undefined,
      remaining: metadata?.remainingItemCount,
    };
  if (kind === "Status") return { code, reason, message: message?.replaceAll(/\d{2,}/g, "N") };
  return { kind, name: metadata?.name, data, end: metadata?.annotations };
}

/** Only kube-controller-manager would make it, but one never knows. */
const own = (item: string): boolean => !item.startsWith("kube-root-ca.crt");

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), "fairlead-lists-"));
  const starters = [fairlead(await bundledApiServer(work)), ...(present ? [kubernetes({ apiserver, etcd })] : [])];
  for (const [i, starter] of starters.entries()) {
    const directory = join(work, String(i));
    mkdirSync(directory);
    const side = { server: await starter.start(directory), names: new Map<string, string>() };
    sides.push(side);
    await prepare(side);
  }
}, 120_000);
afterAll(async () => {
  for (const { server } of sides) await server.stop();
  rmSync(work, { recursive: true, force: true });
});

const revisions = ["", "0", "$c", "$now", "$future", "x", "-1"];
const matches = ["", "Exact", "NotOlderThan", "exact"];
const lists = revisions.flatMap((revision) =>
  matches.flatMap((match) => ["", "2"].map((limit) => ({ resourceVersion: revision, resourceVersionMatch: match, limit }))),
);
const more: readonly Readonly<Record<string, string>>[] = [
  { continue: "$page", limit: "2" },
  { continue: "$page" },
  { continue: "$page", limit: "2", resourceVersion: "0" },
  { continue: "$page", limit: "2", resourceVersion: "$now" },
  { continue: "$page", limit: "2", resourceVersion: "$now", resourceVersionMatch: "Exact" },
  { continue: "%%%", limit: "2" },
  { continue: "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MCwic3RhcnQiOiJhIn0", limit: "2" },
  { limit: "2", labelSelector: "half=first" },
  { limit: "1", labelSelector: "half=second" },
  { limit: "10" },
  { limit: "-1" },
  { limit: "x" },
  { sendInitialEvents: "true" },
  { fieldSelector: "metadata.name=c" },
  { fieldSelector: "metadata.name=c", resourceVersion: "$c", resourceVersionMatch: "Exact" },
  { fieldSelector: "metadata.name=b", resourceVersion: "$e", resourceVersionMatch: "Exact" },
  { fieldSelector: "metadata.name=c,metadata.name!=c" },
  { fieldSelector: "spec.x=1" },
];
const watches: readonly Readonly<Record<string, string>>[] = [
  ...["", "0", "$c", "$now", "x"].map((resourceVersion) => ({ resourceVersion })),
  { resourceVersion: "$e", labelSelector: "half=second" },
  { resourceVersion: "$c", fieldSelector: "metadata.name=b" },
  { resourceVersion: "$now", resourceVersionMatch: "NotOlderThan" },
  { resourceVersion: "$now", resourceVersionMatch: "Exact" },
  { sendInitialEvents: "true" },
  { sendInitialEvents: "false" },
  { sendInitialEvents: "true", resourceVersionMatch: "Exact" },
  { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan" },
  { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan", allowWatchBookmarks: "true" },
  { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan", allowWatchBookmarks: "true", resourceVersion: "0" },
  { sendInitialEvents: "false", resourceVersionMatch: "NotOlderThan", resourceVersion: "$e" },
  { sendInitialEvents: "false", resourceVersionMatch: "NotOlderThan" },
  { resourceVersionMatch: "NotOlderThan", continue: "$page" },
  { resourceVersion: "1" },
].map((query) => ({ ...query, watch: "true", timeoutSeconds: "1" }));

/** Of one object; the name is not part of the query. */
const gets: readonly Readonly<Record<string, string>>[] = ["a", "b"].flatMap((name) =>
  revisions.map((resourceVersion) => ({ name, resourceVersion })),
);

function pathFor({ names }: Side, { name, ...query }: Readonly<Record<string, string>>): string {
  const fields = Object.entries(query).filter(([, value]) => value !== "");
  return `${name === undefined ? maps : `${maps}/${name}`}?${new URLSearchParams(fields.map(([field, value]) => [field, names.get(value) ?? value])).toString()}`;
}

const notANumber = "upstream says 500 and gives no reason; it is the client's fault, so 400 as for a list";
/** What differs, and why it stays so. */
const different: Readonly<Record<string, string>> = {
  "resourceVersion=x&watch=true&timeoutSeconds=1": notANumber,
  "name=a&resourceVersion=x": notANumber,
  "name=a&resourceVersion=-1": notANumber,
  "name=b&resourceVersion=x": notANumber,
  "name=b&resourceVersion=-1": notANumber,
};

const cases = [...lists, ...more, ...watches, ...gets].map(
  (query) => [new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "")).toString(), query] as const,
);

const golden = join(import.meta.dirname, "api-lists.json");

async function answersOf(side: Side): Promise<Readonly<Record<string, string>>> {
  const all = cases.map(
    async ([name, query]) => [name, JSON.stringify(essence(await ask(side, "GET", pathFor(side, query)), "watch" in query))] as const,
  );
  return Object.fromEntries(await Promise.all(all));
}

test("lists and watches are answered as kube-apiserver answers them", { timeout: 240_000 }, async () => {
  const [ours, theirs] = await Promise.all([answersOf(sides[0] as Side), sides[1] === undefined ? undefined : answersOf(sides[1])]);
  if (theirs !== undefined && process.env["UPDATE_GOLDENS"] === "1") writeFileSync(golden, `${JSON.stringify(theirs, null, 1)}\n`);
  const kept = JSON.parse(readFileSync(golden, "utf8")) as Readonly<Record<string, string>>;
  if (theirs !== undefined) expect(theirs).toEqual(kept);
  const differ = Object.keys(kept).filter((name) => ours[name] !== kept[name]);
  expect(differ.filter((name) => !Object.hasOwn(different, name)).map((name) => ({ name, ours: ours[name], theirs: kept[name] }))).toEqual(
    [],
  );
  expect(Object.keys(different).filter((name) => !differ.includes(name))).toEqual([]);
  expect(Object.keys(ours)).toEqual(Object.keys(kept));
});
