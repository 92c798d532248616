/**
 * Takes a picture of the web console: starts a cluster with the given manifests, sends it a little traffic so that the map moves, opens a
 * page of its console in Chromium and writes a PNG.
 *
 *     sh bin/node scripts/console-picture.ts [--out docs/console.png] [--page '/?ask=…'] [--manifests examples/webapp] [--theme light|dark] [--mode namespaces]
 *         [--size 1440x900] [--wait 'text that must be on the page']
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { ClusterReport } from "../src/cli/report.ts";
import { buildWeb } from "./build-web.ts";
import { findChromium, launchChromium, noChromium } from "../test/support/browser.ts";

const root = join(import.meta.dirname, "..");
const { values } = parseArgs({
  options: {
    out: { type: "string", default: join(root, "docs/console.png") },
    page: { type: "string", default: "/" },
    manifests: { type: "string", multiple: true, default: [join(root, "examples/webapp")] },
    mode: { type: "string", default: "loopback" },
    theme: { type: "string", default: "light" },
    size: { type: "string", default: "1440x900" },
    wait: { type: "string" },
  },
});

interface Running {
  readonly report: ClusterReport;
  stop(): Promise<void>;
}

async function startCluster(files: readonly string[]): Promise<Running> {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-picture-"));
  const reportFile = join(directory, "report.json");
  const words = ["up", "--ephemeral", "--name", "picture", "--mode", values.mode, "--api-port", "0", "--console-port", "0"];
  const program = spawn(join(root, "bin/fairlead"), [...words, "--report-file", reportFile, ...files.flatMap((file) => ["-f", file])], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const ended = new Promise<number | null>((resolve) => program.once("exit", resolve));
  const stop = async () => {
    program.kill("SIGTERM");
    await ended;
    rmSync(directory, { recursive: true, force: true });
  };
  const report = await Promise.race([untilWritten(reportFile), ended.then(() => undefined)]);
  if (report === undefined) throw new Error("the cluster ended before it was ready");
  return { report, stop };
}

async function untilWritten(path: string): Promise<ClusterReport> {
  for (;;) {
    try {
      return JSON.parse(readFileSync(path, "utf8")) as ClusterReport;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Asks every HTTP address that the report names, again and again, until it is told to stop. */
function sendTraffic({ open }: ClusterReport): () => void {
  const urls = open.map(({ url }) => url).filter((url) => url.startsWith("http://"));
  let next = 0;
  const timer = setInterval(() => {
    const url = new URL(urls[next++ % urls.length] ?? "http://127.0.0.1:9/");
    // Names below .localhost are this machine, whatever its resolver says.
    const host = url.hostname.endsWith(".localhost") ? "127.0.0.1" : url.hostname;
    const outgoing = request({ host, port: url.port, path: url.pathname, headers: { host: url.host }, agent: false }, (response) =>
      response.resume(),
    );
    outgoing.on("error", () => undefined);
    outgoing.end();
  }, 60);
  return () => clearInterval(timer);
}

async function takePicture(executable: string, url: string): Promise<void> {
  const [width = 1440, height = 900] = values.size.split("x").map(Number);
  const browser = await launchChromium(executable);
  try {
    const page = await browser.newPage({ viewport: { width, height }, colorScheme: values.theme === "dark" ? "dark" : "light" });
    const { origin, hash } = new URL(url);
    await page.goto(new URL(values.page, origin).href + hash);
    await page.getByRole("status").getByText("Live").waitFor();
    if (values.wait !== undefined) await page.getByText(values.wait).first().waitFor();
    // Two samples of the counters make a rate.
    await page.waitForTimeout(4000);
    await page.screenshot({ path: values.out });
  } finally {
    await browser.close();
  }
}

const chromium = findChromium();
if (chromium === undefined) {
  console.error(`skipped: ${noChromium}`);
  process.exit(0);
}
await buildWeb(join(root, "dist/web"));
const cluster = await startCluster(values.manifests);
const quiet = sendTraffic(cluster.report);
try {
  if (cluster.report.console === undefined) throw new Error("the cluster has no console");
  await takePicture(chromium, cluster.report.console);
  console.log(`${values.out}: ${Math.round(statSync(values.out).size / 1024)} KB`);
} finally {
  quiet();
  await cluster.stop();
}
