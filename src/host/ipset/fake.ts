/** Sets in memory: they take what the kernel takes, and refuse what it refuses. */
import { NetlinkWriter } from "../netlink/writer.ts";
import { writeEntry } from "./entries.ts";
import type { Ipset, IpsetDefinition } from "./ipset.ts";

export interface FakeIpset extends Ipset {
  readonly sets: ReadonlyMap<string, ReadonlySet<string>>;
}

export function fakeIpset(): FakeIpset {
  const sets = new Map<string, Set<string>>();
  const types = new Map<string, IpsetDefinition["type"]>();
  return {
    sets,
    create({ name, type }) {
      if (types.has(name) && types.get(name) !== type) throw new Error(`create set ${name}: it is of another type`);
      types.set(name, type);
      if (!sets.has(name)) sets.set(name, new Set());
    },
    list: ({ name }) => {
      const entries = sets.get(name);
      return entries === undefined ? undefined : [...entries];
    },
    run(commands) {
      const failed = new Map<number, Error>();
      for (const [i, { kind, set, entry }] of commands.entries()) {
        try {
          writeEntry(new NetlinkWriter(), set.type, entry);
          const entries = sets.get(set.name);
          if (entries === undefined) throw new Error(`${kind} ${entry}: no set ${set.name}`);
          if (kind === "add") entries.add(entry);
          else entries.delete(entry);
        } catch (error) {
          failed.set(i, error as Error);
        }
      }
      return failed;
    },
    destroy(name) {
      sets.delete(name);
      types.delete(name);
    },
    close: () => undefined,
  };
}
