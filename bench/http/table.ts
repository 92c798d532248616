/** What the number of Ingresses costs: building the table, one edit, one match, memory. Ratios between sizes in one run. */
import { match, ingressController, type Listener, type RouteRequest } from "../../src/decide/routes/index.ts";
import { RouteTracker } from "../../src/gateway/route-tracker.ts";
import type { Ingress } from "../../src/api/types.ts";

const policy = { controller: ingressController, standInFor: [], serveClassless: true };

function ingress(index: number, version = 0): Ingress {
  const paths = [`/v${version}`, `/api/p${index}`].map((path) => ({
    path,
    pathType: "Prefix",
    backend: { service: { name: `s${index % 500}`, port: { number: 80 } } },
  }));
  // Every tenth shares one host: both many hosts and many paths on one.
  const host = index % 10 === 0 ? "shared.example.com" : `h${index}.example.com`;
  return {
    metadata: { namespace: "bench", name: `i${index}`, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: { rules: [{ host, http: { paths } }] },
  };
}

const request = (host: string, path: string): RouteRequest => ({
  host,
  path,
  method: "GET",
  header: () => undefined,
  query: () => undefined,
});
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;

function timed(rounds: number, run: (round: number) => void): number {
  return median(
    Array.from({ length: rounds }, (_, round) => {
      const began = performance.now();
      run(round);
      return performance.now() - began;
    }),
  );
}

function measure(size: number) {
  const tracker = new RouteTracker({ policy, classes: () => [], service: () => undefined, slices: () => [] });
  for (let index = 0; index < size; index++) tracker.setIngress(ingress(index));
  const build = timed(1, () => void tracker.flush());
  const edits = (index: number) =>
    timed(51, (round) => {
      tracker.setIngress(ingress(index, round + 1));
      // As the next request would: the changed host's paths and the table's hosts are indexed.
      const { routeTable } = tracker.flush();
      match(routeTable?.listeners[0] as Listener, request("h1.example.com", "/api/p1/x"));
    });
  const [ownHost, sharedHost] = [edits(1), edits(0)];
  const listener = tracker.table().listeners[0] as Listener;
  const asked = [request("h1.example.com", "/api/p1/x"), request("shared.example.com", "/api/p0/x/y"), request("none.example.com", "/")];
  const perMatch = timed(21, () => {
    for (let count = 0; count < 100_000; count++) match(listener, asked[count % asked.length] as RouteRequest);
  });
  return { size, build, ownHost, sharedHost, match: perMatch * 10 };
}

for (let warm = 0; warm < 3; warm++) measure(100);
const results = [10, 100, 1000, 10_000].map(measure);
for (const { size, build, ownHost, sharedHost, match: ns } of results) {
  const ratio = ns / (results[0]?.match ?? 1);
  process.stdout.write(
    `${String(size).padStart(6)} Ingresses: build ${build.toFixed(2)} ms, one edit ${ownHost.toFixed(2)} ms (on a host of ${Math.ceil(size / 10)} Ingresses ${sharedHost.toFixed(2)} ms), match ${ns.toFixed(0)} ns (${ratio.toFixed(2)} × that of 10)\n`,
  );
}
process.stdout.write(`memory ${(process.memoryUsage().heapUsed / 2 ** 20).toFixed(0)} MiB of heap\n`);
