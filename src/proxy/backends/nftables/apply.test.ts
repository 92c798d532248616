import { expect, test } from "vitest";
import type { EndpointSlice, Service } from "../../../api/types.ts";
import { planService, type PlanNode, type Protocol } from "../../../decide/proxy/index.ts";
import { traceNftables } from "../../../decide/proxy/render/nftables-trace.ts";
import { fakeConntrack } from "../../../host/conntrack/fake.ts";
import type { Flow } from "../../../host/conntrack/conntrack.ts";
import { fakeNftables } from "../../../host/nftables/fake.ts";
import type { Nftables } from "../../../host/nftables/nftables.ts";
import { RulesetError } from "../../../lib/nftables/model.ts";
import { NftablesBackend } from "./apply.ts";
import { cleanup } from "./cleanup.ts";

const node: PlanNode = {
  name: "node-1",
  addresses: ["10.250.0.1"],
  nodePortAddresses: ["10.250.0.1", "127.0.1.1"],
  clusterCIDRs: ["10.244.0.0/16"],
};
const serviceCIDRs = ["10.96.0.0/12"];

const planOf = (name: string, ip: string, endpoints: readonly string[], extra: object = {}, protocol: Protocol = "TCP") => {
  const service: Service = {
    metadata: { namespace: "default", name },
    spec: {
      clusterIP: ip,
      clusterIPs: [ip],
      ports: [{ port: 80, protocol, nodePort: (extra as { nodePort?: number }).nodePort }],
      ...extra,
    } as never,
  };
  const slice: EndpointSlice = {
    metadata: { namespace: "default", name: `${name}-1`, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    endpoints: endpoints.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    ports: [{ name: "", port: 8080, protocol }],
  };
  return { key: `default/${name}`, plan: planService(service, [slice], node) };
};

function start(wrap: (nftables: Nftables) => Nftables = (nftables) => nftables, flows: Flow[] = []) {
  const kernel = fakeNftables();
  const conntrack = fakeConntrack(flows);
  const backend = new NftablesBackend({ node, serviceCIDRs, nftables: wrap(kernel), conntrack });
  const answer = (to: string, port = 80, protocol: Protocol = "TCP") => {
    const traced = traceNftables(kernel.ruleset, node, { from: "10.244.9.9", to, port, protocol });
    return traced.kind === "dnat"
      ? traced.endpoints
          .map(({ ip }) => ip)
          .sort()
          .join(" ")
      : traced.kind;
  };
  return { kernel, conntrack, backend, answer };
}

test("many Services go in few transactions, one change in one", async () => {
  const { kernel, backend, answer } = start();
  const services = Array.from({ length: 300 }, (_, i) =>
    planOf(`s-${i}`, `10.96.1.${i % 250}`.replace(".1.", `.${1 + Math.floor(i / 250)}.`), ["10.244.1.1", "10.244.1.2"]),
  );
  const results = await backend.applyAll(services);
  expect(results.map(({ key, kind }) => [key, kind])).toEqual(services.map(({ key }) => [key, "applied"]));
  expect(kernel.commits).toBeLessThan(10);
  expect(backend.served).toBe(300);
  expect(answer("10.96.1.7")).toBe("10.244.1.1 10.244.1.2");
  const before = kernel.commits;
  await backend.apply("default/s-7", planOf("s-7", "10.96.1.7", ["10.244.1.2"]).plan);
  expect(kernel.commits).toBe(before + 1);
  expect(answer("10.96.1.7")).toBe("10.244.1.2");
});

test("a Service that the kernel refuses fails alone, and goes in later", async () => {
  let refuse = true;
  const { backend, answer } = start((kernel) => ({
    ...kernel,
    commit(operations) {
      const bad = operations.some(
        (operation) => operation.kind === "addElements" && operation.elements.some(({ key }) => key[0] === "10.96.0.2"),
      );
      if (bad && refuse) throw new RulesetError("ENOMEM", "add element");
      kernel.commit(operations);
    },
  }));
  const services = [1, 2, 3].map((n) => planOf(`s-${n}`, `10.96.0.${n}`, [`10.244.1.${n}`]));
  expect((await backend.applyAll(services)).map(({ kind }) => kind)).toEqual(["applied", "failed", "applied"]);
  expect([1, 2, 3].map((n) => answer(`10.96.0.${n}`))).toEqual(["10.244.1.1", "drop", "10.244.1.3"]);
  refuse = false;
  expect(await backend.apply("default/s-2", services[1]?.plan)).toEqual([]);
  expect(answer("10.96.0.2")).toBe("10.244.1.2");
});

test("a Service that cannot be rendered fails alone", async () => {
  const kernel = fakeNftables();
  const serves = ({ address }: { readonly address: string }) => {
    if (address === "10.96.0.2") throw new Error("no such thing");
    return true;
  };
  const backend = new NftablesBackend({ node, serviceCIDRs, nftables: kernel, serves });
  const services = [1, 2, 3].map((n) => planOf(`s-${n}`, `10.96.0.${n}`, [`10.244.1.${n}`]));
  expect((await backend.applyAll(services)).map(({ kind }) => kind)).toEqual(["applied", "failed", "applied"]);
  expect(backend.served).toBe(2);
  expect(kernel.dump()).toContain("10.96.0.3 . tcp . 80");
});

test("a table that somebody else has taken away is built anew at the next change", async () => {
  const { kernel, backend, answer } = start();
  await backend.applyAll([1, 2].map((n) => planOf(`s-${n}`, `10.96.0.${n}`, [`10.244.1.${n}`])));
  kernel.commit([{ kind: "deleteTable", table: { family: "ip", name: "fairlead" } }]);
  const next = planOf("s-2", "10.96.0.2", ["10.244.1.9"]);
  await expect(backend.apply(next.key, next.plan)).rejects.toThrow(/ENOENT/);
  await backend.apply(next.key, next.plan);
  expect([answer("10.96.0.1"), answer("10.96.0.2")]).toEqual(["10.244.1.1", "10.244.1.9"]);
});

test("tables that are gone are set up again by the next look; as long as they stand it costs nothing", async () => {
  const { kernel, backend, answer } = start();
  expect(await backend.heal()).toBe(false);
  await backend.applyAll([1, 2].map((n) => planOf(`s-${n}`, `10.96.0.${n}`, [`10.244.1.${n}`])));
  const before = kernel.commits;
  expect(await backend.heal()).toBe(false);
  expect(kernel.commits).toBe(before);
  kernel.commit([{ kind: "deleteTable", table: { family: "ip", name: "fairlead" } }]);
  expect(answer("10.96.0.1")).toBe("none");
  expect(await backend.heal()).toBe(true);
  expect([answer("10.96.0.1"), answer("10.96.0.2")]).toEqual(["10.244.1.1", "10.244.1.2"]);
});

test("without any right to the table every Service says so, and nothing throws", async () => {
  const { backend } = start((kernel) => ({
    ...kernel,
    commit() {
      throw new RulesetError("EPERM", "add table");
    },
  }));
  const results = await backend.applyAll([planOf("s", "10.96.0.1", [])]);
  expect(results.map((result) => result.kind === "failed" && String(result.error))).toEqual([expect.stringContaining("EPERM")]);
});

test("an address that another Service has is told, and taken over when it is free", async () => {
  const { backend, answer } = start();
  const external = { externalIPs: ["192.0.2.1"] };
  const [first, second] = [planOf("one", "10.96.0.1", ["10.244.1.1"], external), planOf("two", "10.96.0.2", ["10.244.1.2"], external)];
  await backend.apply(first.key, first.plan);
  expect(await backend.apply(second.key, second.plan)).toMatchObject([{ reason: "AddressTaken", address: "192.0.2.1", port: 80 }]);
  expect(answer("192.0.2.1")).toBe("10.244.1.1");
  await backend.apply(first.key, undefined);
  expect(backend.takeReleased()).toEqual([second.key]);
  expect(backend.takeReleased()).toEqual([]);
  expect(await backend.apply(second.key, second.plan)).toEqual([]);
  expect(answer("192.0.2.1")).toBe("10.244.1.2");
});

test("addresses of the host's loopback are not this network's", async () => {
  const { backend, answer } = start();
  const service = planOf("np", "10.96.0.1", ["10.244.1.1"], { nodePort: 30_080 });
  await backend.apply(service.key, service.plan);
  expect([answer("10.250.0.1", 30_080), answer("127.0.1.1", 30_080)]).toEqual(["10.244.1.1", "none"]);
});

test("flows to an endpoint that has left are forgotten, others stay", async () => {
  const client = { ip: "10.244.9.9", port: 40_000 };
  const flowTo = (endpoint: string): Flow => ({
    original: { protocol: 17, source: client, destination: { ip: "10.96.0.1", port: 80 } },
    reply: { protocol: 17, source: { ip: endpoint, port: 8080 }, destination: client },
  });
  const { backend, conntrack } = start(undefined, [flowTo("10.244.1.1"), flowTo("10.244.1.2")]);
  const plan = (...endpoints: string[]) => planOf("dns", "10.96.0.1", endpoints, {}, "UDP");
  await backend.apply("default/dns", plan("10.244.1.1", "10.244.1.2").plan);
  expect(conntrack.flows.length).toBe(2);
  await backend.apply("default/dns", plan("10.244.1.2").plan);
  expect(conntrack.flows.map(({ reply }) => reply.source.ip)).toEqual(["10.244.1.2"]);
});

test("after a restart, of the flows that are there the wrong ones go", async () => {
  const client = { ip: "10.244.9.9", port: 40_000 };
  const flowTo = (endpoint: string): Flow => ({
    original: { protocol: 17, source: client, destination: { ip: "10.96.0.1", port: 80 } },
    reply: { protocol: 17, source: { ip: endpoint, port: 8080 }, destination: client },
  });
  const { backend, conntrack } = start(undefined, [flowTo("10.244.1.1"), flowTo("10.244.1.2")]);
  await backend.apply("default/dns", planOf("dns", "10.96.0.1", ["10.244.1.1"], {}, "UDP").plan);
  expect(conntrack.flows.map(({ reply }) => reply.source.ip)).toEqual(["10.244.1.1"]);
});

test("dial asks the kernel's rules, from inside", async () => {
  const targets: unknown[] = [];
  const kernel = fakeNftables();
  const backend = new NftablesBackend({
    node,
    serviceCIDRs,
    nftables: kernel,
    connect: (target) => {
      targets.push(target);
      return Promise.reject(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }));
    },
  });
  const service = planOf("web", "10.96.0.1", []);
  await backend.apply(service.key, service.plan);
  expect(await backend.dial({ ip: "10.96.0.9", port: 80, protocol: "TCP" })).toEqual({ kind: "unknown" });
  expect(await backend.dial({ ip: "10.96.0.1", port: 80, protocol: "TCP" })).toMatchObject({ kind: "refused", reason: "NoEndpoints" });
  expect(targets).toEqual([{ host: "10.96.0.1", port: 80 }]);
});

