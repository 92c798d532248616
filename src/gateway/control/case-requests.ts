/** The requests of the shared Gateway API cases, and what their answers are compared by (conformance `utils/http/http.go`). */
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import { connect as connectNet } from "node:net";
import { connect as connectTls } from "node:tls";

interface CaseRequest {
  readonly Host?: string;
  readonly Path?: string;
  readonly Method?: string;
  readonly Headers?: Readonly<Record<string, string>> | null;
  readonly SNI?: string;
}

export interface Expected {
  readonly _table?: string;
  readonly Request?: CaseRequest;
  readonly Backend?: string;
  readonly Namespace?: string;
  readonly BackendIsTLS?: boolean;
  readonly Hostname?: unknown;
  readonly BackendSetResponseHeaders?: Readonly<Record<string, string>>;
  readonly ExpectedRequest?: { readonly Request?: CaseRequest; readonly AbsentHeaders?: readonly string[] };
  readonly RedirectRequest?: { readonly Host?: string; readonly Path?: string; readonly Port?: string; readonly Scheme?: string };
  readonly Response?: {
    readonly StatusCode?: number;
    readonly StatusCodes?: readonly number[];
    readonly Code?: unknown;
    readonly Headers?: Readonly<Record<string, string | readonly string[]>>;
    readonly ValidHeaderValues?: Readonly<Record<string, readonly string[]>>;
    readonly AbsentHeaders?: readonly string[];
  };
  readonly MirroredTo?: readonly { readonly BackendRef: { readonly Name: string }; readonly Percent?: number }[];
  readonly RequestMetadata?: { readonly Authority?: string; readonly Metadata?: Readonly<Record<string, string>> };
  readonly EchoRequest?: object;
  readonly EchoTwoRequest?: object;
  readonly EchoThreeRequest?: object;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** What the backend says that it got; undefined: no backend answered. */
  readonly echo:
    | {
        readonly app: string;
        readonly namespace: string;
        readonly path: string;
        readonly method: string;
        readonly host: string;
        readonly headers: Readonly<Record<string, string>>;
      }
    | undefined;
}

export interface Asking {
  readonly port: number;
  readonly wanted: Expected;
  readonly secure: boolean;
  readonly grpc: boolean;
  readonly ca: string;
}

export function ask(asking: Asking): Promise<Answer> {
  return asking.grpc ? askGrpc(asking) : askHttp(asking);
}

function askHttp({ port, wanted, secure, ca }: Asking): Promise<Answer> {
  const { Host, Path = "/", Method = "GET", Headers, SNI } = wanted.Request ?? {};
  const set = Object.entries(wanted.BackendSetResponseHeaders ?? {}).map(([name, value]) => `${name}:${value}`);
  const headers = {
    ...(Host === undefined || Host === "" ? {} : { Host }),
    ...Headers,
    ...(set.length === 0 ? {} : { "X-Echo-Set-Header": set.join(",") }),
  };
  const name = SNI ?? (Host ?? "example.org").replace(/:\d+$/, "");
  const options = { host: "127.0.0.1", port, path: Path, method: Method, headers, agent: false as const };
  return new Promise((resolve, reject) => {
    const request = secure
      ? httpsRequest({ ...options, servername: name, ca, checkServerIdentity: () => undefined })
      : httpRequest(options);
    request.on("error", reject);
    request.on("response", (response) => {
      let text = "";
      response.on("data", (bytes: Buffer) => (text += bytes.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, echo: echoOf(text) }));
      response.on("error", reject);
    });
    request.end();
  });
}

function echoOf(text: string): Answer["echo"] {
  return text.startsWith("{") ? (JSON.parse(text) as Answer["echo"]) : undefined;
}

/** What a gRPC call is on the wire, without its message: the method's path decides. */
function askGrpc({ port, wanted }: Asking): Promise<Answer> {
  const method = wanted.EchoTwoRequest !== undefined ? "EchoTwo" : wanted.EchoThreeRequest !== undefined ? "EchoThree" : "Echo";
  const metadata = Object.fromEntries(
    Object.entries(wanted.RequestMetadata?.Metadata ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  return new Promise((resolve, reject) => {
    session.on("error", reject);
    const stream = session.request({
      ":method": "POST",
      ":path": `/gateway_api_conformance.echo_basic.grpcecho.GrpcEcho/${method}`,
      ":authority": wanted.RequestMetadata?.Authority ?? wanted.Request?.Host ?? "abc.example.com",
      "content-type": "application/grpc",
      te: "trailers",
      ...metadata,
    });
    let headers: IncomingHttpHeaders = {};
    let text = "";
    stream.on("response", (got) => (headers = got));
    stream.on("data", (bytes: Buffer) => (text += bytes.toString()));
    stream.on("error", reject);
    stream.on("close", () => {
      session.destroy();
      resolve({ status: Number((headers as Record<string, unknown>)[":status"]), headers, echo: echoOf(text) });
    });
    stream.end(Buffer.from([0, 0, 0, 0, 0]));
  });
}

/** Undefined: a backend that is wanted answered. */
export function askTcp(port: number, ca: string, name: string, { Backend, BackendIsTLS }: Expected): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket =
      BackendIsTLS === true
        ? connectTls({ host: "127.0.0.1", port, servername: name, ca, checkServerIdentity: () => undefined })
        : connectNet(port, "127.0.0.1");
    let text = "";
    socket.on("data", (bytes: Buffer) => (text += bytes.toString()));
    socket.on("error", (error) => resolve(error.message));
    socket.on("close", () => {
      const app = text.startsWith("{") ? (JSON.parse(text) as { app: string }).app : undefined;
      resolve(app === Backend || (app !== undefined && Backend === undefined) ? undefined : `got ${app ?? "nothing"}, not ${Backend}`);
    });
  });
}

