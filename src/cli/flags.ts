/** What verbs share of their words: options that parse with our own errors, and which cluster is meant. */
import { InvalidArgumentError, Option, type Command } from "commander";
import { FairleadError, errorMessage } from "../lib/errors.ts";
import { outputOption, type Output } from "./options.ts";

/** Takes a verb's exit code. */
export type Report = (code: number) => void;

/** commander shows the message of this error class beside the option. */
export function checked<T>(parse: (value: string, previous: T) => T): (value: string, previous: T) => T {
  return (value, previous) => {
    try {
      return parse(value, previous);
    } catch (error) {
      throw new InvalidArgumentError(
        error instanceof FairleadError && error.hint !== undefined ? `${error.message}. ${error.hint}` : errorMessage(error),
      );
    }
  };
}

export function withCluster(command: Command): Command {
  return command
    .addOption(new Option("--name <name>", "which cluster, where several run side by side").default("default").env("FAIRLEAD_NAME"))
    .addOption(new Option("--data-dir <dir>", "its data directory, if not the named one below $XDG_DATA_HOME").env("FAIRLEAD_DATA_DIR"));
}

export function withOutput(command: Command): Command {
  return command.addOption(new Option("-o, --output <format>", "text or json").default("text").argParser(checked<Output>(outputOption)));
}
