/** `explain --live`: tries from the pod that asks, by whatever program its image has, and compares. */
import { findCluster } from "../connect.ts";
import { execInPod, type ExecResult } from "../../client/exec.ts";
import { loadKubeconfig, type ServerConfig } from "../../client/kubeconfig.ts";
import type { Explanation } from "../../decide/explain/explain.ts";
import { attemptsFor, isConnected, withLive, type Attempt, type Happened, type LiveExplanation } from "../../decide/explain/live.ts";
import type { ObjectRef, Snapshot } from "../../decide/explain/snapshot.ts";
import { worldOf } from "../../decide/explain/world.ts";
import { FairleadError } from "../../lib/errors.ts";
import { probeProgram, type ProbeResult } from "../pod-probe.ts";
import type { SnapshotChoice } from "./read-snapshot.ts";

/** Milliseconds for all attempts of one way. */
const timeout = 30_000;

/** Throws FL_USAGE where no pod asks, FL_UNSUPPORTED where the pod has nothing to try with, FL_CONNECT. */
export async function tryLive(explanation: Explanation, snapshot: Snapshot, choice: SnapshotChoice): Promise<LiveExplanation> {
  const { ref } = explanation.from;
  if (choice.at !== undefined)
    throw new FairleadError("FL_USAGE", "--live tries what is now, --at looks at what was", { hint: "Leave out one of them." });
  if (ref?.kind !== "Pod" || choice.files.length > 0)
    throw new FairleadError("FL_USAGE", "--live tries from a pod of a running cluster", { hint: "Name it: --from pod/NAMESPACE/NAME." });
  const attempts = attemptsFor(snapshot, explanation);
  if (attempts.length === 0)
    throw new FairleadError("FL_USAGE", `--live: ${explanation.target} names nothing to connect to`, {
      hint: "Such as http://web.shop/ or web.shop:80.",
    });
  const config = await loadKubeconfig({ path: choice.kubeconfig ?? findCluster(choice).kubeconfig });
  return withLive(explanation, await attempt(config, ref, containerOf(snapshot, ref), attempts));
}

function containerOf(snapshot: Snapshot, { namespace = "", name }: ObjectRef): string {
  return worldOf(snapshot).pod(namespace, name)?.spec?.containers[0]?.name ?? "";
}

async function attempt(
  config: ServerConfig,
  { namespace = "", name }: ObjectRef,
  container: string,
  attempts: readonly Attempt[],
): Promise<readonly Happened[]> {
  const missing: string[] = [];
  for (const way of ways) {
    const result = await execInPod(config, { namespace, pod: name, container, command: way.command(attempts), timeout });
    const happened = way.read(result, attempts);
    if (happened !== undefined) return happened;
    missing.push(`${way.name}: ${result.problem ?? (result.stderr.trim().split("\n").at(-1) || `exit code ${result.code}`)}`);
  }
  throw new FairleadError("FL_UNSUPPORTED", `pod ${namespace}/${name} has no program to try with (${missing.join("; ")})`, {
    hint: "Ask from a pod whose image has node, or a shell with curl or wget.",
  });
}

interface Way {
  readonly name: string;
  command(attempts: readonly Attempt[]): readonly string[];
  /** Undefined: the pod does not have it. */
  read(result: ExecResult, attempts: readonly Attempt[]): readonly Happened[] | undefined;
}

const ways: readonly Way[] = [
  {
    name: "node",
    command: (attempts) => [
      "node",
      "-e",
      probeProgram({ requests: attempts.map(({ url }) => ({ url, count: 1 })), dns: { questions: [] } }),
    ],
    read({ code, stdout }, attempts) {
      if (code !== 0) return undefined;
      const { requests } = JSON.parse(stdout) as ProbeResult;
      return attempts.map((each, i) => {
        const { status, error } = requests[i]?.[0] ?? { error: "no answer" };
        return { ...each, connected: isConnected(error), answer: error ?? `HTTP ${status}` };
      });
    },
  },
  {
    name: "sh",
    // URLs come as arguments: no text of theirs is ever a command.
    command: (attempts) => ["sh", "-c", shellProbe, "probe", ...attempts.map(({ url }) => url)],
    read({ code, stdout }, attempts) {
      const lines = stdout.trim().split("\n");
      if (code !== 0 || lines.length !== attempts.length) return undefined;
      return attempts.map((each, i) => {
        const answer = lines[i] ?? "";
        return { ...each, connected: isConnected(answer), answer };
      });
    },
  },
];

/** Exit codes of curl (6: name, 7: connect, 28: time) and the words of wget, GNU's and busybox's. */
const shellProbe = `
for url in "$@"; do
  if command -v curl >/dev/null; then
    curl -s -o /dev/null -m 5 "$url"
    case $? in 0) echo HTTP;; 6) echo unresolved;; 7) echo refused;; 28) echo timeout;; *) echo "answered, not as HTTP has it";; esac
  elif command -v wget >/dev/null; then
    said=$(wget -T 5 -O /dev/null "$url" 2>&1) && { echo HTTP; continue; }
    case "$said" in *efused*) echo refused;; *"bad address"*|*resolve*) echo unresolved;; *imed*) echo timeout;; *nreachable*) echo EHOSTUNREACH;; *) echo HTTP;; esac
  else
    exit 127
  fi
done`;
