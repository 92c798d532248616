/** Requests that take over their connection: `pods/exec` over a WebSocket. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { ApiRequest } from "../../api/request.ts";
import { pods, type Resource } from "../../api/resources.ts";
import { badRequestError, noPathError, type StatusError } from "../../api/status.ts";
import type { Pod } from "../../api/types.ts";
import type { Logger } from "../../lib/log.ts";
import { authorize, type Authorizer } from "../auth/authorizer.ts";
import { requestInfo, type ResourceRequest } from "../request-info.ts";
import type { Registry } from "../registry/registry.ts";
import { execQuery } from "../subresources/exec-query.ts";
import { agentOf, containerOf, podRef, type NodeAgentLookup } from "../subresources/pod-target.ts";
import { channelProtocols, serveExec } from "./exec-channels.ts";

/** Where pods are found and who runs them. */
export interface PodStreams {
  readonly registry: (resource: Resource) => Registry;
  readonly nodeAgent: NodeAgentLookup;
  readonly authorizer: Authorizer;
}

export interface UpgradeCall {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly api: Omit<ApiRequest, "body" | "signal">;
  readonly pods: PodStreams;
  readonly log: Logger;
}

/** Throws a StatusError for what is refused: nothing was written to the socket then. */
export async function upgrade(call: UpgradeCall): Promise<void> {
  const info = requestInfo(call.api);
  authorize(call.pods.authorizer, call.api.user, info);
  if (info.kind !== "resource" || info.plural !== pods.plural || info.group !== "" || info.name === undefined) throw noPathError();
  const pod = call.pods.registry(pods).get(info.namespace, info.name).object() as Pod;
  if (info.subresource !== "exec") throw unsupported(info);
  const protocol = protocolOf(call.api.headers);
  const options = execQuery(call.api.query, info.name);
  const container = containerOf(pod, options.container);
  if ((pod.spec?.nodeName ?? "") === "") throw badRequestError(`pod ${info.name} does not have a host assigned`);
  const session = await agentOf(pod, call.pods.nodeAgent).exec(podRef(pod), { ...options, container });
  await serveExec({ ...call, protocol, session });
}

function unsupported({ subresource = "" }: ResourceRequest): StatusError {
  const what = subresource === "portforward" ? "port-forward" : subresource;
  const instead = subresource === "portforward" ? "; in loopback mode a pod's address can be reached directly" : "";
  return badRequestError(`${what} is not supported by this server yet${instead}`);
}

function protocolOf(headers: ApiRequest["headers"]): string {
  if (headers["upgrade"]?.toLowerCase() !== "websocket") {
    throw badRequestError(
      `unable to upgrade to ${headers["upgrade"] ?? "nothing"}: this server speaks WebSocket (v5.channel.k8s.io) only, as kubectl 1.30 and newer do (1.29: set KUBECTL_REMOTE_COMMAND_WEBSOCKETS=true)`,
    );
  }
  const offered = (headers["sec-websocket-protocol"] ?? "").split(",").map((text) => text.trim());
  const protocol = channelProtocols.find((one) => offered.includes(one));
  if (protocol === undefined)
    throw badRequestError(`unable to upgrade: none of the offered protocols is supported; this server has ${channelProtocols.join(", ")}`);
  return protocol;
}
