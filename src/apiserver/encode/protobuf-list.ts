/** Lists as protocol buffers. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { apiVersionOf } from "../../api/resources.ts";
import type { ListMeta } from "../../api/types.ts";
import type { StoreList } from "../store.ts";
import type { ListView } from "./list-body.ts";
import { itemHead, listHead, writeItem } from "./protobuf-write.ts";

/** A slice of writing takes about a millisecond. */
const itemsPerSlice = 64;

/** The items are written before the first byte goes out, since the list's length stands at its beginning; others get their turn in between. */
export async function protobufList(list: StoreList, view: ListView): Promise<Buffer> {
  const { apiVersion, kind, definition } = itemType(view);
  const pieces: Uint8Array[] = [];
  let size = 0;
  for (const [index, item] of list.items.entries()) {
    if (index % itemsPerSlice === itemsPerSlice - 1) await nextTurn();
    const message = writeItem(item.object(), definition);
    const head = itemHead(message.length);
    pieces.push(head, message);
    size += head.length + message.length;
  }
  return Buffer.concat([listHead(apiVersion, `${kind}List`, metadataOf(list), size), ...pieces]);
}

function itemType({ form, kind }: ListView): { readonly apiVersion: string; readonly kind: string; readonly definition: string } {
  if (form === "partial") return { apiVersion: "meta.k8s.io/v1", kind: "PartialObjectMetadata", definition: "PartialObjectMetadata" };
  return { apiVersion: apiVersionOf(kind.resource), kind: kind.resource.kind, definition: kind.definition };
}

function metadataOf(list: StoreList): ListMeta {
  return {
    resourceVersion: String(list.revision),
    ...(list.continue === undefined ? {} : { continue: list.continue }),
    ...(list.remaining === undefined ? {} : { remainingItemCount: list.remaining }),
  };
}
