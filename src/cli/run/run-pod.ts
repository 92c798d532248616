/** The pod of `fairlead run`: its one process holds the surroundings, and ends when the command that made it has gone. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect as connectSocket, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { events, pods } from "../../api/resources.ts";
import { isNotFound } from "../../api/status.ts";
import type { Pod } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import { runLabel } from "../../controllers/run-pods/reconcile.ts";
import type { RunFile } from "../../kubelet/runtime/process/run-file.ts";
import { realClock, sleep } from "../../lib/clock.ts";
import { errnoCode, FairleadError } from "../../lib/errors.ts";
import type { ClusterFile } from "../cluster-file.ts";
import { clusterPaths } from "../paths.ts";

export interface RunPodOptions {
  readonly namespace: string;
  /** For people to read in the pod's annotations. */
  readonly command: readonly string[];
}

const startMs = 30_000;

/**
 * What the pod's process does: it ends when whoever connected to it first has gone, or when nobody comes. As process 1 of the pod
 * it takes everything with it that runs there.
 */
const holder = `
const path = process.argv[1];
const server = require("node:net").createServer((socket) => {
  server.close();
  socket.on("error", () => {}).on("close", () => process.exit(0)).resume();
});
server.listen(path);
setTimeout(() => server.listening && process.exit(1), ${2 * startMs}).unref();
process.on("SIGTERM", () => process.exit(0));
process.on("exit", () => require("node:fs").rmSync(require("node:path").dirname(path), { recursive: true, force: true }));
`;

export function runPod({ namespace, command }: RunPodOptions, socketPath: string): Pod {
  const container = { name: "run", image: "fairlead.dev/run", command: [process.execPath, "-e", holder, socketPath] };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `run-${randomBytes(4).toString("hex")}`,
      namespace,
      labels: { [runLabel]: "true" },
      annotations: { "fairlead.dev/command": command.join(" ").slice(0, 256) },
    },
    spec: { restartPolicy: "Never", terminationGracePeriodSeconds: 0, containers: [container] },
  };
}

/** Waits until the pod runs. Throws FL_RUNTIME with what the cluster says when it does not come to that. */
export async function started(client: Client, pod: Pod, cluster: ClusterFile): Promise<RunFile> {
  const { namespace, name = "", uid = "" } = pod.metadata;
  const stop = AbortSignal.timeout(startMs);
  try {
    for await (const event of client.watch(pods, { namespace, fieldSelector: `metadata.name=${name}`, signal: stop })) {
      const { spec, status } = event.object as Pod;
      const phase = event.type === "DELETED" ? "deleted" : (status?.phase ?? "");
      if (phase === "Running") return await readRunFile(runFiles(cluster, spec?.nodeName ?? "", uid), stop);
      if (phase !== "Pending" && phase !== "") break;
    }
  } catch (error) {
    if (!stop.aborted) throw error;
  }
  throw new FairleadError("FL_RUNTIME", `the pod ${namespace}/${name} does not run: ${await reason(client, pod)}`);
}

/** Each node has a directory of its own; in loopback mode there is one node, and none. */
function runFiles({ kubeconfig }: ClusterFile, nodeName: string, uid: string): readonly string[] {
  const { pods: directory } = clusterPaths(dirname(kubeconfig));
  return [join(directory, nodeName), directory].map((node) => join(node, "pods", uid, "run.json"));
}

/** The file comes with the process, the status by way of the API: either may be first. */
async function readRunFile(paths: readonly string[], signal: AbortSignal): Promise<RunFile> {
  for (;;) {
    for (const path of paths) {
      const text = readIfThere(path);
      if (text !== undefined) return JSON.parse(text) as RunFile;
    }
    await sleep(realClock, 10, signal);
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function reason(client: Client, { metadata: { namespace, name } }: Pod): Promise<string> {
  const { items } = await client.list(events, { namespace, fieldSelector: `involvedObject.name=${name}` });
  const warning = items.findLast(({ type }) => type === "Warning") ?? items.at(-1);
  return warning === undefined ? "nothing is known of it" : `${warning.reason}: ${warning.message}`;
}

/** The connection that keeps the pod: the kernel closes it with this process, whatever ends it. */
export function holdOn(path: string): Promise<Socket> {
  return new Promise((done, fail) => {
    const deadline = realClock.monotonic() + startMs;
    const attempt = () => {
      const socket = connectSocket(path);
      socket.once("connect", () => done(socket.resume()));
      socket.once("error", (error) => {
        if (realClock.monotonic() < deadline && ["ENOENT", "ECONNREFUSED"].includes(errnoCode(error) ?? "")) setTimeout(attempt, 10);
        else fail(error);
      });
    };
    attempt();
  });
}

export async function remove(client: Client, { metadata: { namespace, name = "" } }: Pod): Promise<void> {
  try {
    await client.delete(pods, { namespace, name }, { gracePeriodSeconds: 0 });
  } catch (error) {
    // Gone already, or the cluster with it.
    if (!isNotFound(error) && !(error instanceof FairleadError && error.code === "FL_CONNECT") && errnoCode(error) === undefined)
      throw error;
  }
}
