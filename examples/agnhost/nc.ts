/** `nc [-v] [-z] [-t|-u] [-w SECONDS] [-p SOURCE_PORT] HOST PORT`: standard input to a server, and its answer back, as OpenBSD's netcat of the image does. */
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { connect } from "node:net";

export interface NetcatFlags {
  readonly udp: boolean;
  readonly verbose: boolean;
  /** Only whether it can be connected to. */
  readonly scan: boolean;
  /** Seconds without anything until it ends; 0: none. */
  readonly wait: number;
  /** From which it asks; 0: any. */
  readonly sourcePort: number;
  readonly host: string;
  readonly port: number;
}

/** Throws with what is wrong. */
export function readNetcatFlags(words: readonly string[]): NetcatFlags {
  const rest: string[] = [];
  const letters = new Set<string>();
  const numbers: Record<string, number> = { w: 0, p: 0 };
  for (let index = 0; index < words.length; index++) {
    const word = words[index] as string;
    const [, cluster, option, value] = /^-([vtuzn46N]*)(?:([wp])(\d*))?$/.exec(word) ?? [];
    if (cluster === undefined) {
      if (word.startsWith("-")) throw new Error(`nc ${word}: Fairlead's nc has -v -t -u -z -n -4 -6 -N, -w SECONDS and -p PORT`);
      rest.push(word);
      continue;
    }
    for (const letter of cluster) letters.add(letter);
    if (option !== undefined) numbers[option] = Number(value === "" ? words[++index] : value);
  }
  const [host = "", port = ""] = rest;
  const { w: wait = 0, p: sourcePort = 0 } = numbers;
  if (rest.length !== 2 || ![Number(port), wait, sourcePort].every(Number.isInteger))
    throw new Error("usage: nc [-vtuzn46N] [-w SECONDS] [-p SOURCE_PORT] HOST PORT");
  return { udp: letters.has("u"), verbose: letters.has("v"), scan: letters.has("z"), wait, sourcePort, host, port: Number(port) };
}

export async function netcat(words: readonly string[]): Promise<void> {
  const flags = readNetcatFlags(words);
  const say = (text: string) => (flags.verbose ? console.error(text) : undefined);
  let address: string;
  try {
    ({ address } = await lookup(flags.host));
  } catch {
    say(`nc: getaddrinfo for host "${flags.host}" port ${flags.port}: Name does not resolve`);
    process.exit(1);
  }
  const transfer = flags.udp ? udp : tcp;
  transfer(
    { ...flags, host: address },
    () => say(`Connection to ${flags.host} (${address}) ${flags.port} port [${flags.udp ? "udp" : "tcp"}/*] succeeded!`),
    (reason) => {
      say(`nc: connect to ${flags.host} (${address}) port ${flags.port} (${flags.udp ? "udp" : "tcp"}) failed: ${reason}`);
      process.exit(1);
    },
  );
}

type Transfer = (flags: NetcatFlags, succeeded: () => void, failed: (reason: string) => void) => void;

const tcp: Transfer = ({ host, port, scan, wait, sourcePort }, succeeded, failed) => {
  // The other side ends the connection when it has answered; ours stays open to hear that.
  const socket = connect({ host, port, allowHalfOpen: true, ...(sourcePort === 0 ? {} : { localPort: sourcePort }) });
  let connected = false;
  if (wait > 0) socket.setTimeout(wait * 1000, () => (connected ? process.exit(0) : failed("Operation timed out")));
  socket.once("connect", () => {
    connected = true;
    succeeded();
    if (scan) process.exit(0);
    process.stdin.on("data", (chunk: Buffer) => socket.write(chunk));
  });
  socket.on("data", (chunk: Buffer) => process.stdout.write(chunk));
  socket.once("end", () => process.stdout.write("", () => process.exit(0)));
  socket.once("error", (error: NodeJS.ErrnoException) => (connected ? process.exit(1) : failed(reasonOf(error))));
};

const udp: Transfer = ({ host, port, scan, wait, sourcePort }, succeeded, failed) => {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  let idle: NodeJS.Timeout | undefined;
  const rearm = () => {
    clearTimeout(idle);
    if (wait > 0) idle = setTimeout(() => process.exit(0), wait * 1000);
  };
  socket.once("error", (error: NodeJS.ErrnoException) => failed(reasonOf(error)));
  socket.on("message", (message) => {
    rearm();
    process.stdout.write(message);
  });
  socket.bind(sourcePort);
  socket.connect(port, host, () => {
    succeeded();
    if (scan) process.exit(0);
    rearm();
    process.stdin.on("data", (chunk: Buffer) => socket.send(chunk));
  });
};

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === "ECONNREFUSED") return "Connection refused";
  return code === "ETIMEDOUT" ? "Operation timed out" : message;
}
