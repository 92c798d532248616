/** Prints the milliseconds of one `startCluster()` until a request through a Service is answered; the first one warms up. */
import { createServer } from "node:http";
import { startCluster } from "../../src/testing/index.ts";

const manifests = `
apiVersion: v1
kind: Pod
metadata: { name: web, labels: { app: web } }
spec: { containers: [{ name: web, image: test/web, ports: [{ containerPort: 8080 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }
`;

async function once(): Promise<number> {
  const began = performance.now();
  const cluster = await startCluster({
    functions: {
      "test/web": ({ ip, signal }) =>
        new Promise<void>((resolve) => {
          const server = createServer((_, response) => response.end("ok")).listen(8080, ip);
          signal.addEventListener("abort", () => server.close(() => resolve()), { once: true });
        }),
    },
  });
  await cluster.apply(manifests);
  await cluster.untilReady("service/web");
  const response = await cluster.fetch("http://web/");
  if ((await response.text()) !== "ok") throw new Error("wrong answer");
  const took = performance.now() - began;
  await cluster.stop();
  return took;
}

await once();
console.log(await once());
