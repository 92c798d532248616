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
/** Whoever read our output has gone (`fairlead … | head`): nobody is left to work for. A cluster is stopped in order. */
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  if (process.listenerCount("SIGTERM") > 0) process.kill(process.pid, "SIGTERM");
  else process.exit(0);
});
process.exitCode = await run(process.argv.slice(2));
