/**
 * Tokens to server blocks (caddyfile's parser): keys, then directives with all their tokens, `import` of snippets and files
 * carried out. What a directive's tokens mean is its plugin's affair.
 */
import { errorMessage, type FairleadError } from "../../lib/errors.ts";
import { lex, type Token } from "./lex.ts";
import { TokenReader } from "./reader.ts";
import { besideFile, expandVariables, type CorefileSources } from "./sources.ts";

export interface ServerBlock {
  /** `.:53`, `example.org`, `dns://10.96.0.0/12`: as written, variables expanded. */
  readonly keys: readonly Token[];
  /** Directive → its tokens, those of every time it is named one after the other. */
  readonly directives: ReadonlyMap<string, readonly Token[]>;
}

export interface ParseOptions {
  /** Why a directive is not accepted; undefined when it is. */
  readonly refuse?: (directive: string) => string | undefined;
  readonly sources: CorefileSources;
  /** For what is odd and allowed: a pattern that no file matches. */
  readonly warn?: (message: string) => void;
}

/** Imports beyond this are a circle. */
const maxImports = 10_000;

/** Throws FL_COREFILE. */
export function parseCorefile(text: string, file: string, options: ParseOptions): ServerBlock[] {
  return new Parser(new TokenReader(file, lex(text, file)), options).blocks();
}

class Parser {
  readonly #reader: TokenReader;
  readonly #options: ParseOptions;
  readonly #snippets = new Map<string, readonly Token[]>();
  #imports = 0;

  constructor(reader: TokenReader, options: ParseOptions) {
    this.#reader = reader;
    this.#options = options;
  }

  blocks(): ServerBlock[] {
    const blocks: ServerBlock[] = [];
    while (this.#reader.next()) {
      const { keys, end } = this.#keys();
      const snippet = snippetName(keys);
      if (snippet !== undefined && !end) this.#snippet(snippet);
      else if (keys.length > 0) blocks.push({ keys, directives: end ? new Map() : this.#body() });
    }
    return blocks;
  }

  #expand(text: string): string {
    return expandVariables(text, this.#options.sources.env);
  }

  /** The keys, up to the brace, the end of their line or the end of the file; a comma leads on to the next line. */
  #keys(): { keys: Token[]; end: boolean } {
    const reader = this.#reader;
    const keys: Token[] = [];
    let another = false;
    for (;;) {
      const text = this.#expand(reader.value);
      if (text === "import" && reader.beginsLine) {
        this.#import();
        if (!reader.next()) return { keys, end: true };
        continue;
      }
      if (text === "{") {
        if (another) throw reader.error("Expected another address but had '{' - check for extra comma");
        return { keys, end: false };
      }
      if (text !== "") {
        another = text.endsWith(",");
        keys.push({ text: another ? text.slice(0, -1) : text, line: reader.line, file: reader.file });
      }
      if (!reader.next()) {
        if (another) throw reader.endError();
        return { keys, end: true };
      }
      if (!another && reader.beginsLine) return { keys, end: false };
    }
  }

  /** The tokens in braces, kept for `import`. */
  #snippet(name: string): void {
    const reader = this.#reader;
    if (this.#snippets.has(name)) throw reader.error(`redeclaration of previously declared snippet ${name}`);
    if (reader.value !== "{") throw reader.syntaxError("{");
    const tokens: Token[] = [];
    for (let depth = 1; ;) {
      if (!reader.next()) throw reader.syntaxError("}");
      if (reader.value === "{") depth++;
      else if (reader.value === "}" && --depth === 0) break;
      if (reader.token !== undefined) tokens.push(reader.token);
    }
    if (importsItself(name, tokens, (text) => this.#expand(text))) throw this.#importCircle();
    this.#snippets.set(name, tokens);
  }

  /** Directives in braces, or to the end of the file when there are none. */
  #body(): Map<string, Token[]> {
    const reader = this.#reader;
    const braces = reader.value === "{";
    if (!braces) reader.back();
    const directives = new Map<string, Token[]>();
    while (reader.next()) {
      if (reader.value === "}") return directives;
      if (reader.value === "import") this.#import();
      else this.#directive(directives);
    }
    if (braces) throw reader.endError();
    return directives;
  }

  #directive(directives: Map<string, Token[]>): void {
    const reader = this.#reader;
    const name = this.#expand(reader.value);
    const refusal = this.#options.refuse?.(name);
    if (refusal !== undefined) throw reader.error(refusal);
    const tokens = directives.get(name) ?? [];
    directives.set(name, tokens);
    tokens.push({ text: name, line: reader.line, file: reader.file });
    let depth = 0;
    while (reader.next()) {
      if (reader.value === "{") depth++;
      else if (depth === 0 && reader.beginsLine) {
        reader.back();
        break;
      } else if (reader.value === "}") {
        if (depth-- === 0) throw reader.error("Unexpected '}' because no matching opening brace");
      } else if (reader.value === "import" && reader.beginsLine) {
        this.#import();
        continue;
      }
      tokens.push({ text: this.#expand(reader.value), line: reader.line, file: reader.file });
    }
    if (depth > 0) throw reader.endError();
  }

  /** At `import`: puts what is imported in its place, so that the next token is the first of it. */
  #import(): void {
    const reader = this.#reader;
    if (!reader.nextArg()) throw reader.argumentError();
    const pattern = this.#expand(reader.value);
    if (pattern === "") throw reader.error("Import requires a non-empty filepath");
    if (reader.nextArg()) throw reader.error("Import takes only one argument (glob pattern or file)");
    if (++this.#imports > maxImports) throw this.#importCircle();
    reader.splice(2, this.#snippets.get(pattern) ?? this.#files(pattern));
  }

  #importCircle(): FairleadError {
    return this.#reader.error(`maximum snippet import depth (${maxImports}) exceeded`);
  }

  #files(pattern: string): readonly Token[] {
    const { sources, warn } = this.#options;
    const path = besideFile(this.#reader.file, pattern);
    if (tooManyWildcards(path)) throw this.#reader.error(`Glob pattern may only contain one wildcard (*), but has others: ${path}`);
    const isPattern = /[*?]/.test(path);
    const files = isPattern ? sources.glob(path) : [path];
    if (files.length === 0) warn?.(`no file matches the import pattern ${pattern}`);
    return files.flatMap((file) => this.#file(file, pattern));
  }

  #file(file: string, pattern: string): Token[] {
    try {
      return lex(this.#options.sources.readFile(file), file);
    } catch (error) {
      throw this.#reader.error(`File to import not found: ${pattern} (${errorMessage(error)})`, error);
    }
  }
}

/** One key in parentheses names a snippet. */
function snippetName(keys: readonly Token[]): string | undefined {
  const [only, ...more] = keys;
  return more.length === 0 ? /^\((.*)\)$/s.exec(only?.text ?? "")?.[1] : undefined;
}

function importsItself(name: string, tokens: readonly Token[], expand: (text: string) => string): boolean {
  return tokens.some((token, i) => {
    const [before, after] = [tokens[i - 1], tokens[i + 1]];
    const beginsLine = before === undefined || before.file !== token.file || before.line !== token.line;
    return token.text === "import" && beginsLine && after !== undefined && expand(after.text) === name;
  });
}

function tooManyWildcards(path: string): boolean {
  const count = (char: string) => path.split(char).length - 1;
  return count("*") > 1 || count("?") > 1 || (path.includes("[") && path.includes("]"));
}
