/** `connect HOST:PORT`: one connection, and a word for how it failed. */
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { connect } from "node:net";
import { readFlags } from "./flags.ts";

export async function connectOnce(words: readonly string[]): Promise<void> {
  const flags = readFlags(words, { timeout: "0s", protocol: "tcp", "udp-data": "hostname" });
  const target = /^(?:\[(?<v6>[^\]]*)\]|(?<name>[^:]*)):(?<port>\d+)$/.exec(flags.words[0] ?? "");
  if (flags.words.length !== 1 || target === null) return fail(`UNKNOWN: address ${flags.words.join(" ")}: HOST:PORT is needed`);
  const { v6, name, port } = target.groups as { v6?: string; name?: string; port: string };
  let host: string;
  try {
    host = (await lookup(v6 ?? name ?? "")).address;
  } catch (error) {
    return fail(`DNS: ${(error as Error).message}`);
  }
  const timeout = flags.duration("timeout");
  if (flags.text("protocol") === "tcp") return connectTcp(host, Number(port), timeout);
  if (flags.text("protocol") === "udp") return askUdp(host, Number(port), timeout, flags.text("udp-data"));
  fail(`UNKNOWN: protocol ${flags.text("protocol")} is not supported here`);
}

function connectTcp(host: string, port: number, timeout: number): void {
  const socket = connect({ host, port });
  if (timeout > 0) setTimeout(() => fail("TIMEOUT"), timeout);
  socket.once("connect", () => process.exit(0));
  socket.once("error", (error) => fail(wordFor(error as NodeJS.ErrnoException)));
}

function askUdp(host: string, port: number, timeout: number, data: string): void {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  if (timeout > 0) setTimeout(() => fail("TIMEOUT: read: i/o timeout"), timeout);
  socket.once("error", (error) => fail(wordFor(error as NodeJS.ErrnoException)));
  socket.once("message", (answer) =>
    answer.length > 0
      ? process.exit(0)
      : fail("OTHER: No data received from the server. Cannot guarantee the server received the request."),
  );
  socket.connect(port, host, () => socket.send(`${data}\n`));
}

function wordFor(error: NodeJS.ErrnoException): string {
  if (error.code === "ECONNREFUSED") return "REFUSED";
  return error.code === "ETIMEDOUT" ? "TIMEOUT" : `OTHER: ${error.message}`;
}

function fail(text: string): void {
  console.error(text);
  process.exit(1);
}
