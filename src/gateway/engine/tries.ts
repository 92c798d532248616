/**
 * Which endpoint a request goes to, and when another try is made: shared by the exchanges of HTTP/1.1 and HTTP/2.
 *
 * Without a policy of the route: another endpoint when no connection was had; the same request again after a connection ended
 * without an answer if its method is idempotent (RFC 9110 9.2.2) and it has no body. With one (HTTPRoute `retry`, GEP-1731): as many
 * more tries as it says, also after the answers that it names and after a try's time was up, with the body as long as it is kept.
 */
import type { Clock, Timer } from "../../lib/clock.ts";
import type { Choice } from "./backends.ts";
import { isFault } from "./endpoint-health.ts";
import type { ExchangeOptions } from "./exchange.ts";
import { stickyId } from "./sticky.ts";
import type { Endpoint } from "./upstream.ts";

export interface TriesUser {
  /** Makes another try. */
  start(): void;
  /** The time of the request, or of its last try, is up. */
  timedOut(message: string): void;
  /** Gives up what it has of the present try. */
  abandon(): void;
}

export interface Fault {
  /** Of the refusal. */
  readonly status: number;
  readonly reason: string;
  readonly message: string;
}

const clientGone = 499;
const maxTries = 3;
/** How long an endpoint that refused a connection is avoided. */
const avoidMs = 2000;
/** Of a body that may be sent again. */
const maxKept = 65_536;
const idempotent: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

export class Tries {
  readonly #options: ExchangeOptions;
  readonly #user: TriesUser;
  readonly #clock: Clock;
  #tried: Set<Endpoint> | undefined;
  #count = 0;
  #endpoint: Endpoint | undefined;
  /** Only over a connection of its own: a kept one may have grown old with all its like. */
  #fresh = false;
  /** Undefined: the body can be sent once only. */
  #kept: Buffer[] | undefined;
  #keptBytes = 0;
  #requestTimer: Timer | undefined;
  #tryTimer: Timer | undefined;
  #setCookie = "";
  /** When this try began, where that is wanted. */
  #begun: number | undefined;

  constructor(options: ExchangeOptions, user: TriesUser) {
    this.#options = options;
    this.#user = user;
    this.#clock = options.clock;
    const { retry, timeouts } = options.route;
    if (retry !== undefined && options.request.body.kind !== "none") this.#kept = [];
    const { requestMs } = timeouts;
    if (requestMs !== undefined && Number.isFinite(requestMs)) {
      this.#requestTimer = this.#clock.after(requestMs, () => user.timedOut("the request's time is up"));
    }
  }

  get endpoint(): Endpoint | undefined {
    return this.#endpoint;
  }

  get fresh(): boolean {
    return this.#fresh;
  }

