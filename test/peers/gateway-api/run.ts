/**
 * The Gateway API's own conformance suite against `fairlead up`: `sh bin/node test/peers/gateway-api/run.ts --out DIR [flags]`.
 * Builds the suite and its echo backend from their public Go modules (needs `go` and its module proxy; says so and ends well where there
 * is none), starts a cluster in namespaces mode, installs the definitions, runs every profile, prints the report's counts and every
 * test that failed. 0: none did.
 *
 *     --channel C     experimental (default: all features) or standard
 *     --profiles P    default GATEWAY-HTTP,GATEWAY-GRPC,GATEWAY-TLS,GATEWAY-TCP,GATEWAY-UDP
 *     --run-test T    one test by its short name
 *     --coredns FILE  CoreDNS for the backend of UDPRoutes; default: ours in its place
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, globSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    out: { type: "string" },
    channel: { type: "string", default: "experimental" },
    profiles: { type: "string", default: "GATEWAY-HTTP,GATEWAY-GRPC,GATEWAY-TLS,GATEWAY-TCP,GATEWAY-UDP" },
    "run-test": { type: "string" },
    coredns: { type: "string" },
  },
});

if (values.out === undefined) throw new Error("--out DIR: where to build and to write logs and the report");
const out = resolve(values.out);
const fairlead = resolve(import.meta.dirname, "../../../bin/fairlead");
const data = join(out, "data");
const kubeconfig = join(data, "kubeconfig");
const echo = join(out, "echo-basic");
const suite = join(out, "conformance.test");
const goEnv = { ...process.env, CGO_ENABLED: "0", GOWORK: "off", GOFLAGS: "-mod=mod" };

function go(...words: readonly string[]): string {
  return execFileSync("go", [...words], { cwd: join(out, "src"), env: goEnv, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

/** Where the definitions of the suite's release are. */
function build(): string {
  mkdirSync(join(out, "src"), { recursive: true });
  for (const name of ["go.mod", "conformance_test.go"]) cpSync(join(import.meta.dirname, name), join(out, "src", name));
  if (!existsSync(suite)) go("test", "-c", "-o", suite, ".");
  if (!existsSync(echo)) go("build", "-o", echo, "sigs.k8s.io/gateway-api/conformance/echo-basic");
  const { Dir } = JSON.parse(go("mod", "download", "-json", "sigs.k8s.io/gateway-api@v1.6.3")) as { Dir: string };
  return Dir;
}

function definitions(module: string): string {
  const files = globSync(`config/crd/${values.channel}/gateway.networking.k8s.io_*.yaml`, { cwd: module })
    // The guard against a change of channel, which this one may be.
    .filter((name) => !name.includes("_vap_"))
    .toSorted();
  return files.map((name) => readFileSync(join(module, name), "utf8")).join("\n---\n");
}

function run(words: readonly string[], more: Readonly<Record<string, string>> = {}): void {
  execFileSync("sh", [fairlead, ...words], { env: { ...process.env, ...more }, stdio: "inherit" });
}

function up(): void {
  const images = { ECHO_BASIC: echo, ...(values.coredns === undefined ? {} : { COREDNS: resolve(values.coredns) }) };
  run(
    [
      "up",
      "--name",
      "gateway-api",
      "--data-dir",
      data,
      "--detach",
      "--mode",
      "namespaces",
      "--api-port",
      "0",
      "-f",
      join(out, "definitions.yaml"),
    ],
    images,
  );
}

/** Gateways have their addresses in 127.<slot>.192.0/19: one that is free, and one that cannot be had. */
function options(): string {
  const { slot } = JSON.parse(readFileSync(join(data, "network.json"), "utf8")) as { slot: number };
  const file = join(out, "options.yaml");
  const address = (value: string) => `[{ type: IPAddress, value: ${value} }]`;
  writeFileSync(
    file,
    `usableNetworkAddresses: ${address(`127.${97 + 2 * slot}.200.1`)}\nunusableNetworkAddresses: ${address("192.0.2.7")}\n`,
  );
  return file;
}

function conform(): number {
  const report = join(out, "report.yaml");
  const log = openSync(join(out, "conformance.log"), "w", 0o600);
  const flags = {
    "gateway-class": "fairlead",
    "conformance-profiles": values.profiles,
    "conformance-options-file": options(),
    "report-output": report,
    organization: "fairlead",
    project: "fairlead",
    url: "https://fairlead.dev",
    version: (JSON.parse(readFileSync(resolve(fairlead, "../../package.json"), "utf8")) as { version: string }).version,
    contact: "https://fairlead.dev",
    ...(values["run-test"] === undefined ? {} : { "run-test": values["run-test"] }),
  };
  const words = ["-test.v", "-test.timeout", "40m", ...Object.entries(flags).flatMap(([name, value]) => [`-${name}`, value])];
  const { status } = spawnSync(suite, words, { env: { ...process.env, KUBECONFIG: kubeconfig }, stdio: ["ignore", log, log] });
  tell(report);
  return status ?? 1;
}

function tell(report: string): void {
  const log = readFileSync(join(out, "conformance.log"), "utf8");
  const of = (verdict: string) =>
    [...log.matchAll(new RegExp(`^    --- ${verdict}: TestConformance/(\\w+) `, "gm"))].map(([, name]) => name as string);
  console.log(
    `${of("PASS").length} passed, ${of("FAIL").length} failed, ${of("SKIP").length} skipped (of the mesh's profiles, or of features that are not claimed)`,
  );
  for (const name of of("FAIL")) console.log(`FAIL ${name}`);
  if (existsSync(report))
    console.log([...readFileSync(report, "utf8").matchAll(/^ {2}(name|summary): .*$/gm)].map(([line]) => line.trim()).join("\n"));
}

if (spawnSync("go", ["version"]).status !== 0) {
  console.log("skipped: needs go, which builds the suite");
  process.exit(0);
}
const module = build();
writeFileSync(join(out, "definitions.yaml"), definitions(module));
up();
try {
  process.exitCode = conform();
} finally {
  run(["down", "--name", "gateway-api", "--data-dir", data, "--delete-data"]);
}
