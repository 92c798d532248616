/**
 * Sets of fields in the form in which `managedFields` stores them (FieldsV1, structured-merge-diff `fieldpath/serialize.go`):
 * `f:name` a field, `k:{…}` an item of a keyed list, `v:…` an item of a set, `.` the thing itself. A field without anything
 * below it is a member; one with something below it is a member only if it has `.`.
 */

export interface FieldSet {
  readonly [element: string]: FieldSet;
}

export const self = ".";
export const leaf: FieldSet = Object.freeze({});

export function isEmptySet(set: FieldSet): boolean {
  for (const key in set) if (Object.hasOwn(set, key)) return false;
  return true;
}

/** Whether the thing itself is in the set, not only something below it. */
export const isMember = (node: FieldSet): boolean => isEmptySet(node) || Object.hasOwn(node, self);

const keys = (node: FieldSet): readonly string[] => Object.keys(node).filter((key) => key !== self);

/** A node from its parts; undefined when it holds nothing. */
function node(member: boolean, children: readonly (readonly [string, FieldSet])[]): FieldSet | undefined {
  if (children.length === 0) return member ? leaf : undefined;
  const out: Record<string, FieldSet> = member ? { [self]: leaf } : {};
  for (const [key, child] of children) out[key] = child;
  return out;
}

/** Deeper than any type of the API. */
const maxDepth = 128;

/** Whether a value from outside is such a set. */
export function isFieldSet(value: unknown, depth = 0): value is FieldSet {
  if (typeof value !== "object" || value === null || Array.isArray(value) || depth > maxDepth) return false;
  return Object.entries(value).every(([key, child]) => isElement(key) && isFieldSet(child, depth + 1));
}

function isElement(key: string): boolean {
  if (key === self || key.startsWith("f:") || /^i:\d+$/.test(key)) return true;
  if (!key.startsWith("k:") && !key.startsWith("v:")) return false;
  try {
    const value: unknown = JSON.parse(key.slice(2));
    return key.startsWith("v:") || (typeof value === "object" && value !== null && !Array.isArray(value));
  } catch {
    return false; // no JSON: no element
  }
}

type Combine = (a: boolean, b: boolean) => boolean;

function combine(a: FieldSet | undefined, b: FieldSet | undefined, members: Combine): FieldSet | undefined {
  const names = new Set([...(a === undefined ? [] : keys(a)), ...(b === undefined ? [] : keys(b))]);
  const children: [string, FieldSet][] = [];
  for (const name of names) {
    const child = combine(childOf(a, name), childOf(b, name), members);
    if (child !== undefined) children.push([name, child]);
  }
  return node(members(a !== undefined && isMember(a), b !== undefined && isMember(b)), children);
}

function childOf(set: FieldSet | undefined, key: string): FieldSet | undefined {
  return set !== undefined && Object.hasOwn(set, key) ? set[key] : undefined;
}

/** The root is never a member itself: an empty root is the empty set. */
function atRoot(a: FieldSet, b: FieldSet, members: Combine): FieldSet {
  const children: [string, FieldSet][] = [];
  for (const name of new Set([...keys(a), ...keys(b)])) {
    const child = combine(childOf(a, name), childOf(b, name), members);
    if (child !== undefined) children.push([name, child]);
  }
  return node(false, children) ?? {};
}

export const union = (a: FieldSet, b: FieldSet): FieldSet => (isEmptySet(a) ? b : isEmptySet(b) ? a : atRoot(a, b, (x, y) => x || y));

export const difference = (a: FieldSet, b: FieldSet): FieldSet => (isEmptySet(b) || isEmptySet(a) ? a : atRoot(a, b, (x, y) => x && !y));

export const intersection = (a: FieldSet, b: FieldSet): FieldSet =>
  isEmptySet(a) ? a : isEmptySet(b) ? b : atRoot(a, b, (x, y) => x && y);

export function equalSets(a: FieldSet, b: FieldSet): boolean {
  if (a === b) return true;
  const [left, right] = [Object.keys(a), Object.keys(b)];
  return left.length === right.length && left.every((key) => Object.hasOwn(b, key) && equalSets(a[key] as FieldSet, b[key] as FieldSet));
}

/** Members as paths, in the form of upstream's messages: `.spec.ports[port=80,protocol="TCP"].name`. */
export function memberPaths(set: FieldSet): readonly string[] {
  const out: string[] = [];
  const walk = (at: FieldSet, path: string) => {
    if (path !== "" && isMember(at)) out.push(path);
    for (const key of keys(at)) walk(at[key] as FieldSet, path + elementText(key));
  };
  walk(set, "");
  return out;
}

/** `f:name` → `.name`, `k:{"port":80}` → `[port=80]`, `v:"x"` → `[="x"]` */
export function elementText(key: string): string {
  const [kind, value] = [key.slice(0, 2), key.slice(2)];
  if (kind === "f:") return `.${value}`;
  if (kind === "v:") return `[=${value}]`;
  if (kind === "k:") {
    const fields = JSON.parse(value) as Readonly<Record<string, unknown>>;
    return `[${Object.entries(fields)
      .map(([name, part]) => `${name}=${JSON.stringify(part)}`)
      .join(",")}]`;
  }
  return `[${value}]`;
}
