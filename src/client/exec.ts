/** Runs a command in a container over the API and waits for its end (`pods/exec` by WebSocket, `v5.channel.k8s.io`; KEP-4006). */
import { isIP } from "node:net";
import type { Status } from "../api/types.ts";
import { errorMessage, FairleadError } from "../lib/errors.ts";
import { authorization, tlsOptions } from "./https-connect.ts";
import type { ServerConfig } from "./kubeconfig.ts";

export interface ExecRequest {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
  /** Milliseconds; then the connection is given up. */
  readonly timeout: number;
}

export interface ExecResult {
  /** Of the command; undefined: it did not run, `problem` says why. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly problem?: string;
}

const channel = { stdout: 1, stderr: 2, error: 3 } as const;
/** Of each stream: what is beyond it is cut off. */
const maxOutput = 1 << 20;

/** Throws FL_CONNECT when the server refuses or ends the connection without a word. */
export async function execInPod(config: ServerConfig, request: ExecRequest): Promise<ExecResult> {
  // Few commands need it.
  const { WebSocket } = await import("ws");
  const url = new URL(config.server);
  const query = new URLSearchParams([
    ["container", request.container],
    ["stdout", "true"],
    ["stderr", "true"],
    ...request.command.map((word): [string, string] => ["command", word]),
  ]);
  const path = `/api/v1/namespaces/${encodeURIComponent(request.namespace)}/pods/${encodeURIComponent(request.pod)}/exec?${query}`;
  const { ALPNProtocols: _, ...tls } = tlsOptions(config, url);
  const headers = await authorization(config, undefined);
  const socket = new WebSocket(
    `${url.protocol === "http:" ? "ws" : "wss"}://${url.host}${path}`,
    ["v5.channel.k8s.io", "v4.channel.k8s.io"],
    {
      ...tls,
      ...(isIP(url.hostname) === 0 ? {} : { servername: "" }),
      headers,
      handshakeTimeout: request.timeout,
      maxPayload: maxOutput,
      perMessageDeflate: false,
    },
  );
  return new Promise((resolve, reject) => {
    const output = { stdout: "", stderr: "", status: "" };
    const give = setTimeout(() => socket.terminate(), request.timeout);
    socket.on("message", (data: Buffer) => {
      const name =
        data[0] === channel.stdout ? "stdout" : data[0] === channel.stderr ? "stderr" : data[0] === channel.error ? "status" : undefined;
      if (name !== undefined && output[name].length < maxOutput) output[name] += data.toString("utf8", 1);
    });
    socket.on("error", (error) => {
      clearTimeout(give);
      reject(new FairleadError("FL_CONNECT", `exec in pod ${request.namespace}/${request.pod}: ${errorMessage(error)}`, { cause: error }));
    });
    socket.on("close", () => {
      clearTimeout(give);
      const { stdout, stderr, status } = output;
      if (status === "")
        reject(new FairleadError("FL_CONNECT", `exec in pod ${request.namespace}/${request.pod}: no end within ${request.timeout} ms`));
      else resolve({ stdout, stderr, ...outcome(status) });
    });
  });
}

/** As the kubelet says it: a Status whose cause ExitCode has the number. */
function outcome(text: string): Pick<ExecResult, "code" | "problem"> {
  const { status, message = "", details } = JSON.parse(text) as Status;
  if (status === "Success") return { code: 0 };
  const code = details?.causes?.find(({ reason }) => reason === "ExitCode")?.message;
  return code === undefined ? { code: undefined, problem: message } : { code: Number(code) };
}
