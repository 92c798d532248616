/**
 * Containers in namespaces, as root and as an ordinary user: the same cases as in loopback mode, and more. Once as processes of this
 * machine, and once more as real images, which crun or runc runs.
 */
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kubeletCases } from "../../src/kubelet/kubelet.cases.ts";
import { runtimeCases } from "../../src/kubelet/runtime/runtime.cases.ts";
import { writeCaseImages } from "../support/case-images.ts";
import { findTool, missingTools } from "../support/tools.ts";

const processCases = [...runtimeCases.filter(({ needs }) => needs !== "real"), ...kubeletCases];
/** What is the same for every tool is asked of one. */
const runcCases = runtimeCases.filter(({ needs }) => needs === "real");
const realCases = runtimeCases.filter(({ only }) => only !== "process");
const nobody = 65_534;
const isRoot = process.getuid?.() === 0;
const programFile = join(import.meta.dirname, "../support/runtime-program.ts");
/** Signals go to the program inside by its end of the pipe; this one must not outlive its child. */
const unshare = ["--mount", "--pid", "--fork", "--mount-proc", "--kill-child"];

/** Process 1 takes away whom nobody waits for any more, as it does under `fairlead up`; a PID namespace cannot end before. */
const reaper = ["sh", "-c", '"$0" "$@" & wait "$!"'];

interface Way {
  readonly name: string;
  readonly uid: number;
  readonly command: readonly string[];
  readonly missing: string | undefined;
  /** Which runs the containers of real images. */
  readonly tool?: "crun" | "runc";
}

const rootless = ["unshare", "--user", "--map-root-user", ...unshare];
const asNobody = ["setpriv", `--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups", "--", ...rootless];
const ways: readonly Way[] = [
  { name: "as root", uid: 0, command: ["unshare", ...unshare], missing: isRoot ? undefined : "needs root" },
  {
    name: "as an ordinary user",
    uid: isRoot ? nobody : (process.getuid?.() ?? nobody),
    command: isRoot ? asNobody : rootless,
    missing: refusal(isRoot ? asNobody : rootless),
  },
];

function refusal([program = "", ...args]: readonly string[]): string | undefined {
  if (process.platform !== "linux") return "needs Linux";
  try {
    execFileSync(program, [...args, "true"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "needs user namespaces for ordinary users (sysctl kernel.apparmor_restrict_unprivileged_userns, user.max_user_namespaces)";
  }
}

/** Rootless, runc runs user 0 only. */
const realWays: readonly Way[] = [
  ...ways.map((way) => ({ ...way, name: `crun, ${way.name}`, tool: "crun" as const })),
  ...ways.slice(0, 1).map((way) => ({ ...way, name: `runc, ${way.name}`, tool: "runc" as const })),
];

interface Result {
  readonly name: string;
  readonly error?: string;
}

/** Starts the program; `results` settle as its cases do. */
function begin({ command, uid, tool }: Way, cases: readonly { readonly name: string }[], directory: string, layout?: string) {
  const more = layout === undefined || tool === undefined ? [] : [layout, tool];
  const [program = "", ...args] = [...command, ...reaper, process.execPath, programFile, directory, ...more];
  const env = { PATH: process.env["PATH"] ?? "", HOME: directory, FAIRLEAD_CASE_UID: String(uid) };
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const errors: Buffer[] = [];
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  const settle = new Map<string, (result: Result) => void>();
  const results = new Map(cases.map(({ name }) => [name, new Promise<Result>((resolve) => settle.set(name, resolve))]));
  createInterface({ input: child.stdout }).on("line", (line) => {
    const result = JSON.parse(line) as Result;
    settle.get(result.name)?.(result);
  });
  const ended = new Promise<void>((resolve) =>
    child.once("close", (code, signal) => {
      const error = `the program ended (${code ?? signal}) before this case: ${Buffer.concat(errors).toString()}`;
      for (const [name, done] of settle) done({ name, error });
      resolve();
    }),
  );
  return { results, ended, kill: () => child.kill("SIGKILL") };
}

function suite(way: Way, cases: readonly { readonly name: string }[], layout?: () => string): void {
  let directory: string | undefined;
  const missing = way.missing ?? (way.tool === undefined ? undefined : missingTools(way.tool, "busybox"));
  let program: ReturnType<typeof begin> | undefined;

  beforeAll(() => {
    if (missing !== undefined) return;
    directory = mkdtempSync(join(tmpdir(), "fairlead-kubelet-"));
    if (isRoot) chownSync(directory, way.uid, way.uid);
    chmodSync(directory, 0o755);
    program = begin(way, cases, directory, layout?.());
  });

  afterAll(async () => {
    program?.kill();
    await program?.ended;
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  }, 60_000);

  for (const { name } of cases) {
    test(name, { timeout: 300_000 }, async (ctx) => {
      if (missing !== undefined) ctx.skip(missing);
      expect((await program?.results.get(name))?.error).toBeUndefined();
    });
  }
}

describe.each(ways)("pods in namespaces, $name", (way) => suite(way, processCases));

describe("pods of real images", () => {
  let layout: string | undefined;
  afterAll(() => {
    if (layout !== undefined) rmSync(layout, { recursive: true, force: true });
  });
  const writeOnce = () => {
    if (layout !== undefined) return layout;
    layout = mkdtempSync(join(tmpdir(), "fairlead-layout-"));
    writeCaseImages(layout, findTool("busybox") as string);
    chmodSync(layout, 0o755);
    return layout;
  };
  describe.each(realWays)("$name", (way) => suite(way, way.tool === "runc" ? runcCases : realCases, writeOnce));
});
