import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createProcessRuntime } from "./process/process-runtime.ts";
import { runtimeCases, start, type RuntimeRig } from "./runtime.cases.ts";

const base = mkdtempSync(join(tmpdir(), "fairlead-runtime-"));
const directory = join(base, "pods");
// Each test process takes addresses of its own, so that runs side by side do not meet.
const network = `127.${150 + (process.pid % 40)}.${Math.floor(process.pid / 40) % 250}`;

const path = [dirname(process.execPath)];
const agnhost = join(import.meta.dirname, "../../../examples/agnhost");
const images = [
  { repositories: ["busybox"], entrypoint: [], cmd: ["sh"], env: {}, path: [] },
  { repositories: ["fairlead.dev/run"], entrypoint: ["sleep", "100000"], cmd: [], env: {}, path: [] },
  { repositories: ["node"], entrypoint: [], cmd: ["node"], env: {}, path },
  {
    repositories: ["registry.k8s.io/e2e-test-images/agnhost"],
    entrypoint: ["/agnhost"],
    cmd: ["pause"],
    env: { AGNHOST_PROGRAM: join(agnhost, "main.ts") },
    path,
    files: { "/agnhost": join(agnhost, "agnhost") },
  },
];

const rig: RuntimeRig = {
  runtime: createProcessRuntime({ directory, images, version: "0" }),
  directory,
  scratch: base,
  addresses: (n) => [`${network}.${n}`],
  traits: { isolated: false, root: process.getuid?.() === 0 },
};

describe("loopback", () => {
  beforeAll(async () => {
    mkdirSync(directory, { recursive: true });
    await rig.runtime.start();
  });
  afterAll(async () => {
    await rig.runtime.stop();
    rmSync(base, { recursive: true, force: true });
  });
  test("a pod of image fairlead.dev/run says with which variables one joins it", async () => {
    const started = await start(rig, { image: "fairlead.dev/run" }, { env: { WEB_SERVICE_HOST: "127.96.0.7" } });
    const file = join(directory, started.pod.uid, "run.json");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const content = JSON.parse(readFileSync(file, "utf8")) as { env: Record<string, string>; namespaces?: unknown };
    expect(content.env).toMatchObject({ WEB_SERVICE_HOST: "127.96.0.7", HOST: started.pod.ip });
    expect([content.env["PATH"], content.env["HOME"], content.namespaces]).toEqual([undefined, undefined, undefined]);
    await started.remove();
    expect(existsSync(file)).toBe(false);
  });

  for (const one of runtimeCases) {
    test(one.name, { timeout: 60_000 }, async (ctx) => {
      if (one.needs === "isolated") ctx.skip("loopback mode: pods share the machine's network and files");
      if (one.needs === "real") ctx.skip("needs real images");
      await one.run(rig);
    });
  }
});
