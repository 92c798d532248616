/** A command's streams over SPDY/3.1, one SPDY stream each, as kubectl before 1.31 has them (`v4.channel.k8s.io`). */
import { once } from "node:events";
import type { Duplex } from "node:stream";
import type { ExecOptions, ExecSession } from "../../api/node-agent.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Logger } from "../../lib/log.ts";
import { exitStatus, holdOutput, resize } from "./remote-command.ts";
import { SpdyConnection, type SpdyStream } from "./spdy/connection.ts";

/** Of the older versions nothing has been seen since Kubernetes 1.4. */
export const spdyCommandProtocols: readonly string[] = ["v4.channel.k8s.io"];

type StreamType = "error" | "stdin" | "stdout" | "stderr" | "resize";
type Wanted = Pick<ExecOptions, "stdin" | "stdout" | "stderr" | "tty">;

/** Milliseconds that the client has to open its streams (kubelet `StreamCreationTimeout`). */
const streamTimeout = 30_000;
/** A client that does not read its output loses the connection beyond this. */
const maxWaitingBytes = 16 * 1024 * 1024;

export interface SpdyCommandCall {
  readonly transport: Duplex;
  readonly wanted: Wanted;
  readonly session: ExecSession;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Resolves when the command has ended and the client was told, or the client is gone. */
export async function serveOverSpdy({ transport, wanted, session, clock, log }: SpdyCommandCall): Promise<void> {
  const sendOutput = holdOutput(session);
  const arrivals = new StreamArrivals(expectedStreams(wanted));
  const connection = new SpdyConnection({
    transport,
    onStream: (stream) => arrivals.add(stream),
    maxStreams: 8,
    onFault: (message) => log.debug("an exec connection failed", { error: message }),
  });
  const timer = clock.after(streamTimeout, () => connection.close());
  const gone = connection.closed.then(() => undefined);
  const streams = await Promise.race([arrivals.all, gone]);
  timer.cancel();
  if (streams === undefined) return session.kill();
  sendOutput((name, chunk) => send(streams.get(name), chunk));
  connect(session, streams);
  const exit = await Promise.race([session.done, gone]);
  if (exit === undefined) return session.kill();
  await told(streams, Buffer.from(JSON.stringify(exitStatus(exit))), gone);
  connection.close();
  await connection.closed;
}

function expectedStreams({ stdin, stdout, stderr, tty }: Wanted): readonly StreamType[] {
  const flags: readonly (readonly [StreamType, boolean])[] = [
    ["error", true],
    ["stdin", stdin],
    ["stdout", stdout],
    ["stderr", stderr && !tty],
    ["resize", tty],
  ];
  return flags.filter(([, wanted]) => wanted).map(([type]) => type);
}

type Streams = ReadonlyMap<StreamType, SpdyStream>;

class StreamArrivals {
  readonly #expected: ReadonlySet<string>;
  readonly #streams = new Map<StreamType, SpdyStream>();
  #complete: (streams: Streams) => void = () => undefined;
  readonly all = new Promise<Streams>((resolve) => (this.#complete = resolve));

  constructor(expected: readonly StreamType[]) {
    this.#expected = new Set(expected);
  }

  add(stream: SpdyStream): void {
    const type = stream.headers["streamtype"] as StreamType;
    if (!this.#expected.has(type) || this.#streams.has(type)) return void stream.destroy();
    stream.on("error", () => stream.destroy());
    this.#streams.set(type, stream);
    if (this.#streams.size === this.#expected.size) this.#complete(this.#streams);
  }
}

function send(stream: SpdyStream | undefined, chunk: Uint8Array): void {
  if (stream === undefined || !stream.writable) return;
  if (stream.writableLength > maxWaitingBytes) stream.destroy();
  else stream.write(chunk);
}

function connect(session: ExecSession, streams: Streams): void {
  // The client closes its side of these at once; they end only when somebody reads that.
  for (const name of ["error", "stdout", "stderr"] as const) streams.get(name)?.resume();
  const stdin = streams.get("stdin");
  if (stdin !== undefined) void feed(session, stdin);
  streams.get("resize")?.on("data", (message: Buffer) => resize(session, message.toString("utf8")));
}

/** The command takes input at its own pace; until then nothing more is read from the client. */
async function feed(session: ExecSession, stdin: SpdyStream): Promise<void> {
  try {
    for await (const chunk of stdin) await session.write(chunk as Buffer);
  } catch {
    // The client reset the stream, or the command has closed its input: what it does not read is lost, as in a pipe.
  } finally {
    session.closeStdin();
  }
}

/** All output, then how it ended, then the end: clients read each stream until it ends. */
async function told(streams: Streams, status: Buffer, gone: Promise<undefined>): Promise<void> {
  const ends = (["stdout", "stderr", "error"] as const).map(async (name) => {
    const stream = streams.get(name);
    if (stream === undefined || stream.destroyed) return;
    if (name === "error") stream.write(status);
    stream.end();
    if (!stream.writableFinished) await once(stream, "finish");
  });
  await Promise.race([Promise.allSettled(ends), gone]);
}
