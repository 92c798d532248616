/**
 * Templates in the language of Go's text/template, as far as records need it: text, `{{ pipeline }}`, `{{ if }} {{ else }}
 * {{ end }}`, `{{ range }}`, `{{ with }}`, `{{- trim -}}`, comments, fields, strings, numbers, calls and pipes. Everything else
 * is an error by name when the Corefile is read.
 */

/** Stays inside `text-template/` and its users' setups. */
export class TemplateError extends Error {}

export type Operand =
  | { readonly kind: "field"; readonly path: readonly string[] }
  | { readonly kind: "literal"; readonly value: string | number | boolean }
  | { readonly kind: "pipeline"; readonly pipeline: Pipeline }
  | { readonly kind: "function"; readonly name: string };

/** One command: what is called or shown, and its arguments. */
export type TemplateCommand = readonly Operand[];

/** Each command's result is the last argument of the next. */
export type Pipeline = readonly TemplateCommand[];

export type TemplateNode =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly pipeline: Pipeline }
  | {
      readonly kind: "if" | "with" | "range";
      readonly pipeline: Pipeline;
      readonly body: readonly TemplateNode[];
      readonly otherwise: readonly TemplateNode[];
    };

export function parseTemplate(text: string): readonly TemplateNode[] {
  const parser = new TemplateParser(pieces(text));
  const { nodes, end } = parser.nodes();
  if (end !== undefined) throw new TemplateError(`unexpected {{${end}}}`);
  return nodes;
}

type Piece = { readonly kind: "text"; readonly text: string } | { readonly kind: "code"; readonly tokens: readonly string[] };

function pieces(text: string): readonly Piece[] {
  const found: Piece[] = [];
  let at = 0;
  let trim = false;
  while (at < text.length) {
    const open = text.indexOf("{{", at);
    const literal = text.slice(at, open < 0 ? undefined : open);
    const left = trim ? literal.trimStart() : literal;
    if (open < 0) {
      found.push({ kind: "text", text: left });
      break;
    }
    const close = closing(text, open + 2);
    let code = text.slice(open + 2, close);
    const trimsLeft = /^-\s/.test(code);
    trim = /\s-$/.test(code);
    if (trimsLeft) code = code.slice(1);
    if (trim) code = code.slice(0, -1);
    found.push({ kind: "text", text: trimsLeft ? left.trimEnd() : left });
    if (!/^\s*\/\*[^]*\*\/\s*$/.test(code)) found.push({ kind: "code", tokens: tokens(code) });
    at = close + 2;
  }
  return found.filter((piece) => piece.kind === "code" || piece.text !== "");
}

/** Where the action ends: `}}` outside of strings. */
function closing(text: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    if (text.startsWith("}}", i)) return i;
    const quote = text[i];
    if (quote !== '"' && quote !== "`") continue;
    for (i++; i < text.length && text[i] !== quote; i++) if (quote === '"' && text[i] === "\\") i++;
  }
  throw new TemplateError("unclosed action");
}

const token = /\s+|("(?:[^"\\]|\\[^])*"|`[^`]*`|-?\d+(?:\.\d+)?|(?:\.[A-Za-z_]\w*)+|\$|[A-Za-z_]\w*|[.|()]|:=|=|,)/y;

function tokens(code: string): readonly string[] {
  const found: string[] = [];
  token.lastIndex = 0;
  while (token.lastIndex < code.length) {
    const at = token.lastIndex;
    const match = token.exec(code);
    if (match === null) throw new TemplateError(`unexpected ${JSON.stringify(code[at])} in {{${code}}}`);
    if (match[1] !== undefined) found.push(match[1]);
  }
  return found;
}

const maxDepth = 50;

class TemplateParser {
  readonly #pieces: readonly Piece[];
  #at = 0;
  #depth = 0;

  constructor(list: readonly Piece[]) {
    this.#pieces = list;
  }

  /** Up to the piece that ends them: `end` or `else`. */
  nodes(): { readonly nodes: readonly TemplateNode[]; readonly end: string | undefined; readonly rest: readonly string[] } {
    if (++this.#depth > maxDepth) throw new TemplateError("the template is nested too deeply");
    const nodes: TemplateNode[] = [];
    for (let piece = this.#pieces[this.#at++]; piece !== undefined; piece = this.#pieces[this.#at++]) {
      if (piece.kind === "text") {
        nodes.push(piece);
        continue;
      }
      const [word = "", ...rest] = piece.tokens;
      if (word === "end" || word === "else") return this.#leave({ nodes, end: word, rest });
      if (word === "if" || word === "with" || word === "range") nodes.push(this.#block(word, rest));
      else if (/^(define|template|block|break|continue)$/.test(word)) throw new TemplateError(`{{${word}}} is not supported here`);
      else nodes.push({ kind: "action", pipeline: parsePipeline(piece.tokens) });
    }
    return this.#leave({ nodes, end: undefined, rest: [] });
  }

  #leave<T>(result: T): T {
    this.#depth--;
    return result;
  }

  #block(kind: "if" | "with" | "range", condition: readonly string[]): TemplateNode {
    const pipeline = parsePipeline(condition);
    const body = this.nodes();
    if (body.end === undefined) throw new TemplateError(`{{${kind}}} without {{end}}`);
    if (body.end === "end") return { kind, pipeline, body: body.nodes, otherwise: [] };
    const [chained, ...rest] = body.rest;
    if (chained === "if") return { kind, pipeline, body: body.nodes, otherwise: [this.#block("if", rest)] };
    const otherwise = this.nodes();
    if (otherwise.end !== "end") throw new TemplateError(`{{else}} without {{end}}`);
    return { kind, pipeline, body: body.nodes, otherwise: otherwise.nodes };
  }
}

function parsePipeline(list: readonly string[]): Pipeline {
  if (list.length === 0) throw new TemplateError("missing value for command");
  if (list.some((one) => one === ":=" || one === "=")) throw new TemplateError("variables in templates are not supported here");
  const { pipeline, rest } = readPipeline(list, 0);
  if (rest !== list.length) throw new TemplateError(`unexpected ${JSON.stringify(list[rest])}`);
  return pipeline;
}

function readPipeline(list: readonly string[], from: number): { readonly pipeline: Pipeline; readonly rest: number } {
  const commands: Operand[][] = [[]];
  let at = from;
  for (; at < list.length && list[at] !== ")"; at++) {
    const word = list[at] as string;
    const command = commands.at(-1) as Operand[];
    if (word === "|") commands.push([]);
    else if (word === "(") {
      const inner = readPipeline(list, at + 1);
      if (list[inner.rest] !== ")") throw new TemplateError("unclosed left paren");
      command.push({ kind: "pipeline", pipeline: inner.pipeline });
      at = inner.rest;
    } else command.push(operand(word));
  }
  if (commands.some((command) => command.length === 0)) throw new TemplateError("missing value for command");
  return { pipeline: commands, rest: at };
}

function operand(word: string): Operand {
  if (word === "." || word === "$") return { kind: "field", path: [] };
  if (word.startsWith(".")) return { kind: "field", path: word.slice(1).split(".") };
  if (word.startsWith('"')) return { kind: "literal", value: JSON.parse(word) as string };
  if (word.startsWith("`")) return { kind: "literal", value: word.slice(1, -1) };
  if (/^-?\d/.test(word)) return { kind: "literal", value: Number(word) };
  if (word === "true" || word === "false") return { kind: "literal", value: word === "true" };
  return { kind: "function", name: word };
}
