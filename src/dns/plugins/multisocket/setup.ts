import { availableParallelism } from "node:os";
import type { PluginEntry } from "../../plugin.ts";

const most = 1024;

export const multisocket: PluginEntry = {
  name: "multisocket",
  setup(reader, block) {
    reader.next();
    const [text = String(availableParallelism()), ...more] = reader.args();
    if (more.length > 0) throw reader.argumentError();
    if (!/^-?\d+$/.test(text)) throw reader.error(`invalid num sockets: ${text}`);
    const count = Number(text);
    if (count < 1) throw reader.error(`num sockets can not be zero or negative: ${count}`);
    if (count > most) throw reader.error(`num sockets exceeds maximum (${most}): ${count}`);
    block.listening.sockets = count;
    return {};
  },
};
