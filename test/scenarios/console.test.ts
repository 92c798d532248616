/** `fairlead console` as a program: it serves any cluster of a kubeconfig, only to who has its URL, and leaves when it is told to. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import type { FeedRecord } from "../../src/console/wire.ts";
import { startCluster } from "../../src/testing/index.ts";

const patient = 120_000;
const program = join(import.meta.dirname, "../../bin/fairlead");

const manifests = `
apiVersion: v1
kind: Service
metadata: { name: web, namespace: default }
spec: { ports: [{ port: 80 }] }
`;

/** The records of the stream up to the first that `isLast`. */
async function records(response: Response, isLast: (record: FeedRecord) => boolean): Promise<readonly FeedRecord[]> {
  const found: FeedRecord[] = [];
  const text = response.body?.pipeThrough(new TextDecoderStream()) as ReadableStream<string>;
  let rest = "";
  for await (const chunk of text) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    found.push(...lines.map((line) => JSON.parse(line) as FeedRecord));
    if (found.some(isLast)) break;
  }
  return found;
}

test("serves the cluster of a kubeconfig to who has the token", { timeout: patient }, async () => {
  await using cluster = await startCluster({ manifests });
  const words = ["console", "--kubeconfig", await cluster.kubeconfig(), "--port", "0"];
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  try {
    const printed = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
    const url = new URL(String(printed.value));
    const token = url.hash.slice("#token=".length);
    const at = (path: string) => new URL(path, url.origin);
    expect((await fetch(at("/console/feed"))).status).toBe(401);
    const begun = await fetch(at("/console/session"), { method: "POST", body: JSON.stringify({ token }) });
    const { key } = (await begun.json()) as { key: string };
    const [cookie = ""] = begun.headers.getSetCookie();
    expect(cookie).toMatch(/; HttpOnly; SameSite=Strict; Path=\/console$/);
    const headers = { cookie: cookie.split(";")[0] as string, "x-fairlead-console": key };
    const seen = await records(await fetch(at("/console/feed"), { headers }), ({ kind }) => kind === "synced");
    expect(seen[0]).toMatchObject({ kind: "hello", cluster: { fairlead: true }, lacking: [] });
    const names = seen.flatMap((record) =>
      record.kind === "put" && record.of === "Service" ? record.objects.map(({ metadata }) => metadata.name) : [],
    );
    expect(names).toContain("web");
    expect((await fetch(at("/console/try"), { method: "POST", headers, body: JSON.stringify({ via: "127.0.0.1:22" }) })).status).toBe(400);
    expect((await fetch(at("/console/feed"), { method: "DELETE", headers })).status).toBe(405);
  } finally {
    child.kill("SIGTERM");
  }
  expect(await ended).toBe(0);
});
