/** One Service: what it is, its endpoints over time, why others are none, its rules in each mode, its names, its events. */
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Event, Node, Service, ServiceCIDR } from "../../src/api/types.ts";
import { explainService, type ServiceExplanation } from "../../src/decide/explain/service.ts";
import { useModel } from "../context.ts";
import type { Model } from "../data/model.ts";
import { answerTo, namesOf } from "../data/names.ts";
import type { ServiceRow } from "../data/service-row.ts";
import { snapshotOfModel } from "../data/snapshot.ts";
import { Empty } from "../parts/empty.tsx";
import { Mark, serviceTone, serviceWord } from "../parts/mark.tsx";
import { askHref } from "../route.ts";
import { Endpoints } from "./endpoints.tsx";
import { History } from "./history.tsx";
import { Rules } from "./rules.tsx";

export function ServicePage({ id }: { readonly id: string }): JSX.Element {
  const model = useModel();
  const service = model.tables.get<Service>("Service", id);
  const row = model.service(id);
  const explanation = useExplained(model, id);
  if (service === undefined || row === undefined) {
    if (!model.synced) return <Empty title="Reading the cluster…">The Service shows itself when its objects have come.</Empty>;
    return (
      <div class="page">
        <Empty title={`There is no Service ${id}`}>{explanation?.hints.join(" ") || "It may have been deleted."}</Empty>
      </div>
    );
  }
  return (
    <div class="page">
      <Head row={row} explanation={explanation} />
      <div class="two">
        <Facts service={service} row={row} />
        <Names model={model} service={service} />
      </div>
      <Endpoints model={model} row={row} explanation={explanation} />
      <Rules
        service={service}
        slices={model.tables.slicesOf(id)}
        nodes={model.tables.list<Node>("Node")}
        serviceCIDRs={model.tables.list<ServiceCIDR>("ServiceCIDR").flatMap(({ spec }) => spec?.cidrs ?? [])}
      />
      <History id={id} />
      <Events model={model} row={row} />
    </div>
  );
}

function useExplained(model: Model, id: string): ServiceExplanation | undefined {
  const version = model.tables.version("Service", "EndpointSlice", "Pod", "Node");
  return useMemo(() => {
    const slash = id.indexOf("/");
    return model.synced ? explainService(snapshotOfModel(model), id.slice(0, slash), id.slice(slash + 1)) : undefined;
  }, [version, model.synced, model.tables, id]);
}

