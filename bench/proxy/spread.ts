/**
 * How evenly the kernel spreads connections over five endpoints, by chi-square; and which address the endpoint sees, by kind of address and
 * client. `sh bin/node bench/proxy/spread.ts --mode nftables --connections 10000`; as root. One line of JSON.
 */
import { connect } from "node:net";
import { parseArgs } from "node:util";
import { endpointSlices, services } from "../../src/api/resources.ts";
import { inOwnNetwork } from "../../test/support/own-network.ts";
import { createWorld, nodeIP, podIPs, serviceIP, startProxy, untilSynced } from "../../test/support/proxy-world/world.ts";

const { values: flags } = parseArgs({
  options: {
    mode: { type: "string", default: "nftables" },
    connections: { type: "string", default: "10000" },
    rate: { type: "string", default: "2000" },
    "kube-proxy": { type: "string" },
  },
});
inOwnNetwork();

/** Of a chi-square with an even number of degrees of freedom (a finite sum of a Poisson distribution). */
function pValue(chiSquare: number, degrees: number): number {
  let [term, sum] = [1, 1];
  for (let i = 1; i < degrees / 2; i++) sum += term *= chiSquare / 2 / i;
  return Math.exp(-chiSquare / 2) * sum;
}

/** `endpoint client`, from the node itself. */
function ask(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect({ host, port });
    socket.on("data", (chunk) => (text += String(chunk)));
    socket.on("end", () => resolve(text));
    socket.on("error", (error) => resolve(error.message));
  });
}

const world = await createWorld();
const { client } = world.api;
for (const [name, policy] of [
  ["everywhere", "Cluster"],
  ["here", "Local"],
] as const) {
  await client.create(services, {
    metadata: { namespace: "default", name },
    spec: {
      type: "NodePort",
      externalTrafficPolicy: policy,
      ports: [{ port: 80, protocol: "TCP", targetPort: 8080, nodePort: policy === "Local" ? 30_081 : 30_080 }],
    },
  });
  await client.create(endpointSlices, {
    metadata: { namespace: "default", name: `${name}-1`, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    endpoints: [{ addresses: [podIPs[9] as string], nodeName: "node-1", conditions: { ready: true } }],
    ports: [{ name: "", port: 8080, protocol: "TCP" }],
  });
}
const proxy = startProxy(world.api.kubeconfig, flags.mode, flags["kube-proxy"]);
try {
  await untilSynced(proxy.child);
  const [wanted, rate] = [Number(flags.connections), Number(flags.rate)];
  world.clients.say(`tcp ${serviceIP} 80 ${rate} ${wanted}`);
  const { by, made, failed } = JSON.parse(await world.clients.next()) as { by: Record<string, number>; made: number; failed: object };
  const counts = podIPs.slice(0, 5).map((ip) => by[ip] ?? 0);
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  const chiSquare = counts.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0);
  const seen = {
    "node to NodePort, policy Cluster": (await ask(nodeIP, 30_080)).split(" ")[1],
    "node to NodePort, policy Local": (await ask(nodeIP, 30_081)).split(" ")[1],
  };
  const p = pValue(chiSquare, counts.length - 1);
  console.log(
    JSON.stringify({
      mode: flags.mode,
      connections: made,
      failed,
      counts,
      chiSquare: Math.round(chiSquare * 100) / 100,
      p: Math.round(p * 1e4) / 1e4,
      seen,
    }),
  );
} finally {
  await proxy.end("SIGKILL");
  await world.stop();
}
process.exit(0);
