/** A Service that takes TCP and UDP at one port number (KEP-1435), asked from outside at its load balancer's address and its NodePort, by both families. */
import { spawnSync } from "node:child_process";
import { askTcp, tcpPort, udpClient, udpPort, type Rig } from "./proxy-rig.ts";

const [port, nodePort] = [53, 30_053];
const addresses = ["192.0.2.53", "2001:db8::53"];

/** Who answered where: every one must be `c`, which is on another node than the one that is asked. */
export async function askMixed(rig: Rig): Promise<Readonly<Record<string, string>>> {
  const node = rig.nodes[0]?.addresses ?? [];
  const ports = [
    { name: "tcp", protocol: "TCP", port, nodePort, targetPort: tcpPort },
    { name: "udp", protocol: "UDP", port, nodePort, targetPort: udpPort },
  ];
  const spec = { type: "LoadBalancer", clusterIPs: ["10.96.0.53", "fd00:10:96::53"], ports };
  rig.service("mixed", spec as never, { loadBalancer: { ingress: addresses.map((ip) => ({ ip })) } });
  rig.endpoints("mixed", [rig.pods.c], {
    ports: [
      { name: "tcp", protocol: "TCP", port: tcpPort },
      { name: "udp", protocol: "UDP", port: udpPort },
    ],
  });
  for (const [i, address] of addresses.entries())
    spawnSync("nsenter", [`--net=${rig.outside.path}`, "ip", "route", "replace", address, "via", node[i] ?? ""]);
  await rig.settled();
  const answers: Record<string, string> = {};
  for (const i of [0, 1]) {
    const client = await udpClient(rig.outside, rig.outside.addresses[i] as string);
    for (const [host, at] of [
      [addresses[i], port],
      [node[i], nodePort],
    ] as const) {
      answers[`TCP ${host} ${at}`] = (await askTcp(rig.outside, host as string, at)).split(" ")[0] as string;
      answers[`UDP ${host} ${at}`] = (await client.ask(host as string, at)).split(" ")[0] as string;
    }
    client.close();
  }
  rig.remove("mixed");
  return answers;
}
