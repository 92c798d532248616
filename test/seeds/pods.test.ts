/**
 * The documents' chapters about pods: the variables that a pod gets, `kubectl run -it --rm`, the documents' own CoreDNS in place of the
 * built-in DNS, a named targetPort during a rollout, and a Service of one cluster that is backed by another cluster's.
 */
import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test, type TestContext } from "vitest";
import { eventually } from "../support/eventually.ts";
import { runProgram } from "../support/program.ts";
import { missingForSeeds, startSeedCluster, type SeedCluster } from "./cluster.ts";

const missing = missingForSeeds();
let cluster: SeedCluster;

beforeAll(async () => {
  if (missing !== undefined) return;
  // The documents bring their own DNS.
  cluster = await startSeedCluster("seed-pods", ["--disable", "dns"]);
}, 120_000);

afterAll(() => cluster?.stop(), 60_000);

function step(name: string, run: (context: TestContext) => Promise<void>): void {
  test(name, { timeout: 150_000 }, async (context) => {
    if (missing !== undefined) return context.skip(missing);
    await run(context);
  });
}

const lines = (text: string) => text.split("\n").filter(Boolean);
const jsonpath = async (what: string, path: string, of = cluster) =>
  (await of.kubectl(["get", ...what.split(" "), "-o", `jsonpath=${path}`])).trim();

describe("000 2.3.2: the documents' own CoreDNS", () => {
  step("its Deployment becomes ready, with its probes, and is the endpoint of kube-dns", async () => {
    expect(await cluster.kubectl("create -f -", cluster.manifest("000-coredns"))).toContain("deployment.apps/coredns created");
    await cluster.kubectl("-n kube-system rollout status deployment/coredns --timeout=120s");
    const pod = await jsonpath("-n kube-system pods -l k8s-app=kube-dns", "{.items[*].status.podIP}");
    expect(await jsonpath("-n kube-system endpoints kube-dns", "{.subsets[*].addresses[*].ip}")).toBe(pod);
    expect(await jsonpath("-n kube-system endpointslices", "{.items[*].metadata.name}")).toMatch(/^kube-dns-\w+$/);
  });

  step("pods resolve by it: Services, pods by their addresses, and reverse names", async () => {
    await cluster.kubectl("apply -f -", cluster.manifest("004-demoapp"));
    for (const name of ["demoapp", "centos-deployment"]) await cluster.kubectl(`rollout status deployment/${name} --timeout=90s`);
    const address = await jsonpath("service demoapp", "{.spec.clusterIP}");
    const look = (...words: readonly string[]) => cluster.inPod("app=centos", "nslookup", ...words);
    const text = await look("-query=A", "demoapp");
    expect(text).toMatch(/^Server:\s+169\.169\.0\.100$/m);
    expect(text).toMatch(new RegExp(`^Name:\\s+demoapp\\.default\\.svc\\.cluster\\.local\nAddress: ${address}$`, "m"));
    const pod = await jsonpath("pods -l app=demoapp", "{.items[0].status.podIP}");
    expect(await look("-query=A", `${pod.replaceAll(".", "-")}.default.pod.cluster.local`)).toContain(`Address: ${pod}`);
    expect(await look("-query=PTR", address)).toContain("name = demoapp.default.svc.cluster.local.");
    expect(await look("-query=PTR", pod)).toContain(`name = ${pod.replaceAll(".", "-")}.demoapp.default.svc.cluster.local.`);
  });

  step("its metrics are at the Service's port 9153", async () => {
    const text = await cluster.inPod("app=centos", "curl", "-s", "-m", "10", "http://169.169.0.100:9153/metrics");
    // $COREDNS: the real program runs in the pod.
    expect(text.includes('coredns_build_info{version="fairlead"')).toBe(process.env["COREDNS"] === undefined);
    expect(text).toMatch(/^coredns_dns_requests_total\{[^}]*type="A"[^}]*\} [1-9]/m);
  });
});

