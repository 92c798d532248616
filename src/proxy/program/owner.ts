/**
 * One proxy in a network: two would undo each other's rules. The lock is an abstract Unix socket, of which each network namespace
 * has its own; the kernel gives it back however its owner ends, and who is refused can ask it who that is.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { errnoCode, FairleadError } from "../../lib/errors.ts";

const socketName = "\0fairlead-proxy";
/** An owner that does not say its name in this time is not asked further. */
const askMs = 1000;

export interface Ownership {
  release(): Promise<void>;
}

/** Throws FL_ALREADY_RUNNING, naming who has it. `mode` is told to whoever asks. */
export async function takeOwnership(mode: string): Promise<Ownership> {
  const rival = runningKubeProxy();
  if (rival !== undefined) {
    throw new FairleadError("FL_ALREADY_RUNNING", `kube-proxy (process ${rival}) makes the rules of this network`, {
      hint: "Stop it first: of two proxies each takes away what the other has made.",
    });
  }
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end(`process ${process.pid}, mode ${mode}`);
  });
  server.unref();
  try {
    await listen(server);
  } catch (cause) {
    if (errnoCode(cause) !== "EADDRINUSE") throw cause;
    throw new FairleadError("FL_ALREADY_RUNNING", `another fairlead proxy makes the rules of this network (${await whoIsIt()})`, {
      cause,
      hint: "Stop it first, or run this one in a network namespace of its own.",
    });
  }
  return { release: () => new Promise((done) => void server.close(() => done())) };
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve, reject) => void server.once("error", reject).listen(socketName, resolve));
}

function whoIsIt(): Promise<string> {
  return new Promise((resolve) => {
    let said = "";
    const end = () => {
      socket.destroy();
      resolve(said === "" ? "it does not say which process it is" : said);
    };
    const socket = connect(socketName).setTimeout(askMs, end).on("error", end).on("end", end);
    socket.on("data", (chunk) => (said = (said + String(chunk)).slice(0, 200)));
  });
}

/** The process id of a kube-proxy in this network namespace, where we may look. */
export function runningKubeProxy(proc = "/proc"): number | undefined {
  const here = readOr(() => readlinkSync(`${proc}/self/ns/net`));
  if (here === undefined) return undefined;
  for (const name of readOr(() => readdirSync(proc)) ?? []) {
    if (!/^\d+$/.test(name)) continue;
    if (readOr(() => readFileSync(`${proc}/${name}/comm`, "utf8"))?.trim() !== "kube-proxy") continue;
    if (readOr(() => readlinkSync(`${proc}/${name}/ns/net`)) === here) return Number(name);
  }
  return undefined;
}

/** Processes end while one looks, and some are not ours to look at. */
function readOr<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
