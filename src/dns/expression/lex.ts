/** Tokens of an expression (a part of the expr language, expr-lang.org, as `view` and `template` use it). */

export type ExpressionToken =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "name"; readonly value: string }
  | { readonly kind: "operator"; readonly value: string };

/** Stays inside `expression/`: `compileExpression` turns it into a value. */
export class ExpressionError extends Error {}

const pattern =
  /\s+|(0x[\da-f]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?)|("(?:[^"\\]|\\[^])*"|'(?:[^'\\]|\\[^])*'|`[^`]*`)|([A-Za-z_$][\w$]*)|(==|!=|<=|>=|&&|\|\||\?\?|\.\.|\*\*|[-+*/%!<>?:.,()[\]])/iy;

export function lexExpression(text: string): readonly ExpressionToken[] {
  const tokens: ExpressionToken[] = [];
  pattern.lastIndex = 0;
  while (pattern.lastIndex < text.length) {
    const at = pattern.lastIndex;
    const match = pattern.exec(text);
    if (match === null) throw new ExpressionError(`unexpected ${JSON.stringify(text[at])} at ${at + 1}`);
    const [, number, string, name, operator] = match;
    if (number !== undefined) tokens.push({ kind: "number", value: Number(number) });
    else if (string !== undefined) tokens.push({ kind: "string", value: unquote(string) });
    else if (name !== undefined) tokens.push({ kind: "name", value: name });
    else if (operator !== undefined) tokens.push({ kind: "operator", value: operator });
  }
  return tokens;
}

const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "0": "\0" };

function unquote(text: string): string {
  const body = text.slice(1, -1);
  return text.startsWith("`") ? body : body.replace(/\\([^])/g, (_, char: string) => escapes[char] ?? char);
}
