/** What the gateway says itself: refusals and redirects. Plain text, so that a browser shows it and `curl` prints it. */

const reasonPhrases: Readonly<Record<number, string>> = {
  100: "Continue",
  200: "OK",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  204: "No Content",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  408: "Request Timeout",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  417: "Expectation Failed",
  421: "Misdirected Request",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

export function reasonPhrase(status: number): string {
  return reasonPhrases[status] ?? "";
}

export interface OwnAnswer {
  readonly status: number;
  /** Each with its CR LF. */
  readonly lines: string;
  /** Latin-1. */
  readonly body: string;
}

/** `message` may quote the request: it is text, and no browser takes it for anything else. */
export function refusal(status: number, reason: string, message: string): OwnAnswer {
  const text = printable(`${status} ${reasonPhrase(status)}\n${reason}: ${message}\n`);
  return {
    status,
    body: text,
    lines: "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n",
  };
}

export function redirect(status: number, location: string, moreLines: string): OwnAnswer {
  return { status, body: "", lines: `Location: ${printable(location)}\r\n${moreLines}` };
}

function printable(text: string): string {
  return text.replace(/[^\n\x20-\x7e]/g, "?").replace(/\n(?=.*\r)/g, "?");
}
