/** One end of the measurement, in a process of its own: `serve HOST PORT`, or `load HOST PORT`, which prints its figures as JSON. */
import { connect, createServer } from "node:net";

const [mode = "", host = "", port = ""] = process.argv.slice(2);
const connections = 1000;
const bytes = 256 << 20;

/** The client's first byte says what it wants: one byte and the end, or many. */
function serve(): void {
  const block = Buffer.alloc(1 << 16);
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {});
    socket.once("data", (first) => {
      if (first[0] === 1) return void socket.end("x");
      let sent = 0;
      const more = () => {
        while (sent < bytes) {
          sent += block.length;
          if (!socket.write(block)) return void socket.once("drain", more);
        }
        socket.end();
      };
      more();
    });
  });
  server.listen(Number(port), host, () => process.stdout.write("ready\n"));
}

function ask(first: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const socket = connect({ host, port: Number(port), noDelay: true });
    let received = 0;
    socket.on("connect", () => socket.write(Uint8Array.of(first)));
    socket.on("data", (chunk) => (received += chunk.length));
    socket.on("error", reject);
    socket.on("close", () => (received >= (first === 1 ? 1 : bytes) ? resolve(performance.now() - began) : reject(new Error("cut short"))));
  });
}

async function load(): Promise<void> {
  for (let i = 0; i < 200; i++) await ask(1);
  const times: number[] = [];
  for (let i = 0; i < connections; i++) times.push(await ask(1));
  times.sort((a, b) => a - b);
  const began = performance.now();
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      for (let i = 0; i < connections / 32; i++) await ask(1);
    }),
  );
  const perSecond = connections / ((performance.now() - began) / 1000);
  const whole = await ask(2);
  const figures = {
    p50: times[connections / 2],
    p99: times[(connections * 99) / 100],
    perSecond,
    mibPerSecond: bytes / 2 ** 20 / (whole / 1000),
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}

if (mode === "serve") serve();
else await load();
