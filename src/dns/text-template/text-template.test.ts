import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkFunctions, executeTemplate, type TemplateValue } from "./execute.ts";
import { parseTemplate, TemplateError } from "./parse.ts";

const data: TemplateValue = {
  Name: "a.b.",
  Match: ["whole", "one"],
  Group: { x: "0f" },
  Var: { n: 3, yes: true, list: ["p", "q"] },
  Meta: (label) => `<${String(label)}>`,
};
const run = (text: string) => executeTemplate(parseTemplate(text), data);

describe("a template", () => {
  test.each([
    ["{{ .Name }} 60 IN A 10.0.0.1", "a.b. 60 IN A 10.0.0.1"],
    ["{{ index .Match 1 }}-{{ .Group.x }}", "one-0f"],
    ["{{ parseInt .Group.x 16 8 }}", "15"],
    ["{{ .Group.gone }}", "<no value>"],
    ["{{ if .Var.yes }}y{{ else }}n{{ end }}", "y"],
    ["{{ if eq .Var.n 4 }}a{{ else if gt .Var.n 2 }}b{{ else }}c{{ end }}", "b"],
    ["{{ range .Var.list }}[{{ . }}]{{ end }}", "[p][q]"],
    ["{{ with .Group }}{{ .x }}{{ end }}", "0f"],
    ['a {{- " b " -}} c', "a b c"],
    ["{{/* nothing */}}x", "x"],
    ['{{ .Meta "k/v" }}', "<k/v>"],
    ['{{ .Var.n | printf "%03d" }}', "003"],
    ["{{ (index .Match 0) | len }}", "5"],
    ["{{ `}}` }}", "}}"],
  ])("%s", (text, wanted) => expect(run(text)).toBe(wanted));

  test.each(["{{", "{{ }}", "{{ if .x }}", "{{ end }}", "{{ $x := 1 }}", '{{ define "x" }}{{ end }}', "{{ (.x }}", "{{ ^ }}", "{{ | }}"])(
    "%s is refused when it is read",
    (text) => expect(() => parseTemplate(text)).toThrow(TemplateError),
  );

  test("with an unknown function is refused when it is read, with a wrong value when it runs", () => {
    expect(() => checkFunctions(parseTemplate("{{ if true }}{{ toString .x }}{{ end }}"))).toThrow('function "toString" not defined');
    expect(() => run('{{ parseInt "gg" 16 8 }}')).toThrow("invalid syntax");
    expect(() => run("{{ index .Match 9 }}")).toThrow("out of range");
    expect(() => run("{{ .Name.x }}")).toThrow("can't evaluate");
  });

  test("of any characters is read or refused", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom("{{", "}}", " if ", " end ", ".x", "|", "(", ")", '"'), fc.string({ maxLength: 4 })), {
          maxLength: 15,
        }),
        (parts) => {
          try {
            parseTemplate(parts.join(""));
          } catch (error) {
            // JSON.parse reads quoted text: what it refuses is refused here.
            expect(error instanceof TemplateError || error instanceof SyntaxError).toBe(true);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
