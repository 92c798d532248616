/** The cards of the map: clients, entrances, Services, endpoints, nodes. */
import type { ComponentChildren, JSX } from "preact";
import { rateText } from "../data/rates.ts";
import { endpointTone, endpointWord, serviceTone, serviceWord, Shape } from "../parts/mark.tsx";
import { askHref, serviceHref } from "../route.ts";
import type { FlowEndpoint, FlowEntrance, FlowNode, FlowService } from "./graph.ts";
import type { Box } from "./layout.ts";
import type { Lit } from "./lit.ts";

/** What every card must know. */
export interface CardContext {
  readonly boxOf: (id: string) => Box | undefined;
  readonly dim: (id: string) => boolean;
  readonly lit: Lit | undefined;
  readonly point: (id: string | undefined) => void;
}

interface CardProps {
  readonly id: string;
  readonly class: string;
  readonly href: string;
  readonly title?: string;
  readonly card: CardContext;
  readonly children: ComponentChildren;
}

function Card({ id, class: kind, href, title, card, children }: CardProps): JSX.Element | null {
  const box = card.boxOf(id);
  if (box === undefined) return null;
  const steps = card.lit?.steps.get(id) ?? [];
  const state = `${card.dim(id) ? " dim" : ""}${steps.length > 0 ? " lit" : ""}${card.lit?.rejected.has(id) === true ? " rejected" : ""}${card.lit?.current.has(id) === true ? " current" : ""}`;
  const style = { transform: `translate(${box.x}px, ${box.y}px)`, width: `${box.width}px`, height: `${box.height}px` };
  const point = () => card.point(id);
  const leave = () => card.point(undefined);
  return (
    <a
      class={`card ${kind}${state}`}
      href={href}
      style={style}
      title={title}
      data-id={id}
      onMouseEnter={point}
      onMouseLeave={leave}
      onFocus={point}
      onBlur={leave}
    >
      {children}
      {steps.length > 0 && (
        <span class="step-badges" aria-label={`steps ${steps.join(", ")}`}>
          {steps.slice(0, 3).map((step) => (
            <b key={step}>{step}</b>
          ))}
        </span>
      )}
    </a>
  );
}

export function ClientCard({
  id,
  title,
  detail,
  card,
}: {
  readonly id: string;
  readonly title: string;
  readonly detail: string;
  readonly card: CardContext;
}) {
  const box = card.boxOf(id);
  if (box === undefined) return null;
  const steps = card.lit?.steps.get(id) ?? [];
  const style = { transform: `translate(${box.x}px, ${box.y}px)`, width: `${box.width}px`, height: `${box.height}px` };
  return (
    <div class={`card client${card.dim(id) ? " dim" : ""}${steps.length > 0 ? " lit" : ""}`} style={style} data-id={id}>
      <strong>{title}</strong>
      <small>{detail}</small>
    </div>
  );
}

const entranceWords = {
  Ingress: "Ingress",
  HTTPRoute: "HTTPRoute",
  GRPCRoute: "GRPCRoute",
  NodePort: "NodePort",
  LoadBalancer: "Load balancer",
} as const;

export function EntranceCard({ entrance, card }: { readonly entrance: FlowEntrance; readonly card: CardContext }) {
  const { id, kind, title, detail, rate, services } = entrance;
  const href =
    kind === "NodePort" || kind === "LoadBalancer" ? serviceHref(services[0] as string) : `/gateway?q=${encodeURIComponent(detail)}`;
  return (
    <Card id={id} class="entrance" href={href} card={card} title={`${entranceWords[kind]} ${detail}: ${title}`}>
      <span class="card-line">
        <small>
          {entranceWords[kind]} · {detail}
        </small>
        {rate > 0 && <em class="num">{rateText(rate)}/s</em>}
      </span>
      <strong>{title}</strong>
    </Card>
  );
}

interface ServiceCardsProps {
  readonly service: FlowService;
  readonly more: Box | undefined;
  readonly card: CardContext;
}

export function ServiceCards({ service, more, card }: ServiceCardsProps): JSX.Element {
  const { id, row, rate, endpoints } = service;
  const tone = serviceTone[row.state];
  return (
    <>
      <Card id={id} class={`service tone-${tone}`} href={serviceHref(row.key)} card={card} title={`Service ${row.key}`}>
        <span class="card-line">
          <strong>{row.name}</strong>
          {rate > 0 && <em class="num">{rateText(rate)}/s</em>}
        </span>
        <span class="card-line">
          <small class="mono">{row.clusterIP === "None" ? "headless" : row.clusterIP || row.type}</small>
          <span class={`mark is-${tone}`}>
            <Shape tone={tone} />
            <small>{serviceWord(row)}</small>
          </span>
        </span>
      </Card>
      {endpoints.map((endpoint) => (
        <EndpointCard key={endpoint.id} endpoint={endpoint} card={card} />
      ))}
      {more !== undefined && (
        <a
          class="card more"
          href={serviceHref(row.key)}
          style={{ transform: `translate(${more.x}px, ${more.y}px)`, width: `${more.width}px`, height: `${more.height}px` }}
        >
          + {service.more} more
        </a>
      )}
    </>
  );
}

const leastWithAddress = 230;

function EndpointCard({ endpoint, card }: { readonly endpoint: FlowEndpoint; readonly card: CardContext }) {
  const { id, title, detail, state, home } = endpoint;
  const tone = endpointTone[state];
  const why = card.lit?.rejected.get(id);
  const said = why ?? endpointWord[state];
  const lit = card.lit?.steps.has(id) === true;
  // Without room the name goes before the address, which the tooltip has as well.
  const roomy = (card.boxOf(id)?.width ?? 0) >= leastWithAddress;
  return (
    <Card
      id={id}
      class={`endpoint tone-${tone}`}
      href={askHref(id.startsWith("Pod ") ? `pod/${id.slice(4)}` : detail)}
      card={card}
      title={`${title}, ${detail}: ${said} (of ${home})`}
    >
      <span class={`mark is-${tone}`}>
        <Shape tone={tone} />
      </span>
      <span class="name">{title}</span>
      {why !== undefined && <small class="why">{why}</small>}
      {why === undefined && !lit && roomy && <small class="mono">{detail}</small>}
      <span class="visually-hidden">{endpointWord[state]}</span>
    </Card>
  );
}

export function NodeCard({ node: { id, name, ready }, card }: { readonly node: FlowNode; readonly card: CardContext }): JSX.Element {
  return (
    <Card id={id} class="node" href={`/nodes?q=${encodeURIComponent(name)}`} card={card}>
      <span class={`mark is-${ready ? "ok" : "bad"}`}>
        <Shape tone={ready ? "ok" : "bad"} />
      </span>
      <strong>{name}</strong>
      {ready ? <span class="visually-hidden">ready</span> : <small>not ready</small>}
    </Card>
  );
}
