/** `pods/proxy` and `services/proxy`: HTTP to a pod through the API server. */
import { connect as netConnect } from "node:net";
import type { Duplex } from "node:stream";
import { keyOf } from "../../api/object.ts";
import type { ApiRequest, ApiResponse } from "../../api/request.ts";
import { endpointSlices, pods, services } from "../../api/resources.ts";
import { badRequestError, notFoundError, unavailableError } from "../../api/status.ts";
import type { EndpointSlice, Pod, Service } from "../../api/types.ts";
import { isLinkLocal, isLoopback, joinHostPort, parseIp } from "../../lib/ip.ts";
import { forward, type ProxyCall } from "../proxy/forward.ts";
import { podPort, proxyName, serviceBackends, type Backend, type ProxyName } from "../proxy/location.ts";
import type { ResourceRequest } from "../request-info.ts";
import type { Store } from "../store.ts";
import { agentOf, podRef, type NodeAgentLookup } from "./pod-target.ts";

export interface ProxyOptions {
  readonly store: Pick<Store, "resource">;
  readonly nodeAgent: NodeAgentLookup;
  /** Loopback mode: endpoints live in 127.0.0.0/8. Otherwise a Service cannot make this server connect to its own host. */
  readonly allowLoopback: boolean;
  /** [0, 1) */
  readonly random: () => number;
}

export async function proxy(request: ApiRequest, info: ResourceRequest, options: ProxyOptions): Promise<ApiResponse> {
  const call = proxyCall(request, info, options);
  if (call.target !== "") return forward(call);
  const query = rawTarget(request).split("?", 2)[1];
  const root = `/${query === undefined ? "" : `?${query}`}`;
  // A client that is led elsewhere asks again by GET: what is more than reading goes on at once (apimachinery pkg/util/proxy).
  if (request.method !== "GET" && request.method !== "HEAD") return forward({ ...call, target: root });
  // Relative links of a page count from its last slash: the root of the backend must end in one.
  const location = call.base.prefix + root;
  return { status: 301, headers: { location }, body: { kind: "empty" } };
}

/** Where the request leads. Throws 400, 404 and 503. `target` is empty for a path that ends in `proxy`. */
export function proxyCall(request: ApiRequest, info: ResourceRequest, options: ProxyOptions): ProxyCall {
  const kind = info.plural === pods.plural ? "pod" : "service";
  const name = proxyName(info.name ?? "", kind);
  const backend = kind === "pod" ? podBackend(info, name, options) : serviceBackend(info, name, options);
  const [prefix, target] = split(rawTarget(request));
  const base = { prefix, host: request.headers["host"] ?? request.headers[":authority"] ?? "", backend: backend.host };
  return { request, target, scheme: name.scheme, base, connect: backend.connect };
}

/** Path and query as the client wrote them: decoding and encoding again would change what some backends see. */
function rawTarget({ target, path, query }: ApiRequest): string {
  const text = query.toString();
  return target ?? `${encodeURI(path)}${text === "" ? "" : `?${text}`}`;
}

/** `/api/v1/namespaces/n/pods/p/proxy` and the rest. */
function split(raw: string): readonly [string, string] {
  const match = /^(\/api\/v1\/namespaces\/[^/]+\/(?:pods|services)\/[^/]+\/proxy)(\/.*)?$/s.exec(raw);
  if (match === null) {
    const bare = /^([^?]*)\?/.exec(raw)?.[1] ?? raw;
    return [bare, ""];
  }
  return [match[1] as string, match[2] ?? ""];
}

interface Reachable {
  /** For the `Host` header. */
  readonly host: string;
  readonly connect: () => Promise<Duplex>;
}

function podBackend({ namespace }: ResourceRequest, { name, port }: ProxyName, options: ProxyOptions): Reachable {
  const pod = podOf(options, namespace, name);
  if (pod === undefined) throw notFoundError(pods, name);
  const address = pod.status?.podIP ?? "";
  if (address === "") throw badRequestError(`address not allowed: pod ${name} has none yet`);
  return reachable({ address, port: podPort(pod, port), pod: name }, namespace, options);
}

function podOf({ store }: ProxyOptions, namespace: string | undefined, name: string): Pod | undefined {
  return store.resource(pods).get(keyOf(namespace, name))?.object() as Pod | undefined;
}

/** A connection to one of a Service's pods, by the Service's port. Throws 404 and 503. */
export function dialService(namespace: string, name: string, port: number, options: ProxyOptions): Promise<Duplex> {
  return serviceBackend({ namespace }, { scheme: "https", name, port: String(port) }, options).connect();
}

function serviceBackend({ namespace }: Pick<ResourceRequest, "namespace">, { name, port }: ProxyName, options: ProxyOptions): Reachable {
  const { store, random } = options;
  const service = store.resource(services).get(keyOf(namespace, name))?.object() as Service | undefined;
  if (service === undefined) throw notFoundError(services, name);
  const slices = store
    .resource(endpointSlices)
    .items(namespace)
    .map((item) => item.object() as EndpointSlice)
    .filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === name);
  const backends = serviceBackends(service, slices, port);
  return reachable(backends[Math.floor(random() * backends.length)] as Backend, namespace, options);
}

/** A pod is reached through its node, anything else from here. */
function reachable({ address, port, pod: podName }: Backend, namespace: string | undefined, options: ProxyOptions): Reachable {
  const host = joinHostPort(address, port);
  const pod = podName === undefined ? undefined : podOf(options, namespace, podName);
  if (pod !== undefined) {
    const agent = agentOf(pod, options.nodeAgent);
    return { host, connect: () => agent.dial(podRef(pod), port) };
  }
  const ip = parseIp(address);
  if (ip === undefined || isLinkLocal(ip) || (isLoopback(ip) && !options.allowLoopback)) throw badRequestError("address not allowed");
  return { host, connect: () => connected(address, port) };
}

function connected(host: string, port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = netConnect({ host, port });
    socket.once("connect", () => resolve(socket));
    socket.once("error", (error) => reject(unavailableError(error.message)));
  });
}
