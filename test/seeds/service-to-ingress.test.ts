/**
 * The documents that the project started from, chapters 'Service' to 'Ingress': their commands, with their manifests as mended in
 * `manifests/`, give what they say. 169.169.0.0/16 and 169.169.0.100 are the ranges that document 000 uses.
 */
import { createServer, type Server } from "node:http";
import { request as httpsRequest } from "node:https";
import { request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { missingForSeeds, startSeedCluster, type SeedCluster } from "./cluster.ts";

const missing = missingForSeeds();
let cluster: SeedCluster;
let outside: Server;

beforeAll(async () => {
  if (missing !== undefined) return;
  cluster = await startSeedCluster();
  outside = createServer((_, response) => response.end("a server outside of the cluster\n"));
  await new Promise<void>((resolve) => outside.listen(0, "127.0.0.1", resolve));
  await cluster.kubectl("apply -f -", cluster.manifest("000-webapp"));
  await cluster.kubectl("apply -f -", cluster.manifest("004-demoapp"));
  for (const name of ["webapp", "demoapp", "centos-deployment"]) await cluster.kubectl(`rollout status deployment/${name} --timeout=60s`);
}, 180_000);

afterAll(async () => {
  if (missing !== undefined) return;
  await new Promise((resolve) => outside.close(resolve));
  await cluster.stop();
}, 60_000);

function step(name: string, run: () => Promise<void>): void {
  test(name, { timeout: 90_000 }, async (context) => {
    if (missing !== undefined) return context.skip(missing);
    await run();
  });
}

const client = (...command: readonly string[]) => cluster.inPod("app=centos", ...command);
const lines = (text: string) => text.split("\n").filter(Boolean);

const jsonpath = async (what: string, path: string) =>
  (await cluster.kubectl(["get", ...what.split(" "), "-o", `jsonpath=${path}`])).trim();

/** Through curl in a pod, several times: who answered. */
async function answers(url: string, count: number): Promise<readonly string[]> {
  return lines(await client("sh", "-c", 'for i in $(seq "$1"); do curl -s -m 5 "$2" || echo "curl: $?"; done', "sh", String(count), url));
}

describe("000: what a Service is", () => {
  step("2.1 the template: every field is kept, with the values given", async () => {
    await cluster.kubectl("create -f -", cluster.manifest("000-template"));
    expect(await jsonpath("service every-field", "{.spec.clusterIP} {.spec.type} {.spec.sessionAffinity} {.spec.ports[0].nodePort}")).toBe(
      "169.169.12.34 LoadBalancer ClientIP 31080",
    );
    await cluster.kubectl("delete service every-field");
  });

  step("2.2.1 ① kubectl expose gives a ClusterIP and the pod's port; both pods answer", async () => {
    expect(await cluster.kubectl("expose deployment webapp")).toBe("service/webapp exposed\n");
    const address = await jsonpath("service webapp", "{.spec.clusterIP}:{.spec.ports[0].port}");
    expect(address).toMatch(/^169\.169\.\d+\.\d+:8080$/);
    const came = await answers(`http://${address}/`, 20);
    expect(new Set(came.map((line) => line.split(" ")[2])).size).toBe(2);
  });

  step("2.2.1 ② the same from a file", async () => {
    await cluster.kubectl("delete service webapp");
    expect(await cluster.kubectl("create -f -", cluster.manifest("000-service"))).toBe("service/webapp created\n");
    expect(new Set(await answers("http://webapp:8080/", 20)).size).toBe(2);
  });

  step("2.2.2 kubectl describe svc shows the endpoints", async () => {
    const ips = lines(await jsonpath("pods -l app=webapp", "{range .items[*]}{.status.podIP}{'\\n'}{end}"));
    const shown = /^Endpoints:\s+(.*)$/m.exec(await cluster.kubectl("describe svc webapp"))?.[1] ?? "";
    expect(shown.split(",").sort()).toEqual(ips.map((ip) => `${ip}:8080`).sort());
  });

  step("2.2.3.2 session affinity: one client, one pod, for 10800 s", async () => {
    await cluster.kubectl("create -f -", cluster.manifest("000-affinity"));
    expect(await jsonpath("service webapp-affinity", "{.spec.sessionAffinityConfig.clientIP.timeoutSeconds}")).toBe("10800");
    await eventually(
      () => answers("http://webapp-affinity:8080/", 1),
      ([first]) => first?.startsWith("web") === true,
    );
    expect(new Set(await answers("http://webapp-affinity:8080/", 12)).size).toBe(1);
  });

  step("2.2.4 two ports, each its own service", async () => {
    await cluster.kubectl("create -f -", cluster.manifest("000-multi-port"));
    await eventually(
      () => answers("http://webapp-ports:8080/", 1),
      ([first]) => first?.startsWith("web") === true,
    );
    expect((await answers("http://webapp-ports:8080/", 1))[0]).toMatch(/^web of webapp-/);
    expect((await answers("http://webapp-ports:8005/", 1))[0]).toMatch(/^management of webapp-/);
  });

  step("2.2.5 a Service without selector leads to a server outside (001 as well)", async () => {
    const { port } = outside.address() as AddressInfo;
    await cluster.kubectl("create -f -", cluster.manifest("000-external", { ADDRESS: "10.250.0.254", PORT: port }));
    const came = await eventually(
      () => answers("http://my-service/", 1),
      ([first]) => first?.startsWith("a server") === true,
    );
    expect(came).toEqual(["a server outside of the cluster"]);
    await cluster.kubectl("delete service my-service");
  });
});

describe("000: Services for those outside", () => {
  step("2.2.6.1 NodePort: any node's address; 8081 is refused with the range", async () => {
    const refused = await cluster.attempt("create -f -", cluster.manifest("000-node-port").replace("30081", "8081"));
    expect(refused.stderr).toContain("provided port is not in the valid range. The range of valid ports is 30000-32767");
    await cluster.kubectl("create -f -", cluster.manifest("000-node-port"));
    const nodes = lines(await jsonpath("nodes", "{range .items[*]}{.status.addresses[?(@.type=='InternalIP')].address}{'\\n'}{end}"));
    expect(nodes.length).toBe(3);
    for (const node of nodes) {
      const [address = ""] = node.split(" ");
      const [came] = await eventually(
        () => answers(`http://${address}:30081/`, 1),
        ([first]) => first?.startsWith("web") === true,
      );
      expect(came).toMatch(/^web of webapp-/);
    }
    const fromHost = lines(await jsonpath("nodes", "{range .items[*]}{.status.addresses[?(@.type=='ExternalIP')].address}{'\\n'}{end}"));
    for (const address of fromHost) expect(await get(`http://${address}:30081/`)).toMatch(/^web of webapp-/);
  });

  step("2.2.6.2 LoadBalancer: an address appears in the status, and answers from outside", async () => {
    await cluster.kubectl("create -f -", cluster.manifest("000-load-balancer"));
    const address = await eventually(
      () => jsonpath("service my-balancer", "{.status.loadBalancer.ingress[0].ip}"),
      (ip) => ip !== "",
    );
    expect(address).toMatch(/^127\./);
    const port = process.getuid?.() === 0 ? 80 : 8080;
    expect(
      await eventually(
        () => get(`http://${address}:${port}/`),
        (text) => text.startsWith("web"),
      ),
    ).toMatch(/^web of webapp-/);
  });

  step("2.2.6.3 ExternalName: the name leads to the outside name", async () => {
    await cluster.kubectl("create -f -", cluster.manifest("000-external-name"));
    const look = () => client("dig", "+noall", "+answer", "my-service.prod.svc.cluster.local", "CNAME");
    expect(await eventually(look, (text) => text !== "")).toMatch(
      /^my-service\.prod\.svc\.cluster\.local\.\s+\d+\s+IN\s+CNAME\s+my\.database\.example\.com\.$/m,
    );
  });
});

describe("000: discovery", () => {
  step("2.2.8.1 the seven variables, in a pod made after the Service", async () => {
    const ip = await jsonpath("service webapp", "{.spec.clusterIP}");
    await cluster.kubectl(["run", "late", "--image=busybox", "--restart=Never", "--command", "--", "sleep", "1000"]);
    await cluster.kubectl("wait --for=condition=Ready pod/late --timeout=30s");
    const variables = lines(await cluster.kubectl("exec late -- env")).filter((line) => line.startsWith("WEBAPP_"));
    const own = variables.filter((line) => !/^WEBAPP_(AFFINITY|PORTS|NODE_PORT)_/.test(line)).sort();
    expect(own).toEqual([
      `WEBAPP_PORT=tcp://${ip}:8080`,
      `WEBAPP_PORT_8080_TCP=tcp://${ip}:8080`,
      `WEBAPP_PORT_8080_TCP_ADDR=${ip}`,
      "WEBAPP_PORT_8080_TCP_PORT=8080",
      "WEBAPP_PORT_8080_TCP_PROTO=tcp",
      `WEBAPP_SERVICE_HOST=${ip}`,
      "WEBAPP_SERVICE_PORT=8080",
    ]);
    const curl = await cluster.kubectl(["exec", "late", "--", "sh", "-c", "curl -s http://${WEBAPP_SERVICE_HOST}:${WEBAPP_SERVICE_PORT}"]);
    expect(curl).toMatch(/^web of webapp-/);
  });

  step("2.2.8.2 SRV of the port named http: 8080", async () => {
    await cluster.kubectl("delete service webapp");
    await cluster.kubectl("create -f -", cluster.manifest("000-named-port"));
    const look = () => client("dig", "+noall", "+answer", "_http._tcp.webapp.default.svc.cluster.local", "SRV");
    expect(await eventually(look, (text) => text !== "")).toMatch(/\s+IN\s+SRV\s+0 100 8080 webapp\.default\.svc\.cluster\.local\.$/m);
  });

  step("2.2.9.1 a headless Service: the list of all endpoints; 003's dig with its TTL of 30", async () => {
    await cluster.kubectl("create -f -", cluster.manifest("000-headless"));
    await cluster.kubectl("rollout status deployment/nginx --timeout=60s");
    const ips = lines(await jsonpath("pods -l app=nginx", "{range .items[*]}{.status.podIP}{'\\n'}{end}")).sort();
    const look = async () => lines(await client("dig", "+noall", "+answer", "nginx.default.svc.cluster.local"));
    const records = await eventually(look, (all) => all.length === 3);
    expect(records.map((line) => line.split(/\s+/).slice(0, 4).join(" "))).toEqual(
      Array(3).fill("nginx.default.svc.cluster.local. 30 IN A"),
    );
    expect(records.map((line) => line.split(/\s+/)[4]).sort()).toEqual(ips);
    const shown = /^Endpoints:\s+(.*)$/m.exec(await cluster.kubectl("describe svc nginx"))?.[1] ?? "";
    expect(shown.split(",").sort()).toEqual(ips.map((ip) => `${ip}:80`).sort());
    expect((await answers("http://nginx:80/", 1)).join("\n")).toContain("Welcome to nginx!");
  });
});

describe("004: headless and ExternalName", () => {
  step("nslookup of the headless Service gives every pod's address, from the cluster's server", async () => {
    const ips = lines(await jsonpath("pods -l app=demoapp", "{range .items[*]}{.status.podIP}{'\\n'}{end}")).sort();
    const text = await client("nslookup", "-query=A", "demoapp-headless-svc");
    expect(text).toMatch(/^Server:\s+169\.169\.0\.100$/m);
    expect(text).toMatch(/^Address:\s+169\.169\.0\.100#53$/m);
    expect(text.match(/^Name:\s+demoapp-headless-svc\.default\.svc\.cluster\.local$/gm)).toHaveLength(4);
    expect([...text.matchAll(/^Address: (10\.244\.\S+)$/gm)].map((match) => match[1]).sort()).toEqual(ips);
  });

  step("PTR of a pod's address names it in each of its five Services", async () => {
    const ip = await jsonpath("pods -l app=demoapp", "{.items[0].status.podIP}");
    const text = await client("nslookup", "-query=PTR", ip);
    const dashed = ip.replaceAll(".", "-");
    const services = ["demoapp", "demoapp-nodeport-svc", "demoapp-loadbalancer-svc", "demoapp-externalip-svc", "demoapp-headless-svc"];
    expect([...text.matchAll(/name = (\S+)/g)].map((match) => match[1]).sort()).toEqual(
      services.map((service) => `${dashed}.${service}.default.svc.cluster.local.`).sort(),
    );
  });

  step("curl of a pod and of the headless name: ClientIP, ServerName, ServerIP", async () => {
    const [ip, name] = (await jsonpath("pods -l app=demoapp", "{.items[0].status.podIP} {.items[0].metadata.name}")).split(" ");
    const own = await jsonpath("pods -l app=centos", "{.items[0].status.podIP}");
    expect((await answers(`http://${ip}`, 1))[0]).toBe(
      `iKubernetes demoapp v1.0 !! ClientIP: ${own}, ServerName: ${name}, ServerIP: ${ip}!`,
    );
    expect(new Set(await answers("http://demoapp-headless-svc", 40)).size).toBeGreaterThan(1);
  });

  step("the host's curl does not know the name", async () => {
    await expect(get("http://demoapp-headless-svc/")).rejects.toThrow(/ENOTFOUND|EAI_AGAIN/);
  });

  step("ExternalName: kubectl shows it, nslookup shows the canonical name, curl arrives", async () => {
    expect(await cluster.kubectl("get svc externalname-http-svc")).toMatch(
      /^externalname-http-svc\s+ExternalName\s+<none>\s+demoapp\.default\.svc\.cluster\.local\s+80\/TCP\s+\d+s$/m,
    );
    const text = await client("nslookup", "-query=A", "externalname-http-svc");
    expect(text).toMatch(
      /^externalname-http-svc\.default\.svc\.cluster\.local\s+canonical name = demoapp\.default\.svc\.cluster\.local\.$/m,
    );
    expect((await answers("http://externalname-http-svc.default.svc.cluster.local", 1))[0]).toMatch(/^iKubernetes demoapp v1\.0/);
  });

  step("kubectl run -it --rm: a pod for one command", async () => {
    const out = await cluster.kubectl([
      "run",
      "pod-7813",
      "--image=ikubernetes/admin-box:latest",
      "-i",
      "--rm",
      "--restart=Never",
      "--command",
      "--",
      "nslookup",
      "-query=A",
      "externalname-http-svc",
    ]);
    expect(out).toContain("canonical name = demoapp.default.svc.cluster.local.");
    expect((await cluster.attempt("get pod pod-7813")).stderr).toContain("not found");
  });

  step("a StatefulSet's pods have names of their own, a Deployment's do not", async () => {
    await cluster.kubectl("apply -f -", cluster.manifest("004-statefulset"));
    await cluster.kubectl("rollout status statefulset/web --timeout=60s");
    const ip = await jsonpath("pod web-0", "{.status.podIP}");
    const look = async () => (await client("dig", "+short", "web-0.web.default.svc.cluster.local")).trim();
    expect(await eventually(look, (text) => text !== "")).toBe(ip);
    expect((await answers("http://web-1.web", 1))[0]).toContain("ServerName: web-1,");
    const pod = await jsonpath("pods -l app=demoapp", "{.items[0].metadata.name}");
    expect(await client("dig", `${pod}.demoapp.default.svc.cluster.local`)).toContain("status: NXDOMAIN");
  });
});

describe("000 and 002: Ingress", () => {
  let [http, https] = [0, 0];

  step("rules by host and path lead straight to the endpoints", async () => {
    await cluster.kubectl("apply -f -", cluster.manifest("000-ingress"));
    const ports = await eventually(
      () => jsonpath("ingress mywebsite", "{.status.loadBalancer.ingress[0].ports[*].port}"),
      (text) => text !== "",
    );
    [http = 0, https = 0] = ports.split(" ").map(Number);
    expect(await get(`http://127.0.0.1:${http}/demo/more`, "mywebsite.localhost")).toMatch(/^web of webapp-/);
    expect(await get(`http://127.0.0.1:${http}/elsewhere`, "shop.localhost")).toContain("404");
    expect(await get(`http://127.0.0.1:${http}/exact`, "shop.localhost")).toMatch(/^management of webapp-/);
    expect(await cluster.kubectl("get ingress mywebsite")).toMatch(
      /mywebsite\s+<none>\s+mywebsite\.localhost,shop\.localhost\s+127\.0\.0\.1\s+80, 443/,
    );
  });

  step("and over TLS", async () => {
    const text = await new Promise<string>((resolve, reject) => {
      const outgoing = httpsRequest(
        {
          host: "127.0.0.1",
          port: https,
          path: "/",
          servername: "mywebsite.localhost",
          headers: { host: "mywebsite.localhost" },
          rejectUnauthorized: false,
        },
        (response) => {
          let body = "";
          response.on("data", (chunk: Buffer) => (body += chunk.toString()));
          response.on("end", () => resolve(body));
        },
      );
      outgoing.on("error", reject);
      outgoing.end();
    });
    expect(text).toMatch(/^iKubernetes demoapp v1\.0/);
  });
});

function get(url: string, host?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(url, { agent: false, timeout: 5000, headers: host === undefined ? {} : { host } }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => resolve(`${response.statusCode === 200 ? "" : `${response.statusCode} `}${body}`));
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error("timeout")));
    outgoing.on("error", reject);
    outgoing.end();
  });
}
