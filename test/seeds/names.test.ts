/**
 * 000 2.3 to 2.5 and 004: every kind of name that the documents show, asked from a pod by the tools that people use, equals a golden with its
 * flags and times; among them the documents' custom domain in a real etcd. UPDATE_GOLDENS=1 writes the golden.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { findTool, missingTools } from "../support/tools.ts";
import { missingForSeeds, startSeedCluster, type SeedCluster } from "./cluster.ts";
import { answersOfDelv, answersOfDig, answersOfKdig, answersOfNslookup, beforeCaching, type Placeholders } from "./name-answers.ts";

const missing = missingForSeeds() ?? missingTools("etcd", "kdig", "delv", "unbound");
const golden = join(import.meta.dirname, "goldens/names.txt");
const folder = mkdtempSync(join(tmpdir(), "fairlead-names-"));
let cluster: SeedCluster;
let etcd: ChildProcess | undefined;
let etcdUrl: string;
let placeholders: Placeholders;

beforeAll(async () => {
  if (missing !== undefined) return;
  etcdUrl = await startEtcd();
  const ranges = ["--service-cluster-ip-range", "169.169.0.0/16", "--cluster-dns", "169.169.0.100"];
  cluster = await startSeedCluster("seed-names", ["--mode", "namespaces", "--nodes", "1", ...ranges]);
  for (const name of ["004-demoapp", "004-statefulset"]) await cluster.kubectl("apply -f -", cluster.manifest(name));
  for (const name of ["demoapp", "centos-deployment"]) await cluster.kubectl(`rollout status deployment/${name} --timeout=90s`);
  await cluster.kubectl("rollout status statefulset/web --timeout=90s");
  placeholders = await placeholdersOf();
}, 240_000);

afterAll(async () => {
  await cluster?.stop();
  etcd?.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

async function startEtcd(): Promise<string> {
  const [client, peer] = [await freePort(), await freePort()];
  const url = (port: number) => `http://127.0.0.1:${port}`;
  const listen = ["listen", "advertise"].flatMap((verb) => [`--${verb}-client-urls`, url(client)]);
  const peers = ["--listen-peer-urls", url(peer), "--initial-advertise-peer-urls", url(peer), "--initial-cluster", `default=${url(peer)}`];
  etcd = spawn(findTool("etcd") ?? "etcd", ["--data-dir", join(folder, "etcd"), ...listen, ...peers], { stdio: "ignore" });
  return url(client);
}

async function put(key: string, value: object): Promise<number> {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const body = JSON.stringify({ key: base64(key), value: base64(JSON.stringify(value)) });
  return await fetch(`${etcdUrl}/v3/kv/put`, { method: "POST", body }).then(
    ({ status }) => status,
    () => 0,
  );
}

const jsonpath = async (what: string, path: string) =>
  (await cluster.kubectl(["get", ...what.split(" "), "-o", `jsonpath=${path}`])).trim();

/** What differs from run to run → what stands for it. */
async function placeholdersOf(): Promise<Placeholders> {
  const pods = (await jsonpath("pods -l app=demoapp", "{.items[*].status.podIP}")).split(" ");
  const dashed = (address: string) => address.replaceAll(".", "-");
  const reversed = (address: string) => address.split(".").toReversed().join(".");
  const [service, web] = [await jsonpath("service demoapp", "{.spec.clusterIP}"), await jsonpath("pod web-0", "{.status.podIP}")];
  const named = [...pods.map((address) => [address, "pod"] as const), [service, "demoapp"] as const, [web, "web-0"] as const];
  return new Map([
    ...named.flatMap(([address, name]): [string, string][] => [
      [address, `<${name}>`],
      [dashed(address), `<${name}, dashed>`],
      [reversed(address), `<${name}, reversed>`],
    ]),
    [await jsonpath("pods -l app=demoapp", "{.items[0].metadata.name}"), "<a pod of the Deployment>"],
  ]);
}

