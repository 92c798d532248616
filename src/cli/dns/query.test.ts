import { expect, test, vi } from "vitest";
import { configMaps, endpointSlices } from "../../api/resources.ts";
import { recordTypes } from "../../decide/dns/records.ts";
import { exchangeUdp } from "../../dns/client/exchange.ts";
import { createQuery } from "../../dns/wire/message.ts";
import { realClock } from "../../lib/clock.ts";
import { startCluster, type PodFunction } from "../../testing/index.ts";
import { createTerminal } from "../terminal.ts";
import { query } from "./query.ts";

const manifests = `
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Service
metadata: { name: db, namespace: shop }
spec: { clusterIP: None, selector: { app: db }, ports: [{ port: 5432, name: pg }] }
---
apiVersion: v1
kind: Pod
metadata: { name: db-0, namespace: shop, labels: { app: db } }
spec:
  hostname: db-0
  subdomain: db
  containers: [{ name: db, image: db }]
`;

/** Runs until it is told to end. */
const db: PodFunction = ({ signal }) => new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));

test(
  "asks as a pod would: the search path, what each plugin did, the object behind it, the running server's cache",
  { timeout: 90_000 },
  async () => {
    await using cluster = await startCluster({ manifests, functions: { db } });
    await cluster.untilReady("service/db", { namespace: "shop", timeout: 60_000 });
    const lines: string[] = [];
    const stream = { isTTY: false, columns: 80, write: (text: string) => lines.push(text.trimEnd()) > 0 };
    const terminal = createTerminal({ out: stream, err: stream, env: {} });
    const kubeconfig = await cluster.kubeconfig();
    const ask = async (...words: string[]) => {
      lines.length = 0;
      const code = await query([...words, "--from", "pod/db-0", "-n", "shop", "--explain", "--kubeconfig", kubeconfig], terminal);
      return [code, lines.join("\n")] as const;
    };
    const [code, text] = await ask("db.shop");
    expect(code).toBe(0);
    expect(text).toContain("db.shop.shop.svc.cluster.local. A  (1 of 4 in the search path)");
    expect(text).toMatch(/kubernetes: answers NXDOMAIN, 0 records; ServiceNotFound: Service shop\/shop/);
    expect(text).toContain("db.shop.svc.cluster.local. A  (2 of 4 in the search path)");
    expect(text).toMatch(/cache: passes it on/);
    expect(text).toMatch(/kubernetes: answers NOERROR, 1 records; HeadlessEndpoints: Service shop\/db/);
    expect(text).toContain("the running server's cache: keeps nothing");
    // An answer of another zone is kept by the running server once a client has asked for it.
    const coredns = await cluster.client.get(configMaps, { namespace: "kube-system", name: "coredns" });
    const block = 'outside.example:53 {\n cache 30\n template IN A {\n answer "{{ .Name }} 60 IN A 192.0.2.1"\n }\n}\n';
    await cluster.client.update(configMaps, { ...coredns, data: { Corefile: `${coredns.data?.["Corefile"] ?? ""}\n${block}` } });
    const { endpoints, ports } = await cluster.client.get(endpointSlices, { namespace: "kube-system", name: "kube-dns-builtin" });
    const server = { host: endpoints?.[0]?.addresses[0] ?? "", port: ports?.[0]?.port ?? 0, clock: realClock, timeoutMs: 30_000 };
    await vi.waitFor(async () => {
      const { answers } = await exchangeUdp(createQuery("a.outside.example.", recordTypes.A, { id: 1 }), server);
      expect(answers.length).toBe(1);
    }, 30_000);
    const [, outside] = await ask("a.outside.example.");
    expect(outside).toMatch(/template: answers NOERROR, 1 records/);
    expect(outside).toMatch(/the running server's cache: NOERROR with 1 record, for \d+ s more/);
  },
);
