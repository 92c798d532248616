import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { nodeCacheCorefile, nodeCacheTemplate, parseNameServer, problemOf, type NodeCacheConfig } from "./corefile.ts";
import { notrackText } from "./notrack.ts";

interface Cases {
  readonly nodecache: {
    readonly corefile: readonly {
      readonly name: string;
      readonly flags: { readonly localip: string };
      readonly env: { readonly TEST_SVC_SERVICE_HOST: string };
      readonly steps: readonly {
        readonly template: string;
        readonly configMap: NodeCacheConfig;
        readonly corefile?: string;
        readonly corefileStartsWith?: string;
        readonly thenBlocksInAnyOrder?: readonly string[];
      }[];
    }[];
    readonly validate: readonly { readonly name: string; readonly config: NodeCacheConfig; readonly wantError: boolean }[];
    readonly nameserver: readonly {
      readonly in: string;
      readonly ip: string | null;
      readonly port: string | null;
      readonly wantErr: boolean;
    }[];
  };
}

const path = join(import.meta.dirname, "../../../../shared/cases/coredns-plugin-cases.json");
const cases = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Cases).nodecache : undefined;
if (cases === undefined) console.log("skipped: the cases of node-cache are not beside this clone");

describe.skipIf(cases === undefined)("kubernetes/dns' cases", () => {
  test("the template becomes a Corefile", () => {
    for (const { name, flags, env, steps } of cases?.corefile ?? []) {
      for (const step of steps) {
        const addresses = { local: flags.localip.split(","), port: 53, clusterDns: env.TEST_SVC_SERVICE_HOST, domain: "cluster.local" };
        const made = nodeCacheCorefile(step.template, step.configMap, addresses);
        if (step.corefile !== undefined) expect(made, name).toBe(step.corefile);
        expect(made.startsWith(step.corefileStartsWith ?? ""), made).toBe(true);
        for (const block of step.thenBlocksInAnyOrder ?? []) expect(made).toContain(block);
      }
    }
  });

  test("what cannot be used is found", () => {
    for (const { name, config, wantError } of cases?.validate ?? []) expect(problemOf(config) !== undefined, name).toBe(wantError);
    for (const { in: text, ip, port, wantErr } of cases?.nameserver ?? []) {
      expect(parseNameServer(text), text).toEqual(wantErr ? undefined : { ip, port });
    }
  });
});

test("the usual template has no placeholder left, and rules name each address in both directions", () => {
  const addresses = { local: ["169.254.20.10", "10.96.0.10"], port: 53, clusterDns: "10.96.0.11", domain: "cluster.local" };
  expect(nodeCacheCorefile(nodeCacheTemplate, {}, addresses)).not.toContain("__PILLAR__");
  const rules = notrackText(["169.254.20.10", "fd00::a"], 53);
  for (const part of [
    "table ip fairlead-node-cache",
    "table ip6 fairlead-node-cache",
    "type filter hook prerouting priority raw",
    "ip daddr 169.254.20.10 udp dport 53 notrack",
    "ip saddr 169.254.20.10 notrack",
    "ip6 daddr fd00::a tcp dport 53 notrack",
  ])
    expect(rules).toContain(part);
});
