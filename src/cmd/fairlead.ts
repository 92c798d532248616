#!/usr/bin/env node
/** The program: hands its arguments to the command line and leaves with its exit code. */
import { run } from "../cli/index.ts";

const major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
  process.stderr.write(
    `fairlead: needs Node 24 or newer, this is ${process.version}. In a clone, run 'npm ci' and use bin/fairlead, which brings its own.\n`,
  );
  process.exit(1);
}
process.exitCode = await run(process.argv.slice(2));
