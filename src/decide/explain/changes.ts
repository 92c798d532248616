/** What would mend it: each proposal is tried, by walking again in the world as it would then be. */
import type { KubeObject } from "../../api/object.ts";
import type { Pod, Service } from "../../api/types.ts";
import { resliced } from "./assume-slices.ts";
import { explainCodes, type ExplainCode } from "./codes.ts";
import { edited } from "./edit.ts";
import type { Change, Edit, Question } from "./explanation.ts";
import { matchesSelector } from "../endpoints/select.ts";
import { snapshotKinds, type SnapshotList } from "./snapshot.ts";
import type { Outcome, Proposal } from "./walk.ts";
import { worldWith, type Replacements, type World } from "./world.ts";

/** More would not be read. */
const mostChanges = 6;

type Walk = (world: World, question: Question) => ExplainCode;

/** Those that mend it first, then those that could not be tried; a proposal that leads to a fault is shown with the fault. */
export function tried(world: World, question: Question, { proposals = [] }: Outcome, walk: Walk): readonly Change[] {
  const changes = proposals.slice(0, mostChanges).map((proposal) => changeOf(world, question, proposal, walk));
  return changes.toSorted((a, b) => rank(a) - rank(b));
}

function rank({ result }: Change): number {
  return result === undefined ? 1 : explainCodes[result].kind === "broken" ? 2 : 0;
}

function changeOf(world: World, question: Question, { text, edit, ask }: Proposal, walk: Walk): Change {
  if (ask !== undefined) return { text, result: walk(world, reworded(question, ask)) };
  const other =
    edit === undefined ? undefined : edit.ref.kind === "Service" || edit.ref.kind === "Pod" ? withEdit(world, edit) : withList(world, edit);
  if (edit === undefined) return { text };
  return other === undefined ? { text, edit } : { text, edit, result: walk(other, question) };
}

/** `anywhere`: from some pod. */
function reworded({ from, ...question }: Question, { from: other, ...ask }: NonNullable<Proposal["ask"]>): Question {
  return { ...question, ...ask, ...(other === "anywhere" || from === undefined ? {} : { from }) };
}

function withEdit(world: World, edit: Edit): World | undefined {
  const { kind, namespace = "", name } = edit.ref;
  const object = kind === "Service" ? world.service(namespace, name) : world.pod(namespace, name);
  if (object === undefined) return undefined;
  const next = edited(object, edit.field, edit.to);
  const replaced: Replacements = kind === "Service" ? { services: [next as Service] } : { pods: [next as Pod] };
  const services =
    kind === "Service"
      ? [next as Service]
      : world.servicesIn(namespace).filter(({ spec }) => matchesSelector(spec?.selector, next.metadata.labels));
  const there = worldWith(world, replaced);
  // As the controllers would write them.
  const slices = new Map(services.flatMap((service) => resliced(there, service)));
  return worldWith(world, { ...replaced, slices });
}

/** Kinds of which there are few. */
function withList(world: World, { ref, field, to }: Edit): World | undefined {
  const list = (Object.entries(snapshotKinds) as [SnapshotList, string][]).find(([, kind]) => kind === ref.kind)?.[0];
  if (list === undefined) return undefined;
  const objects = world.snapshot[list] as readonly KubeObject[];
  const is = ({ metadata }: KubeObject) =>
    metadata.name === ref.name && (ref.namespace === undefined || metadata.namespace === ref.namespace);
  if (ref.kind === "EndpointSlice") return withSlice(world, objects.filter(is)[0], field, to);
  // Scaling makes pods only in a cluster.
  if (ref.kind === "Deployment" || ref.kind === "StatefulSet") return undefined;
  return worldWith(world, { lists: { [list]: objects.map((object) => (is(object) ? edited(object, field, to) : object)) } });
}

function withSlice(world: World, slice: KubeObject | undefined, field: string, to: unknown): World | undefined {
  const service = slice?.metadata.labels?.["kubernetes.io/service-name"];
  if (slice === undefined || service === undefined) return undefined;
  const { namespace = "" } = slice.metadata;
  const all = world
    .slicesOf(namespace, service)
    .map((each) => (each.metadata.name === slice.metadata.name ? edited(each, field, to) : each));
  return worldWith(world, { slices: new Map([[`${namespace}/${service}`, all]]) });
}
