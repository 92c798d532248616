/** Requests that take over their connection: exec, attach and port-forward, over WebSocket or SPDY/3.1. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { ExecOptions, NodeAgent } from "../../api/node-agent.ts";
import type { ApiRequest } from "../../api/request.ts";
import { pods, services, type Resource } from "../../api/resources.ts";
import { badRequestError, noPathError, StatusError } from "../../api/status.ts";
import type { Pod } from "../../api/types.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Logger } from "../../lib/log.ts";
import type { Audit, Auditor } from "../audit/auditor.ts";
import { authorize, type Authorizer } from "../auth/authorizer.ts";
import { impersonated } from "../auth/impersonation.ts";
import { requestInfo, type RequestInfo, type ResourceRequest } from "../request-info.ts";
import type { Registry } from "../registry/registry.ts";
import { acceptSpdy, offeredVersions } from "../streams/spdy-upgrade.ts";
import { offeredProtocols } from "../streams/websocket.ts";
import { attachQuery, execQuery } from "../subresources/exec-query.ts";
import type { ProxyOptions } from "../subresources/proxy.ts";
import { agentOf, containerOf, podRef, type NodeAgentLookup } from "../subresources/pod-target.ts";

/** Where pods are found and who runs them. */
export interface PodStreams {
  readonly registry: (resource: Resource) => Registry;
  readonly nodeAgent: NodeAgentLookup;
  readonly authorizer: Authorizer;
  readonly proxy: ProxyOptions;
  readonly auditor?: Auditor | undefined;
}

export interface UpgradeCall {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly api: Omit<ApiRequest, "body" | "signal">;
  readonly pods: PodStreams;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Throws a StatusError for what is refused: nothing was written to the socket then. */
export async function upgrade(call: UpgradeCall): Promise<void> {
  // A POST has a body, empty as it is; the connection is ours when that is read.
  call.request.resume();
  const info = requestInfo(call.api);
  const audit = call.pods.auditor?.begin(call.api, info);
  try {
    await upgraded(call, info, audit);
    await audit?.answered({ status: 101, headers: {}, body: { kind: "empty" } });
  } catch (error) {
    if (error instanceof StatusError)
      await audit?.answered({ status: error.code, headers: {}, body: { kind: "object", object: error.status } });
    throw error;
  }
}

async function upgraded(call: UpgradeCall, info: RequestInfo, audit: Audit | undefined): Promise<void> {
  const { authorizer } = call.pods;
  const user = impersonated(authorizer, call.api.user, call.api.headers);
  if (user !== call.api.user) audit?.impersonated(user);
  audit?.decided(true, authorize(authorizer, user, info));
  if (info.kind !== "resource" || info.group !== "" || info.name === undefined) throw noPathError();
  if (info.subresource === "proxy" && (info.plural === pods.plural || info.plural === services.plural)) {
    const [{ tunnel }, { proxyCall }] = await Promise.all([import("../proxy/tunnel.ts"), import("../subresources/proxy.ts")]);
    return tunnel(proxyCall(call.api, info, call.pods.proxy), call.socket, call.head);
  }
  if (info.plural !== pods.plural) throw noPathError();
  // A WebSocket begins with a GET; whoever may only read must not get in by it (feature gate `AuthorizePodWebsocketUpgradeCreatePermission`).
  authorize(authorizer, user, { ...info, verb: "create" });
  const pod = call.pods.registry(pods).get(info.namespace, info.name).object() as Pod;
  switch (info.subresource) {
    case "exec":
    case "attach":
      return command(call, info, pod);
    case "portforward":
      return portForward(call, pod);
    default:
      throw noPathError();
  }
}

async function command(call: UpgradeCall, info: ResourceRequest, pod: Pod): Promise<void> {
  const { api } = call;
  const name = info.name ?? "";
  const options = info.subresource === "exec" ? execQuery(api.query, name) : { ...attachQuery(api.query, name), command: [] };
  const wanted: ExecOptions = { ...options, container: containerOf(pod, options.container) };
  const agent = agentFor(call, pod);
  const start = () => (info.subresource === "exec" ? agent.exec(podRef(pod), wanted) : agent.attach(podRef(pod), wanted));
  if (isSpdy(api)) {
    const { serveOverSpdy, spdyCommandProtocols } = await import("../streams/remote-command-spdy.ts");
    const protocol = chosen(offeredVersions(api.headers), spdyCommandProtocols);
    const session = await start();
    const transport = acceptSpdy(call.socket, call.head, protocol);
    return serveOverSpdy({ transport, wanted, session, clock: call.clock, log: call.log });
  }
  const { channelProtocols, serveOverWebSocket } = await import("../streams/remote-command-websocket.ts");
  const protocol = chosen(offeredProtocols(api.headers), channelProtocols);
  await serveOverWebSocket(call, protocol, await start(), call.log);
}

async function portForward(call: UpgradeCall, pod: Pod): Promise<void> {
  const { api, log } = call;
  const agent = agentFor(call, pod);
  if (pod.status?.phase !== "Running")
    throw badRequestError(`unable to forward port because pod is not running. Current status=${pod.status?.phase ?? "Unknown"}`);
  const dial = (port: number) => agent.dial(podRef(pod), port);
  if (isSpdy(api)) {
    const { forwardOverSpdy, portForwardProtocol } = await import("../streams/port-forward-spdy.ts");
    const protocol = chosen(offeredVersions(api.headers), [portForwardProtocol]);
    return forwardOverSpdy({ transport: acceptSpdy(call.socket, call.head, protocol), dial, log });
  }
  const forwarding = await import("../streams/port-forward-websocket.ts");
  const protocol = chosen(offeredProtocols(api.headers), [forwarding.tunnelProtocol, ...forwarding.portChannelProtocols]);
  if (protocol === forwarding.tunnelProtocol) return forwarding.forwardThroughTunnel(call, dial, log);
  return forwarding.forwardOverChannels(call, protocol, forwarding.portsOf(api.query), dial, log);
}

function agentFor(call: UpgradeCall, pod: Pod): NodeAgent {
  if ((pod.spec?.nodeName ?? "") === "") throw badRequestError(`pod ${pod.metadata.name} does not have a host assigned`);
  return agentOf(pod, call.pods.nodeAgent);
}

/** Throws 400 for what is neither. */
function isSpdy({ headers }: UpgradeCall["api"]): boolean {
  const wanted = headers["upgrade"]?.toLowerCase() ?? "";
  if (wanted === "websocket") return false;
  if (wanted === "spdy/3.1") return true;
  throw badRequestError(`unable to upgrade to ${JSON.stringify(wanted)}: this server speaks websocket and SPDY/3.1`);
}

function chosen(offered: readonly string[], known: readonly string[]): string {
  const protocol = known.find((one) => offered.includes(one));
  if (protocol !== undefined) return protocol;
  throw badRequestError(
    `unable to upgrade: none of the offered protocols [${offered.join(", ")}] is supported; this server has ${known.join(", ")}`,
  );
}
