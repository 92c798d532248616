import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { endpointSlices } from "../../api/resources.ts";
import { recordTypes } from "../../decide/dns/records.ts";
import { exchangeUdp } from "../../dns/client/exchange.ts";
import { createQuery } from "../../dns/wire/message.ts";
import { realClock } from "../../lib/clock.ts";
import { startCluster } from "../../testing/index.ts";
import type { TopReport } from "../../decide/dns/top/query-tally.ts";
import { createTerminal } from "../terminal.ts";
import { top } from "./top.ts";
import { topText, type ShownClient } from "./top-text.ts";

function terminal() {
  const lines: string[] = [];
  const stream = { isTTY: false, columns: 80, write: (text: string) => lines.push(text.trimEnd()) > 0 };
  return { lines, terminal: createTerminal({ out: stream, err: stream, env: {} }) };
}

const client: ShownClient = {
  address: "10.244.0.9",
  namespace: "shop",
  pod: "shop/web-0",
  queries: 40,
  denied: 32,
  wasted: 30,
  names: [
    { name: "api.example.com", queries: 30, absolute: 8, search: 0, wasted: 24 },
    { name: "db.stock", queries: 10, absolute: 0, search: 4, wasted: 6 },
  ],
  advice: [
    { ndots: 2, saved: 24, breaks: [] },
    { ndots: 1, saved: 24, breaks: ["db.stock"] },
  ],
};

test("the table: shares, what another ndots saves, and what it would break", () => {
  const report: TopReport = { since: 0, queries: 40, clients: [client] };
  expect(topText(report, [client], { names: 1, now: 180_000 })).toEqual([
    "40 questions of 1 client in 3 min",
    "CLIENT                     QUESTIONS  NOT THERE     WASTED    NDOTS 2    NDOTS 1",
    "shop/web-0 (10.244.0.9)           40        80%        75%       -60%       -60%",
    "  api.example.com: 30, 24 of them wasted",
    "  ndots 1 would break db.stock: only the search path answers; write the whole name, with a dot at its end",
  ]);
});

test("of a cluster, by its API server; of a server by itself, by its page", { timeout: 60_000 }, async () => {
  await using cluster = await startCluster({});
  const kubeconfig = await cluster.kubeconfig();
  const { endpoints, ports } = await cluster.client.get(endpointSlices, { namespace: "kube-system", name: "kube-dns-builtin" });
  const server = { host: endpoints?.[0]?.addresses[0] ?? "", port: ports?.[0]?.port ?? 0, clock: realClock, timeoutMs: 20_000 };
  await exchangeUdp(createQuery("api.example.com.shop.svc.cluster.local.", recordTypes.A, { id: 1 }), server);
  await exchangeUdp(createQuery("kubernetes.default.svc.cluster.local.", recordTypes.A, { id: 1 }), server);
  const { lines, terminal: own } = terminal();
  expect(await top(["--kubeconfig", kubeconfig, "-o", "json"], own)).toBe(0);
  expect(JSON.parse(lines.join("\n"))).toMatchObject({
    queries: 2,
    clients: [{ namespace: "shop", queries: 2, denied: 1, wasted: 1, advice: [{ ndots: 2 }, { ndots: 1 }] }],
  });
  const page = createServer((_, response) =>
    response.end(JSON.stringify({ since: 0, queries: 40, clients: [client] } satisfies TopReport)),
  );
  await new Promise<void>((resolve) => page.listen(0, "127.0.0.1", resolve));
  const second = terminal();
  expect(await top(["--url", `http://127.0.0.1:${(page.address() as AddressInfo).port}/top`], second.terminal)).toBe(0);
  expect(second.lines.join("\n")).toMatch(/10\.244\.0\.9 \(shop\) +40/);
  page.close();
});