describe("000 2.2.8.1: variables", () => {
  step("seven of each Service, one more of a named port; not of later Services nor of other namespaces", async () => {
    await cluster.kubectl("create namespace shop");
    await cluster.kubectl("create namespace elsewhere");
    const service = (name: string, namespace: string) =>
      cluster.kubectl(
        "create -f -",
        cluster.manifest("000-named-port").replace("name: webapp", `name: ${name}\n  namespace: ${namespace}`),
      );
    await service("webapp", "shop");
    await service("foreign", "elsewhere");
    const run = (name: string) =>
      cluster.kubectl(["-n", "shop", "run", name, "--image=busybox", "--restart=Never", "--command", "--", "sleep", "1000"]);
    await run("between");
    await cluster.kubectl("-n shop wait --for=condition=Ready pod/between --timeout=60s");
    await service("later", "shop");
    const ip = await jsonpath("-n shop service webapp", "{.spec.clusterIP}");
    const variables = lines(await cluster.kubectl("-n shop exec between -- env")).sort();
    const api = await jsonpath("service kubernetes", "{.spec.clusterIP}");
    expect(variables.filter((line) => /^[A-Z_]+_(SERVICE|PORT)(_|=)/.test(line))).toEqual([
      ...variablesOf("KUBERNETES", api, 443, "https"),
      ...variablesOf("WEBAPP", ip, 8080, "http"),
    ]);
    expect(variables.filter((line) => /LATER|FOREIGN/.test(line))).toEqual([]);
  });
});

/** Upstream's order of names is by Service; sorted here as `env`'s lines are. */
function variablesOf(name: string, ip: string, port: number, portName: string): readonly string[] {
  return [
    `${name}_SERVICE_HOST=${ip}`,
    `${name}_SERVICE_PORT=${port}`,
    `${name}_SERVICE_PORT_${portName.toUpperCase()}=${port}`,
    `${name}_PORT=tcp://${ip}:${port}`,
    `${name}_PORT_${port}_TCP=tcp://${ip}:${port}`,
    `${name}_PORT_${port}_TCP_PROTO=tcp`,
    `${name}_PORT_${port}_TCP_PORT=${port}`,
    `${name}_PORT_${port}_TCP_ADDR=${ip}`,
  ].sort();
}

describe("001 and 004: pods behind Services", () => {
  test("004: kubectl run -it --rm at a terminal: a shell, and nothing left of the pod", { timeout: 120_000 }, async (context) => {
    if (missing !== undefined) return context.skip(missing);
    if (!existsSync("/usr/bin/script")) return context.skip("no program 'script' (bsdutils) on this machine: kubectl -t wants a terminal");
    const command = `${cluster.tool} run pod-4711 --image=ikubernetes/admin-box:latest -it --rm --restart=Never --command -- /bin/sh`;
    const input = "test -t 0 && echo at a terminal\nnslookup -query=A demoapp-headless-svc | grep -c 'Address: 10.244'\nexit\n";
    const env = { ...process.env, KUBECONFIG: cluster.report.kubeconfig };
    const { stdout } = await runProgram("script", ["-qec", command, "/dev/null"], { env, input, timeout: 90_000 });
    const shown = stdout.replaceAll("\r", "");
    expect(shown).toMatch(/^(\$ )?at a terminal$/m);
    expect(shown).toMatch(/^(\$ )?4$/m);
    expect(shown).toContain('pod "pod-4711" deleted');
    expect((await cluster.attempt("get pod pod-4711")).stderr).toContain("not found");
  });

  step("004: a StatefulSet's pods keep their names, and the names their meaning, when a pod is replaced", async () => {
    await cluster.kubectl("apply -f -", cluster.manifest("004-statefulset"));
    await cluster.kubectl("rollout status statefulset/web --timeout=120s");
    const names = () => jsonpath("pods -l app=stateful --sort-by=.metadata.name", "{.items[*].metadata.name}");
    const uid = await jsonpath("pod web-1", "{.metadata.uid}");
    expect(await names()).toBe("web-0 web-1");
    await cluster.kubectl("delete pod web-1 --wait=true");
    await cluster.kubectl("rollout status statefulset/web --timeout=120s");
    expect(await names()).toBe("web-0 web-1");
    expect(await jsonpath("pod web-1", "{.metadata.uid}")).not.toBe(uid);
    expect(await jsonpath("pod web-1", "{.spec.hostname}.{.spec.subdomain}")).toBe("web-1.web");
    expect((await cluster.kubectl("exec web-1 -- hostname")).trim()).toBe("web-1");
    const ip = await jsonpath("pod web-1", "{.status.podIP}");
    const look = async () => (await cluster.inPod("app=centos", "dig", "+short", "web-1.web.default.svc.cluster.local")).trim();
    // The Corefile's cache holds the old answer for up to the record's own 5 s.
    expect(await eventually(look, (text) => text === ip, 60_000)).toBe(ip);
  });

  step("001: one named targetPort, other numbers in old and new pods: both answer while the rollout is half done", async () => {
    const version = (port: number, minReady: number) =>
      cluster.kubectl("apply -f -", cluster.manifest("001-named-target-port", { PORT_NUMBER: port, MIN_READY: minReady }));
    const slices = async () =>
      (
        await jsonpath(
          "endpointslices -l kubernetes.io/service-name=my-service",
          "{range .items[*]}{.ports[0].port}:{.endpoints[*].conditions.ready}{'\\n'}{end}",
        )
      )
        .split("\n")
        .filter((line) => !line.endsWith(":"))
        .sort();
    await version(9376, 0);
    await cluster.kubectl("rollout status deployment/my-app --timeout=90s");
    expect(await eventually(slices, (all) => all.join() === "9376:true true")).toEqual(["9376:true true"]);
    await version(19376, 300);
    expect(await eventually(slices, (all) => all.length === 2 && !all.join().includes("false"), 60_000)).toEqual([
      "19376:true",
      "9376:true true",
    ]);
    const script = 'for i in $(seq 30); do curl -s -m 10 http://my-service/ || echo "curl: $?"; done';
    const came = new Set(lines(await cluster.inPod("app=centos", "sh", "-c", script)));
    expect([...came].sort()).toEqual(["port 19376", "port 9376"]);
    await version(19376, 0);
    await cluster.kubectl("rollout status deployment/my-app --timeout=90s");
    expect(await eventually(slices, (all) => all.join() === "19376:true true")).toEqual(["19376:true true"]);
    expect(lines(await cluster.inPod("app=centos", "curl", "-s", "http://my-service/"))).toEqual(["port 19376"]);
  });
});