/** Undefined: as wanted. */
export function compare(wanted: Expected, { status, headers, echo }: Answer, grpc: boolean): string | undefined {
  const { Response = {}, RedirectRequest, Backend, Namespace, _table = "" } = wanted;
  const failure = /Failure/.test(_table) || (grpc && Response.Code !== undefined && !JSON.stringify(Response.Code).includes("codes.OK"));
  if (failure) return echo === undefined && status >= 400 ? undefined : `answered ${status}`;
  const codes = Response.StatusCodes ?? [Response.StatusCode ?? 200];
  if (!codes.includes(status)) return `status ${status}, not ${codes.join(" or ")}`;
  if (RedirectRequest !== undefined) return compareRedirect(RedirectRequest, headers.location ?? "");
  const app = typeof Backend === "string" && Backend !== "" ? Backend : undefined;
  if (
    status < 300 &&
    app !== undefined &&
    (echo?.app !== app || (Namespace !== undefined && Namespace !== "" && echo.namespace !== Namespace))
  )
    return `backend ${echo?.namespace}/${echo?.app}`;
  // A gRPC answer lists what the backend got; elsewhere these are the answer's own.
  const got = grpc ? (echo?.headers ?? {}) : headers;
  return (echo === undefined ? undefined : compareEcho(wanted, echo)) ?? compareHeaders(Response, got);
}

function compareRedirect({ Host, Path, Port, Scheme }: NonNullable<Expected["RedirectRequest"]>, location: string): string | undefined {
  const url = new URL(location);
  const faults = [
    Host !== undefined && url.hostname !== Host ? "host" : "",
    Path !== undefined && url.pathname !== Path ? "path" : "",
    Scheme !== undefined && url.protocol !== `${Scheme}:` ? "scheme" : "",
    Port !== undefined && Port !== "" && (url.port || (url.protocol === "https:" ? "443" : "80")) !== Port ? "port" : "",
  ].filter((each) => each !== "");
  return faults.length === 0 ? undefined : `redirect to ${location}: ${faults.join(", ")}`;
}

function compareEcho({ Request, ExpectedRequest }: Expected, echo: NonNullable<Answer["echo"]>): string | undefined {
  const { Path, Host, Method, Headers } = ExpectedRequest?.Request ?? { Path: Request?.Path, Headers: undefined };
  if (Path !== undefined && Path !== "" && echo.path.split("?")[0] !== Path.split("?")[0]) return `path ${echo.path}, not ${Path}`;
  if (Host !== undefined && Host !== "" && echo.host !== Host) return `host ${echo.host}, not ${Host}`;
  if (Method !== undefined && Method !== "" && echo.method !== Method) return `method ${echo.method}`;
  for (const [name, value] of Object.entries(Headers ?? {})) {
    const got = (echo.headers[name.toLowerCase()] ?? "").replaceAll(", ", ",");
    if (got !== value.replaceAll(", ", ",")) return `header ${name}: ${JSON.stringify(got)}, not ${JSON.stringify(value)}`;
  }
  const extra = ExpectedRequest?.AbsentHeaders?.find((name) => echo.headers[name.toLowerCase()] !== undefined);
  return extra === undefined ? undefined : `header ${extra} is there`;
}

function compareHeaders(
  { Headers = {}, ValidHeaderValues = {}, AbsentHeaders = [] }: NonNullable<Expected["Response"]>,
  headers: IncomingHttpHeaders,
): string | undefined {
  const of = (name: string) => String(headers[name.toLowerCase()] ?? "").replaceAll(", ", ",");
  const text = (value: string | readonly string[]) => String(value).replaceAll(", ", ",");
  for (const [name, value] of Object.entries(Headers)) if (of(name) !== text(value)) return `answer's header ${name}: ${of(name)}`;
  for (const [name, values] of Object.entries(ValidHeaderValues)) {
    if (!values.some((value) => value.replaceAll(", ", ",") === of(name))) return `answer's header ${name}: ${of(name)}`;
  }
  const extra = AbsentHeaders.find((name) => headers[name.toLowerCase()] !== undefined);
  return extra === undefined ? undefined : `answer's header ${extra} is there`;
}
