/** A cluster as the documents have it: three nodes, their ranges, and the commands that they show. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { ClusterReport } from "../../src/cli/report.ts";
import { findKubectls, runKubectl, type Kubectl, type Output } from "../support/kubectl.ts";
import { ways } from "../support/modes.ts";
import type { Program } from "../support/program.ts";
import { missingTools } from "../support/tools.ts";

export interface SeedCluster {
  readonly report: ClusterReport;
  /** What runs the commands. */
  readonly tool: string;
  /** Words split at blanks; quote by giving an array. Fails the test unless it succeeds. */
  kubectl(args: string | readonly string[], input?: string): Promise<string>;
  attempt(args: string | readonly string[], input?: string): Promise<Output>;
  /** A manifest of this folder, with `NAME` replaced. */
  manifest(name: string, values?: Readonly<Record<string, string | number>>): string;
  /** In the first pod with the label. */
  inPod(label: string, ...command: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

/** Why the walk cannot be done on this machine. */
export function missingForSeeds(): string | undefined {
  if (kubectl() === undefined) return "no kubectl on this machine";
  if (way() === undefined) return "this machine allows no namespaces";
  return missingTools("dig", "nslookup", "curl");
}

const kubectl = (): Kubectl | undefined => findKubectls().at(-1);
const way = () => ways.find(({ mode, missing }) => mode === "namespaces" && missing === undefined);

/** Three nodes in namespaces, with the documents' ranges. */
const asDocumented = [
  ...["--mode", "namespaces", "--nodes", "3"],
  ...["--service-cluster-ip-range", "169.169.0.0/16", "--cluster-dns", "169.169.0.100"],
];

/** `flags`: further ones of `up`; given `--mode`, the cluster is not as the documents have it. */
export async function startSeedCluster(name = "seeds", flags: readonly string[] = []): Promise<SeedCluster> {
  const chosen = way();
  const tool = kubectl();
  if (chosen === undefined || tool === undefined) throw new Error("asked for although missing");
  const program: Program = chosen.open();
  if (process.env["COREDNS"] !== undefined) program.env["COREDNS"] = process.env["COREDNS"];
  const up = await program.run(
    ...["up", "--detach", "--name", name, "--api-port", "0", "--no-check", "-o", "json"],
    ...(flags.includes("--mode") ? flags : [...asDocumented, ...flags]),
  );
  if (up.code !== 0) throw new Error(`up failed: ${up.stderr}`);
  const report = JSON.parse(up.stdout) as ClusterReport;
  const attempt = (args: string | readonly string[], input?: string) =>
    runKubectl(tool, typeof args === "string" ? args.split(" ") : args, {
      kubeconfig: report.kubeconfig,
      timeout: 60_000,
      ...(input === undefined ? {} : { input }),
    });
  const run = async (args: string | readonly string[], input?: string) => {
    const { code, stdout, stderr } = await attempt(args, input);
    expect([code, stderr], `kubectl ${String(args)}`).toEqual([0, expect.anything()]);
    return stdout;
  };
  return {
    report,
    tool: tool.path,
    attempt,
    kubectl: run,
    manifest: (name, values = {}) =>
      Object.entries(values).reduce(
        (text, [key, value]) => text.replaceAll(key, String(value)),
        readFileSync(join(import.meta.dirname, "manifests", `${name}.yaml`), "utf8"),
      ),
    async inPod(label, ...command) {
      const pod = (await run(`get pods -l ${label} -o name`)).split("\n")[0] as string;
      return await run(["exec", pod, "--", ...command]);
    },
    async stop() {
      await program.run("down", "--name", name);
      chosen.discard(program);
    },
  };
}
