/** `serviceaccounts/token`: a token for a ServiceAccount, for a time, an audience and perhaps an object (`pkg/registry/core/serviceaccount/storage/token.go`). */
import { decodeType } from "../../api/decode.ts";
import { invalid, type FieldError } from "../../api/field-error.ts";
import { keyOf, type Draft, type KubeObject } from "../../api/object.ts";
import type { ApiResponse } from "../../api/request.ts";
import { nodes, pods, secrets, type Resource } from "../../api/resources.ts";
import { badRequestError, conflictError, invalidError, notFoundError, unavailableError } from "../../api/status.ts";
import type { BoundObjectReference, Pod, TokenRequest } from "../../api/types.ts";
import { rfc3339 } from "../../lib/clock.ts";
import { restrictNodeToken } from "../admission/node-restriction.ts";
import type { BoundName, PrivateClaims, ServiceAccountTokens } from "../auth/service-account-tokens.ts";
import { readBody } from "../encode/body.ts";
import { respond } from "../encode/respond.ts";
import { representation } from "../encode/accept.ts";
import type { Store } from "../store.ts";
import { nameOf, type VerbCall } from "../verbs/call.ts";
import { checkName } from "../verbs/update.ts";

export interface TokenIssuer {
  /** The key is read or made when a token is first asked for. */
  readonly tokens: () => Promise<ServiceAccountTokens>;
  readonly store: Pick<Store, "resource">;
}

const defaultSeconds = 3600;
const minSeconds = 600;
const maxSeconds = 2 ** 32;

export async function token(call: VerbCall, issuer: TokenIssuer | undefined): Promise<ApiResponse> {
  if (issuer === undefined) throw unavailableError("this server has no key to sign tokens with");
  const { registry, info, request } = call;
  const name = nameOf(call);
  const namespace = info.namespace ?? "";
  const asked = decodeType<Draft<TokenRequest>>("TokenRequest", await readBody(request, "TokenRequest"));
  asked.metadata ??= {};
  if ((asked.metadata.name ?? "") === "") asked.metadata.name = name;
  checkName(asked as Draft<KubeObject>, name, info.namespace);
  const errors = specErrors(asked as TokenRequest);
  if (errors.length > 0)
    throw invalidError({ group: "authentication.k8s.io", plural: "tokenrequests", kind: "TokenRequest" }, name, errors);
  const account = registry.get(namespace, name).object().metadata;
  const reference = asked.spec?.boundObjectRef as BoundRef | undefined;
  restrictNodeToken(issuer.store, { user: request.user, namespace, account: name, bound: reference });
  const bound = boundClaims(issuer.store, namespace, name, reference);
  const tokens = await issuer.tokens();
  const given = (asked.spec?.audiences ?? []) as readonly string[];
  const audiences = given.length === 0 ? [tokens.issuer] : given;
  const expirationSeconds = (asked.spec?.expirationSeconds as number | undefined) ?? defaultSeconds;
  const issued = tokens.issue({
    namespace,
    serviceaccount: { name, uid: account.uid ?? "" },
    ...bound,
    audiences,
    expirationSeconds,
  });
  const answer = {
    kind: "TokenRequest",
    apiVersion: "authentication.k8s.io/v1",
    metadata: { name, namespace, creationTimestamp: rfc3339(call.clock.now()) },
    spec: { ...asked.spec, audiences, expirationSeconds },
    status: { token: issued.token, expirationTimestamp: rfc3339(issued.expires) },
  };
  return respond(201, answer, representation(request.headers["accept"]).encoding);
}

function specErrors({ spec }: TokenRequest): FieldError[] {
  const seconds = spec?.expirationSeconds;
  if (seconds === undefined) return [];
  if (seconds < minSeconds) return [invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")];
  return seconds > maxSeconds ? [invalid("spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")] : [];
}

type BoundRef = BoundObjectReference;
type BoundClaims = Pick<PrivateClaims, "pod" | "node" | "secret">;

function boundClaims(store: Pick<Store, "resource">, namespace: string, account: string, ref: BoundRef | undefined): BoundClaims {
  if (ref === undefined) return {};
  const { apiVersion = "", kind = "", name = "", uid = "" } = ref;
  const find = (resource: Resource, scope: string | undefined): KubeObject => {
    const found = store.resource(resource).get(keyOf(scope, name))?.object();
    if (found === undefined) throw notFoundError(resource, name);
    if (uid !== "" && uid !== found.metadata.uid)
      throw conflictError(
        resource,
        name,
        `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      );
    return found;
  };
  const named = ({ metadata }: KubeObject): BoundName => ({ name: metadata.name ?? "", uid: metadata.uid ?? "" });
  switch (`${apiVersion}/${kind}`) {
    case "v1/Pod": {
      const pod = find(pods, namespace) as Pod;
      if ((pod.spec?.serviceAccountName ?? "") !== account)
        throw badRequestError(
          `cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`,
        );
      return { pod: named(pod), ...nodeOf(store, pod) };
    }
    case "v1/Secret":
      return { secret: named(find(secrets, namespace)) };
    case "v1/Node":
      return { node: named(find(nodes, undefined)) };
    default:
      throw badRequestError(`cannot bind token to object of type ${apiVersion}, Kind=${kind}`);
  }
}

/** Where the pod runs, so that whoever sees the token can tell. */
function nodeOf(store: Pick<Store, "resource">, { spec }: Pod): { readonly node?: BoundName } {
  const name = spec?.nodeName ?? "";
  const uid = name === "" ? undefined : store.resource(nodes).get(name)?.object().metadata.uid;
  return uid === undefined ? {} : { node: { name, uid } };
}
