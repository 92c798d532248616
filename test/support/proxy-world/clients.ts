/**
 * Clients in a network namespace, told on standard input: `tcp IP PORT RATE [COUNT]` connects so often a second until `stop` or so many times,
 * then says how it went; `udp IP PORT LOCALPORT` asks every 5 ms from one port and says when another answers. Each answer is a line of JSON.
 */
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { createInterface } from "node:readline";

interface Tally {
  made: number;
  readonly failed: Record<string, number>;
  readonly by: Record<string, number>;
  slowestMs: number;
  /** When the last one that failed was begun, in ms since the epoch; 0: none has failed. */
  lastFailedAt: number;
}

let stop = () => {};

function tcp(host: string, port: number, rate: number, most: number): void {
  const tally: Tally = { made: 0, failed: {}, by: {}, slowestMs: 0, lastFailedAt: 0 };
  const began = performance.now();
  let under = 0;
  let ending = false;
  const finish = () => {
    if (ending && under === 0) console.log(JSON.stringify({ kind: "tcp", ...tally, seconds: (performance.now() - began) / 1000 }));
  };
  const one = () => {
    under += 1;
    tally.made += 1;
    const at = performance.now();
    const wall = Date.now();
    let text = "";
    const done = (failure?: string) => {
      under -= 1;
      if (failure === undefined) {
        const [by = ""] = text.split(" ");
        tally.by[by] = (tally.by[by] ?? 0) + 1;
        tally.slowestMs = Math.max(tally.slowestMs, Math.round(performance.now() - at));
      } else {
        tally.failed[failure] = (tally.failed[failure] ?? 0) + 1;
        tally.lastFailedAt = Math.max(tally.lastFailedAt, wall);
      }
      finish();
    };
    const socket = connect({ host, port });
    let settled = false;
    const end = (failure?: string) => {
      if (settled) return;
      settled = true;
      socket.destroy();
      done(failure);
    };
    socket.setTimeout(10_000, () => end("timeout"));
    socket.on("data", (chunk) => (text += String(chunk)));
    socket.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    socket.on("end", () => end(text === "" ? "empty" : undefined));
  };
  const timer = setInterval(() => {
    const due = ((performance.now() - began) / 1000) * rate;
    // What a busy machine has missed is made up for in small steps.
    for (let n = 0; tally.made < Math.min(due, most) && n < 50; n++) one();
    if (tally.made >= most) stop();
  }, 2);
  stop = () => {
    clearInterval(timer);
    ending = true;
    finish();
  };
}

function udp(host: string, port: number, localPort: number): void {
  const socket = createSocket("udp4");
  let last = "";
  socket.on("message", (message) => {
    const [by = "", sent = "0"] = String(message).split(" ");
    if (by === last) return;
    last = by;
    console.log(JSON.stringify({ kind: "udp", by, at: Date.now(), sent: Number(sent) }));
  });
  socket.on("error", () => undefined);
  socket.bind(localPort, () => {
    const timer = setInterval(() => socket.send(String(Date.now()), port, host, () => undefined), 5);
    stop = () => {
      clearInterval(timer);
      socket.close();
      console.log(JSON.stringify({ kind: "udp", by: "", at: Date.now() }));
    };
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const [word, host = "", port = "", number = "", most = "Infinity"] = line.split(" ");
  if (word === "tcp") tcp(host, Number(port), Number(number), Number(most));
  else if (word === "udp") udp(host, Number(port), Number(number));
  else stop();
}
process.exit(0);