  choose(): Choice {
    const { backends, sweeper, backend, route, request, certificate } = this.#options;
    const { persistence } = route;
    const wanted = persistence === undefined ? undefined : stickyId(persistence, request.header);
    const choice = backends.choose(backend, sweeper.after(0), { request, tried: this.#tried, session: wanted });
    if (choice.kind === "none") return choice;
    const { endpoint: place } = choice;
    if (persistence !== undefined && place.id !== wanted) this.#setCookie = cookieLine(persistence, place.id);
    const endpoint = place.as(backend.speaks ?? place.speech.speaks, certificate);
    this.#count += 1;
    this.#occupy(endpoint);
    if (backends.measures(backend)) this.#begun = this.#clock.monotonic();
    return { kind: "endpoint", endpoint };
  }

  /** A header line, or "". */
  cookieLine(): string {
    return this.#setCookie;
  }

  #occupy(endpoint: Endpoint | undefined): void {
    if (this.#endpoint !== undefined) this.#endpoint.active -= 1;
    this.#endpoint = endpoint;
    if (endpoint !== undefined) endpoint.active += 1;
  }

  /** A piece of the body: bytes that stay as they are. */
  keep(bytes: Buffer): void {
    if (this.#kept === undefined) return;
    this.#keptBytes += bytes.length;
    if (this.#keptBytes > maxKept) this.#kept = undefined;
    else this.#kept.push(bytes);
  }

  /** Whether pieces of the body are to be given to `keep`. */
  get keeps(): boolean {
    return this.#kept !== undefined;
  }

  /** The body so far, for a try; undefined: it was not kept. */
  replay(): readonly Buffer[] | undefined {
    return this.#kept;
  }

  /** The request is out whole: the time of this try runs. */
  sent(): void {
    const ms = this.#options.route.timeouts.backendRequestMs;
    if (ms === undefined || !Number.isFinite(ms)) return;
    this.#tryTimer?.cancel();
    this.#tryTimer = this.#clock.after(ms, () => {
      if (this.#againAfterFault(this.#policyAllows())) return;
      this.#user.timedOut("the endpoint's time is up");
    });
  }

  /** An answer is being passed on. */
  answered(): void {
    this.#tryTimer?.cancel();
    if (this.#begun !== undefined) {
      const now = this.#clock.monotonic();
      this.#endpoint?.place.latency.observe(now - this.#begun, now);
    }
    // What is left of the request's time is for the rest of the answer.
  }

  /** Whether another try is made. */
  afterNoConnection(endpoint: Endpoint): boolean {
    endpoint.avoidUntil = this.#options.sweeper.after(avoidMs);
    this.#avoid(endpoint);
    return this.#again(this.#count < this.#limit(), 0);
  }

  #avoid(endpoint: Endpoint): void {
    // `tried` is asked about what `choose` found, which may be spoken to otherwise than this.
    (this.#tried ??= new Set()).add(endpoint.place);
  }

  /** Whether the answer is thrown away for another try. */
  afterStatus(status: number): boolean {
    return (
      this.#options.route.retry?.codes.includes(status) === true && this.#againAfterFault(this.#policyAllows(), undefined, isFault(status))
    );
  }

  /** The connection ended without an answer. `untouched`: the endpoint has not looked at the request. `reused`: it had carried others. */
  afterBreak(untouched: boolean, reused = false): boolean {
    const { method, body, upgrade } = this.#options.request;
    const safe = untouched || idempotent.has(method);
    const plain = this.#count < maxTries && safe && body.kind === "none" && upgrade === undefined;
    const allowed = plain || this.#policyAllows();
    if (!allowed) return false;
    this.#fresh = true;
    // A kept connection that ends is mostly the endpoint's right, and no fault.
    if (reused) return this.#again(true, 0);
    if (this.#endpoint !== undefined) this.#avoid(this.#endpoint);
    return this.#againAfterFault(true, plain ? 0 : undefined);
  }

  /** Another try after the endpoint had its turn and failed: as far as the backend's budget goes. */
  #againAfterFault(allowed: boolean, backoffMs?: number, fault = true): boolean {
    const { backends, backend } = this.#options;
    if (!allowed || !backends.mayRetry(backend)) return false;
    if (fault) this.#judge(true);
    return this.#again(true, backoffMs);
  }

  #judge(fault: boolean): void {
    const { backends, backend, sweeper } = this.#options;
    if (this.#endpoint !== undefined) backends.judge(backend, this.#endpoint.place, fault, sweeper.after(0));
  }

  #limit(): number {
    return Math.max(maxTries, 1 + (this.#options.route.retry?.attempts ?? 0));
  }

  #policyAllows(): boolean {
    const { route, request } = this.#options;
    if (route.retry === undefined || request.upgrade !== undefined) return false;
    return this.#count <= route.retry.attempts && (request.body.kind === "none" || this.#kept !== undefined);
  }

  #again(allowed: boolean, backoffMs = this.#options.route.retry?.backoffMs ?? 0): boolean {
    if (!allowed) return false;
    this.#tryTimer?.cancel();
    this.#user.abandon();
    if (backoffMs === 0) this.#user.start();
    else this.#tryTimer = this.#clock.after(backoffMs, () => this.#user.start());
    return true;
  }

  /** The request is over, answered with `status`. */
  finish(status: number): void {
    const endpoint = this.#endpoint;
    this.#requestTimer?.cancel();
    this.#tryTimer?.cancel();
    // What the client broke off says nothing about the endpoint.
    if (status !== clientGone) this.#judge(isFault(status));
    this.#occupy(undefined);
    this.#options.finished(status, endpoint);
  }

  /** No whole answer will come: a refusal, or a break where an answer (`answered`: its status) has begun. */
  fail(answered: number | undefined, { status, reason, message }: Fault): void {
    const { refuse, client } = this.#options;
    if (answered === undefined) refuse(status, reason, message);
    else client.abort();
    this.finish(answered ?? status);
  }
}

function cookieLine({ kind, name, path, maxAgeSeconds }: NonNullable<ExchangeOptions["route"]["persistence"]>, id: string): string {
  if (kind === "header") return `${name}: ${id}\r\n`;
  const age = maxAgeSeconds === undefined ? "" : `; Max-Age=${maxAgeSeconds}`;
  return `Set-Cookie: ${name}=${id}; Path=${path}; HttpOnly; SameSite=Lax${age}\r\n`;
}
