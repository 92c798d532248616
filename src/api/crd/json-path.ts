/** The simple JSONPaths of printer columns and scale: `.spec.replicas`, `.metadata.labels['a\.b']`, `.status.conditions[?(@.type=="Ready")].status` (client-go `util/jsonpath`). */

type Step =
  | { readonly kind: "key"; readonly key: string }
  | { readonly kind: "index"; readonly index: number }
  | { readonly kind: "filter"; readonly key: string; readonly value: string }
  | { readonly kind: "all" };

export type JsonPath = readonly Step[];

const step =
  /^(?:\.([\w-]+(?:\\\.[\w-]+)*)|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]|\[(-?\d+)\]|\[(\*)\]|\[\?\(\s*@\.([\w.-]+)\s*==\s*["']([^"']*)["']\s*\)\])/;

/** Undefined for what is more than that. */
export function parseJsonPath(text: string): JsonPath | undefined {
  let rest = text.trim();
  if (rest.startsWith("{") && rest.endsWith("}")) rest = rest.slice(1, -1);
  if (rest.startsWith("$")) rest = rest.slice(1);
  if (rest !== "" && !rest.startsWith(".") && !rest.startsWith("[")) rest = `.${rest}`;
  const steps: Step[] = [];
  while (rest !== "" && rest !== ".") {
    const match = step.exec(rest);
    if (match === null) return undefined;
    const [whole, dotted, single, double, index, all, filterKey, filterValue] = match;
    const key = dotted ?? single ?? double;
    if (key !== undefined) steps.push({ kind: "key", key: key.replaceAll(/\\(.)/g, "$1") });
    else if (index !== undefined) steps.push({ kind: "index", index: Number(index) });
    else if (all !== undefined) steps.push({ kind: "all" });
    else steps.push({ kind: "filter", key: filterKey ?? "", value: filterValue ?? "" });
    rest = rest.slice(whole.length);
  }
  return steps;
}

/** Every value at the path. */
export function valuesAt(value: unknown, path: JsonPath): readonly unknown[] {
  return path.reduce<readonly unknown[]>((found, one) => found.flatMap((each) => follow(each, one)), [value]);
}

function follow(value: unknown, one: Step): readonly unknown[] {
  if (typeof value !== "object" || value === null) return [];
  switch (one.kind) {
    case "key":
      return Object.hasOwn(value, one.key) ? present((value as Record<string, unknown>)[one.key]) : [];
    case "index":
      return Array.isArray(value) ? present(value.at(one.index)) : [];
    case "all":
      return Object.values(value);
    case "filter":
      return Array.isArray(value) ? value.filter((item) => String((item as Record<string, unknown> | null)?.[one.key]) === one.value) : [];
    default:
      return one satisfies never;
  }
}

const present = (value: unknown): readonly unknown[] => (value === undefined || value === null ? [] : [value]);
