/**
 * A command's streams over one WebSocket (`v5.channel.k8s.io`, KEP-4006, and its predecessor `v4`): the first byte of each
 * binary message names the stream.
 */
import type { WebSocket } from "ws";
import type { ExecSession } from "../../api/node-agent.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { exitStatus, holdOutput, resize } from "./remote-command.ts";
import { acceptWebSocket, bytesOf, type Upgradable } from "./websocket.ts";

/** By preference. */
export const channelProtocols: readonly string[] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

/** A client that does not read its output loses the connection beyond this. */
const maxWaitingBytes = 16 * 1024 * 1024;

/** Resolves when the command has ended and the client was told, or the client is gone. */
export async function serveOverWebSocket(call: Upgradable, protocol: string, session: ExecSession, log: Logger): Promise<void> {
  const sendOutput = holdOutput(session);
  const websocket = await acceptWebSocket(call, protocol).catch((error: unknown) => {
    session.kill();
    throw error;
  });
  websocket.on("error", (error) => log.debug("an exec connection failed", { error: errorMessage(error) }));
  sendOutput((stream, chunk) => send(websocket, channel[stream], chunk));
  websocket.on("message", (data, isBinary) => void receive(websocket, session, isBinary ? bytesOf(data) : Buffer.alloc(0)));
  const gone = new Promise<undefined>((resolve) => websocket.once("close", () => resolve(undefined)));
  const exit = await Promise.race([session.done, gone]);
  if (exit === undefined) return session.kill();
  send(websocket, channel.error, Buffer.from(JSON.stringify(exitStatus(exit))));
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
      return resize(session, payload.toString("utf8"));
    case channel.close:
      if (payload[0] === channel.stdin) session.closeStdin();
      return;
    default:
      // Clients have nothing to say on the other channels.
      return;
  }
}
