/** The process runtime in namespaces, as root and as an ordinary user: the same cases as in loopback mode, and more. */
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kubeletCases } from "../../src/kubelet/kubelet.cases.ts";
import { runtimeCases } from "../../src/kubelet/runtime/runtime.cases.ts";

const cases = [...runtimeCases, ...kubeletCases];
const nobody = 65_534;
const isRoot = process.getuid?.() === 0;
const programFile = join(import.meta.dirname, "../support/runtime-program.ts");
/** Signals go to the program inside by its end of the pipe; this one must not outlive its child. */
const unshare = ["--mount", "--pid", "--fork", "--mount-proc", "--kill-child"];

interface Way {
  readonly name: string;
  readonly uid: number;
  readonly command: readonly string[];
  readonly missing: string | undefined;
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

interface Result {
  readonly name: string;
  readonly error?: string;
}

/** Starts the program; `results` settle as its cases do. */
function begin({ command, uid }: Way, directory: string) {
  const [program = "", ...args] = [...command, process.execPath, programFile, directory];
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

describe.each(ways)("pods in namespaces, $name", (way) => {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-kubelet-"));
  let program: ReturnType<typeof begin> | undefined;

  beforeAll(() => {
    if (way.missing !== undefined) return;
    if (isRoot) chownSync(directory, way.uid, way.uid);
    chmodSync(directory, 0o755);
    program = begin(way, directory);
  });

  afterAll(async () => {
    program?.kill();
    await program?.ended;
    rmSync(directory, { recursive: true, force: true });
  }, 60_000);

  for (const { name } of cases) {
    test(name, { timeout: 300_000 }, async (ctx) => {
      if (way.missing !== undefined) ctx.skip(way.missing);
      expect((await program?.results.get(name))?.error).toBeUndefined();
    });
  }
});
