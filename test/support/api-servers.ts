/** Our API server and Kubernetes' own, to be compared: each with its store on the same disk, a token for an administrator, and nothing that is not needed. */
import { spawn, type ChildProcess } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import type { BundledProgram } from "./bundled-api-server.ts";
import { freePort } from "./ports.ts";

export const token = "bench-administrator";

/** A running API server. */
export interface ApiServerUnderTest {
  readonly name: string;
  /** `https://127.0.0.1:6443` */
  readonly url: string;
  /** PEM file of its authority. */
  readonly ca: string;
  /** Milliseconds from its start to the first 200 of `/readyz`. */
  readonly startup: number;
  /** Proportional set size of all its processes, in bytes. */
  memory(): number;
  stop(): Promise<void>;
}

/** Starts one on a directory; a second start on the same directory finds what the first has stored. */
export interface Starter {
  readonly name: string;
  start(directory: string): Promise<ApiServerUnderTest>;
}

interface Processes {
  readonly name: string;
  readonly processes: readonly ChildProcess[];
  readonly port: number;
  readonly ca: string;
  readonly began: number;
}

async function running({ name, processes, port, ca, began }: Processes): Promise<ApiServerUnderTest> {
  await ready(port, processes);
  return {
    name,
    url: `https://127.0.0.1:${port}`,
    ca,
    startup: performance.now() - began,
    memory: () => processes.reduce((sum, { pid }) => sum + pss(pid as number), 0),
    stop: async () => {
      for (const child of [...processes].reverse()) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const gone = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGTERM");
        await gone;
      }
    },
  };
}

/** Asked again and again until it says 200; what a failed look costs is the same for both. */
async function ready(port: number, processes: readonly ChildProcess[]): Promise<void> {
  while (!(await isReady(port))) {
    const dead = processes.find(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null);
    if (dead !== undefined) throw new Error(`${dead.spawnfile} ended before it was ready; its log is in the directory`);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}

function isReady(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${token}` };
    const outgoing = request({ host: "127.0.0.1", port, path: "/readyz", headers, rejectUnauthorized: false, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    outgoing.on("error", () => resolve(false));
    outgoing.end();
  });
}

function pss(pid: number): number {
  const kilobytes = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1];
  return Number(kilobytes) * 1024;
}

function run(directory: string, file: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  const log = openSync(join(directory, `${file.split("/").at(-1)}.log`), "a");
  return spawn(file, args, { stdio: ["ignore", log, log], env: { ...process.env, ...env } });
}

/** Ours, bundled as what ships is; the launcher of what ships names a compile cache, too. */
export function fairlead({ program, flags, env }: BundledProgram): Starter {
  return {
    name: "fairlead",
    async start(directory) {
      const port = await freePort();
      const began = performance.now();
      const child = run(directory, process.execPath, [...flags, program, directory, String(port), token], env);
      return running({ name: "fairlead", processes: [child], port, ca: join(directory, "ca.crt"), began });
    },
  };
}

/** Kubernetes' own, with etcd as it comes: it syncs its log before it acknowledges. */
export function kubernetes(binaries: { readonly apiserver: string; readonly etcd: string }): Starter {
  return {
    name: "kube-apiserver + etcd",
    async start(directory) {
      const { key, publicKey } = serviceAccountKey(directory);
      writeFileSync(join(directory, "tokens.csv"), `${token},bench,bench,system:masters\n`, { mode: 0o600 });
      const [port, clientPort, peerPort] = [await freePort(), await freePort(), await freePort()];
      const [client, peer] = [`http://127.0.0.1:${clientPort}`, `http://127.0.0.1:${peerPort}`];
      const began = performance.now();
      const etcd = run(directory, binaries.etcd, [
        `--data-dir=${join(directory, "etcd")}`,
        `--listen-client-urls=${client}`,
        `--advertise-client-urls=${client}`,
        `--listen-peer-urls=${peer}`,
        `--initial-advertise-peer-urls=${peer}`,
        `--initial-cluster=default=${peer}`,
        "--quota-backend-bytes=4294967296",
      ]);
      const apiserver = run(directory, binaries.apiserver, [
        `--etcd-servers=${client}`,
        "--bind-address=127.0.0.1",
        `--secure-port=${port}`,
        `--cert-dir=${join(directory, "pki")}`,
        "--service-cluster-ip-range=10.96.0.0/12",
        "--service-account-issuer=https://kubernetes.default.svc",
        `--service-account-key-file=${publicKey}`,
        `--service-account-signing-key-file=${key}`,
        `--token-auth-file=${join(directory, "tokens.csv")}`,
        "--authorization-mode=RBAC",
      ]);
      return running({ name: this.name, processes: [etcd, apiserver], port, ca: join(directory, "pki", "apiserver.crt"), began });
    },
  };
}

function serviceAccountKey(directory: string): { readonly key: string; readonly publicKey: string } {
  const [key, publicKey] = [join(directory, "sa.key"), join(directory, "sa.pub")];
  if (!existsSync(key)) {
    const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
    writeFileSync(key, pair.privateKey.export({ type: "pkcs1", format: "pem" }), { mode: 0o600 });
    writeFileSync(publicKey, pair.publicKey.export({ type: "spki", format: "pem" }));
  }
  return { key, publicKey };
}
