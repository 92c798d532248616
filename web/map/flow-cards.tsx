/** The map where there is no room for columns: a card for each Service, what leads to it above, its endpoints below. */
import type { JSX } from "preact";
import { rateText } from "../data/rates.ts";
import { endpointTone, endpointWord, serviceTone, serviceWord, Mark, Shape } from "../parts/mark.tsx";
import { serviceHref } from "../route.ts";
import type { FlowEndpoint, FlowGraph, FlowService } from "./graph.ts";
import type { Lit } from "./lit.ts";

export interface FlowCardsProps {
  readonly graph: FlowGraph;
  readonly lit: Lit | undefined;
}

export function FlowCards({ graph, lit }: FlowCardsProps): JSX.Element {
  return (
    <ul class="flow-cards">
      {graph.services.map((service) => (
        <li key={service.id} data-id={service.id} class={`flow-card${lit !== undefined && !lit.steps.has(service.id) ? " dim" : ""}`}>
          <Leads graph={graph} service={service} />
          <a href={serviceHref(service.row.key)} class="flow-card-head">
            <strong>
              <span class="soft">{service.row.namespace}/</span>
              {service.row.name}
            </strong>
            <Badges lit={lit} id={service.id} />
            <Mark tone={serviceTone[service.row.state]}>{serviceWord(service.row)}</Mark>
          </a>
          <ul class="flow-card-ends">
            {service.endpoints.map((endpoint) => (
              <End key={endpoint.id} endpoint={endpoint} lit={lit} />
            ))}
            {service.more > 0 && <li class="soft">+ {service.more} more</li>}
          </ul>
        </li>
      ))}
    </ul>
  );
}

function Leads({ graph, service }: { readonly graph: FlowGraph; readonly service: FlowService }): JSX.Element {
  const leads = graph.entrances.filter(({ services }) => services.includes(service.row.key));
  return (
    <p class="flow-card-leads">
      {leads.length === 0 && <span class="soft">from in the cluster</span>}
      {leads.map(({ id, kind, title }) => (
        <span key={id} class="tag accent">
          {kind} {title}
        </span>
      ))}
      {service.rate > 0 && <em class="num">{rateText(service.rate)}/s</em>}
    </p>
  );
}

function End({ endpoint: { id, title, state }, lit }: { readonly endpoint: FlowEndpoint; readonly lit: Lit | undefined }): JSX.Element {
  const tone = endpointTone[state];
  const why = lit?.rejected.get(id);
  return (
    <li>
      <span class={`mark is-${tone}`}>
        <Shape tone={tone} />
      </span>
      <span class="name">{title}</span>
      <Badges lit={lit} id={id} />
      <span class="visually-hidden">{endpointWord[state]}</span>
      {why !== undefined && <span class="tag bad">{why}</span>}
    </li>
  );
}

function Badges({ lit, id }: { readonly lit: Lit | undefined; readonly id: string }): JSX.Element | null {
  const steps = lit?.steps.get(id) ?? [];
  if (steps.length === 0) return null;
  return (
    <span class="step-badges inline" aria-label={`steps ${steps.join(", ")}`}>
      {steps.slice(0, 4).map((step) => (
        <b key={step}>{step}</b>
      ))}
    </span>
  );
}
