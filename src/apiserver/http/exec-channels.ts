/**
 * A command's streams over one WebSocket (`v5.channel.k8s.io`, KEP-4006, and its predecessor `v4`): the first byte of each
 * binary message names the stream.
 */
import { WebSocketServer, type RawData, type WebSocket } from "ws";
import type { ExecSession, ExitStatus } from "../../api/node-agent.ts";
import type { Status } from "../../api/types.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { UpgradeCall } from "./upgrade.ts";

/** By preference. */
export const channelProtocols: readonly string[] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

/** A client that does not read its output loses the connection beyond this. */
const maxWaitingBytes = 16 * 1024 * 1024;

export interface ExecCall extends Pick<UpgradeCall, "request" | "socket" | "head" | "log"> {
  readonly protocol: string;
  readonly session: ExecSession;
}

/** Resolves when the command has ended and the client was told, or the client is gone. */
export async function serveExec({ request, socket, head, log, protocol, session }: ExecCall): Promise<void> {
  const server = new WebSocketServer({ noServer: true, maxPayload: 1 << 20, handleProtocols: () => protocol, perMessageDeflate: false });
  const websocket = await new Promise<WebSocket>((resolve, reject) => {
    socket.once("close", () => reject(new Error("the client went away")));
    server.handleUpgrade(request, socket, head, resolve);
  }).catch((error: unknown) => {
    session.kill();
    throw error;
  });
  websocket.on("error", (error) => log.debug("an exec connection failed", { error: errorMessage(error) }));
  session.onOutput((stream, chunk) => send(websocket, channel[stream], chunk));
  websocket.on("message", (data, isBinary) => void receive(websocket, session, isBinary ? bytesOf(data) : Buffer.alloc(0)));
  const gone = new Promise<undefined>((resolve) => websocket.once("close", () => resolve(undefined)));
  const exit = await Promise.race([session.done, gone]);
  if (exit === undefined) return session.kill();
  send(websocket, channel.error, Buffer.from(JSON.stringify(statusOf(exit))));
  websocket.close(1000);
  await gone;
}

function send(websocket: WebSocket, to: number, chunk: Uint8Array): void {
  if (websocket.readyState !== websocket.OPEN) return;
  if (websocket.bufferedAmount > maxWaitingBytes) return websocket.terminate();
  websocket.send(Buffer.concat([Buffer.from([to]), chunk]));
}

/** The command takes input at its own pace; until then nothing more is read from the client. */
async function receive(websocket: WebSocket, session: ExecSession, message: Buffer): Promise<void> {
  const payload = message.subarray(1);
  switch (message[0]) {
    case channel.stdin:
      websocket.pause();
      try {
        await session.write(payload);
      } catch {
        // The command has closed its input: what it does not read is lost, as in a pipe.
        session.closeStdin();
      } finally {
        websocket.resume();
      }
      return;
    case channel.resize:
      return resize(session, payload);
    case channel.close:
      if (payload[0] === channel.stdin) session.closeStdin();
      return;
    default:
      // Clients have nothing to say on the other channels.
      return;
  }
}

function resize(session: ExecSession, payload: Buffer): void {
  try {
    const { Width, Height } = JSON.parse(payload.toString("utf8")) as { Width?: unknown; Height?: unknown };
    if (isSize(Width) && isSize(Height)) session.resize(Width, Height);
  } catch {
    // Not JSON: the terminal keeps its size.
    return;
  }
}

const isSize = (value: unknown): value is number => Number.isInteger(value) && (value as number) > 0 && (value as number) < 65536;

function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

/** How a command ended, in the form that clients take exit codes from (kubelet `pkg/cri/streaming/remotecommand`). */
function statusOf(exit: ExitStatus): Status {
  if (exit.kind === "failed") return { metadata: {}, status: "Failure", reason: "InternalError", message: exit.message, code: 500 };
  if (exit.code === 0) return { metadata: {}, status: "Success" };
  return {
    metadata: {},
    status: "Failure",
    reason: "NonZeroExitCode",
    message: `command terminated with non-zero exit code: exit status ${exit.code}`,
    details: { causes: [{ reason: "ExitCode", message: String(exit.code) }] },
  };
}
