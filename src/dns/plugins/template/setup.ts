import { classCode, classes, rcodeCode, recordTypes, typeCode } from "../../../decide/dns/records.ts";
import { errorMessage } from "../../../lib/errors.ts";
import { goRegExp } from "../../corefile/go-regexp.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import { zonesOrBlock } from "../../corefile/zones.ts";
import { compileExpression, reservedWords } from "../../expression/compile.ts";
import type { PluginEntry } from "../../plugin.ts";
import { checkFunctions } from "../../text-template/execute.ts";
import { parseTemplate, TemplateError, type TemplateNode } from "../../text-template/parse.ts";
import { templateFunctions } from "./expressions.ts";
import { templateHandler, type Template } from "./handler.ts";

type Draft = { -readonly [K in keyof Template]: Template[K] };

const sections = { answer: "answers", additional: "additionals", authority: "authorities" } as const;

export const template: PluginEntry = {
  name: "template",
  setup(reader, { zones, environment }) {
    const templates: Template[] = [];
    while (reader.next()) templates.push(readTemplate(reader, zones));
    return { handlers: [templateHandler(templates, environment.metrics)] };
  },
};

/** CLASS TYPE [ZONES...] */
function readTemplate(reader: TokenReader, blockZones: readonly string[]): Template {
  const [className, type, ...named] = reader.args();
  if (className === undefined || type === undefined) throw reader.argumentError();
  const queryClass = className.toUpperCase() === "ANY" ? classes.ANY : classCode(className);
  if (queryClass === undefined) throw reader.error(`invalid query class ${className}`);
  const queryType = type.toUpperCase() === "ANY" ? recordTypes.ANY : typeCode(type);
  if (queryType === undefined) throw reader.error(`invalid RR class ${type}`);
  const draft: Draft = {
    class: queryClass,
    type: queryType,
    zones: zonesOrBlock(named, blockZones),
    patterns: [],
    variables: [],
    conditions: [],
    answers: [],
    additionals: [],
    authorities: [],
    rcode: 0,
    reason: undefined,
    fallthrough: undefined,
  };
  while (reader.nextInBlock()) readProperty(reader, draft);
  return draft;
}

function readProperty(reader: TokenReader, draft: Draft): void {
  const property = reader.value;
  switch (property) {
    case "match":
      draft.patterns = [...draft.patterns, ...some(reader).map((text) => pattern(reader, text))];
      return;
    case "answer":
    case "additional":
    case "authority":
      draft[sections[property]] = [...draft[sections[property]], ...some(reader).map((text) => parsed(reader, text))];
      return;
    case "rcode":
      draft.rcode = readRcode(reader);
      return;
    case "ederror":
      draft.reason = readReason(reader);
      return;
    case "var":
      readVariable(reader, draft);
      return;
    case "expr":
      draft.conditions = [...draft.conditions, readExpression(reader, some(reader), draft)];
      return;
    case "fallthrough":
      draft.fallthrough = zonesOrBlock(reader.args(), ["."]);
      return;
    case "upstream":
      reader.args();
      return;
    default:
      throw reader.error(
        `unknown property '${property}'; expected match, answer, additional, authority, rcode, ederror, var, expr or fallthrough`,
      );
  }
}

function some(reader: TokenReader): readonly string[] {
  const args = reader.args();
  if (args.length === 0) throw reader.argumentError();
  return args;
}

function pattern(reader: TokenReader, text: string): RegExp {
  try {
    return goRegExp(text);
  } catch (error) {
    throw reader.error(`could not parse regex: ${text}, ${errorMessage(error)}`, error);
  }
}

function parsed(reader: TokenReader, text: string): readonly TemplateNode[] {
  try {
    const nodes = parseTemplate(text);
    checkFunctions(nodes);
    return nodes;
  } catch (error) {
    if (error instanceof TemplateError) throw reader.error(`could not compile template: ${text}, ${error.message}`, error);
    throw error;
  }
}

function readRcode(reader: TokenReader): number {
  const [text = ""] = reader.exactly(1);
  const code = rcodeCode(text);
  if (code === undefined) throw reader.error(`unknown rcode ${text}`);
  return code;
}

function readReason(reader: TokenReader): Template["reason"] {
  const [text = "", extra, ...more] = reader.args();
  if (text === "" || more.length > 0) throw reader.argumentError();
  if (!/^\d{1,5}$/.test(text) || Number(text) > 0xffff) throw reader.error(`error parsing extended DNS error code: ${text}`);
  return extra === undefined ? { code: Number(text) } : { code: Number(text), text: extra };
}

function readVariable(reader: TokenReader, draft: Draft): void {
  const [name = "", ...expression] = some(reader);
  if (expression.length === 0) throw reader.argumentError();
  const taken = reservedWords.has(name) || Object.hasOwn(templateFunctions, name) || draft.variables.some((one) => one.name === name);
  if (!/^[A-Za-z_]\w*$/.test(name) || taken) throw reader.error(`invalid variable name '${name}'`);
  draft.variables = [...draft.variables, { name, run: readExpression(reader, expression, draft) }];
}

function readExpression(reader: TokenReader, words: readonly string[], { variables }: Draft) {
  const text = words.join(" ");
  const compiled = compileExpression(text, { functions: templateFunctions, variables: new Set(variables.map(({ name }) => name)) });
  if (compiled.kind === "error") throw reader.error(`expression ${JSON.stringify(text)}: ${compiled.reason}`);
  return compiled.run;
}
