/** The load of `edits.ts`: `edits-load.ts PORT REQUESTS/S WEBSOCKETS`, until its input ends. Says `ready`, and in the end what came of it. */
import { Agent, request } from "node:http";
import { connect } from "node:net";

const [port, rate, sockets] = process.argv.slice(2).map(Number) as [number, number, number];
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const errors: Record<string, number> = {};
const state = { answered: 0, pending: 0, running: true };

function count(what: string): void {
  state.pending -= 1;
  if (what === "200") state.answered += 1;
  else errors[what] = (errors[what] ?? 0) + 1;
}

function ask(): void {
  state.pending += 1;
  const asked = request({ host: "127.0.0.1", port, path: "/some/path", headers: { host: "shop.localhost" }, agent }, (response) => {
    response.resume();
    response.on("end", () => count(String(response.statusCode)));
    response.on("error", (error) => count(error.message));
  });
  asked.on("error", (error) => count(error.message));
  asked.end();
}

const tunnels = await Promise.all(
  Array.from(
    { length: sockets },
    () =>
      new Promise<{ readonly echo: (text: string) => Promise<boolean> }>((resolve, reject) => {
        const socket = connect(port, "127.0.0.1");
        let text = "";
        let heard: (() => void) | undefined;
        socket.on("error", reject);
        socket.on("data", (bytes: Buffer) => {
          text += bytes.toString("latin1");
          heard?.();
          if (heard === undefined && text.includes("\r\n\r\n")) {
            text = "";
            heard = () => {};
            resolve({
              echo: (wanted) =>
                new Promise((done) => {
                  socket.on("close", () => done(false));
                  heard = () => text.includes(wanted) && done(true);
                  if (socket.destroyed) done(false);
                  else socket.write(wanted);
                }),
            });
          }
        });
        socket.write("GET /ws HTTP/1.1\r\nHost: shop.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
      }),
  ),
);

process.stdout.write("ready\n");
const began = performance.now();
let sent = 0;
// As many as are due by now: a timer that comes late does not make the load smaller.
const timer = setInterval(() => {
  const due = ((performance.now() - began) / 1000) * rate;
  while (state.running && sent < due && state.pending < 500) {
    sent += 1;
    ask();
  }
}, 2);
process.stdin.resume();
process.stdin.on("end", async () => {
  state.running = false;
  clearInterval(timer);
  while (state.pending > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  const alive = (await Promise.all(tunnels.map(({ echo }) => echo("still here;")))).filter((each) => each).length;
  process.stdout.write(`${JSON.stringify({ answered: state.answered, errors, alive })}\n`);
  process.exit(0);
});
