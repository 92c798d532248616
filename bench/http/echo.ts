/** Changes protocols and then says back what it is told, byte for byte: what is behind WebSockets. Prints its port as JSON. */
import { createHash } from "node:crypto";
import { createServer, type AddressInfo } from "node:net";

/** RFC 6455 4.2.2. */
function switching(head: string): string {
  const key = /sec-websocket-key: *(\S+)/i.exec(head)?.[1] ?? "";
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  return `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
}

const server = createServer({ noDelay: true }, (socket) => {
  let upgraded = false;
  socket.on("error", () => socket.destroy());
  socket.on("data", (bytes) => {
    if (upgraded) return void socket.write(bytes);
    upgraded = true;
    socket.write(switching(bytes.toString("latin1")));
  });
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${JSON.stringify([(server.address() as AddressInfo).port])}\n`));
