/** Runs a parsed template on data. An error is thrown as TemplateError: the query that needed it then fails, with the reason. */
import { TemplateError, type Operand, type Pipeline, type TemplateCommand, type TemplateNode } from "./parse.ts";

/** Maps, lists, scalars, and functions that take the arguments written behind them. */
export type TemplateValue =
  | string
  | number
  | boolean
  | undefined
  | readonly TemplateValue[]
  | { readonly [key: string]: TemplateValue }
  | ((...args: readonly TemplateValue[]) => TemplateValue);

const maxOutput = 64 * 1024;

export function executeTemplate(nodes: readonly TemplateNode[], data: TemplateValue): string {
  const out: string[] = [];
  run(nodes, data, out);
  return out.join("");
}

function run(nodes: readonly TemplateNode[], dot: TemplateValue, out: string[]): void {
  for (const node of nodes) {
    switch (node.kind) {
      case "text":
        out.push(node.text);
        break;
      case "action":
        out.push(show(evaluate(node.pipeline, dot)));
        break;
      case "if":
        run(isTrue(evaluate(node.pipeline, dot)) ? node.body : node.otherwise, dot, out);
        break;
      case "with": {
        const value = evaluate(node.pipeline, dot);
        run(isTrue(value) ? node.body : node.otherwise, isTrue(value) ? value : dot, out);
        break;
      }
      case "range": {
        const value = evaluate(node.pipeline, dot);
        const items = Array.isArray(value) ? (value as readonly TemplateValue[]) : [];
        if (items.length === 0) run(node.otherwise, dot, out);
        for (const item of items) run(node.body, item, out);
        break;
      }
    }
    if (out.length > maxOutput) throw new TemplateError("the template's output is too long");
  }
}

function evaluate(pipeline: Pipeline, dot: TemplateValue): TemplateValue {
  let value: TemplateValue;
  pipeline.forEach((command, i) => (value = perform(command, dot, i === 0 ? [] : [value])));
  return value;
}

function perform([first, ...rest]: TemplateCommand, dot: TemplateValue, piped: readonly TemplateValue[]): TemplateValue {
  if (first === undefined) throw new TemplateError("missing value for command");
  const args = () => [...rest.map((one) => value(one, dot)), ...piped];
  if (first.kind === "function") return call(first.name, args());
  const target = value(first, dot);
  if (typeof target === "function") return target(...args());
  if (rest.length > 0 || piped.length > 0) throw new TemplateError("can't give argument to non-function");
  return target;
}

function value(operand: Operand, dot: TemplateValue): TemplateValue {
  switch (operand.kind) {
    case "literal":
      return operand.value;
    case "pipeline":
      return evaluate(operand.pipeline, dot);
    case "function":
      return call(operand.name, []);
    case "field":
      return operand.path.reduce<TemplateValue>(field, dot);
  }
}

/** A key that a map does not have is no value, which shows as `<no value>`, as in Go. */
function field(from: TemplateValue, name: string): TemplateValue {
  if (typeof from !== "object" || Array.isArray(from)) throw new TemplateError(`can't evaluate field ${name}`);
  return Object.hasOwn(from, name) ? (from as { readonly [key: string]: TemplateValue })[name] : undefined;
}

function call(name: string, args: readonly TemplateValue[]): TemplateValue {
  const found = Object.hasOwn(functions, name) ? functions[name] : undefined;
  if (found === undefined) throw new TemplateError(`function "${name}" not defined`);
  return found(...args);
}

/** The functions that a template names, which `checkFunctions` looks for when the Corefile is read. */
const functions: Readonly<Record<string, (...args: readonly TemplateValue[]) => TemplateValue>> = {
  parseInt: (text, base, bits) => parseUint(String(text), Number(base), Number(bits)),
  index: (from, ...keys) => keys.reduce<TemplateValue>(indexed, from),
  len: (of) => (typeof of === "string" || Array.isArray(of) ? (of as string).length : Object.keys(of as object).length),
  printf: (format, ...args) => printf(String(format), args),
  print: (...args) => args.map(show).join(""),
  eq: (a, ...others) => others.some((other) => other === a),
  ne: (a, b) => a !== b,
  lt: (a, b) => (a as number) < (b as number),
  le: (a, b) => (a as number) <= (b as number),
  gt: (a, b) => (a as number) > (b as number),
  ge: (a, b) => (a as number) >= (b as number),
  and: (...args) => args.find((one) => !isTrue(one)) ?? args.at(-1),
  or: (...args) => args.find(isTrue) ?? args.at(-1),
  not: (a) => !isTrue(a),
  slice: (from, start = 0, end = undefined) => String(from).slice(Number(start), end === undefined ? undefined : Number(end)),
};

/** Throws TemplateError for a function that there is not. */
export function checkFunctions(nodes: readonly TemplateNode[]): void {
  for (const node of nodes) {
    if (node.kind === "text") continue;
    checkPipeline(node.pipeline);
    if (node.kind !== "action") checkFunctions([...node.body, ...node.otherwise]);
  }
}

function checkPipeline(pipeline: Pipeline): void {
  for (const operand of pipeline.flat()) {
    if (operand.kind === "function" && !Object.hasOwn(functions, operand.name))
      throw new TemplateError(`function "${operand.name}" not defined`);
    if (operand.kind === "pipeline") checkPipeline(operand.pipeline);
  }
}

function indexed(from: TemplateValue, key: TemplateValue): TemplateValue {
  if (Array.isArray(from)) {
    const list = from as readonly TemplateValue[];
    if (typeof key !== "number" || key < 0 || key >= list.length) throw new TemplateError(`index out of range: ${String(key)}`);
    return list[key];
  }
  return field(from, String(key));
}

/** Go's strconv.ParseUint. */
function parseUint(text: string, base: number, bits: number): number {
  const digits = "0123456789abcdefghijklmnopqrstuvwxyz".slice(0, base);
  const valid = text !== "" && [...text.toLowerCase()].every((char) => digits.includes(char));
  const value = valid ? Number.parseInt(text, base) : Number.NaN;
  if (!(value < 2 ** (bits === 0 ? 64 : bits))) throw new TemplateError(`parsing ${JSON.stringify(text)}: invalid syntax or out of range`);
  return value;
}

function printf(format: string, args: readonly TemplateValue[]): string {
  let next = 0;
  return format.replace(/%(0?)(\d*)([%sdvqxX])/g, (_, zero: string, width: string, verb: string) => {
    if (verb === "%") return "%";
    const arg = args[next++];
    const text =
      verb === "q"
        ? JSON.stringify(show(arg))
        : verb === "x"
          ? Number(arg).toString(16)
          : verb === "X"
            ? Number(arg).toString(16).toUpperCase()
            : show(arg);
    return text.padStart(Number(width || "0"), zero === "0" ? "0" : " ");
  });
}

function isTrue(of: TemplateValue): boolean {
  if (Array.isArray(of)) return of.length > 0;
  return typeof of === "object" ? Object.keys(of).length > 0 : Boolean(of);
}

function show(of: TemplateValue): string {
  if (of === undefined) return "<no value>";
  if (Array.isArray(of)) return `[${(of as readonly TemplateValue[]).map(show).join(" ")}]`;
  return typeof of === "object"
    ? `map[${Object.entries(of)
        .map(([key, one]) => `${key}:${show(one)}`)
        .join(" ")}]`
    : String(of);
}
