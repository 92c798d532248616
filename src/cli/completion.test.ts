import { execFileSync } from "node:child_process";
import { Command, Option } from "commander";
import { expect, test } from "vitest";
import { completionEntries, completionScript } from "./completion.ts";

function program(): Command {
  const root = new Command("fairlead").option("--quiet", "no progress");
  root
    .command("up")
    .description("start it")
    .option("-f, --filename <path>", "manifests")
    .addOption(new Option("--mode <mode>").choices(["auto", "loopback"]));
  root.command("dns").command("check").description("look at a Corefile").option("-o, --output <format>", "text or json");
  return root;
}

/** What bash offers for this line; the last word is being typed. */
function offered(...words: string[]): readonly string[] {
  const script = `${completionScript("bash", completionEntries(program()))}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fairlead; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync("bash", ["-c", script, "bash", ...words], { encoding: "utf8" })
    .split("\n")
    .filter(Boolean);
}

test.each<[readonly string[], readonly string[]]>([
  [["fairlead", "u"], ["up"]],
  [
    ["fairlead", ""],
    ["up", "dns", "--quiet", "--help"],
  ],
  [["fairlead", "up", "--f"], ["--filename"]],
  [
    ["fairlead", "up", "--mode", ""],
    ["auto", "loopback"],
  ],
  [["fairlead", "dns", "c"], ["check"]],
  [["fairlead", "dns", "check", "--o"], ["--output"]],
])("bash: %j", (words, wanted) => {
  expect(offered(...words)).toEqual(wanted);
});

test("fish has each command and value", () => {
  const script = completionScript("fish", completionEntries(program()));
  expect(script).toContain("-a up -d 'start it'");
  expect(script).toContain("-l mode -x -a 'auto loopback'");
});

test("an unknown shell is refused by name", () => {
  expect(() => completionScript("csh", [])).toThrow("csh");
});
