/**
 * Tokens of ServiceAccounts for pods, kept and replaced in time (upstream pkg/kubelet/token/token_manager.go): asked for
 * anew when four fifths of their life are over, or a day.
 */
import { serviceAccounts } from "../../api/resources.ts";
import type { Pod, ServiceAccountTokenProjection, TokenRequest } from "../../api/types.ts";
import type { Client } from "../../client/client.ts";
import type { Clock } from "../../lib/clock.ts";

export interface PodToken {
  readonly text: string;
  /** ms since the epoch */
  readonly refreshAt: number;
}

const dayMs = 86_400_000;
const defaultSeconds = 3600;
const life = 0.8;

export class PodTokens {
  readonly #client: Client;
  readonly #clock: Clock;
  /** uid → audience and seconds → token. */
  readonly #tokens = new Map<string, Map<string, PodToken>>();

  constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Rejects as the API does: without the ServiceAccount there is no token. */
  async token(pod: Pod, { audience = "", expirationSeconds = defaultSeconds }: ServiceAccountTokenProjection): Promise<PodToken> {
    const uid = pod.metadata.uid ?? "";
    const key = `${audience} ${expirationSeconds}`;
    const known = this.#tokens.get(uid)?.get(key);
    if (known !== undefined && known.refreshAt > this.#clock.now()) return known;
    const token = await this.#request(pod, audience, expirationSeconds);
    const all = this.#tokens.get(uid) ?? new Map<string, PodToken>();
    this.#tokens.set(uid, all.set(key, token));
    return token;
  }

  forget(uid: string): void {
    this.#tokens.delete(uid);
  }

  async #request({ metadata: { name, namespace, uid }, spec }: Pod, audience: string, expirationSeconds: number): Promise<PodToken> {
    const body = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: {
        audiences: audience === "" ? [] : [audience],
        expirationSeconds,
        boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid },
      },
    };
    const now = this.#clock.now();
    const account = { namespace, name: spec?.serviceAccountName ?? "default" };
    const { status } = (await this.#client.post(serviceAccounts, account, "token", body)) as TokenRequest;
    const until = Date.parse(status?.expirationTimestamp ?? "");
    const lifeMs = Number.isNaN(until) ? expirationSeconds * 1000 : until - now;
    return { text: status?.token ?? "", refreshAt: now + Math.min(lifeMs * life, dayMs) };
  }
}
