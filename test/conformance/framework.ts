/**
 * What upstream's `test/e2e/framework` gives a case: a namespace of its own, the API, a kubectl, and pods that run commands.
 * One cluster serves all cases.
 */
import { expect } from "vitest";
import type { ClusterReport } from "../../src/cli/report.ts";
import { findKubectls, runKubectl, type Kubectl, type Output } from "../support/kubectl.ts";
import { ways } from "../support/modes.ts";
import { missingTools } from "../support/tools.ts";
import { openApi, type Api, type Json } from "./api.ts";

export interface Framework {
  readonly api: Api;
  readonly namespace: string;
  /** No other case has it: for labels of objects that have no namespace. */
  readonly uniqueName: string;
  /** `/api/v1/namespaces/NAMESPACE/RESOURCE` */
  core(path: string): string;
  kubectl(...args: readonly string[]): Promise<Output>;
  /** `kubectl exec POD -- /bin/sh -x -c SCRIPT`; what it wrote to standard output. Rejects when it fails. */
  hostCommand(pod: string, script: string): Promise<string>;
  /** Until the script succeeds and what it writes is right. */
  hostCommandUntil(pod: string, script: string, right: (output: string) => boolean): Promise<string>;
  createPod(pod: Json): Promise<Json>;
  /** Creates it and waits until it is ready; gives it as it is then. */
  createReadyPod(pod: Json): Promise<Json>;
  untilPod(name: string, what: string, right: (pod: Json) => boolean): Promise<Json>;
  deletePod(name: string): Promise<void>;
  nodes(): Promise<readonly Json[]>;
}

export type Case = (f: Framework) => Promise<void>;

export interface ConformanceCluster {
  /** With every right. */
  readonly kubeconfig: string;
  open(): Promise<Framework>;
  stop(): Promise<void>;
}

const way = () => ways.find(({ mode, missing }) => mode === "namespaces" && missing === undefined);
const kubectl = (): Kubectl | undefined => findKubectls().at(-1);

/** Why it cannot be tried on this machine. */
export function missingForConformance(): string | undefined {
  if (kubectl() === undefined) return "no kubectl on this machine";
  if (way() === undefined) return "this machine allows no namespaces";
  return missingTools("dig", "nslookup", "curl");
}

/** Two nodes: upstream's cases that look at several skip themselves on one. `flags`: further ones of `up`. */
export async function startConformanceCluster(flags: readonly string[] = []): Promise<ConformanceCluster> {
  const [chosen, tool] = [way(), kubectl()];
  if (chosen === undefined || tool === undefined) throw new Error("asked for although missing");
  const program = chosen.open();
  const words = ["--detach", "--ephemeral", "--name", "conformance", "--mode", "namespaces", "--nodes", "2", "--api-port", "0"];
  const up = await program.run("up", ...words, ...flags, "--no-check", "-o", "json");
  if (up.code !== 0) throw new Error(`up failed: ${up.stderr}`);
  const { kubeconfig } = JSON.parse(up.stdout) as ClusterReport;
  const api = openApi(kubeconfig);
  let count = 0;
  return {
    kubeconfig,
    open: async () => await openNamespace(api, tool, kubeconfig, ++count),
    async stop() {
      api.close();
      await program.run("down", "--name", "conformance");
      chosen.discard(program);
    },
  };
}

async function openNamespace(api: Api, tool: Kubectl, kubeconfig: string, number: number): Promise<Framework> {
  const uniqueName = `case-${number}`;
  const labels = { "e2e-run": uniqueName, "pod-security.kubernetes.io/enforce": "privileged" };
  const { metadata } = await api.create("/api/v1/namespaces", { metadata: { generateName: `${uniqueName}-`, labels } });
  const namespace: string = metadata.name;
  const core = (path: string) => `/api/v1/namespaces/${namespace}/${path}`;
  const some = (items: readonly Json[]) => items.length > 0;
  await Promise.all([
    api.until(core("serviceaccounts?fieldSelector=metadata.name=default"), "default ServiceAccount", some),
    api.until(core("configmaps?fieldSelector=metadata.name=kube-root-ca.crt"), "kube-root-ca.crt", some),
  ]);
  const run = (...args: readonly string[]) => runKubectl(tool, ["-n", namespace, ...args], { kubeconfig, timeout: 60_000 });
  const attempt = (pod: string, script: string) => run("exec", pod, "--", "/bin/sh", "-x", "-c", script);
  const createPod = (pod: Json) => api.create(core("pods"), pod);
  const untilPod: Framework["untilPod"] = async (name, what, right) => {
    const [pod] = await api.until(
      core(`pods?fieldSelector=metadata.name=${name}`),
      `pod ${name} ${what}`,
      ([found]) => found !== undefined && right(found),
    );
    return pod;
  };
  return {
    api,
    namespace,
    uniqueName,
    core,
    createPod,
    untilPod,
    kubectl: run,
    async hostCommand(pod, script) {
      const { code, stdout, stderr } = await attempt(pod, script);
      expect([script, code, stderr]).toEqual([script, 0, expect.anything()]);
      return stdout;
    },
    async hostCommandUntil(pod, script, right) {
      const end = performance.now() + 60_000;
      for (;;) {
        const { code, stdout, stderr } = await attempt(pod, script);
        if (code === 0 && right(stdout)) return stdout;
        if (performance.now() > end) throw new Error(`${script} in ${pod}: ${code}: ${stdout}${stderr}`);
        // Programming the rules of a node takes a moment; upstream asks again after one to two seconds.
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    async createReadyPod(pod) {
      const { metadata: made } = await createPod(pod);
      return await untilPod(made.name, "is ready", isReady);
    },
    async deletePod(name) {
      await api.delete(core(`pods/${name}`), { gracePeriodSeconds: 0 });
      await api.until(core(`pods?fieldSelector=metadata.name=${name}`), `pod ${name} is gone`, (items) => items.length === 0);
    },
    nodes: async () => (await api.get("/api/v1/nodes")).items,
  };
}

export const isReady = ({ status }: Json): boolean =>
  status.conditions?.some(({ type, status: state }: Json) => type === "Ready" && state === "True") ?? false;
