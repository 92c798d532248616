/** The tables of HPACK: fields that everyone knows (RFC 7541 Appendix A), and those that one side said before (2.3.2). */

export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

const known = `:authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|:status 204|:status 206|\
:status 304|:status 400|:status 404|:status 500|accept-charset|accept-encoding gzip, deflate|accept-language|accept-ranges|accept|\
access-control-allow-origin|age|allow|authorization|cache-control|content-disposition|content-encoding|content-language|content-length|\
content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|\
if-unmodified-since|last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|\
server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate`;

/** From index 1 on; index 0 is none. */
export const staticTable: readonly HeaderField[] = ["", ...known.split("|")].map((each) => {
  const space = each.indexOf(" ");
  return space < 0 ? { name: each, value: "" } : { name: each.slice(0, space), value: each.slice(space + 1) };
});

/** What an entry counts beyond its octets (RFC 7541 4.1). */
export const entryOverhead = 32;

/** The newest entry first; what does not fit any more goes at the other end. */
export class DynamicTable {
  /** The oldest first. Those before `#first` have gone. */
  #entries: HeaderField[] = [];
  #first = 0;
  #bytes = 0;
  #maxBytes: number;
  /** Another after each change. */
  version = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** 0: the newest. */
  at(index: number): HeaderField | undefined {
    const at = this.#entries.length - 1 - index;
    return at < this.#first ? undefined : this.#entries[at];
  }

  /** One that is larger than the table empties it (4.4). */
  add(field: HeaderField): void {
    this.version += 1;
    this.#entries.push(field);
    this.#bytes += sizeOf(field);
    this.#evict();
  }

  resize(maxBytes: number): void {
    this.version += 1;
    this.#maxBytes = maxBytes;
    this.#evict();
  }

  #evict(): void {
    while (this.#bytes > this.#maxBytes) this.#bytes -= sizeOf(this.#entries[this.#first++] as HeaderField);
    if (this.#first < 64) return;
    this.#entries = this.#entries.slice(this.#first);
    this.#first = 0;
  }
}

function sizeOf({ name, value }: HeaderField): number {
  return name.length + value.length + entryOverhead;
}
