/** Programs for pods, and a way to run one in a pod: what the tests' clients and servers are. */
import { Writable } from "node:stream";
import { Exec, KubeConfig, type V1Status } from "@kubernetes/client-node";

/** Answers each TCP connection and each UDP packet with one line: its name, its own address, the client's. */
export const lineServer = `
const net = require("node:net"), dgram = require("node:dgram"), name = process.env.HOSTNAME;
const host = process.env.HOST, plain = (address) => address.replace(/^::ffff:/, "");
net.createServer((socket) => {
  socket.on("error", () => {});
  socket.end(name + " " + plain(socket.localAddress) + " " + plain(socket.remoteAddress) + "\\n");
}).listen({ port: 8080, host: host ?? "::" });
for (const type of host === undefined ? ["udp4", "udp6"] : ["udp4"]) {
  const udp = dgram.createSocket({ type, ipv6Only: type === "udp6" });
  udp.on("message", (text, from) => udp.send(name + " " + text, from.port, from.address));
  udp.bind(8081, host);
}
process.on("SIGTERM", () => process.exit(0));
`;

export interface Ask {
  readonly protocol: "tcp" | "udp" | "http" | "lookup";
  readonly host: string;
  readonly port: number;
  readonly count?: number;
}

export interface Answer {
  /** Everything that was read; a lookup's addresses. */
  readonly text?: string;
  /** `ECONNREFUSED`, `timeout` */
  readonly error?: string;
  readonly milliseconds: number;
}

/** Each ask, one after the other, `count` times; prints all answers as JSON. */
const client = `
const net = require("node:net"), dgram = require("node:dgram"), dns = require("node:dns").promises;
const limit = 3000;
const tcp = ({ host, port }, send) => new Promise((resolve) => {
  let text = "";
  const socket = net.connect({ host, port });
  socket.setTimeout(limit, () => socket.destroy(Object.assign(new Error(), { code: "timeout" })));
  if (send) socket.write(send);
  socket.on("data", (chunk) => (text += chunk));
  socket.on("error", ({ code, errors }) => resolve({ error: code ?? errors?.[0]?.code }));
  socket.on("close", () => resolve(text === "" ? { error: "closed" } : { text: text.trim() }));
});
const udp = ({ host, port }) => new Promise((resolve) => {
  const socket = dgram.createSocket(host.includes(":") ? "udp6" : "udp4");
  const end = (answer) => { clearTimeout(timer); socket.close(); resolve(answer); };
  const timer = setTimeout(() => end({ error: "timeout" }), limit);
  socket.on("error", ({ code }) => end({ error: code }));
  socket.on("message", (text) => end({ text: text.toString() }));
  socket.connect(port, host, (error) => error ? end({ error: error.code }) : socket.send("hello"));
});
const asks = {
  tcp, udp,
  http: (ask) => tcp(ask, "GET / HTTP/1.1\\r\\nHost: " + ask.host + "\\r\\nConnection: close\\r\\n\\r\\n"),
  lookup: async ({ host }) => ({ text: (await dns.lookup(host, { all: true })).map(({ address }) => address).sort().join(" ") }),
};
(async () => {
  const out = [];
  for (const ask of JSON.parse(process.argv[1])) for (let i = 0; i < (ask.count ?? 1); i++) {
    const began = performance.now();
    const answer = await asks[ask.protocol](ask).catch(({ code }) => ({ error: code }));
    out.push({ ...answer, milliseconds: performance.now() - began });
  }
  console.log(JSON.stringify(out));
})();
`;

export interface PodClient {
  /** Runs a command in a pod's first container; rejects when it fails. */
  exec(namespace: string, pod: string, command: readonly string[]): Promise<string>;
  /** Asks from inside a pod. */
  ask(namespace: string, pod: string, ...asks: readonly Ask[]): Promise<readonly Answer[]>;
}

export function podClient(kubeconfig: string): PodClient {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const exec = new Exec(config);
  const run = async (namespace: string, pod: string, command: readonly string[]): Promise<string> => {
    const output = { stdout: "", stderr: "" };
    const sink = (name: keyof typeof output) =>
      new Writable({
        write(chunk: Buffer, _, done) {
          output[name] += chunk.toString();
          done();
        },
      });
    const status = await new Promise<V1Status>((resolve, reject) => {
      exec.exec(namespace, pod, "", [...command], sink("stdout"), sink("stderr"), null, false, resolve).catch(reject);
    });
    if (status.status !== "Success") throw new Error(`${command.slice(0, 2).join(" ")} in ${pod}: ${status.message}: ${output.stderr}`);
    return output.stdout;
  };
  return {
    exec: run,
    ask: async (namespace, pod, ...asks) =>
      JSON.parse(await run(namespace, pod, ["node", "-e", client, JSON.stringify(asks)])) as readonly Answer[],
  };
}
