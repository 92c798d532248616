/** Carries out one action of a probe or of a lifecycle hook against a running container. */
import type { Container, ExecAction, GRPCAction, HTTPGetAction, TCPSocketAction } from "../../api/types.ts";
import type { Connect } from "../runtime/runtime.ts";
import { containerPort } from "./ports.ts";
import type { ProbeOutcome } from "./schedule.ts";

export interface ProbeTarget {
  readonly container: Container;
  readonly podIP: string;
  readonly connect: Connect;
  /** Runs a command in the container, killing it after `timeoutMs`; `output`: the first few kilobytes of both streams. */
  exec(command: readonly string[], timeoutMs: number): Promise<{ readonly code: number | "timeout"; readonly output: string }>;
}

export interface ProbeAction {
  readonly exec?: ExecAction | undefined;
  readonly httpGet?: HTTPGetAction | undefined;
  readonly tcpSocket?: TCPSocketAction | undefined;
  readonly grpc?: GRPCAction | undefined;
}

/** Never rejects: what goes wrong is a failed probe. */
export async function runProbe(action: ProbeAction, target: ProbeTarget, timeoutMs: number): Promise<ProbeOutcome> {
  if (action.exec !== undefined) return execProbe(action.exec, target, timeoutMs);
  const endpoint = action.httpGet ?? action.tcpSocket ?? action.grpc;
  if (endpoint === undefined) return { ok: false, message: "missing probe handler" };
  const found = containerPort(target.container, endpoint.port);
  if (found.kind === "error") return { ok: false, message: found.message };
  if (action.httpGet !== undefined) {
    const { httpProbe } = await import("./http-probe.ts");
    return httpProbe(action.httpGet, target.podIP, found.port, timeoutMs, target.connect);
  }
  if (action.tcpSocket !== undefined) {
    const { tcpProbe } = await import("./tcp-probe.ts");
    return tcpProbe(action.tcpSocket.host ?? target.podIP, found.port, timeoutMs, target.connect);
  }
  const { grpcProbe } = await import("./grpc-probe.ts");
  return grpcProbe(target.podIP, found.port, action.grpc?.service ?? "", timeoutMs, target.connect);
}

async function execProbe(action: ExecAction, target: ProbeTarget, timeoutMs: number): Promise<ProbeOutcome> {
  const command = action.command ?? [];
  const { code, output } = await target.exec(command, timeoutMs);
  if (code === 0) return { ok: true };
  if (code === "timeout")
    return { ok: false, message: `command ${JSON.stringify(command.join(" "))} timed out after ${timeoutMs / 1000}s` };
  return { ok: false, message: output.trim() === "" ? `command exited with code ${code}` : output.trim() };
}
