/** grpc.health.v1.Health/Check over clear-text HTTP/2 (upstream pkg/probe/grpc; gRPC over HTTP/2, grpc/grpc doc/PROTOCOL-HTTP2.md). */
import type { Socket } from "node:net";
import { joinHostPort } from "../../lib/ip.ts";
import { dialText } from "./http-probe.ts";
import type { Connect } from "../runtime/runtime.ts";
import type { ProbeOutcome } from "./schedule.ts";

const serving = 1;
const maxReply = 4096;

interface Reply {
  readonly grpcStatus: string;
  readonly message: string;
  readonly body: Buffer;
}

export async function grpcProbe(host: string, port: number, service: string, timeoutMs: number, connect: Connect): Promise<ProbeOutcome> {
  const address = joinHostPort(host, port);
  const deadline = performance.now() + timeoutMs;
  try {
    const socket = await connect({ host, port, timeoutMs });
    const reply = await check(socket, address, service, Math.max(1, deadline - performance.now()));
    if (reply === "timeout")
      return {
        ok: false,
        message: `timeout: failed to connect service "${address}" within ${timeoutMs / 1000}s: context deadline exceeded`,
      };
    if (reply.grpcStatus === "12")
      return {
        ok: false,
        message: `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${reply.message}`,
      };
    if (reply.grpcStatus !== "0")
      return { ok: false, message: `error: health rpc probe failed: rpc error: code = ${reply.grpcStatus} desc = ${reply.message}` };
    const status = decodeHealthStatus(reply.body);
    return status === serving
      ? { ok: true }
      : { ok: false, message: `service unhealthy (responded with "${statusNames[status] ?? status}")` };
  } catch (error) {
    return { ok: false, message: `error: ${dialText(error, address)}` };
  }
}

const statusNames: Readonly<Record<number, string>> = { 0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN" };

async function check(socket: Socket, address: string, service: string, timeoutMs: number): Promise<Reply | "timeout"> {
  const { connect } = await import("node:http2");
  return new Promise((resolve, reject) => {
    const session = connect(`http://${address}`, { createConnection: () => socket });
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      session.destroy();
      socket.destroy();
      settle();
    };
    const timer = setTimeout(() => finish(() => resolve("timeout")), timeoutMs);
    session.on("error", (error) => finish(() => reject(error)));
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
      "user-agent": "kube-probe/1.36",
    });
    const chunks: Buffer[] = [];
    let size = 0;
    let trailers: Readonly<Record<string, unknown>> = {};
    stream.on("response", (headers) => (trailers = headers));
    stream.on("trailers", (headers) => (trailers = { ...trailers, ...headers }));
    stream.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxReply) chunks.push(chunk);
    });
    stream.on("error", (error) => finish(() => reject(error)));
    stream.on("end", () => {
      const text = (name: string) => (typeof trailers[name] === "string" ? trailers[name] : "");
      const grpcStatus = text("grpc-status") === "" ? "12" : text("grpc-status");
      finish(() => resolve({ grpcStatus, message: text("grpc-message"), body: Buffer.concat(chunks) }));
    });
    stream.end(encodeHealthRequest(service));
  });
}

/** `HealthCheckRequest { string service = 1; }` behind gRPC's five-byte prefix. */
export function encodeHealthRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}

/** `HealthCheckResponse { ServingStatus status = 1; }`; an absent field is UNKNOWN (0), so is a reply that cannot be read. */
export function decodeHealthStatus(reply: Buffer): number {
  const length = reply.length < 5 ? 0 : reply.readUInt32BE(1);
  const message = reply.subarray(5, 5 + length);
  return message[0] === 0x08 ? (message[1] ?? 0) : 0;
}
