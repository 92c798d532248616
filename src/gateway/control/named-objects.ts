/** Which Secrets and ConfigMaps Gateways name, there or not: so that a change of one is looked at by those that it is for. */
import type { GatewayObject, ListenerSet, ObjectReference } from "../../decide/routes/gateway-api/index.ts";
import { MultiMap } from "./multi-map.ts";

export class NamedByGateways {
  /** `Secret shop/tls` → keys of Gateways. */
  readonly #users = new MultiMap();
  readonly #names = new Map<string, readonly string[]>();

  /** Undefined: the Gateway is gone. */
  set(key: string, gateway: GatewayObject | undefined, sets: readonly ListenerSet[]): void {
    for (const name of this.#names.get(key) ?? []) this.#users.delete(name, key);
    const names = gateway === undefined ? [] : [...namesOf(gateway), ...sets.flatMap(listenerNames)];
    if (names.length === 0) this.#names.delete(key);
    else this.#names.set(key, names);
    for (const name of names) this.#users.add(name, key);
  }

  gatewaysOf(kind: "Secret" | "ConfigMap", key: string): readonly string[] {
    return [...this.#users.get(`${kind} ${key}`)];
  }
}

function namesOf(gateway: GatewayObject): readonly string[] {
  const { tls } = gateway.spec;
  const own = gateway.metadata.namespace ?? "";
  const validations = [tls?.frontend?.default?.validation, ...(tls?.frontend?.perPort ?? []).map((each) => each.tls.validation)];
  const bundles = validations.flatMap((each) => each?.caCertificateRefs ?? []).map((ref) => nameOf("ConfigMap", ref, own));
  const shown = tls?.backend?.clientCertificateRef;
  return [...listenerNames(gateway), ...bundles, ...(shown === undefined ? [] : [nameOf("Secret", shown, own)])];
}

function listenerNames({
  spec,
  metadata,
}: Pick<GatewayObject, "metadata"> & { readonly spec: Pick<GatewayObject["spec"], "listeners"> }): readonly string[] {
  return spec.listeners.flatMap(({ tls }) => (tls?.certificateRefs ?? []).map((ref) => nameOf("Secret", ref, metadata.namespace ?? "")));
}

function nameOf(kind: string, { namespace, name }: ObjectReference, own: string): string {
  return `${kind} ${namespace ?? own}/${name}`;
}
