"""Follows the ready endpoints of a Service, with the standard library only."""

import json
import ssl
import urllib.request


class Api:
    """An API server: its URL, the file of its authority, and one with a client's certificate and key."""

    def __init__(self, server, ca, client):
        self.server = server
        self.context = ssl.create_default_context(cafile=ca)
        self.context.load_cert_chain(client)

    def request(self, method, path, body=None, content_type="application/json"):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server + path, data, {"content-type": content_type}, method=method)
        return urllib.request.urlopen(request, context=self.context, timeout=60)

    def get(self, path):
        with self.request("GET", path) as response:
            return json.load(response)


def ready_addresses(slices):
    """The addresses of those EndpointSlices that are ready, sorted."""
    return sorted(
        address
        for item in slices.values()
        for endpoint in item.get("endpoints") or []
        if endpoint.get("conditions", {}).get("ready") is not False
        for address in endpoint["addresses"]
    )


def follow(api, namespace, service):
    """Yields the ready addresses whenever an EndpointSlice of the Service has changed, from what is there now on."""
    path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D{service}"
    listed = api.get(path)
    slices = {item["metadata"]["name"]: item for item in listed["items"]}
    yield ready_addresses(slices)
    version = listed["metadata"]["resourceVersion"]
    with api.request("GET", f"{path}&watch=true&resourceVersion={version}") as stream:
        for line in stream:
            event = json.loads(line)
            name = event["object"]["metadata"]["name"]
            if event["type"] == "DELETED":
                slices.pop(name, None)
            else:
                slices[name] = event["object"]
            yield ready_addresses(slices)
