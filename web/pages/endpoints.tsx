/** The endpoints of a Service with their states over time, and the pods that are none, each with its reason. */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { PodExplanation, ServiceExplanation } from "../../src/decide/explain/service.ts";
import type { Model } from "../data/model.ts";
import { rateText } from "../data/rates.ts";
import type { EndpointRow, ServiceRow } from "../data/service-row.ts";
import type { Span } from "../data/timeline.ts";
import { Empty } from "../parts/empty.tsx";
import { endpointTone, endpointWord, Mark } from "../parts/mark.tsx";
import { askHref } from "../route.ts";

export interface EndpointsProps {
  readonly model: Model;
  readonly row: ServiceRow;
  readonly explanation: ServiceExplanation | undefined;
}

const most = 200;
/** Of what the strips show. */
const longestMs = 3_600_000;

export function Endpoints({ model, row, explanation }: EndpointsProps): JSX.Element {
  const timeline = model.timeline(row.key).spans();
  const now = useNow();
  const first = Math.min(...[...timeline.values()].map(([span]) => span?.from ?? now), now - 60_000);
  const from = Math.max(first, now - longestMs);
  const left = (explanation?.pods ?? []).filter(({ place }) => place !== "ready");
  return (
    <section class="panel">
      <header>
        <h2>Endpoints</h2>
        <span class="aside">{row.endpoints.length === 0 ? "" : `${row.ready} of ${row.endpoints.length} get new connections`}</span>
        <span class="spread" />
        {timeline.size > 0 && <span class="aside">states in the last {spanText(now - from)}</span>}
      </header>
      {row.endpoints.length === 0 && left.length === 0 ? (
        <Empty title={row.state === "alias" ? "An alias has no endpoints" : "No endpoints"}>
          {explanation?.hints[0] ?? explanation?.verdict ?? ""}
        </Empty>
      ) : (
        <div class="table-wrap">
          <table class="table">
            <thead>
              <tr>
                <th>Endpoint</th>
                <th>State</th>
                <th class="hide-narrow">Over time</th>
                <th>Pod</th>
                <th class="hide-narrow">Node, zone</th>
                <th class="right">Conn/s</th>
              </tr>
            </thead>
            <tbody>
              {row.endpoints.slice(0, most).map((endpoint) => (
                <EndpointLine
                  key={endpoint.text}
                  endpoint={endpoint}
                  spans={timeline.get(endpoint.text) ?? []}
                  from={from}
                  now={now}
                  rate={rateOf(model, row, endpoint)}
                />
              ))}
              {left.map((pod) => (
                <LeftOutLine key={pod.name} pod={pod} namespace={row.namespace} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {row.endpoints.length > most && <p class="body soft">and {row.endpoints.length - most} more</p>}
    </section>
  );
}

/** Undefined: nobody counts it; what the kernel carries is not nothing. */
function rateOf({ counters, rates }: Model, { key }: ServiceRow, { address }: EndpointRow): number | undefined {
  return rates.endpoint.get(`${key} ${address}`) ?? (counters?.counted === "all" ? 0 : undefined);
}

interface EndpointLineProps {
  readonly endpoint: EndpointRow;
  readonly spans: readonly Span[];
  readonly from: number;
  readonly now: number;
  readonly rate: number | undefined;
}

function EndpointLine({ endpoint, spans, from, now, rate }: EndpointLineProps): JSX.Element {
  const { text, state, pod, node, zone, hints } = endpoint;
  return (
    <tr>
      <td class="mono">{text}</td>
      <td>
        <Mark tone={endpointTone[state]}>{endpointWord[state]}</Mark>
      </td>
      <td class="hide-narrow">
        <Strip spans={spans} from={from} now={now} />
      </td>
      <td>
        {pod === undefined ? (
          <span class="soft">written by hand</span>
        ) : (
          <a href={askHref(`pod/${pod}`)}>{pod.slice(pod.indexOf("/") + 1)}</a>
        )}
      </td>
      <td class="hide-narrow">
        {[node, zone].filter(Boolean).join(", ") || "–"}
        {hints.length > 0 && <span class="tag">hinted for {hints.join(", ")}</span>}
      </td>
      <td class="right num">{rate === undefined ? "–" : rateText(rate)}</td>
    </tr>
  );
}

function LeftOutLine({ pod, namespace }: { readonly pod: PodExplanation; readonly namespace: string }): JSX.Element {
  return (
    <tr class="left-out">
      <td class="mono soft">{pod.addresses[0] ?? "no address"}</td>
      <td>
        <Mark tone={pod.place === "leftOut" ? "idle" : "bad"}>{pod.reason}</Mark>
      </td>
      <td colSpan={4} class="wrap">
        <a href={askHref(`pod/${namespace}/${pod.name}`)}>{pod.name}</a> <span class="soft">{pod.detail}</span>
      </td>
    </tr>
  );
}

const tones: Readonly<Record<Span["state"], string>> = { ready: "ok", serving: "warn", notReady: "bad", terminating: "idle" };

/** A bar of its states; not ready is half as high, so that it shows without colour. */
function Strip({ spans, from, now }: { readonly spans: readonly Span[]; readonly from: number; readonly now: number }): JSX.Element {
  const width = 160;
  const at = (time: number) => ((Math.max(time, from) - from) / Math.max(1, now - from)) * width;
  const said = spans
    .map(({ state, from: began }) => `${endpointWord[state]} since ${new Date(began).toLocaleTimeString()}`)
    .join(", then ");
  return (
    <svg class="strip" width={width} height={14} role="img" aria-label={said}>
      {spans
        .filter(({ to }) => to === undefined || to > from)
        .map(({ state, from: began, to }) => {
          const height = state === "ready" ? 12 : state === "serving" ? 9 : 5;
          return (
            <rect
              key={began}
              class={`fill-${tones[state]}`}
              x={at(began)}
              y={13 - height}
              width={Math.max(2, at(to ?? now) - at(began))}
              height={height}
              rx={1.5}
            />
          );
        })}
    </svg>
  );
}

/** Seconds go by without any change of the cluster. */
function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 2000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

function spanText(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  return minutes <= 1 ? "minute" : minutes < 120 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`;
}
