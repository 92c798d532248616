import json
import os
import subprocess
import unittest

from endpoints import Api, follow

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "db"},
    "spec": {"ports": [{"port": 5432}]},
}


def endpoint_slice(*addresses):
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "db-1", "labels": {"kubernetes.io/service-name": "db"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address]} for address in addresses],
        "ports": [{"port": 5432}],
    }


class FollowEndpoints(unittest.TestCase):
    def setUp(self):
        # It ends when its input closes: with this test, however that ends.
        command = [os.environ.get("FAIRLEAD", "fairlead"), "test-server", "-o", "json"]
        self.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.server.communicate)
        ready = json.loads(self.server.stdout.readline())
        self.api = Api(ready["server"], ready["caFile"], ready["clientFile"])

    def order(self, method, **params):
        print(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}), file=self.server.stdin, flush=True)
        answer = json.loads(self.server.stdout.readline())
        self.assertNotIn("error", answer)
        return answer["result"]

    def test_it_follows(self):
        api = self.api
        slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
        api.request("POST", "/api/v1/namespaces/default/services", SERVICE).close()
        seen = follow(api, "default", "db")
        self.assertEqual(next(seen), [])
        api.request("POST", slices, endpoint_slice("10.9.0.1", "10.9.0.2")).close()
        self.assertEqual(next(seen), ["10.9.0.1", "10.9.0.2"])
        api.request("PUT", f"{slices}/db-1", endpoint_slice("10.9.0.2")).close()
        self.assertEqual(next(seen), ["10.9.0.2"])
        # The cluster's own DNS knows it as well.
        name = self.order("resolve", name="db.default.svc.cluster.local")
        self.assertEqual(len(name["answers"]), 1)
        api.request("DELETE", f"{slices}/db-1").close()
        self.assertEqual(next(seen), [])


if __name__ == "__main__":
    unittest.main()
