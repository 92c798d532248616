/**
 * Builds the programs that tests and benchmarks stand beside ours, from Go's public modules:
 * `sh bin/node test/peers/build.ts --out DIR [NAME…]`. Needs `go` and its module proxy; says so and ends well where there is none.
 * Kubernetes is no module that others can install: its `go.mod` points into its own tree (`./staging/…`). The published modules of the
 * same release take those places.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";

/** Those of the release that this program follows. */
export const versions = { kubernetes: "1.36.3", coredns: "1.14.7", etcd: "3.7.3", helm: "3.22.0", h2spec: "2.2.1+incompatible" } as const;

interface Peer {
  readonly module: string;
  readonly version: string;
  /** Within the module. */
  readonly package: string;
  /** Its sources with their replacements mended; else it is a dependency of an empty module. */
  readonly kubernetes?: true;
  /** A test binary (`go test -c`). */
  readonly test?: true;
  /** Files that go with it. */
  readonly beside?: readonly string[];
}

const kubernetes = (path: string): Peer => ({
  module: "k8s.io/kubernetes",
  version: versions.kubernetes,
  package: path,
  kubernetes: true,
});

const peers: Readonly<Record<string, Peer>> = {
  coredns: { module: "github.com/coredns/coredns", version: versions.coredns, package: "." },
  etcd: { module: "go.etcd.io/etcd/server/v3", version: versions.etcd, package: "." },
  h2spec: { module: "github.com/summerwind/h2spec", version: versions.h2spec, package: "./cmd/h2spec" },
  helm: { module: "helm.sh/helm/v3", version: versions.helm, package: "./cmd/helm" },
  "kube-proxy": kubernetes("./cmd/kube-proxy"),
  "kube-apiserver": kubernetes("./cmd/kube-apiserver"),
  agnhost: {
    ...kubernetes("./test/images/agnhost"),
    // Its image has them at its root.
    beside: ["test/images/agnhost/porter/localhost.crt", "test/images/agnhost/porter/localhost.key"],
  },
  "e2e.test": { ...kubernetes("./test/e2e"), test: true },
};

/** Built from their folder here: an operator, as people write them. */
const own: Readonly<Record<string, string>> = {
  "controller-runtime": join(import.meta.dirname, "controller-runtime"),
  "protobuf-client": join(import.meta.dirname, "apiserver/protobuf-client"),
};

const { values, positionals } = parseArgs({ options: { out: { type: "string" } }, allowPositionals: true });

const env = { ...process.env, CGO_ENABLED: "0", GOWORK: "off", GOFLAGS: "-mod=mod" };

function go(directory: string, ...words: readonly string[]): string {
  return execFileSync("go", [...words], { cwd: directory, env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

/** Kubernetes as others can build it; made once below `out`. */
function kubernetesSources(out: string): string {
  const directory = join(out, "src", `kubernetes-${versions.kubernetes}`);
  if (existsSync(join(directory, ".mended"))) return directory;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const { Dir } = JSON.parse(go(out, "mod", "download", "-json", `k8s.io/kubernetes@v${versions.kubernetes}`)) as { Dir: string };
  cpSync(Dir, directory, { recursive: true, mode: 0 });
  execFileSync("chmod", ["-R", "u+w", directory]);
  rmSync(join(directory, "go.work"), { force: true });
  const path = join(directory, "go.mod");
  writeFileSync(path, withPublishedModules(readFileSync(path, "utf8")));
  writeFileSync(join(directory, ".mended"), "");
  return directory;
}

/** `k8s.io/api => ./staging/src/k8s.io/api` becomes `k8s.io/api => k8s.io/api v0.36.3`: release 1.N publishes 0.N. */
export function withPublishedModules(goMod: string): string {
  const published = `v0${versions.kubernetes.slice(1)}`;
  return goMod.replaceAll(/^(\s*(?:replace\s+)?)(k8s\.io\/[\w.-]+) => \.\/staging\/\S+$/gm, `$1$2 => $2 ${published}`);
}

/** An empty module that depends on the peer's. */
function moduleFor(name: string, { module, version, package: path }: Peer, out: string): string {
  const directory = join(out, "src", `${name}-${version}`);
  mkdirSync(directory, { recursive: true });
  if (!existsSync(join(directory, "go.mod"))) go(directory, "mod", "init", "peers");
  go(directory, "get", `${join(module, path)}@v${version}`);
  return directory;
}

function build(name: string, peer: Peer, out: string): void {
  const target = join(out, name);
  const stamp = [`gitVersion=v${versions.kubernetes}`, "gitMajor=1", `gitMinor=${versions.kubernetes.split(".")[1]}`];
  const flags = peer.kubernetes === true ? stamp.map((value) => `-X k8s.io/component-base/version.${value}`) : [];
  const common = ["-p", "2", "-trimpath", "-ldflags", ["-s -w", ...flags].join(" "), "-o", target];
  const directory = peer.kubernetes === true ? kubernetesSources(out) : moduleFor(name, peer, out);
  const path = peer.kubernetes === true ? peer.package : join(peer.module, peer.package);
  go(directory, ...(peer.test === true ? ["test", "-c"] : ["build"]), ...common, path);
  for (const file of peer.beside ?? []) copyFileSync(join(directory, file), join(out, basename(file)));
  console.log(`built ${target}`);
}

/** Built in a copy: `go mod tidy` adds to its files what only this machine's registry knows. */
function buildOwn(name: string, folder: string, out: string): void {
  const directory = join(out, "src", name);
  cpSync(folder, directory, { recursive: true });
  go(directory, "mod", "tidy");
  go(directory, "build", "-p", "2", "-trimpath", "-ldflags", "-s -w", "-o", join(out, name), ".");
  console.log(`built ${join(out, name)}`);
}

function main(): number {
  const all = [...Object.keys(peers), ...Object.keys(own)];
  const unknown = positionals.filter((name) => !all.includes(name));
  if (values.out === undefined || unknown.length > 0) {
    const why = values.out === undefined ? "--out DIR says where they go" : `there is no peer ${unknown.join(", ")}`;
    console.error(`${why}; peers: ${all.join(", ")}`);
    return 2;
  }
  if (spawnSync("go", ["version"]).error !== undefined) {
    console.log("skipped: there is no go on this machine");
    return 0;
  }
  const out = resolve(values.out);
  mkdirSync(out, { recursive: true });
  for (const name of positionals.length > 0 ? positionals : all) {
    const [done, folder] = [existsSync(join(out, name)), own[name]];
    if (done) console.log(`there already: ${join(out, name)}`);
    else if (folder !== undefined) buildOwn(name, folder, out);
    else build(name, peers[name] as Peer, out);
  }
  return 0;
}

if (import.meta.main) process.exitCode = main();
