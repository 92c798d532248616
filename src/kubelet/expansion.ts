/** `$(NAME)` in env values, commands and arguments (third_party/forked/golang/expansion in upstream). */

/**
 * `$(NAME)` becomes the variable's value; an unknown name stays as written; `$$` is one `$`, so `$$(NAME)` is `$(NAME)`.
 * Values are not expanded again.
 */
export function expand(text: string, variable: (name: string) => string | undefined): string {
  return text.replace(/\$(?:\$|\(([^)]*)\))/g, (whole, name: string | undefined) => (name === undefined ? "$" : (variable(name) ?? whole)));
}