function Head({ row, explanation }: { readonly row: ServiceRow; readonly explanation: ServiceExplanation | undefined }): JSX.Element {
  return (
    <div class="page-head">
      <div>
        <h3>
          <a href={`/services?ns=${encodeURIComponent(row.namespace)}`}>{row.namespace}</a>
        </h3>
        <h1>{row.name}</h1>
      </div>
      <Mark tone={serviceTone[row.state]}>{serviceWord(row)}</Mark>
      <span class="spread" />
      <a class="button" href={`/?${new URLSearchParams({ ns: row.namespace, q: row.key })}`}>
        Show on the map
      </a>
      <a class="button primary" href={askHref(`svc/${row.key}`)}>
        Explain
      </a>
      {explanation !== undefined && <p>{explanation.verdict}</p>}
      {explanation !== undefined && !explanation.ok && explanation.hints.length > 0 && (
        <ul class="hints">
          {explanation.hints.map((hint) => (
            <li key={hint} class="notice warn">
              {hint}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Facts({ service: { spec }, row }: { readonly service: Service; readonly row: ServiceRow }): JSX.Element {
  const selector = Object.entries(spec?.selector ?? {});
  const affinity =
    spec?.sessionAffinity === "ClientIP"
      ? `by client address, ${spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800} s`
      : "none";
  const facts: readonly (readonly [string, JSX.Element | string])[] = [
    ["Type", row.type],
    ["Address", <span class="mono">{spec?.clusterIPs?.join(", ") || row.clusterIP || "–"}</span>],
    ...(row.external.length === 0 ? [] : [["Load balancer", <span class="mono">{row.external.join(", ")}</span>] as const]),
    ["Ports", <span class="mono">{row.ports.join(", ") || "none"}</span>],
    ...(row.nodePorts.length === 0 ? [] : [["Node ports", <span class="mono">{row.nodePorts.join(", ")}</span>] as const]),
    [
      "Selector",
      selector.length === 0 ? (
        "none: its endpoints are written by hand"
      ) : (
        <span class="mono">{selector.map(([key, value]) => `${key}=${value}`).join(", ")}</span>
      ),
    ],
    ["Internal traffic", spec?.internalTrafficPolicy ?? "Cluster"],
    ...(spec?.externalTrafficPolicy === undefined ? [] : [["External traffic", spec.externalTrafficPolicy] as const]),
    ...(spec?.trafficDistribution === undefined ? [] : [["Distribution", spec.trafficDistribution] as const]),
    ["Affinity", affinity],
  ];
  return (
    <section class="panel">
      <header>
        <h2>What it says</h2>
      </header>
      <dl class="facts body">
        {facts.map(([name, value]) => (
          <>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </>
        ))}
      </dl>
    </section>
  );
}

function Names({ model, service }: { readonly model: Model; readonly service: Service }): JSX.Element {
  const snapshot = snapshotOfModel(model);
  const answers = namesOf(service, model.cluster?.clusterDomain ?? "cluster.local").map(({ name, type }) => answerTo(snapshot, name, type));
  return (
    <section class="panel">
      <header>
        <h2>Names</h2>
        <span class="aside">as the cluster’s DNS answers them now</span>
      </header>
      <div class="body names">
        {answers.map(({ name, type, kind, reason, records }) => (
          <div key={`${name} ${type}`}>
            <p class="mono name-asked">
              {name} <span class="tag">{type}</span>
            </p>
            {kind === "answer" ? (
              <ul class="mono records">
                {records.slice(0, 6).map((record) => (
                  <li key={record}>{record}</li>
                ))}
                {records.length > 6 && <li>and {records.length - 6} more</li>}
              </ul>
            ) : (
              <Mark tone="bad">
                {kind === "nameError" ? "does not exist" : "no record of this type"} <code>{reason}</code>
              </Mark>
            )}
          </div>
        ))}
      </div>
    </section>
  );
}

function Events({ model, row }: { readonly model: Model; readonly row: ServiceRow }): JSX.Element {
  const names = new Set([row.name, ...row.endpoints.flatMap(({ pod }) => pod?.slice(pod.indexOf("/") + 1) ?? [])]);
  const events = model.tables
    .list<Event>("Event")
    .filter(({ involvedObject }) => involvedObject.namespace === row.namespace && names.has(involvedObject.name ?? ""))
    .sort((a, b) => timeOf(b).localeCompare(timeOf(a)))
    .slice(0, 30);
  return (
    <section class="panel">
      <header>
        <h2>Events</h2>
        <span class="aside">of the Service and its pods, newest first</span>
      </header>
      {events.length === 0 ? (
        <Empty title="Nothing has happened lately">
          Events are kept for an hour or so. Warnings about probes, images and addresses appear here.
        </Empty>
      ) : (
        <div class="table-wrap">
          <table class="table">
            <tbody>
              {events.map((event) => (
                <tr key={event.metadata.uid ?? event.metadata.name}>
                  <td class="num soft">{timeOf(event).slice(11, 19)}</td>
                  <td>
                    <Mark tone={event.type === "Warning" ? "warn" : "idle"}>{event.reason ?? ""}</Mark>
                  </td>
                  <td>{event.involvedObject.name}</td>
                  <td class="wrap">
                    {event.message}
                    {(event.count ?? 1) > 1 && <span class="tag">{event.count} times</span>}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

const timeOf = ({ lastTimestamp, eventTime, firstTimestamp }: Event): string => lastTimestamp ?? eventTime ?? firstTimestamp ?? "";
