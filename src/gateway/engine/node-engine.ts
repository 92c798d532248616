/** The engine on Node's own sockets, in the thread that makes it. */
import type { Engine } from "./engine.ts";
import { createNodeCarrier, type NodeCarrierOptions } from "./node-carrier.ts";
import { createProxyEngine, type ProxyEngineOptions } from "./proxy-engine.ts";

export interface NodeEngineOptions extends NodeCarrierOptions, ProxyEngineOptions {}

export function createNodeEngine(options: NodeEngineOptions): Engine {
  return createProxyEngine(createNodeCarrier(options), options);
}
