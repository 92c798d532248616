/** Servers of many pods in one network namespace: each address answers its own name, TCP and UDP. Standard input: `open IP`, `close IP`. */
import { createSocket, type Socket } from "node:dgram";
import { createServer, type Server } from "node:net";
import { createInterface } from "node:readline";

const [tcpPort, udpPort] = [8080, 5353];
const open = new Map<string, { readonly tcp: Server; readonly udp: Socket }>();

function start(ip: string): Promise<void> {
  const tcp = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end(`${ip} ${socket.remoteAddress}`);
  });
  const udp = createSocket("udp4");
  udp.on("message", (message, from) => udp.send(`${ip} ${String(message)}`, from.port, from.address));
  open.set(ip, { tcp, udp });
  return new Promise((ready) => void tcp.listen(tcpPort, ip, 1024, () => udp.bind(udpPort, ip, () => ready())));
}

for await (const line of createInterface({ input: process.stdin })) {
  const [word = "", ip = ""] = line.split(" ");
  if (word === "open") await start(ip);
  else {
    open.get(ip)?.tcp.close();
    open.get(ip)?.udp.close();
    open.delete(ip);
  }
  console.log(`${word} ${ip}`);
}
process.exit(0);