describe("001: a Service of one cluster backed by another cluster's", () => {
  let other: SeedCluster | undefined;
  afterAll(() => other?.stop(), 60_000);

  step("to a NodePort of a cluster on the host, and from there back to one of this", async (context) => {
    other = await startSeedCluster("seed-other", ["--mode", "loopback"]);
    const there = other;
    const nodePort = (of: SeedCluster) => jsonpath("service backend", "{.spec.ports[0].nodePort}", of);
    for (const each of [cluster, there]) {
      const name = each === cluster ? "this" : "that";
      const serve = `require("node:http").createServer((_, response) => response.end("${name} cluster\\n")).listen(8080, process.env.HOST)`;
      await each.kubectl(["run", "backend", "--image=node:26", "--labels=app=backend", "--command", "--", "node", "-e", serve]);
      await each.kubectl("expose pod backend --type=NodePort --port=80 --target-port=8080");
      await each.kubectl("wait --for=condition=Ready pod/backend --timeout=60s");
    }
    const host = (await jsonpath("nodes", "{.items[0].status.addresses[?(@.type=='ExternalIP')].address}")).split(" ")[0] as string;
    const gateway = "10.250.0.254"; // host.fairlead.internal: the host, as pods see it
    await cluster.kubectl(
      "apply -f -",
      cluster.manifest("001-elsewhere", { NAME: "abroad", ADDRESS: gateway, PORT: await nodePort(there) }),
    );
    await there.kubectl("apply -f -", there.manifest("001-elsewhere", { NAME: "abroad", ADDRESS: host, PORT: await nodePort(cluster) }));
    const away = () => cluster.inPod("app=centos", "curl", "-s", "-m", "10", "http://abroad/").catch(() => "");
    expect(await eventually(away, (text) => text === "that cluster\n")).toBe("that cluster\n");
    // The document's Service has port 80, which in loopback mode is the machine's own.
    if (process.getuid?.() !== 0) return context.skip("needs root: port 80 of a ClusterIP in loopback mode");
    const address = await jsonpath("service abroad", "{.spec.clusterIP}", there);
    const back = async () => (await runProgram("curl", ["-s", "-m", "10", `http://${address}/`])).stdout;
    expect(await eventually(back, (text) => text === "this cluster\n")).toBe("this cluster\n");
  });
});
