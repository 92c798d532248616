/** Priority: a pod's priority is that of its class, and nobody sets it by himself (`plugin/pkg/admission/priority`). */
import type { Draft } from "../../api/object.ts";
import { pods, priorityClasses } from "../../api/resources.ts";
import { forbiddenError } from "../../api/status.ts";
import type { Pod, PriorityClass } from "../../api/types.ts";
import type { Store } from "../store.ts";
import type { AdmissionPlugin } from "./admission.ts";

interface Level {
  readonly name: string;
  readonly value: number;
  readonly preemptionPolicy: string;
}

/** They exist in every cluster, whether or not their objects are there yet. */
const system: readonly Level[] = [
  { name: "system-cluster-critical", value: 2_000_000_000, preemptionPolicy: "PreemptLowerPriority" },
  { name: "system-node-critical", value: 2_000_001_000, preemptionPolicy: "PreemptLowerPriority" },
];

export function priority(store: Pick<Store, "resource">): AdmissionPlugin {
  const classes = store.resource(priorityClasses);
  return {
    name: "Priority",
    admit({ kind, operation, subresource, object, old, name }) {
      if (kind.resource.plural !== pods.plural || kind.resource.group !== "" || operation === "DELETE" || subresource !== undefined) return;
      const { spec } = object as unknown as Draft<Pod>;
      if (spec === undefined) return;
      if (operation === "UPDATE") return keep(spec, (old as Pod | undefined)?.spec);
      const wanted = spec.priorityClassName ?? "";
      const level = wanted === "" ? defaultLevel(classes.items().map((item) => item.object() as PriorityClass)) : named(wanted);
      if (level === undefined) throw forbiddenError(pods, name, `no PriorityClass with name ${wanted} was found`);
      if (spec.priority !== undefined && spec.priority !== level.value)
        throw forbiddenError(
          pods,
          name,
          `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${level.value} from the given PriorityClass name`,
        );
      if (level.name !== "") spec.priorityClassName = level.name;
      spec.priority = level.value;
      spec.preemptionPolicy ??= level.preemptionPolicy;
    },
  };

  function named(wanted: string): Level | undefined {
    const stored = classes.get(wanted)?.object() as PriorityClass | undefined;
    return stored === undefined ? system.find(({ name }) => name === wanted) : levelOf(stored);
  }
}

/** Who sends again what he sent first sends it without what was decided then. */
function keep(spec: NonNullable<Draft<Pod>["spec"]>, old: Pod["spec"]): void {
  if (spec.priority === undefined && old?.priority !== undefined) spec.priority = old.priority;
  if (spec.preemptionPolicy === undefined && old?.preemptionPolicy !== undefined) spec.preemptionPolicy = old.preemptionPolicy;
}

const levelOf = ({ metadata, value, preemptionPolicy = "PreemptLowerPriority" }: PriorityClass): Level => ({
  name: metadata.name ?? "",
  value: value ?? 0,
  preemptionPolicy,
});

/** Of several marked as global default the lowest; none: priority 0, and no class. */
function defaultLevel(all: readonly PriorityClass[]): Level {
  const marked = all.filter(({ globalDefault }) => globalDefault === true).map(levelOf);
  const [lowest] = marked.sort((a, b) => a.value - b.value);
  return lowest ?? { name: "", value: 0, preemptionPolicy: "PreemptLowerPriority" };
}
