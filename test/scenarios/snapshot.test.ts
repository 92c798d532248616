/** A cluster's objects in a file, and another cluster made of it, by the program itself. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ClusterReport } from "../../src/cli/report.ts";
import { program, type Program } from "../support/program.ts";

let fairlead: Program;
beforeAll(() => {
  fairlead = program(mkdtempSync(join(tmpdir(), "fairlead-snapshot-")));
});
afterAll(async () => {
  await fairlead.run("down", "--all");
  rmSync(fairlead.home, { recursive: true, force: true });
});

const manifests = `
apiVersion: v1
kind: Service
metadata: { name: web, namespace: default }
spec:
  ports: [{ port: 80 }]
  selector: { app: web }
---
apiVersion: v1
kind: Secret
metadata: { name: key, namespace: default }
stringData: { password: correct horse }
`;

const up = (name: string, ...args: readonly string[]) =>
  fairlead.run("up", "--detach", "--mode", "loopback", "--name", name, "--api-port", "0", "-o", "json", ...args);

const clusterIPs = (report: string) => (JSON.parse(report) as ClusterReport).services.map(({ name, clusterIP }) => [name, clusterIP]);

test("save while it runs, restore into another one, which begins where the first one was", { timeout: 120_000 }, async () => {
  const yaml = join(fairlead.home, "objects.yaml");
  const file = join(fairlead.home, "saved.ndjson");
  writeFileSync(yaml, manifests);
  const first = await up("first", "-f", yaml);
  expect(first).toMatchObject({ code: 0 });

  const saved = await fairlead.run("snapshot", "save", file, "--name", "first");
  expect(saved).toMatchObject({ code: 0, stdout: expect.stringMatching(/^saved \d+ objects/) as string });
  expect((statSync(file).mode & 0o777).toString(8)).toBe("600");
  const status = JSON.parse((await fairlead.run("snapshot", "status", file, "-o", "json")).stdout) as { resources: Record<string, number> };
  expect(status.resources).toMatchObject({ secrets: 1, services: 3 });

  // Nobody restores under a cluster that runs, nor over objects by accident.
  expect((await fairlead.run("snapshot", "restore", file, "--name", "first")).stderr).toContain("[FL_ALREADY_RUNNING]");
  expect(await fairlead.run("down", "--name", "first")).toMatchObject({ code: 0 });
  expect((await fairlead.run("snapshot", "restore", file, "--name", "first")).stderr).toContain("[FL_STORAGE]");

  // A file that lost its end is no snapshot, and leaves nothing behind.
  writeFileSync(`${file}.cut`, readFileSync(file).subarray(0, -10));
  expect((await fairlead.run("snapshot", "restore", `${file}.cut`, "--name", "second")).stderr).toContain("[FL_SNAPSHOT]");

  expect(await fairlead.run("snapshot", "restore", file, "--name", "second")).toMatchObject({ code: 0 });
  const second = await up("second");
  expect(clusterIPs(second.stdout)).toEqual(clusterIPs(first.stdout));
});
