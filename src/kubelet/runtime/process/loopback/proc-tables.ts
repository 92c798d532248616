/** Reads Linux's /proc: who listens where, and which processes belong to a container. Parsers are pure. */
import { readdir, readFile, readlink } from "node:fs/promises";
import { formatIp } from "../../../../lib/ip.ts";
import { errnoCode } from "../../../../lib/errors.ts";

export interface ListeningSocket {
  readonly address: string;
  readonly port: number;
  readonly inode: string;
}

const listenState = "0A";

/** `/proc/net/tcp` or `tcp6` (kernel Documentation/networking/proc_net_tcp.rst): addresses are words in the machine's byte order. */
export function parseListening(text: string): readonly ListeningSocket[] {
  return text.split("\n").flatMap((line) => {
    const columns = line.trim().split(/\s+/);
    const [address, port] = (columns[1] ?? "").split(":");
    if (columns[3] !== listenState || address === undefined || port === undefined || columns[9] === undefined) return [];
    return [{ address: addressOf(address), port: Number.parseInt(port, 16), inode: columns[9] }];
  });
}

function addressOf(hex: string): string {
  const bytes = Buffer.from(hex, "hex");
  for (let i = 0; i + 4 <= bytes.length; i += 4) bytes.subarray(i, i + 4).reverse();
  return formatIp({ family: bytes.length === 4 ? 4 : 6, value: BigInt(`0x${bytes.toString("hex")}`) });
}

/** All listening TCP sockets of the machine; none where there is no /proc. */
export async function listeningSockets(): Promise<readonly ListeningSocket[]> {
  const texts = await Promise.all(["/proc/net/tcp", "/proc/net/tcp6"].map((file) => unlessGone(readFile(file, "utf8"), "")));
  return texts.flatMap(parseListening);
}

/** The session of a process from the text of `/proc/PID/stat`; the command's name in it may hold anything. */
export function sessionOf(stat: string): number | undefined {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const session = Number(fields[3]);
  return Number.isInteger(session) ? session : undefined;
}

export async function processIds(): Promise<readonly number[]> {
  return (await unlessGone(readdir("/proc"), [])).filter((name) => /^\d+$/.test(name)).map(Number);
}

/** The session of a running process. */
export async function readSession(pid: number): Promise<number | undefined> {
  return sessionOf(await unlessGone(readFile(`/proc/${pid}/stat`, "utf8"), ""));
}

/** Inodes of the sockets that a process holds. */
export async function socketInodes(pid: number): Promise<ReadonlySet<string>> {
  const inodes = new Set<string>();
  for (const fd of await unlessGone(readdir(`/proc/${pid}/fd`), [])) {
    const target = /^socket:\[(\d+)\]$/.exec(await unlessGone(readlink(`/proc/${pid}/fd/${fd}`), ""));
    if (target?.[1] !== undefined) inodes.add(target[1]);
  }
  return inodes;
}

/** The value that a variable had when the process started; undefined also for processes of other users. */
export async function variableOf(pid: number, name: string): Promise<string | undefined> {
  const environment = await unlessGone(readFile(`/proc/${pid}/environ`, "utf8"), "");
  const start = environment.startsWith(`${name}=`) ? 0 : environment.indexOf(`\0${name}=`) + 1;
  if (start === 0 && !environment.startsWith(`${name}=`)) return undefined;
  const end = environment.indexOf("\0", start);
  return environment.slice(start + name.length + 1, end < 0 ? undefined : end);
}

/** Processes end and belong to others while we look: such an entry is empty. */
async function unlessGone<T>(reading: Promise<T>, empty: T): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES", "EPERM", "ENOTDIR"].includes(errnoCode(error) ?? "")) return empty;
    throw error;
  }
}
