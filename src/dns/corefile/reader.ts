/**
 * Walks the tokens of a directive (caddyfile's Dispenser): arguments are the words on a line, a block is what stands in braces
 * that open on the directive's line. Every failure names file and line.
 */
import type { FairleadError } from "../../lib/errors.ts";
import { corefileError } from "./error.ts";
import type { Token } from "./lex.ts";

export class TokenReader {
  readonly #file: string;
  #tokens: readonly Token[];
  #at = -1;
  #inBlock = false;

  /** `file` is named in errors that come before the first token. */
  constructor(file: string, tokens: readonly Token[]) {
    this.#file = file;
    this.#tokens = tokens;
  }

  get value(): string {
    return this.#tokens[this.#at]?.text ?? "";
  }

  get token(): Token | undefined {
    return this.#tokens[this.#at];
  }

  get file(): string {
    return this.#tokens[this.#at]?.file ?? this.#file;
  }

  get line(): number {
    return this.#tokens[this.#at]?.line ?? 0;
  }

  /** The next token, wherever it is. */
  next(): boolean {
    if (this.#at >= this.#tokens.length - 1) return false;
    this.#at++;
    return true;
  }

  /** The next token if it is on the line of this one. */
  nextArg(): boolean {
    if (this.#at < 0 || !this.#continuesLine(this.#at + 1)) return false;
    this.#at++;
    return true;
  }

  /** Steps back: the current token will come again. */
  back(): void {
    this.#at--;
  }

  /** Whether the current token begins a line. */
  get beginsLine(): boolean {
    return this.#at < 1 || !this.#continuesLine(this.#at);
  }

  #continuesLine(at: number): boolean {
    const [before, token] = [this.#tokens[at - 1], this.#tokens[at]];
    if (before === undefined || token === undefined) return false;
    return before.file === token.file && before.line + (before.text.match(/\n/g)?.length ?? 0) === token.line;
  }

  /** All that is left on the line, up to an opening brace. */
  args(): string[] {
    const args: string[] = [];
    while (this.nextArg()) {
      if (this.value === "{") {
        this.back();
        break;
      }
      args.push(this.value);
    }
    return args;
  }

  /** Exactly `count` arguments, else an error. */
  exactly(count: number): string[] {
    const args = this.args();
    if (args.length !== count) throw this.argumentError();
    return args;
  }

  /** Each name in the block that opens here; blocks do not nest. For `while (reader.nextInBlock())`. */
  nextInBlock(): boolean {
    if (this.#inBlock) {
      this.#inBlock = this.next() && this.value !== "}";
      return this.#inBlock;
    }
    if (!this.nextArg()) return false;
    const word: string = this.value;
    if (word !== "{") {
      this.back();
      return false;
    }
    this.#inBlock = this.next() && this.value !== "}";
    return this.#inBlock;
  }

  /** Replaces `count` tokens, of which the current is the last, by others; the next one is the first of those. */
  splice(count: number, tokens: readonly Token[]): void {
    const from = this.#at - count + 1;
    this.#tokens = [...this.#tokens.slice(0, from), ...tokens, ...this.#tokens.slice(this.#at + 1)];
    this.#at = from - 1;
  }

  error(message: string, cause?: unknown): FairleadError {
    return corefileError(this.file, this.line, message, cause);
  }

  argumentError(): FairleadError {
    if (this.value === "{") return this.error("Unexpected token '{', expecting argument");
    return this.error(`Wrong argument count or unexpected line ending after '${this.value}'`);
  }

  syntaxError(expected: string): FairleadError {
    return this.error(`Syntax error: Unexpected token '${this.value}', expecting '${expected}'`);
  }

  endError(): FairleadError {
    return this.error("Unexpected EOF");
  }
}
