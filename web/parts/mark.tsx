/** States as a shape, a colour and a word. */
import type { ComponentChildren } from "preact";
import type { EndpointRow, ServiceRow } from "../data/service-row.ts";

export type Tone = "ok" | "warn" | "bad" | "idle";

/** Full circle, half circle, ring, dash. */
export function Shape({ tone }: { readonly tone: Tone }) {
  return (
    <svg viewBox="0 0 12 12" aria-hidden="true">
      {tone === "ok" && <circle cx="6" cy="6" r="5" fill="currentColor" />}
      {tone === "warn" && (
        <>
          <circle cx="6" cy="6" r="4.2" fill="none" stroke="currentColor" stroke-width="1.6" />
          <path d="M6 1.8a4.2 4.2 0 0 1 0 8.4z" fill="currentColor" />
        </>
      )}
      {tone === "bad" && <path d="M2.2 2.2l7.6 7.6M9.8 2.2L2.2 9.8" stroke="currentColor" stroke-width="2" stroke-linecap="round" />}
      {tone === "idle" && <path d="M2 6h8" stroke="currentColor" stroke-width="2" stroke-linecap="round" />}
    </svg>
  );
}

export function Mark({ tone, children }: { readonly tone: Tone; readonly children: ComponentChildren }) {
  return (
    <span class={`mark is-${tone}`}>
      <Shape tone={tone} />
      <span>{children}</span>
    </span>
  );
}

export const serviceTone: Readonly<Record<ServiceRow["state"], Tone>> = { ready: "ok", partial: "warn", none: "bad", alias: "idle" };
export const endpointTone: Readonly<Record<EndpointRow["state"], Tone>> = {
  ready: "ok",
  serving: "warn",
  notReady: "bad",
  terminating: "idle",
};
export const endpointWord: Readonly<Record<EndpointRow["state"], string>> = {
  ready: "ready",
  serving: "terminating, still serving",
  notReady: "not ready",
  terminating: "terminating",
};

/** `3 of 3 ready` */
export function serviceWord({ state, ready, endpoints }: ServiceRow): string {
  if (state === "alias") return "alias";
  if (endpoints.length === 0) return "no endpoints";
  return ready === endpoints.length ? `${ready} ready` : `${ready} of ${endpoints.length} ready`;
}
