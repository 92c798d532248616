/**
 * WebSockets, each with one message under way at a time: sent, and sent again when it has come back. Prints how many came back in a second,
 * as wrk does, and the time that 99 of 100 took at most.
 *
 *   bench/http/websocket-load.ts PORT CONNECTIONS SECONDS
 */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const [port = "0", connections = "64", seconds = "4"] = process.argv.slice(2);
/** A text frame of a client (RFC 6455 5.2) with 58 octets, masked with zeros. */
const message = Buffer.concat([Buffer.from([0x81, 0x80 | 58, 0, 0, 0, 0]), Buffer.alloc(58, "x")]);
const ask =
  "GET /socket HTTP/1.1\r\nHost: bench.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

let came = 0;
const took: number[] = [];

async function opened(): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port: Number(port), noDelay: true });
  socket.write(ask);
  let head = "";
  await new Promise<void>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("data", function onHead(bytes: Buffer) {
      head += bytes.toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      socket.off("data", onHead);
      if (head.startsWith("HTTP/1.1 101 ")) resolve();
      else reject(new Error(head.slice(0, head.indexOf("\r\n"))));
    });
  });
  return socket;
}

function pingPong(socket: Socket): void {
  let missing = 0;
  let began = 0;
  const send = () => {
    missing = message.length;
    began = performance.now();
    socket.write(message);
  };
  socket.on("data", (bytes) => {
    missing -= bytes.length;
    if (missing > 0) return;
    came += 1;
    took.push(performance.now() - began);
    send();
  });
  send();
}

const sockets = await Promise.all(Array.from({ length: Number(connections) }, opened));
const began = performance.now();
for (const socket of sockets) pingPong(socket);
await sleep(Number(seconds) * 1000);
const rate = came / ((performance.now() - began) / 1000);
const p99 = took.toSorted((a, b) => a - b)[Math.floor(took.length * 0.99)] ?? 0;
process.stdout.write(`99% ${p99.toFixed(2)}ms\nRequests/sec: ${rate.toFixed(0)}\n`);
process.exit(0);
