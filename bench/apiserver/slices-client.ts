/** The client's side of slices.ts, in a thread of its own: asks, and reads what comes without looking at it. */
import { connect, type ClientHttp2Session } from "node:http2";
import { parentPort, workerData } from "node:worker_threads";

export interface Order {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A watch: ended after so many lines. */
  readonly lines?: number;
  /** So many at once, on a connection each for ten. */
  readonly times?: number;
}

const { port, ca, token } = workerData as { readonly port: number; readonly ca: string; readonly token: string };
const sessions: ClientHttp2Session[] = [];

function session(index: number): ClientHttp2Session {
  return (sessions[index] ??= connect(`https://127.0.0.1:${port}`, { ca, settings: { initialWindowSize: 1 << 20 } }));
}

function once({ path, headers = {}, lines }: Order, index: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = session(index).request({ ":path": path, authorization: `Bearer ${token}`, ...headers });
    let left = lines ?? Number.POSITIVE_INFINITY;
    stream.on("response", (answer) => {
      if (answer[":status"] !== 200) reject(new Error(`${path}: ${answer[":status"]}`));
    });
    stream.on("data", (chunk: Buffer) => {
      if (lines === undefined) return;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) left -= 1;
      if (left <= 0) stream.close();
    });
    stream.on("close", () => resolve());
    stream.on("error", reject);
  });
}

parentPort?.on("message", (order: Order) => {
  const all = Array.from({ length: order.times ?? 1 }, (_, i) => once(order, Math.floor(i / 10)));
  void Promise.all(all).then(() => parentPort?.postMessage("done"));
});
