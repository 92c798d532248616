/** What a runtime's cases are made of, and how they start containers. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { ExecOptions, ExecSession } from "../../../api/node-agent.ts";
import type { Container, Pod, PodSpec } from "../../../api/types.ts";
import type { ContainerMount, PodIdentity, RunningContainer, Runtime } from "../runtime.ts";

export interface RuntimeRig {
  readonly runtime: Runtime;
  /** Of the runtime: where pods have their directories. */
  readonly directory: string;
  /** For what the cases write. */
  readonly scratch: string;
  /** Addresses of the n-th pod. */
  readonly addresses: (n: number) => readonly string[];
  readonly traits: {
    /** Each container has files of its own, each pod a network of its own. */
    readonly isolated: boolean;
    /** The program is the machine's root. */
    readonly root: boolean;
    /** Containers have real images. */
    readonly real?: boolean;
  };
}

export interface RuntimeCase {
  readonly name: string;
  readonly needs?: "isolated" | "real";
  /** Containers that are programs of this machine. */
  readonly only?: "process";
  readonly run: (rig: RuntimeRig) => Promise<void>;
}

let pods = 1;

export interface Started {
  readonly pod: PodIdentity;
  readonly object: Pod;
  readonly running: RunningContainer;
  output(): string;
  remove(): Promise<void>;
}

export interface StartOptions {
  readonly spec?: Partial<PodSpec>;
  readonly mounts?: readonly ContainerMount[];
  readonly env?: Readonly<Record<string, string>>;
  /** In whose pod it is started; default: in a new one. */
  readonly beside?: Started;
}

export async function start(rig: RuntimeRig, given: Partial<Container>, options: StartOptions = {}): Promise<Started> {
  const { runtime } = rig;
  const n = ++pods;
  const ips = rig.addresses(n);
  const pod: PodIdentity = options.beside?.pod ?? {
    namespace: "default",
    name: `pod-${n}`,
    uid: `uid-${process.pid}-${n}`,
    ip: ips[0] ?? "",
    ips,
  };
  const container: Container = { name: "main", image: "busybox", ...given };
  const object: Pod = {
    metadata: { name: pod.name, namespace: pod.namespace, uid: pod.uid },
    spec: { ...options.spec, containers: [container] },
  };
  await runtime.setUpPod(pod, object);
  const chunks: Buffer[] = [];
  const running = await runtime.run({
    pod,
    object,
    container,
    instance: 0,
    command: container.command ?? [],
    args: container.args ?? [],
    env: { ...runtime.baseEnvironment(pod, container, object), HOSTNAME: pod.name, ...options.env },
    mounts: options.mounts ?? [],
    output: (_, chunk) => void chunks.push(Buffer.from(chunk)),
  });
  return {
    pod,
    object,
    running,
    output: () => Buffer.concat(chunks).toString(),
    async remove() {
      running.signal("SIGKILL");
      await running.exited;
      await running.drained;
      if (options.beside !== undefined) return;
      await runtime.tearDownPod(pod);
      await runtime.removePod(pod);
    },
  };
}

/** Runs a container to its end. */
export async function finish(rig: RuntimeRig, container: Partial<Container>, options?: StartOptions) {
  const started = await start(rig, container, options);
  const exit = await started.running.exited;
  await started.running.drained;
  await started.remove();
  return { ...exit, output: started.output(), pod: started.pod };
}

export const shell = (script: string): Partial<Container> => ({ command: ["sh", "-c", script] });
export const waits = shell("trap 'exit 0' TERM; echo up; while :; do sleep 0.05 & wait; done");

export async function until(check: () => boolean): Promise<void> {
  while (!check()) await new Promise((resolve) => setTimeout(resolve, 2));
}

export const execOptions = (command: readonly string[], more: Partial<ExecOptions> = {}): ExecOptions => ({
  container: "main",
  command,
  stdin: false,
  stdout: true,
  stderr: true,
  tty: false,
  ...more,
});

export function listen(session: ExecSession): () => string {
  const chunks: Buffer[] = [];
  session.onOutput((_, chunk) => chunks.push(Buffer.from(chunk)));
  return () => Buffer.concat(chunks).toString();
}

export async function exec(started: Started, command: readonly string[], more: Partial<ExecOptions> = {}, input?: string) {
  const session = await started.running.exec(execOptions(command, more));
  const output = listen(session);
  if (input !== undefined) {
    await session.write(Buffer.from(input));
    session.closeStdin();
  }
  return { status: await session.done, output: output() };
}

/** A directory of its own for one case, which anybody may write. */
export function scratchDirectory(rig: RuntimeRig, name: string): string {
  const path = join(rig.scratch, `${name}-${++pods}`);
  mkdirSync(path, { recursive: true, mode: 0o777 });
  return path;
}
