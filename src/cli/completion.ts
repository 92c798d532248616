/** `fairlead completion bash|zsh|fish`: a script for the shell, made from the commands as they are. Pure. */
import type { Command, Option } from "commander";
import { FairleadError } from "../lib/errors.ts";

/** What a shell needs to know of one command. */
export interface CompletionEntry {
  /** `dns check`; "" is the program itself. */
  readonly path: string;
  readonly description: string;
  readonly subcommands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly CompletionOption[];
}

export interface CompletionOption {
  /** `--filename`, `-f` */
  readonly flags: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  /** Known values. */
  readonly choices: readonly string[];
}

export function completionEntries(program: Command, path = ""): readonly CompletionEntry[] {
  const visible = program.commands.filter((command) => !(command as unknown as { readonly _hidden?: boolean })._hidden);
  return [
    {
      path,
      description: program.description().split("\n")[0] ?? "",
      subcommands: visible.map((command) => ({ name: command.name(), description: command.description().split("\n")[0] ?? "" })),
      options: program.options.filter(({ hidden }) => !hidden).map(optionOf),
    },
    ...visible.flatMap((command) => completionEntries(command, `${path} ${command.name()}`.trim())),
  ];
}

function optionOf(option: Option): CompletionOption {
  return {
    flags: [option.long, option.short].filter((flag): flag is string => flag !== undefined && flag !== null),
    description: option.description,
    takesValue: option.required || option.optional,
    choices: option.argChoices ?? [],
  };
}

export function completionScript(shell: string, entries: readonly CompletionEntry[]): string {
  switch (shell) {
    case "bash":
      return bash(entries);
    case "zsh":
      return `#compdef fairlead\nautoload -U +X bashcompinit && bashcompinit\n${bash(entries)}`;
    case "fish":
      return fish(entries);
    default:
      throw new FairleadError("FL_USAGE", `completion for ${JSON.stringify(shell)}: unknown shell`, { hint: "Known: bash, zsh, fish." });
  }
}

/** Everything is data in two `case`s: by command path the words, by the option before the values. */
function bash(entries: readonly CompletionEntry[]): string {
  const words = entries.map(({ path, subcommands, options }) => {
    const all = [...subcommands.map(({ name }) => name), ...options.flatMap(({ flags }) => flags), "--help"];
    return `    ${JSON.stringify(path)}) words=${JSON.stringify(all.join(" "))} ;;`;
  });
  const commands = entries.filter(({ path }) => path !== "").map(({ path }) => JSON.stringify(path));
  const chosen = new Map(
    entries.flatMap(({ options }) =>
      options.filter(({ choices }) => choices.length > 0).flatMap((option) => option.flags.map((flag) => [flag, option.choices] as const)),
    ),
  );
  const values = [...chosen].map(
    ([flag, choices]) => `    ${flag}) COMPREPLY=($(compgen -W ${JSON.stringify(choices.join(" "))} -- "$current")); return ;;`,
  );
  const free = [
    ...new Set(
      entries.flatMap(({ options }) =>
        options.filter(({ takesValue, choices }) => takesValue && choices.length === 0).flatMap(({ flags }) => flags),
      ),
    ),
  ];
  return `# fairlead completion: source <(fairlead completion bash)
_fairlead() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" path="" word words=""
  case "$before" in
${values.join("\n")}
    ${free.join("|")}) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${path:+$path }$word" in
      ${commands.join("|")}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${words.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _fairlead fairlead
`;
}

function fish(entries: readonly CompletionEntry[]): string {
  const quote = (text: string) => `'${text.replace(/\\/g, "\\\\").replace(/'/g, "\\'")}'`;
  const lines = entries.flatMap(({ path, subcommands, options }) => {
    const at =
      path === ""
        ? "__fish_use_subcommand"
        : path
            .split(" ")
            .map((word) => `__fish_seen_subcommand_from ${word}`)
            .join("; and ");
    return [
      ...subcommands.map(({ name, description }) => `complete -c fairlead -f -n ${quote(at)} -a ${name} -d ${quote(description)}`),
      ...options.map(({ flags, description, takesValue, choices }) => {
        const names = flags.map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(" ");
        const values = choices.length > 0 ? ` -x -a ${quote(choices.join(" "))}` : takesValue ? " -r" : "";
        return `complete -c fairlead -n ${quote(at)} ${names}${values} -d ${quote(description)}`;
      }),
    ];
  });
  return `# fairlead completion: fairlead completion fish | source\n${lines.join("\n")}\n`;
}