test("cleanup removes the tables, also where there are none", async () => {
  const { kernel, backend } = start();
  const service = planOf("web", "10.96.0.1", ["10.244.1.1"]);
  await backend.apply(service.key, service.plan);
  cleanup(kernel);
  cleanup(kernel);
  expect(kernel.dump()).toBe("");
});

test("other ranges of Services are guarded from the next change on, and what is there stays", async () => {
  const { backend, answer } = start();
  const { key, plan } = planOf("s-1", "10.96.0.1", ["10.244.1.1"]);
  await backend.apply(key, plan);
  expect([answer("10.96.9.9"), answer("10.200.0.9")]).toEqual(["drop", "none"]);
  backend.setServiceCIDRs(["10.200.0.0/16"]);
  await backend.apply(key, plan);
  expect([answer("10.96.9.9"), answer("10.200.0.9"), answer("10.96.0.1"), answer("10.96.0.1", 81)]).toEqual([
    "none",
    "drop",
    "10.244.1.1",
    "reject",
  ]);
});

test("the node's new address is its own from the next change on", async () => {
  const { backend, kernel } = start();
  const { key, plan } = planOf("s-1", "10.96.0.1", ["10.244.1.1"]);
  await backend.apply(key, plan);
  const addresses = () => [...(kernel.ruleset.table({ family: "ip", name: "fairlead" })?.sets.get("node-ips")?.elements.keys() ?? [])];
  expect(addresses()).toEqual(["10.250.0.1"]);
  backend.setNode({ ...node, addresses: ["10.250.0.2", "fd00::2"] });
  await backend.apply(key, plan);
  expect(addresses()).toEqual(["10.250.0.2"]);
  await backend.completed();
  expect(await backend.heal()).toBe(false);
});
