/** `guestbook`: a primary that keeps values and hands them to its replicas, and a front that asks the one and the others by their Services' names. */
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { createServer, get, type ServerResponse } from "node:http";
import { readFlags } from "./flags.ts";
import { endWithSignals, listenHost } from "./servers.ts";

interface Book {
  store: Record<string, string>;
  readonly replicas: string[];
  readonly backendPort: number;
}

type Page = (query: URLSearchParams, book: Book) => Promise<Answer> | Answer;

interface Answer {
  readonly status: number;
  readonly body: string;
}

const registerMs = 15_000;
const answerMs = 5000;

export async function guestbook(words: readonly string[]): Promise<void> {
  const flags = readFlags(words, { "http-port": "80", "backend-port": "6379", replicaof: "" });
  const book: Book = { store: Object.create(null) as Record<string, string>, replicas: [], backendPort: flags.number("backend-port") };
  endWithSignals();
  createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://guestbook");
    console.log(`GET ${request.url}`);
    void answer(pages[pathname], searchParams, book, response);
  }).listen(flags.number("http-port"), listenHost);
  if (flags.text("replicaof") !== "") await register(flags.text("replicaof"), book);
}

async function answer(page: Page | undefined, query: URLSearchParams, book: Book, response: ServerResponse): Promise<void> {
  try {
    const { status, body } = page === undefined ? { status: 404, body: "404 page not found\n" } : await page(query, book);
    response.writeHead(status).end(body);
  } catch (error) {
    response.writeHead(417).end(`encountered error: ${(error as Error).message}\n`);
  }
}

const found = (body: object): Answer => ({ status: 200, body: JSON.stringify(body) });
const refused = (body: string): Answer => ({ status: 400, body: `${body}\n` });

const pages: Readonly<Record<string, Page>> = {
  "/register": (query, { replicas, store }) => {
    replicas.push(query.get("host") ?? "");
    return found({ data: store });
  },
  "/get": (query, { store }) => {
    const key = query.get("key") ?? "";
    return found({ data: key === "" ? store : (store[key] ?? "") });
  },
  "/set": async (query, { store, replicas, backendPort }) => {
    const [key, value] = [query.get("key") ?? "", query.get("value") ?? ""];
    if (key === "") return refused("cannot set with empty key.");
    store[key] = value;
    for (const replica of replicas) await ask(replica, backendPort, `/set?${new URLSearchParams({ key, value }).toString()}`);
    return found({ message: "Updated" });
  },
  "/guestbook": async (query, { backendPort }) => {
    const [cmd, key, value] = ["cmd", "key", "value"].map((name) => query.get(name) ?? "") as [string, string, string];
    const verb = cmd.toLowerCase();
    if (verb !== "get" && verb !== "set") return refused(`unsupported cmd: '${verb}'`);
    if (verb === "set" && key === "") return refused("cannot set with empty key.");
    const host = verb === "get" ? "agnhost-replica" : "agnhost-primary";
    return { status: 200, body: await ask(host, backendPort, `/${verb}?${new URLSearchParams({ key, value }).toString()}`) };
  },
};

/** Until the primary knows of it; ends the program where it does not in time. */
async function register(primary: string, book: Book): Promise<void> {
  const end = Date.now() + registerMs;
  while (Date.now() < end) {
    try {
      const host = await ownAddress(primary);
      const { data } = JSON.parse(await ask(primary, book.backendPort, `/register?host=${encodeURIComponent(host)}`)) as {
        data: Record<string, string>;
      };
      Object.assign(book.store, data);
      console.log(`Registered to node: ${primary}`);
      return;
    } catch (error) {
      console.log(`encountered error while registering to primary: ${(error as Error).message}. Retrying in 1s.`);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
  throw new Error("Timed out while registering to primary.");
}

/** The address from which the other is reached. */
async function ownAddress(towards: string): Promise<string> {
  const { address } = await lookup(towards);
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  try {
    await new Promise<void>((resolve, reject) => socket.once("error", reject).connect(9, address, resolve));
    return listenHost ?? socket.address().address;
  } finally {
    socket.close();
  }
}

function ask(host: string, port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = get({ host, port, path, agent: false, timeout: answerMs }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => resolve(Buffer.concat(chunks).toString()));
      response.on("error", reject);
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error(`Get "http://${host}:${port}${path}": context deadline exceeded`)));
    outgoing.on("error", reject);
  });
}
