/**
 * `npm test`: bundles the program (scenarios run what ships), runs every test, names each skip with its reason and
 * closes with one line of counts. Arguments go to vitest (`npm test -- src/dns`).
 */
import { join } from "node:path";
import { startVitest } from "vitest/node";
import { build } from "./build.ts";
import { SkipReporter } from "./skip-reporter.ts";

const root = join(import.meta.dirname, "..");
await build();

const skips = new SkipReporter();
const vitest = await startVitest("test", process.argv.slice(2), { root, watch: false, reporters: ["default", skips] });
await vitest.close();
process.stdout.write(skips.summary());
process.exitCode = skips.failed > 0 || skips.passed === 0 || vitest.state.getUnhandledErrors().length > 0 ? 1 : 0;