test("every name of the documents, by dig, kdig, delv, nslookup, getent and unbound", { timeout: 240_000 }, async (context) => {
  if (missing !== undefined) return context.skip(missing);
  await useEtcd();
  const pod = (await jsonpath("pods -l app=demoapp", "{.items[0].status.podIP}")) || "";
  const name = await jsonpath("pods -l app=demoapp", "{.items[0].metadata.name}");
  const service = await jsonpath("service demoapp", "{.spec.clusterIP}");
  const reversed = (address: string) => `${address.split(".").toReversed().join(".")}.in-addr.arpa`;
  const inZone = "default.svc.cluster.local";
  const questions: readonly (readonly [name: string, type: string])[] = [
    [`demoapp.${inZone}`, "A"],
    [`demoapp.${inZone}`, "AAAA"],
    [`demoapp-headless-svc.${inZone}`, "A"],
    [`_http._tcp.demoapp.${inZone}`, "SRV"],
    [`externalname-http-svc.${inZone}`, "A"],
    [`web-0.web.${inZone}`, "A"],
    [`${pod.replaceAll(".", "-")}.default.pod.cluster.local`, "A"],
    [`${name}.demoapp.${inZone}`, "A"],
    [reversed(pod), "PTR"],
    [reversed(service), "PTR"],
    ["dns-version.cluster.local", "TXT"],
    ["mycompany.com", "A"],
  ];
  const inPod = (script: string) => cluster.inPod("app=centos", "sh", "-c", script);
  const each = (command: (name: string, type: string) => string) =>
    inPod(questions.map(([asked, type]) => `echo '=== ${asked} ${type}'; ${command(asked, type)} 2>&1`).join("\n"));
  const plain = "+noall +comments +answer";
  const sections = {
    dig: answersOfDig(await each((asked, type) => `dig ${plain} ${asked} ${type}`), placeholders),
    kdig: answersOfKdig(await each((asked, type) => `kdig +noall +header +answer ${asked} ${type}`), placeholders),
    delv: answersOfDelv(await each((asked, type) => `delv -i +nocrypto ${asked} ${type}`), placeholders),
    nslookup: answersOfNslookup(await each((asked, type) => `nslookup -query=${type} ${asked}`), placeholders),
    getent: answersOfNslookup(
      await inPod(["demoapp", "demoapp.default", "web-0.web", "externalname-http-svc", "mycompany.com", "gone"].map(getent).join("\n")),
      placeholders,
    ),
    unbound: answersOfDig(await inPod(throughUnbound(questions)), placeholders).map(beforeCaching),
  };
  const isCached = (line: string) => line.startsWith("  mycompany.com.");
  const text = Object.entries(sections)
    .map(([client, lines]) => `## ${client}\n${lines.map((line) => (isCached(line) ? beforeCaching(line) : line)).join("\n")}\n`)
    .join("\n");
  if (process.env["UPDATE_GOLDENS"] === "1") writeFileSync(golden, text);
  expect(text).toBe(readFileSync(golden, "utf8"));
});

const getent = (name: string) => `echo '=== ${name} hosts'; getent ahostsv4 ${name} | grep STREAM || echo 'not found'`;

/** A recursive resolver of the pod's own, which takes both zones from the cluster's server and its answers for true. */
function throughUnbound(questions: readonly (readonly [name: string, type: string])[]): string {
  const zones = ["cluster.local", "com", "in-addr.arpa"];
  const configuration = [
    'server:\n interface: 127.0.0.1@5355\n do-daemonize: no\n use-syslog: no\n username: ""\n chroot: ""\n pidfile: ""\n module-config: "iterator"\n unblock-lan-zones: yes\n cache-min-ttl: 0',
    ...zones.map((zone) => `stub-zone:\n name: "${zone}"\n stub-addr: 169.169.0.100`),
    "remote-control:\n control-enable: no",
  ].join("\n");
  const ask = ([name, type]: readonly [string, string]) =>
    `echo '=== ${name} ${type}'; dig @127.0.0.1 -p 5355 +noall +comments +answer ${name} ${type} 2>&1`;
  return [
    `conf=$(mktemp); cat > $conf <<'CONF'\n${configuration}\nCONF`,
    "unbound -d -p -c $conf >/dev/null 2>&1 & unbound=$!",
    "for i in $(seq 100); do dig @127.0.0.1 -p 5355 +tries=1 +time=1 cluster.local SOA >/dev/null 2>&1 && break; sleep 0.1; done",
    ...questions.map(ask),
    "kill $unbound; rm $conf",
  ].join("\n");
}

/** The documents' example: names below `com` come from etcd, kept there below /skydns. */
async function useEtcd(): Promise<void> {
  await eventually(
    () => put("/skydns/com/mycompany", { host: "10.1.1.1", ttl: 60 }),
    (status) => status === 200,
  );
  const config = JSON.parse(await cluster.kubectl("-n kube-system get configmap coredns -o json")) as { data: { Corefile: string } };
  const block = `com:53 {\n    errors\n    etcd com {\n        path /skydns\n        endpoint ${etcdUrl}\n    }\n    cache 160 com\n    loadbalance\n}\n`;
  const patch = JSON.stringify({ data: { Corefile: config.data.Corefile + block } });
  await cluster.kubectl(["-n", "kube-system", "patch", "configmap", "coredns", "--type", "merge", "-p", patch]);
  await eventually(
    () => cluster.inPod("app=centos", "dig", "+short", "mycompany.com"),
    (text) => text.trim() === "10.1.1.1",
  );
}
