/** What `fairlead doctor` looks at beside the kernel: programs, disk, ports and clusters of this user. */
import { accessSync, constants, existsSync, statfsSync } from "node:fs";
import { createServer } from "node:net";
import { dirname } from "node:path";
import type { ToolAnswer } from "../../host/tool.ts";
import { errnoCode } from "../../lib/errors.ts";
import type { ClusterFile } from "../cluster-file.ts";

/** One line of the report; of the same shape as the kernel's capabilities. */
export interface Check {
  /** Stable, for programs: `kubectl`, `disk`. */
  readonly id: string;
  readonly ok: boolean;
  /** What it is for, or what does without it; for people. */
  readonly why: string;
  /** What a person would run to change it. */
  readonly enable?: string;
}

export interface CheckSurroundings {
  readonly nodeVersion: string;
  /** Kubernetes' version that is served: `1.36.0`. */
  readonly kubernetesVersion: string;
  /** Where clusters keep their data; need not exist. */
  readonly dataHome: string;
  readonly ask: (program: string, args: readonly string[]) => Promise<ToolAnswer>;
  readonly clusters: () => readonly ClusterFile[];
}

export async function machineChecks(around: CheckSurroundings): Promise<readonly Check[]> {
  const [kubectl, addresses, api] = await Promise.all([checkKubectl(around), checkLoopback(), checkApiPort()]);
  return [checkNode(around), addresses, checkDisk(around.dataHome), kubectl, api, checkClusters(around.clusters())];
}

/** Two majors are supported by Node at a time; the older is 24 (`engines` says what the launcher takes). */
function checkNode({ nodeVersion }: CheckSurroundings): Check {
  const major = Number(/^v?(\d+)/.exec(nodeVersion)?.[1] ?? 0);
  if (major >= 24) return { id: "node", ok: true, why: `Node ${nodeVersion} runs this program` };
  return { id: "node", ok: false, why: `Node ${nodeVersion} is too old: 24 or newer is needed`, enable: "npm ci" };
}

/** Every address of loopback mode, and the host's side of the others, is in 127.0.0.0/8. */
async function checkLoopback(): Promise<Check> {
  const id = "loopback-addresses";
  const code = await tryListen("127.96.0.1", 0);
  if (code === undefined)
    return { id, ok: true, why: "every address in 127.0.0.0/8 is this machine's: load balancers and node ports have their own" };
  return { id, ok: false, why: `127.96.0.1 cannot be bound (${code}): Services cannot be reached from this machine` };
}

async function checkApiPort(): Promise<Check> {
  const id = "api-port";
  const code = await tryListen("127.0.0.1", 6443);
  if (code === undefined) return { id, ok: true, why: "port 6443 is free for the API server" };
  return { id, ok: true, why: `port 6443 is taken (${code}): the next cluster's API server takes any other` };
}

function tryListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error) => resolve(errnoCode(error) ?? error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

const enoughBytes = 200 * 2 ** 20;

function checkDisk(dataHome: string): Check {
  const id = "disk";
  const existing = nearestExisting(dataHome);
  try {
    accessSync(existing, constants.W_OK);
    const { bavail, bsize } = statfsSync(existing);
    const free = bavail * bsize;
    const text = `${(free / 2 ** 30).toFixed(1)} GiB free below ${existing}`;
    return { id, ok: free >= enoughBytes, why: free >= enoughBytes ? text : `${text}: a cluster may not be able to save its objects` };
  } catch (error) {
    const enable = "export XDG_DATA_HOME=/a/directory/of/yours";
    return {
      id,
      ok: false,
      why: `${existing} cannot be written (${errnoCode(error) ?? "unknown"}): clusters keep their data in ${dataHome}`,
      enable,
    };
  }
}

function nearestExisting(path: string): string {
  return existsSync(path) || path === dirname(path) ? path : nearestExisting(dirname(path));
}

/** kubectl supports servers one minor version older or newer than itself (Kubernetes' version skew policy). */
async function checkKubectl({ ask, kubernetesVersion }: CheckSurroundings): Promise<Check> {
  const id = "kubectl";
  const answer = await ask("kubectl", ["version", "--client", "--output", "json"]);
  if (answer.kind === "missing")
    return {
      id,
      ok: false,
      why: "without kubectl clusters run all the same; 'fairlead status' and 'fairlead logs' show them",
      enable: "https://kubernetes.io/docs/tasks/tools/",
    };
  const version = answer.kind === "ok" ? clientVersion(answer.output) : undefined;
  if (version === undefined) return { id, ok: false, why: "kubectl is there and does not say its version" };
  const skew = Math.abs(minor(version) - minor(kubernetesVersion));
  const range = `this cluster serves ${kubernetesVersion}`;
  return {
    id,
    ok: skew <= 1,
    why: skew <= 1 ? `kubectl ${version}; ${range}` : `kubectl ${version} is more than one minor version away: ${range}`,
  };
}

function clientVersion(output: string): string | undefined {
  try {
    const { clientVersion: client } = JSON.parse(output) as { readonly clientVersion?: { readonly gitVersion?: string } };
    return client?.gitVersion;
  } catch {
    return undefined;
  }
}

const minor = (version: string) => Number(/^v?\d+\.(\d+)/.exec(version)?.[1] ?? Number.NaN);

function checkClusters(clusters: readonly ClusterFile[]): Check {
  const names = clusters.map(({ name, mode }) => `${name} (${mode})`).join(", ");
  return {
    id: "clusters",
    ok: true,
    why: clusters.length === 0 ? "no cluster of this user is running" : `running now, each with addresses of its own: ${names}`,
  };
}
