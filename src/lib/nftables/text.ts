/** Prints rules as `nft` 1.0.6 lists them, so that a golden can be compared with the kernel's and loaded with `nft -f`. */
import type { Atom, BaseHook, DataType, Element, Field, SetDeclaration, Statement, TableFamily, Verdict } from "./ruleset.ts";
import { unknownStatement } from "./ruleset.ts";
import type { Ruleset, TableState } from "./model.ts";

/** As `nft list ruleset` prints it, except that elements are in order (the kernel's order is that of its hash). */
export function rulesetText(ruleset: Ruleset): string {
  return [...ruleset.tables()].map(tableText).join("");
}

function tableText(state: TableState): string {
  const sets = [...state.sets.values()].map(({ declaration, elements }) => setText(declaration, [...elements.values()]));
  const chains = [...state.chains.entries()].map(([name, { base, rules }]) => chainText(name, state.table.family, base, rules));
  return `table ${state.table.family} ${state.table.name} {\n${[...sets, ...chains].join("\n")}}\n`;
}

function setText(set: SetDeclaration, elements: readonly Element[]): string {
  const value = set.value === undefined ? "" : ` : ${set.value === "verdict" ? "verdict" : set.value.join(" . ")}`;
  const lines = [
    `\t${set.value === undefined ? "set" : "map"} ${set.name} {`,
    `\t\ttype ${set.key.join(" . ")}${value}`,
    ...(set.size === undefined ? [] : [`\t\tsize ${set.size}`]),
    ...(set.flags === undefined || set.flags.length === 0 ? [] : [`\t\tflags ${set.flags.join(",")}`]),
    ...(elements.length === 0 ? [] : [elementsText(set, elements)]),
    "\t}\n",
  ];
  return lines.join("\n");
}

function elementsText(set: SetDeclaration, elements: readonly Element[]): string {
  const texts = elements.map((element) => elementText(set, element)).sort();
  return `\t\telements = { ${texts.join(",\n\t\t\t     ")} }`;
}

export function elementText(set: SetDeclaration, { key, value, comment }: Element): string {
  const left = key.map((atom, i) => atomText(atom, set.key[i] as DataType)).join(" . ");
  const said = comment === undefined ? "" : ` comment "${comment}"`;
  if (value === undefined) return `${left}${said}`;
  const types = set.value as readonly DataType[];
  const right = isVerdict(value) ? verdictText(value) : value.map((atom, i) => atomText(atom, types[i] as DataType)).join(" . ");
  return `${left}${said} : ${right}`;
}

function chainText(name: string, family: TableFamily, base: BaseHook | undefined, rules: readonly (readonly Statement[])[]): string {
  const lines = [
    `\tchain ${name} {`,
    ...(base === undefined ? [] : [`\t\ttype ${base.type} hook ${base.hook} priority ${priorityText(base)}; policy accept;`]),
    ...rules.map((statements) => `\t\t${ruleText(statements, family)}`),
    "\t}\n",
  ];
  return lines.join("\n");
}

const namedPriorities: Readonly<Record<string, string>> = {
  "prerouting -100": "dstnat",
  "postrouting 100": "srcnat",
  "prerouting -300": "raw",
  "output -300": "raw",
};

function priorityText({ hook, priority }: BaseHook): string {
  return namedPriorities[`${hook} ${priority}`] ?? (priority === 0 ? "filter" : String(priority));
}

export function ruleText(statements: readonly Statement[], family: TableFamily): string {
  return statements.map((statement) => statementText(statement, family)).join(" ");
}

function statementText(statement: Statement, family: TableFamily): string {
  switch (statement.kind) {
    case "match":
      return `${statement.field} ${statement.operator === "!=" ? "!= " : ""}${valueText(statement.value)}`;
    case "inRange":
      return `${statement.field} ${statement.from}-${statement.to}`;
    case "established":
      return "ct state established,related";
    case "bitsSet":
      return `${statement.field} & ${hex(statement.bits)} == ${hex(statement.bits)}`;
    case "inSet":
      return `${keyText(statement.key)} ${statement.negated === true ? "!= " : ""}@${statement.set}`;
    case "noRoute":
      return "fib daddr oif missing";
    case "setMark":
      return `meta mark set ${markText(statement.to)}`;
    case "setBits":
      return `${statement.field} set ${statement.field} | ${hex(statement.bits)}`;
    case "dispatch":
      return `${keyText(statement.key)} vmap @${statement.map}`;
    case "dnatByMap":
      return `dnat ${family} to ${keyText(statement.key)} map @${statement.map}`;
    case "dnat":
      return `dnat to ${statement.address.includes(":") ? `[${statement.address}]` : statement.address}:${statement.port}`;
    case "remember":
      return `${statement.operation} @${statement.map} { ${keyText(statement.key)}${timeoutText(statement.timeoutSeconds)} : ${statement.value} }`;
    case "masquerade":
      return "masquerade fully-random";
    case "notrack":
      return "notrack";
    case "fromInterface":
      return `iifname "${statement.name}${statement.prefix ? "*" : ""}"`;
    case "reject":
      return rejectText(statement.with, family);
    case "verdict":
      return verdictText(statement.verdict);
    default:
      return unknownStatement(statement);
  }
}

function rejectText(how: (Statement & { kind: "reject" })["with"], family: TableFamily): string {
  if (how === "port-unreachable") return "reject";
  return how === "tcp reset" ? "reject with tcp reset" : `reject with ${family === "ip" ? "icmp" : "icmpv6"} admin-prohibited`;
}

function markText(from: (Statement & { kind: "setMark" })["to"]): string {
  if (from.kind === "map") return `${keyText(from.key)} map @${from.map}`;
  return `numgen random mod ${from.modulus}${from.offset === 0 ? "" : ` offset ${from.offset}`}`;
}

/** `3h`, `1d2h`, `90s` as `1m30s`. */
function timeoutText(seconds: number | undefined): string {
  if (seconds === undefined) return "";
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ] as const;
  return ` timeout ${parts.map(([count, unit]) => (count === 0 ? "" : `${count}${unit}`)).join("")}`;
}

/** A CIDR of one address is printed as the address. */
function valueText(value: Atom): string {
  return String(value).replace(/^([^:]*)\/32$|^(.*:.*)\/128$/, "$1$2");
}

const keyText = (key: readonly Field[]) => key.join(" . ");
const hex = (value: number) => `0x${(value >>> 0).toString(16).padStart(8, "0")}`;

function atomText(atom: Atom, type: DataType): string {
  return type === "mark" ? hex(atom as number) : String(atom);
}

export function isVerdict(value: readonly Atom[] | Verdict): value is Verdict {
  return !Array.isArray(value);
}

function verdictText(verdict: Verdict): string {
  return "chain" in verdict ? `${verdict.kind} ${verdict.chain}` : verdict.kind;
}
