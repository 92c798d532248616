/** `echo PORT`: gives every datagram back. `load PORT SECONDS`: 64 clients, each with 4 datagrams on their way; prints how many came back. */
import { loadLibc } from "../../../src/host/syscalls/libc.ts";
import { realClock } from "../../../src/lib/clock.ts";
import { bindEpollUdp, EpollPeerSocket } from "../../../src/net/epoll/epoll-datagrams.ts";
import { EventLoop } from "../../../src/net/epoll/event-loop.ts";

const [what = "", port = "0", seconds = "0"] = process.argv.slice(2);
const libc = loadLibc();
if (libc === undefined) throw new Error("no FFI");
const loop = new EventLoop(libc, realClock);
loop.start();
if (what === "echo") echo();
else load();

function echo(): void {
  const listener = bindEpollUdp(loop, {
    host: "127.0.0.1",
    port: Number(port),
    onMessage: (message, from) => listener.kind === "ok" && listener.socket.send(message, from.port, from.address),
  });
  process.stdout.write(`${JSON.stringify([listener.kind === "ok" ? listener.port : 0])}\n`);
}

function load(): void {
  const payload = Buffer.alloc(64, "x");
  let answered = 0;
  const clients = Array.from({ length: 64 }, () => {
    const client = new EpollPeerSocket(loop, 4);
    const state = { client, waiting: 0, heard: 0 };
    client.on("message", () => {
      answered += 1;
      state.heard += 1;
      client.send(payload);
    });
    client.on("error", () => {});
    client.connect(Number(port), "127.0.0.1");
    for (let i = 0; i < 4; i++) client.send(payload);
    return state;
  });
  // One that has lost all of its datagrams begins again.
  const nudge = () => {
    for (const state of clients) {
      if (state.heard === 0) state.client.send(payload);
      state.heard = 0;
    }
    loop.clock.after(50, nudge);
  };
  nudge();
  loop.clock.after(Number(seconds) * 1000, () => {
    process.stdout.write(`${answered}\n`, () => process.exit(0));
  });
}
