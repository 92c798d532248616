/** The gateway's engine alone, in a process of its own: routes of the given number, one backend. Prints its ports as JSON. */
import { createNodeEngine } from "../../src/gateway/engine/node-engine.ts";
import { createWorkerEngine } from "../../src/gateway/engine/worker/worker-engine.ts";
import { openLocalAuthority } from "../../src/gateway/local-authority.ts";
import { processors, ingressController } from "../../src/decide/routes/index.ts";
import { realClock } from "../../src/lib/clock.ts";

const [backendPort = "0", way = "thread", echoPort = "0", rules = "10"] = process.argv.slice(2);
const ingresses = Array.from({ length: Number(rules) }, (_, index) => ({
  metadata: { namespace: "bench", name: `i${index}`, creationTimestamp: "2026-01-01T00:00:00Z" },
  spec: {
    rules: [
      {
        ...(index === 0 ? {} : { host: `h${index % 100}.test` }),
        http: {
          paths: [
            { path: index === 0 ? "/" : `/p${index}`, pathType: "Prefix", backend: { service: { name: "web", port: { number: 80 } } } },
            ...(index === 0 ? [{ path: "/socket", pathType: "Exact", backend: { service: { name: "echo", port: { number: 80 } } } }] : []),
          ],
        },
      },
    ],
  },
}));
const policy = { controller: ingressController, standInFor: [], serveClassless: true };
const { routeTable } = processors({ ingresses, ingressClasses: [], services: [], endpointSlices: [] }, policy);
const authority = await openLocalAuthority({ now: () => Date.now() });
let records = 0;
const onRequest = () => void (records += 1);
const engine =
  way === "thread" ? createWorkerEngine({ onRequest }) : createNodeEngine({ clock: realClock, random: Math.random, onRequest });
if (engine === undefined) throw new Error("no FFI");
engine.publish({
  routeTable,
  backends: new Map(
    [
      ["bench/web:80", backendPort],
      ["bench/echo:80", echoPort],
    ].map(([key = "", port]) => [key, { kind: "endpoints", endpoints: [{ ip: "127.0.0.1", port: Number(port) }] }]),
  ),
  certificates: [{ host: "*", ...authority.certificateFor("bench.localhost") }],
});
const listeners = await Promise.all([
  engine.listen({ name: "http", protocol: "HTTP", host: "127.0.0.1", port: 0 }),
  engine.listen({ name: "https", protocol: "HTTPS", host: "127.0.0.1", port: 0 }),
]);
process.stdout.write(`${JSON.stringify(listeners.map((each) => (each.kind === "ok" ? each.port : 0)))}\n`);
