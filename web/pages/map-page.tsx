/** The first page: where traffic comes from and where it goes; with a question, the way of that request over it. */
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Ingress, Node, Pod } from "../../src/api/types.ts";
import type { HttpRoute } from "../../src/decide/routes/gateway-api/objects.ts";
import { useModel } from "../context.ts";
import { answer, type Answer } from "../data/answer.ts";
import type { Model } from "../data/model.ts";
import { rateText } from "../data/rates.ts";
import type { ServiceRow } from "../data/service-row.ts";
import { Flow } from "../map/flow.tsx";
import { flowGraph, type FlowGraph } from "../map/graph.ts";
import { litBy, servicesOf } from "../map/lit.ts";
import { Overview } from "../map/overview.tsx";
import { Walk } from "../map/walk.tsx";
import { Empty } from "../parts/empty.tsx";
import { filterRows, namespacesOf, type RowFilter } from "../parts/filter.ts";
import { FilterTools } from "../parts/filter-tools.tsx";
import { go, usePlace, withQuery } from "../route.ts";

/** Beyond it each Service is a tile. */
const mostDrawn = 48;
const stepMs = 260;

export function MapPage(): JSX.Element {
  const model = useModel();
  const { query } = usePlace();
  const ask = query.get("ask") ?? "";
  const from = query.get("from") ?? "";
  const answered = useAnswer(model, ask, from);
  const filter = filterOf(query);
  const rows = useMemo(() => filterRows(model.services(), filter), [model.generation, filter.text, filter.namespace, filter.system]);
  const walked = useWalk(answered?.kind === "explained" ? answered.explanation.path.length : 0, `${ask} ${from}`);
  const explanation = answered?.kind === "explained" ? answered.explanation : undefined;
  const about = explanation === undefined ? [] : rowsOf(model, servicesOf(explanation));
  const drawn = about.length > 0 ? about : rows;
  const lit = explanation === undefined ? undefined : litBy(explanation, walked.shown, walked.current);
  const wanted = lit === undefined ? undefined : new Set(lit.steps.keys());
  const graph = drawn.length > mostDrawn ? undefined : graphOf(model, drawn, wanted);
  return (
    <div class="page full map-page">
      <div class="page-head">
        <h1>Map</h1>
        <Stats model={model} rows={rows} />
        <span class="spread" />
        <FilterTools filter={filter} namespaces={namespacesOf(model.services())} placeholder="Filter Services" />
      </div>
      <div class={`map-area${ask === "" ? "" : " asked"}`}>
        <section class="panel map-panel" aria-label="Map of the cluster's traffic">
          {graph === undefined ? (
            <Overview rows={drawn} rates={model.rates} />
          ) : drawn.length === 0 ? (
            <NothingDrawn model={model} />
          ) : (
            <Flow graph={graph} lit={lit} />
          )}
        </section>
        {explanation !== undefined && (
          <Walk explanation={explanation} current={walked.current} look={walked.look} close={() => go(withQuery({ ask: "", from: "" }))} />
        )}
        {answered?.kind === "failed" && (
          <aside class="walk panel">
            <Empty title="This could not be explained">{answered.why}</Empty>
          </aside>
        )}
      </div>
    </div>
  );
}

function filterOf(query: URLSearchParams): RowFilter {
  return { text: query.get("q") ?? "", namespace: query.get("ns") ?? "", system: query.get("system") === "1" };
}

function rowsOf(model: Model, keys: readonly string[]): readonly ServiceRow[] {
  return keys.flatMap((key) => model.service(key) ?? []);
}

function graphOf(model: Model, services: readonly ServiceRow[], wanted: ReadonlySet<string> | undefined): FlowGraph {
  const { tables, rates } = model;
  return flowGraph({
    services,
    ingresses: tables.list<Ingress>("Ingress"),
    httpRoutes: tables.list<HttpRoute>("HTTPRoute"),
    nodes: tables.list<Node>("Node"),
    pod: (key) => tables.get<Pod>("Pod", key),
    rates,
    ...(wanted === undefined ? {} : { wanted }),
  });
}

/** Computed when the question or the cluster changes, not with every sample of the counters. */
function useAnswer(model: Model, ask: string, from: string): Answer | undefined {
  const version = model.tables.version(
    "Service",
    "EndpointSlice",
    "Pod",
    "Node",
    "Ingress",
    "HTTPRoute",
    "Gateway",
    "NetworkPolicy",
    "Namespace",
  );
  return useMemo(
    () => (ask === "" || !model.synced ? undefined : answer(model, { target: ask, ...(from === "" ? {} : { from }) })),
    [ask, from, version, model.synced, model.tables],
  );
}

/** Draws one step after the other, then lets people go back and forth. */
function useWalk(length: number, question: string) {
  const [state, setState] = useState({ shown: 0, current: 1 });
  useEffect(() => {
    if (length === 0) return;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return setState({ shown: length, current: length });
    let shown = 0;
    const timer = setInterval(() => {
      shown++;
      setState({ shown, current: shown });
      if (shown >= length) clearInterval(timer);
    }, stepMs);
    return () => clearInterval(timer);
  }, [length, question]);
  return { ...state, look: (current: number) => setState({ shown: length, current }) };
}

function Stats({ model, rows }: { readonly model: Model; readonly rows: readonly ServiceRow[] }): JSX.Element {
  const broken = rows.filter(({ state }) => state === "none").length;
  const endpoints = rows.reduce((sum, { ready }) => sum + ready, 0);
  const connections = [...model.rates.service.values()].reduce((sum, rate) => sum + rate, 0);
  const requests = [...model.rates.ingress.values()].reduce((sum, rate) => sum + rate, 0);
  const counted = model.counters?.proxy !== undefined;
  return (
    <dl class="stats">
      <Stat name={rows.length === 1 ? "Service" : "Services"} value={rows.length.toLocaleString()} />
      <Stat name="without endpoints" value={broken.toLocaleString()} tone={broken > 0 ? "is-bad" : ""} />
      <Stat name="ready endpoints" value={endpoints.toLocaleString()} />
      {counted && (
        <Stat
          name={model.counters?.counted === "incoming" ? "connections/s from outside" : "connections/s"}
          value={rateText(connections)}
        />
      )}
      {requests > 0 && <Stat name="requests/s" value={rateText(requests)} />}
      {model.counters?.dns !== undefined && <Stat name="DNS questions/s" value={rateText(model.rates.dns)} />}
    </dl>
  );
}

function Stat({ name, value, tone = "" }: { readonly name: string; readonly value: string; readonly tone?: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={tone}>{value}</dd>
    </div>
  );
}

function NothingDrawn({ model }: { readonly model: Model }): JSX.Element {
  if (!model.synced) return <Empty title="Reading the cluster…">Objects come as a stream; the map draws itself as they arrive.</Empty>;
  if (model.services().length === 0)
    return (
      <Empty title="No Services yet" code="fairlead apply -f examples/webapp   # or kubectl apply">
        A Service gives a stable name and address to a changing set of pods. Apply some manifests, and they appear here at once.
      </Empty>
    );
  return (
    <Empty title="No Service matches">
      Take the filter away, or choose another namespace. System Services are hidden until you ask for them.
    </Empty>
  );
}
