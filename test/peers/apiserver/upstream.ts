/** The real kube-apiserver over the real etcd, for a while: on ports of the kernel's choice, with its data in a directory that goes with it. */
import { spawn, type ChildProcess } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../support/ports.ts";
import { remote, type Peer } from "./peer.ts";

export interface Upstream {
  readonly ask: Peer;
  stop(): Promise<void>;
}

export interface UpstreamOptions {
  /** Programs: `test/peers/build.ts` builds them. */
  readonly apiserver: string;
  readonly etcd: string;
  /** Empty; its owner removes it. */
  readonly directory: string;
}

const token = "a-token-of-this-run";
const firstAnswer = 120_000;

export async function startUpstream({ apiserver, etcd, directory }: UpstreamOptions): Promise<Upstream> {
  const [client, peer, port] = await Promise.all([freePort(), freePort(), freePort()]);
  const at = (name: string) => join(directory, name);
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  writeFileSync(at("sa.key"), privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  writeFileSync(at("tokens.csv"), `${token},kubernetes-admin,u1,"system:masters"\n`, { mode: 0o600 });
  const [clientUrl, peerUrl] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`];
  const run = (program: string, name: string, flags: Readonly<Record<string, string>>): ChildProcess => {
    const words = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
    const log = openSync(at(`${name}.log`), "a", 0o600);
    return spawn(program, words, { stdio: ["ignore", log, log] });
  };
  const store = run(etcd, "etcd", {
    "data-dir": at("etcd"),
    "listen-client-urls": clientUrl,
    "advertise-client-urls": clientUrl,
    "listen-peer-urls": peerUrl,
    "initial-advertise-peer-urls": peerUrl,
    "initial-cluster": `default=${peerUrl}`,
  });
  const server = run(apiserver, "kube-apiserver", {
    "etcd-servers": clientUrl,
    "bind-address": "127.0.0.1",
    "secure-port": String(port),
    "cert-dir": at("pki"),
    "service-account-issuer": "https://kubernetes.default.svc",
    "service-account-key-file": at("sa.key"),
    "service-account-signing-key-file": at("sa.key"),
    "service-cluster-ip-range": "10.96.0.0/16,fd00:10:96::/112",
    "token-auth-file": at("tokens.csv"),
    "authorization-mode": "RBAC",
    // It waits for accounts that its controllers make, and those do not run here; ours fills in a name.
    "disable-admission-plugins": "ServiceAccount,TaintNodesByCondition",
  });
  const ask = remote({ port, token });
  const stop = async () => {
    await Promise.all([server, store].map(ended));
  };
  try {
    await answers(ask, [server, store]);
  } catch (error) {
    await stop();
    throw error;
  }
  return { ask, stop };
}

async function answers(ask: Peer, programs: readonly ChildProcess[]): Promise<void> {
  for (let left = firstAnswer; left > 0; left -= 250) {
    const ended = programs.find(({ exitCode }) => exitCode !== null);
    if (ended !== undefined) throw new Error(`${ended.spawnfile} ended with ${ended.exitCode}: its log is in the directory`);
    const ready = await ask({ method: "GET", path: "/readyz" }).catch(() => undefined);
    if (ready?.status === 200) return;
    await sleep(250);
  }
  throw new Error("kube-apiserver was not ready in time");
}

function ended(program: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (program.exitCode !== null) return resolve();
    program.once("exit", () => resolve());
    program.kill("SIGKILL");
  });
}
