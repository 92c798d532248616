/** `netexec`'s `/dial`: asks another server, by HTTP or UDP, so many times. */
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { get } from "node:http";

export interface DialAnswer {
  readonly status: number;
  readonly body: string;
}

const timeoutMs = 5000;

export async function dial(query: URLSearchParams): Promise<DialAnswer> {
  const [host = "", port = "", request = ""] = ["host", "port", "request"].map((name) => query.get(name) ?? "");
  const tries = Number(query.get("tries") ?? "1");
  const ask = askers[(query.get("protocol") || "http").toLowerCase()];
  if (!Number.isInteger(tries)) return { status: 400, body: `tries parameter is invalid. ${query.get("tries")}\n` };
  if (request === "") return { status: 400, body: "request parameter not specified.\n" };
  if (ask === undefined) return { status: 400, body: `unsupported protocol. ${query.get("protocol")}\n` };
  let address: string;
  try {
    address = (await lookup(host.replace(/^\[|\]$/g, ""))).address;
  } catch (error) {
    return { status: 400, body: `host and/or port param are invalid. ${(error as Error).message}\n` };
  }
  const responses: string[] = [];
  const errors: string[] = [];
  for (let i = 0; i < tries; i++) {
    try {
      responses.push(await ask(address, Number(port), request));
    } catch (error) {
      errors.push((error as Error).message);
    }
  }
  const output = { ...(responses.length > 0 ? { responses } : {}), ...(errors.length > 0 ? { errors } : {}) };
  return { status: 200, body: JSON.stringify(output) };
}

type Ask = (address: string, port: number, request: string) => Promise<string>;

const askers: Readonly<Record<string, Ask>> = { http: askHttp, udp: askUdp };

function askHttp(host: string, port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = get({ host, port, path: `/${request}`, agent: false, timeout: timeoutMs }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => resolve(Buffer.concat(chunks).toString()));
      response.on("error", reject);
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error(`Get "http://${host}:${port}/${request}": context deadline exceeded`)));
    outgoing.on("error", reject);
  });
}

function askUdp(host: string, port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    const timer = setTimeout(() => finish(() => reject(new Error("reading from udp connection failed. err:'i/o timeout'"))), timeoutMs);
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      socket.close();
      settle();
    };
    socket.once("error", (error) => finish(() => reject(new Error(`reading from udp connection failed. err:'${error.message}'`))));
    socket.once("message", (answer) => finish(() => resolve(answer.toString())));
    socket.connect(port, host, () => socket.send(request));
  });
}
