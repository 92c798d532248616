/** The rules as `nft` sees them: what we send over netlink is what the goldens say, and `nft -f` makes the same of their text. */
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, type TestContext } from "vitest";
import { parseAllDocuments } from "yaml";
import type { EndpointSlice, Service } from "../../src/api/types.ts";
import { planService, planServices } from "../../src/decide/proxy/index.ts";
import { node, serviceCIDRs, serviceState } from "../../src/decide/proxy/render/arbitrary.cases.ts";
import { NftablesRenderer } from "../../src/decide/proxy/render/nftables.ts";
import { OperationBuilder } from "../../src/decide/proxy/render/operations.ts";
import { createNamespaces } from "../../src/host/namespaces/create-namespaces.ts";
import type { Namespaces, NodeNetwork } from "../../src/host/namespaces/namespaces.ts";
import { adoptNetlink } from "../../src/host/netlink/socket.ts";
import { fakeNftables } from "../../src/host/nftables/fake.ts";
import { installEgress } from "../../src/host/nftables/egress.ts";
import { openNftables, type Nftables } from "../../src/host/nftables/nftables.ts";
import { loadLibc } from "../../src/host/syscalls/libc.ts";
import type { Operation } from "../../src/lib/nftables/ruleset.ts";
import { cleanup } from "../../src/proxy/backends/nftables/cleanup.ts";
import { unsupported } from "./proxy-rig.ts";

const directory = join(import.meta.dirname, "../../src/decide/proxy/render/goldens");
const inputs = globSync("*.yaml", { cwd: directory }).sort();

let why = unsupported();
if (why === "" && spawnSync("nft", ["--version"]).status !== 0) {
  // As root on Debian the test sees to its own tool; elsewhere it says what is missing.
  const installed = spawnSync("apt-get", ["install", "-y", "nftables"], { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } });
  if (installed.status !== 0) why = "needs nft: apt-get install nftables";
}

let namespaces: Namespaces | undefined;
let network: NodeNetwork;
let nftables: Nftables;

beforeAll(async () => {
  if (why !== "") return;
  namespaces = await createNamespaces();
  network = await namespaces.createNode({ name: "node-1", index: 1, podCIDRs: ["10.244.1.0/24", "fd00:10:244:1::/64"] });
  nftables = openNftables(adoptNetlink(loadLibc() as NonNullable<ReturnType<typeof loadLibc>>, await network.netlink(12)));
}, 120_000);

afterAll(async () => {
  nftables?.close();
  await namespaces?.stop();
}, 120_000);

const needs = (context: TestContext) => (why === "" ? undefined : context.skip(why));

function nft(args: readonly string[], input = ""): string {
  const done = spawnSync("nsenter", [`--net=${network.path}`, "nft", ...args], { input, encoding: "utf8", maxBuffer: 64 << 20 });
  expect({ args, stderr: done.stderr, status: done.status, signal: done.signal }).toEqual({ args, stderr: "", status: 0, signal: null });
  return done.stdout;
}

/** Elements come in the order of the kernel's hash: here each on a line of its own, sorted. */
function normalized(text: string): string {
  return text.replace(/elements = \{([^}]*)\}/g, (_, elements: string) => {
    const list = elements.split(",").map((element) => element.trim().replace(/\s+/g, " "));
    return `elements = {\n${list.sort().join("\n")}\n}`;
  });
}

function load(input: string): void {
  const objects = parseAllDocuments(readFileSync(join(directory, input), "utf8")).map((document) => document.toJS() as { kind: string });
  const plan = planServices(
    objects.filter(({ kind }) => kind === "Service") as unknown as Service[],
    objects.filter(({ kind }) => kind === "EndpointSlice") as unknown as EndpointSlice[],
    node,
  );
  const renderer = new NftablesRenderer({ node, serviceCIDRs });
  const builder = new OperationBuilder();
  for (const service of plan.services) renderer.change(`${service.namespace}/${service.name}`, service, builder);
  nftables.commit(renderer.base());
  nftables.commit(builder.finish());
}

describe.each(inputs)("%s", { timeout: 120_000 }, (input) => {
  const golden = readFileSync(join(directory, input.replace(/\.yaml$/, ".nft")), "utf8");

  test("over netlink", (context) => {
    needs(context);
    load(input);
    expect(normalized(nft(["list", "ruleset"]))).toBe(normalized(golden));
    expect(nftables.has({ family: "ip", name: "fairlead" })).toBe(true);
    cleanup(nftables);
    expect(nftables.has({ family: "ip", name: "fairlead" })).toBe(false);
    expect(nft(["list", "ruleset"])).toBe("");
  });

  test("by nft -f", (context) => {
    needs(context);
    nft(["-f", "-"], golden);
    expect(normalized(nft(["list", "ruleset"]))).toBe(normalized(golden));
    nft(["flush", "ruleset"]);
  });
});

test("after random histories the kernel holds what the model holds, and nft reads it back", { timeout: 180_000 }, (context) => {
  needs(context);
  const step = fc.integer({ min: 1, max: 4 }).chain((n) => fc.tuple(fc.constant(n), fc.option(serviceState(n), { nil: undefined })));
  fc.assert(
    fc.property(fc.array(step, { minLength: 4, maxLength: 12 }), (steps) => {
      const renderer = new NftablesRenderer({ node, serviceCIDRs });
      const model = fakeNftables();
      const both = (operations: readonly Operation[]) => {
        model.commit(operations);
        nftables.commit(operations);
      };
      both(renderer.base());
      for (const [n, state] of steps) {
        const builder = new OperationBuilder();
        const plan = state === undefined ? undefined : planService(state.service, state.slices, node);
        renderer.change(`default/service-${n}`, plan, builder);
        both(builder.finish());
        renderer.committed();
      }
      const listed = nft(["list", "ruleset"]);
      expect(normalized(listed)).toBe(normalized(model.dump()));
      nft(["-c", "-f", "-"], listed);
    }),
    { numRuns: 25 },
  );
  cleanup(nftables);
});

test("the way out reads back too", { timeout: 120_000 }, (context) => {
  needs(context);
  const listeners = [
    { address: "10.250.0.254", port: 15_001 },
    { address: "fd00:10:250::fe", port: 15_001 },
  ];
  const clusterCIDRs = ["10.244.0.0/16", "10.96.0.0/12", "10.250.0.0/24", "fd00:10:244::/56", "fd00:10:96::/112"];
  installEgress(nftables, { tcp: listeners, udp: listeners, hostAddresses: listeners.map(({ address }) => address), clusterCIDRs });
  const listed = nft(["list", "ruleset"]);
  expect(listed).toContain("ip daddr 10.244.0.0/16 fib daddr oif missing goto refuse");
  nft(["flush", "ruleset"]);
  nft(["-f", "-"], listed);
  expect(nft(["list", "ruleset"])).toBe(listed);
  nft(["flush", "ruleset"]);
});
